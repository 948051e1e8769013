/* A tag says that the entry is being written, not that it is whole: its status may still be that of before. */
#include "../../common/card.h"
#include "../../common/dma.h"

#define BASE_LOW 0x00 /* tests/corpus/cards/rings.py */
#define BASE_HIGH 0x04
#define REAP 0x08
#define ENTRIES 8

typedef struct ENTRY {
    ULONG Tag;
    ULONG Length;
    ULONG Status;
    ULONG Phase; /* 1 on the first pass over the ring, 0 on the second, and so on */
} ENTRY;

typedef struct RING {
    volatile ENTRY *Entries;
    ULONG Head;
} RING;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(RING, GetRing)

void NTAPI EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    RING *ring = GetRing(AssociatedObject);
    volatile ENTRY *entry = &ring->Entries[ring->Head % ENTRIES];

    UNREFERENCED_PARAMETER(Interrupt);
    while (entry->Tag == ring->Head + 1) {
        Write(GetCard(AssociatedObject), REAP, entry->Tag << 16 | entry->Status);
        entry = &ring->Entries[++ring->Head % ENTRIES];
    }
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    RING *ring = GetRing(Device);
    PHYSICAL_ADDRESS address;
    NTSTATUS status;

    status = PrepareMessages(Device, ResourcesRaw, ResourcesTranslated, QueueDpc, EvtInterruptDpc);
    if (NT_SUCCESS(status)) {
        status = CreateBuffer(Device, ENTRIES * sizeof(ENTRY), (PVOID *)&ring->Entries, &address);
    }
    if (NT_SUCCESS(status)) {
        Write(GetCard(Device), BASE_LOW, address.LowPart);
        Write(GetCard(Device), BASE_HIGH, (ULONG)address.HighPart);
    }
    return status;
}

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDFDEVICE device;

    UNREFERENCED_PARAMETER(Driver);
    return AddCard(DeviceInit, ReleaseCard, WDF_GET_CONTEXT_TYPE_INFO(RING), &device);
}
