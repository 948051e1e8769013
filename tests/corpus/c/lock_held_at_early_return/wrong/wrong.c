/* The early return keeps the lock: harmless until an earlier DPC has taken the job that this one came for. */
#include "../../common/card.h"

typedef struct TAKER {
    KSPIN_LOCK Lock; /* the DPCs of all messages look at the same status register */
} TAKER;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(TAKER, GetTaker)

BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    UNREFERENCED_PARAMETER(MessageID);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

void NTAPI EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    TAKER *taker = GetTaker(AssociatedObject);
    CARD *card = GetCard(AssociatedObject);
    ULONG waiting, queue;

    UNREFERENCED_PARAMETER(Interrupt);
    KeAcquireSpinLockAtDpcLevel(&taker->Lock);
    waiting = Read(card, STATUS);
    if (waiting == 0) {
        return; /* the DPC before this one took them */
    }
    for (queue = 0; queue < 2; queue++) {
        if (waiting & (1u << queue)) {
            Write(card, TAKE(queue), ALL_JOBS);
        }
    }
    KeReleaseSpinLockFromDpcLevel(&taker->Lock);
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
    TAKER *taker;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    InitializeCallbacks(&callbacks);
    status = CreateCard(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, TAKER);
    status = WdfObjectAllocateContext(device, &attributes, (PVOID *)&taker);
    if (NT_SUCCESS(status)) {
        KeInitializeSpinLock(&taker->Lock);
    }
    return status;
}
