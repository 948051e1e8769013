/* The early return keeps the lock: harmless until an earlier DPC has taken the job that this one came for. */
#include "../../common/card.h"

typedef struct TAKER {
    KSPIN_LOCK Lock; /* the DPCs of all messages look at the same status register */
} TAKER;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(TAKER, GetTaker)

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
    return PrepareMessages(Device, ResourcesRaw, ResourcesTranslated, QueueDpc, EvtInterruptDpc);
}

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    status = AddCard(DeviceInit, ReleaseCard, WDF_GET_CONTEXT_TYPE_INFO(TAKER), &device);
    if (NT_SUCCESS(status)) {
        KeInitializeSpinLock(&GetTaker(device)->Lock);
    }
    return status;
}
