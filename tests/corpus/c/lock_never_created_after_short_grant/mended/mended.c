/* A lock for every queue, however many messages there are. */
#include "../../common/card.h"

#define QUEUES 2
#define VECTOR(queue) (0x30 + 4 * (queue)) /* tests/corpus/cards/steered.py */

typedef struct QUEUE {
    WDFSPINLOCK Lock;
} QUEUE;

typedef struct RINGS {
    QUEUE Queue[QUEUES];
} RINGS;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(RINGS, GetRings)

BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    UNREFERENCED_PARAMETER(MessageID);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* Any message may stand for several queues. */
void NTAPI EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    RINGS *rings = GetRings(AssociatedObject);
    ULONG queue;

    UNREFERENCED_PARAMETER(Interrupt);
    for (queue = 0; queue < QUEUES; queue++) {
        WdfSpinLockAcquire(rings->Queue[queue].Lock);
        Write(GetCard(AssociatedObject), TAKE(queue), ALL_JOBS);
        WdfSpinLockRelease(rings->Queue[queue].Lock);
    }
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    CARD *card = GetCard(Device);
    RINGS *rings = GetRings(Device);
    WDF_INTERRUPT_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;
    NTSTATUS status;
    ULONG i;

    WDF_INTERRUPT_CONFIG_INIT(&config, EvtInterruptIsr, EvtInterruptDpc);
    status = PrepareCard(Device, ResourcesRaw, ResourcesTranslated, &config, WDF_NO_OBJECT_ATTRIBUTES, NULL);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = Device;
    for (i = 0; i < QUEUES && NT_SUCCESS(status); i++) {
        status = WdfSpinLockCreate(&attributes, &rings->Queue[i].Lock);
    }
    for (i = 0; i < QUEUES && NT_SUCCESS(status); i++) {
        Write(card, VECTOR(i), i % card->Messages);
    }
    return status;
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
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, RINGS);
    return WdfObjectAllocateContext(device, &attributes, NULL);
}
