/* The ISR leaves a flag and the DPC serves one job for it: what comes before the flag is cleared is served by nobody. */
#include "../../common/card.h"

typedef struct MESSAGE {
    volatile BOOLEAN Pending;
} MESSAGE;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(MESSAGE, GetMessage)

BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    UNREFERENCED_PARAMETER(MessageID);
    GetMessage(Interrupt)->Pending = TRUE;
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

void NTAPI EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    MESSAGE *message = GetMessage(Interrupt);

    if (message->Pending) {
        Write(GetCard(AssociatedObject), TAKE(0), 1);
        message->Pending = FALSE;
    }
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    WDF_INTERRUPT_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;

    WDF_INTERRUPT_CONFIG_INIT(&config, EvtInterruptIsr, EvtInterruptDpc);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, MESSAGE);
    return PrepareCard(Device, ResourcesRaw, ResourcesTranslated, &config, &attributes, NULL);
}

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDFDEVICE device;

    UNREFERENCED_PARAMETER(Driver);
    InitializeCallbacks(&callbacks);
    return CreateCard(DeviceInit, &callbacks, &device);
}
