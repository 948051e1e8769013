/* A tag says that the entry is being written, not that it is whole: its status may still be that of before. */
#include "../../common/card.h"

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
    WDFDMAENABLER Enabler;
    WDFCOMMONBUFFER Buffer;
    volatile ENTRY *Entries;
    ULONG Head;
} RING;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(RING, GetRing)

BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    UNREFERENCED_PARAMETER(MessageID);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

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
    WDF_DMA_ENABLER_CONFIG dma;
    WDF_INTERRUPT_CONFIG config;
    PHYSICAL_ADDRESS address;
    NTSTATUS status;

    WDF_INTERRUPT_CONFIG_INIT(&config, EvtInterruptIsr, EvtInterruptDpc);
    status = PrepareCard(Device, ResourcesRaw, ResourcesTranslated, &config, WDF_NO_OBJECT_ATTRIBUTES, NULL);
    if (NT_SUCCESS(status)) {
        WDF_DMA_ENABLER_CONFIG_INIT(&dma, WdfDmaProfileScatterGather64, PAGE_SIZE);
        status = WdfDmaEnablerCreate(Device, &dma, WDF_NO_OBJECT_ATTRIBUTES, &ring->Enabler);
    }
    if (NT_SUCCESS(status)) {
        status = WdfCommonBufferCreate(ring->Enabler, ENTRIES * sizeof(ENTRY), WDF_NO_OBJECT_ATTRIBUTES, &ring->Buffer);
    }
    if (NT_SUCCESS(status)) {
        ring->Entries = WdfCommonBufferGetAlignedVirtualAddress(ring->Buffer);
        RtlZeroMemory((PVOID)ring->Entries, ENTRIES * sizeof(ENTRY));
        address = WdfCommonBufferGetAlignedLogicalAddress(ring->Buffer);
        Write(GetCard(Device), BASE_LOW, address.LowPart);
        Write(GetCard(Device), BASE_HIGH, (ULONG)address.HighPart);
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
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, RING);
    return WdfObjectAllocateContext(device, &attributes, NULL);
}
