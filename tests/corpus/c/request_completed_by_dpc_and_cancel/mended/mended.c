/* STATUS_CANCELLED: EvtRequestCancel completes it. It waits for the lock first, so that the handle is still good here. */
#include "../../common/card.h"

#define READ_QUEUE 1 /* the card's queue that brings what is read */

typedef struct READS {
    WDFREQUEST Request; /* the one that waits for a job, or NULL */
    WDFSPINLOCK Lock;
} READS;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(READS, GetReads)


BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    UNREFERENCED_PARAMETER(MessageID);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

void NTAPI EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    READS *reads = GetReads(AssociatedObject);
    WDFREQUEST request;

    UNREFERENCED_PARAMETER(Interrupt);
    Write(GetCard(AssociatedObject), TAKE(READ_QUEUE), ALL_JOBS);
    WdfSpinLockAcquire(reads->Lock);
    request = reads->Request;
    reads->Request = NULL;
    if (request != NULL && WdfRequestUnmarkCancelable(request) == STATUS_CANCELLED) {
        request = NULL;
    }
    WdfSpinLockRelease(reads->Lock);
    if (request != NULL) {
        WdfRequestComplete(request, STATUS_SUCCESS);
    }
}

static EVT_WDF_REQUEST_CANCEL EvtRequestCancel;
static void NTAPI EvtRequestCancel(WDFREQUEST Request)
{
    READS *reads = GetReads(WdfIoQueueGetDevice(WdfRequestGetIoQueue(Request)));

    WdfSpinLockAcquire(reads->Lock);
    reads->Request = NULL;
    WdfSpinLockRelease(reads->Lock);
    WdfRequestComplete(Request, STATUS_CANCELLED);
}

static EVT_WDF_IO_QUEUE_IO_READ EvtIoRead;
static void NTAPI EvtIoRead(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    READS *reads = GetReads(WdfIoQueueGetDevice(Queue));
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Length);
    WdfSpinLockAcquire(reads->Lock);
    status = WdfRequestMarkCancelableEx(Request, EvtRequestCancel);
    if (NT_SUCCESS(status)) {
        reads->Request = Request;
    }
    WdfSpinLockRelease(reads->Lock);
    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
    }
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    WDF_INTERRUPT_CONFIG config;

    WDF_INTERRUPT_CONFIG_INIT(&config, EvtInterruptIsr, EvtInterruptDpc);
    return PrepareCard(Device, ResourcesRaw, ResourcesTranslated, &config, WDF_NO_OBJECT_ATTRIBUTES, NULL);
}

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFDEVICE device;
    READS *reads = NULL;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    InitializeCallbacks(&callbacks);
    status = CreateCard(DeviceInit, &callbacks, &device);
    if (NT_SUCCESS(status)) {
        WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, READS);
        status = WdfObjectAllocateContext(device, &attributes, (PVOID *)&reads);
    }
    if (NT_SUCCESS(status)) {
        WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
        attributes.ParentObject = device;
        status = WdfSpinLockCreate(&attributes, &reads->Lock);
    }
    return NT_SUCCESS(status) ? ServeReads(device, EvtIoRead) : status;
}
