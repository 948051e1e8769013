/* TakeJobs was written for the start, at PASSIVE_LEVEL, and put into a PAGE section; then the DPC began to call it too. */
#include "../../common/card.h"

static DECLSPEC_NOINLINE void TakeJobs(CARD *Card);
#pragma alloc_text(PAGE, TakeJobs)

/* Takes the jobs of every queue that has some. */
static void TakeJobs(CARD *Card)
{
    ULONG waiting = Read(Card, STATUS);
    ULONG queue;

    for (queue = 0; queue < 4; queue++) {
        if (waiting & (1u << queue)) {
            Write(Card, TAKE(queue), ALL_JOBS);
        }
    }
}

BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    UNREFERENCED_PARAMETER(MessageID);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

void NTAPI EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    UNREFERENCED_PARAMETER(Interrupt);
    TakeJobs(GetCard(AssociatedObject));
}

/* What came before the interrupts were connected. */
static NTSTATUS NTAPI EvtDeviceD0EntryPostInterruptsEnabled(WDFDEVICE Device, WDF_POWER_DEVICE_STATE PreviousState)
{
    UNREFERENCED_PARAMETER(PreviousState);
    TakeJobs(GetCard(Device));
    return STATUS_SUCCESS;
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
    WDFDEVICE device;

    UNREFERENCED_PARAMETER(Driver);
    InitializeCallbacks(&callbacks);
    callbacks.EvtDeviceD0EntryPostInterruptsEnabled = EvtDeviceD0EntryPostInterruptsEnabled;
    return CreateCard(DeviceInit, &callbacks, &device);
}
