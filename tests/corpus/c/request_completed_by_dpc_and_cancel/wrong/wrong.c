/* WdfRequestUnmarkCancelable says whether EvtRequestCancel has the request; the DPC does not listen, and both complete it. */
#include "../../common/reads.h"

void NTAPI EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    READS *reads = GetReads(AssociatedObject);
    WDFREQUEST request;

    UNREFERENCED_PARAMETER(Interrupt);
    Write(GetCard(AssociatedObject), TAKE(READ_QUEUE), ALL_JOBS);
    WdfSpinLockAcquire(reads->Lock);
    request = reads->Request;
    reads->Request = NULL;
    if (request != NULL) {
        WdfRequestUnmarkCancelable(request);
    }
    WdfSpinLockRelease(reads->Lock);
    if (request != NULL) {
        WdfRequestComplete(request, STATUS_SUCCESS);
    }
}

void NTAPI EvtRequestCancel(WDFREQUEST Request)
{
    READS *reads = GetReads(WdfIoQueueGetDevice(WdfRequestGetIoQueue(Request)));

    WdfSpinLockAcquire(reads->Lock);
    reads->Request = NULL;
    WdfSpinLockRelease(reads->Lock);
    WdfRequestComplete(Request, STATUS_CANCELLED);
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    return PrepareMessages(Device, ResourcesRaw, ResourcesTranslated, QueueDpc, EvtInterruptDpc);
}

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    status = AddCard(DeviceInit, ReleaseCard, WDF_GET_CONTEXT_TYPE_INFO(READS), &device);
    return NT_SUCCESS(status) ? ServeReads(device) : status;
}
