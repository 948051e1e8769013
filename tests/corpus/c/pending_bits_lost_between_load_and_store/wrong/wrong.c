/* The DPC takes the bits in two steps: what an ISR sets between its load and its store of zero is lost, and so is the job. */
#include "../../common/card.h"

typedef struct QUEUES {
    volatile LONG Pending; /* a bit for each queue with work */
} QUEUES;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(QUEUES, GetQueues)

BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    GetQueues(WdfInterruptGetDevice(Interrupt))->Pending |= 1 << MessageID;
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

void NTAPI EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    QUEUES *queues = GetQueues(AssociatedObject);
    LONG pending = queues->Pending;
    ULONG queue;

    UNREFERENCED_PARAMETER(Interrupt);
    queues->Pending = 0;
    for (queue = 0; queue < 2; queue++) {
        if (pending & (1 << queue)) {
            Write(GetCard(AssociatedObject), TAKE(queue), ALL_JOBS);
        }
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
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    InitializeCallbacks(&callbacks);
    status = CreateCard(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, QUEUES);
    return WdfObjectAllocateContext(device, &attributes, NULL);
}
