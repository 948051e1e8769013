/* An ISR for a line, used for messages: it clears the bits of another message too, whose ISR then says it was not its own. */
#include "../../common/card.h"

#define CAUSE 0x20 /* tests/corpus/cards/steered.py */
#define VECTOR(queue) (0x30 + 4 * (queue))
#define QUEUES 2

BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    CARD *card = GetCard(WdfInterruptGetDevice(Interrupt));
    ULONG cause = Read(card, CAUSE);

    UNREFERENCED_PARAMETER(MessageID);
    if (cause == 0) {
        return FALSE;
    }
    Write(card, CAUSE, cause);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

void NTAPI EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    WDF_INTERRUPT_INFO info;

    WDF_INTERRUPT_INFO_INIT(&info);
    WdfInterruptGetInfo(Interrupt, &info);
    Write(GetCard(AssociatedObject), TAKE(info.MessageNumber), ALL_JOBS);
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    WDF_INTERRUPT_CONFIG config;
    NTSTATUS status;
    ULONG queue;

    WDF_INTERRUPT_CONFIG_INIT(&config, EvtInterruptIsr, EvtInterruptDpc);
    status = PrepareCard(Device, ResourcesRaw, ResourcesTranslated, &config, WDF_NO_OBJECT_ATTRIBUTES, NULL);
    for (queue = 0; queue < QUEUES && NT_SUCCESS(status); queue++) {
        Write(GetCard(Device), VECTOR(queue), queue);
    }
    return status;
}

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDFDEVICE device;

    UNREFERENCED_PARAMETER(Driver);
    InitializeCallbacks(&callbacks);
    return CreateCard(DeviceInit, &callbacks, &device);
}
