/* KeFlushQueuedDpcs: what was queued has run before the block is freed. */
#include "../../common/card.h"

#define POOL_TAG 'krW '

/* What a DPC of the driver's own needs; it is queued by the ISR and is nothing that the framework knows of. */
typedef struct WORK {
    KDPC Dpc;
    CARD *Card;
} WORK;

typedef struct WORKER {
    WORK *Work;
} WORKER;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(WORKER, GetWorker)

static KDEFERRED_ROUTINE TakeJobs;

BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    UNREFERENCED_PARAMETER(MessageID);
    KeInsertQueueDpc(&GetWorker(WdfInterruptGetDevice(Interrupt))->Work->Dpc, NULL, NULL);
    return TRUE;
}

static void NTAPI TakeJobs(PKDPC Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2)
{
    WORK *work = DeferredContext;
    ULONG queue;

    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(SystemArgument1);
    UNREFERENCED_PARAMETER(SystemArgument2);
    for (queue = 0; queue < 2; queue++) {
        Write(work->Card, TAKE(queue), ALL_JOBS);
    }
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    WORK *work = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(WORK), POOL_TAG);
    WDF_INTERRUPT_CONFIG config;

    GetWorker(Device)->Work = work;
    if (work == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    work->Card = GetCard(Device);
    KeInitializeDpc(&work->Dpc, TakeJobs, work);
    WDF_INTERRUPT_CONFIG_INIT(&config, EvtInterruptIsr, NULL);
    return PrepareCard(Device, ResourcesRaw, ResourcesTranslated, &config, WDF_NO_OBJECT_ATTRIBUTES, NULL);
}

/* The interrupts are disconnected: no ISR queues anything from here on. */
static NTSTATUS NTAPI EvtDeviceReleaseHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesTranslated)
{
    WORKER *worker = GetWorker(Device);

    if (worker->Work != NULL) {
        KeFlushQueuedDpcs();
        ExFreePoolWithTag(worker->Work, POOL_TAG);
        worker->Work = NULL;
    }
    return ReleaseCard(Device, ResourcesTranslated);
}

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    InitializeCallbacks(&callbacks);
    callbacks.EvtDeviceReleaseHardware = EvtDeviceReleaseHardware;
    status = CreateCard(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, WORKER);
    return WdfObjectAllocateContext(device, &attributes, NULL);
}
