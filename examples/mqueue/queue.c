/* The queues: their rings in host memory, how the card learns of them, and what is taken from them. */
#include "mqueue.h"

#define MAXIMUM_TRANSFER 4096
#define POOL_TAG 'uQqM'

NTSTATUS CreateRings(WDFDEVICE Device, CARD *Card)
{
    WDF_DMA_ENABLER_CONFIG config;
    NTSTATUS status;
    ULONG q;

    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfileScatterGather64, MAXIMUM_TRANSFER);
    status = WdfDmaEnablerCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &Card->Enabler);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    Card->Rings = ExAllocatePool2(POOL_FLAG_NON_PAGED, Card->Queues * sizeof(RING), POOL_TAG);
    if (Card->Rings == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    for (q = 0; q < Card->Queues; q++) {
        RING *ring = &Card->Rings[q];
        status = WdfCommonBufferCreate(Card->Enabler, RING_BYTES, WDF_NO_OBJECT_ATTRIBUTES, &ring->Buffer);
        if (!NT_SUCCESS(status)) {
            return status;
        }
        ring->Memory = WdfCommonBufferGetAlignedVirtualAddress(ring->Buffer);
    }
    return STATUS_SUCCESS;
}

void DeleteRings(CARD *Card)
{
    if (Card->Rings != NULL) {
        ExFreePoolWithTag(Card->Rings, POOL_TAG);
        Card->Rings = NULL;
    }
    if (Card->Enabler != NULL) {
        WdfObjectDelete(Card->Enabler); /* and its common buffers */
        Card->Enabler = NULL;
    }
}

/* Program it and read it back: a card that does not like the vector says 0xFFFF. */
static NTSTATUS ChooseVector(CARD *Card, ULONG Offset, ULONG Message)
{
    PUSHORT at = (PUSHORT)(Card->Registers + Offset);

    WRITE_REGISTER_USHORT(at, (USHORT)Message);
    return READ_REGISTER_USHORT(at) == Message ? STATUS_SUCCESS : STATUS_DEVICE_CONFIGURATION_ERROR;
}

/* Tells the card where each ring is and which message tells of it. */
NTSTATUS StartRings(CARD *Card)
{
    NTSTATUS status;
    ULONG q;

    for (q = 0; q < Card->Queues; q++) {
        RING *ring = &Card->Rings[q];
        PHYSICAL_ADDRESS address = WdfCommonBufferGetAlignedLogicalAddress(ring->Buffer);

        ring->Head = 0;
        RtlZeroMemory((PVOID)ring->Memory, RING_BYTES);
        Write(Card, QUEUE_BASE_LOW(q), address.LowPart);
        Write(Card, QUEUE_BASE_HIGH(q), (ULONG)address.HighPart);
        Write(Card, QUEUE_RING_SIZE(q), RING_ENTRIES);
        status = ChooseVector(Card, QUEUE_VECTOR(q), ring->Message);
        if (!NT_SUCCESS(status)) {
            return status;
        }
        Write(Card, QUEUE_CONTROL(q), ENABLE);
    }
    return ChooseVector(Card, ADMIN_VECTOR, Card->Messages - 1);
}

/* Whether there is one more completion: an entry counts once its phase bit is this pass's. */
static BOOLEAN Take(RING *Ring)
{
    ULONG phase = ~(Ring->Head / RING_ENTRIES) & 1;

    if ((Ring->Memory[Ring->Head % RING_ENTRIES].Phase & 1) != phase) {
        return FALSE;
    }
    Ring->Head++;
    Ring->Served++;
    return TRUE;
}

void Serve(CARD *Card, ULONG Message)
{
    ULONG q;

    for (q = 0; q < Card->Queues; q++) {
        RING *ring = &Card->Rings[q];
        ULONG before = ring->Head;

        if (ring->Message != Message) {
            continue;
        }
        while (Take(ring)) {
        }
        if (ring->Head != before) {
            Write(Card, QUEUE_DOORBELL(q), ring->Head);
        }
    }
    if (Message == Card->Messages - 1 && (Read(Card, ERROR_REGISTER) & ERROR_VALID) != 0) {
        Write(Card, ERROR_REGISTER, ERROR_VALID);
    }
}
