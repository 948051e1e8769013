/* The framework flushes its own DPCs; this one may still be queued, or run on another processor, when its block is freed. */
#include "../../common/card.h"

/* What a DPC of the driver's own needs; it is queued by the ISR and is nothing that the framework knows of. */
typedef struct WORK {
    KDPC Dpc;
    CARD *Card;
} WORK;

static KDEFERRED_ROUTINE TakeJobs;

BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    WORK *work = GetCard(WdfInterruptGetDevice(Interrupt))->Block;

    UNREFERENCED_PARAMETER(MessageID);
    KeInsertQueueDpc(&work->Dpc, NULL, NULL);
    return TRUE;
}

static void NTAPI TakeJobs(PKDPC Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2)
{
    WORK *work = DeferredContext;

    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(SystemArgument1);
    UNREFERENCED_PARAMETER(SystemArgument2);
    TakeAll(work->Card, 2);
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    WORK *work = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(WORK), POOL_TAG);

    GetCard(Device)->Block = work;
    if (work == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    work->Card = GetCard(Device);
    KeInitializeDpc(&work->Dpc, TakeJobs, work);
    return PrepareMessages(Device, ResourcesRaw, ResourcesTranslated, EvtInterruptIsr, NULL);
}

/* The interrupts are disconnected: no ISR queues anything from here on. */
static NTSTATUS NTAPI EvtDeviceReleaseHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesTranslated)
{
    FreeBlock(GetCard(Device));
    return ReleaseCard(Device, ResourcesTranslated);
}

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDFDEVICE device;

    UNREFERENCED_PARAMETER(Driver);
    return AddCard(DeviceInit, EvtDeviceReleaseHardware, NULL, &device);
}
