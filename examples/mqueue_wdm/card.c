/* The card: its rings, how it learns of them, and the DPC that takes what it wrote there. */
#include "device.h"

/* Program it and read it back: a card that does not like the vector says 0xFFFF. */
static NTSTATUS ChooseVector(DEVICE *Device, ULONG Offset, ULONG Message)
{
    PUSHORT at = (PUSHORT)(Device->Registers + Offset);

    WRITE_REGISTER_USHORT(at, (USHORT)Message);
    return READ_REGISTER_USHORT(at) == Message ? STATUS_SUCCESS : STATUS_DEVICE_CONFIGURATION_ERROR;
}

/* Rings in contiguous memory, whose physical address is what the card sees where no IOMMU stands between. */
NTSTATUS StartCard(DEVICE *Device)
{
    PHYSICAL_ADDRESS highest, address;
    NTSTATUS status;
    ULONG q;

    highest.QuadPart = MAXLONGLONG;
    Write(Device, CONTROL, RESET);
    for (q = 0; q < Device->Queues; q++) {
        RING *ring = &Device->Rings[q];

        if (ring->Memory == NULL) {
            ring->Memory = MmAllocateContiguousMemory(RING_BYTES, highest);
        }
        if (ring->Memory == NULL) {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        ring->Head = 0;
        ring->Message = q % max(Device->Messages - 1, 1);
        RtlZeroMemory((PVOID)ring->Memory, RING_BYTES);
        address = MmGetPhysicalAddress((PVOID)ring->Memory);
        Write(Device, QUEUE_BASE_LOW(q), address.LowPart);
        Write(Device, QUEUE_BASE_HIGH(q), (ULONG)address.HighPart);
        Write(Device, QUEUE_RING_SIZE(q), RING_ENTRIES);
        status = ChooseVector(Device, QUEUE_VECTOR(q), ring->Message);
        if (!NT_SUCCESS(status)) {
            return status;
        }
        Write(Device, QUEUE_CONTROL(q), ENABLE);
    }
    return ChooseVector(Device, ADMIN_VECTOR, Device->Messages - 1);
}

void ArmCard(DEVICE *Device)
{
    ULONG i;

    if (Device->Line) {
        Write(Device, MASK_SET(0), ALL_ONES);
        Write(Device, MASK_SET(1), ALL_ONES);
    }
    for (i = 0; i < Device->Messages && !Device->Line; i++) {
        Write(Device, VECTOR_ARM(i), ARM);
    }
}

void StopCard(DEVICE *Device)
{
    ULONG q;

    if (Device->Registers != NULL) {
        Write(Device, CONTROL, RESET);
        Read(Device, CONTROL); /* nothing is written to the rings after this */
    }
    for (q = 0; q < Device->Queues; q++) {
        if (Device->Rings[q].Memory != NULL) {
            MmFreeContiguousMemory((PVOID)Device->Rings[q].Memory);
            Device->Rings[q].Memory = NULL;
        }
    }
}

/* Whether there is one more completion: an entry counts once its phase bit is this pass's. */
static BOOLEAN Take(RING *Ring)
{
    ULONG phase = ~(Ring->Head / RING_ENTRIES) & 1;

    if ((Ring->Memory[Ring->Head % RING_ENTRIES].Phase & 1) != phase) {
        return FALSE;
    }
    Ring->Head++;
    return TRUE;
}

static void Serve(DEVICE *Device, ULONG Message)
{
    ULONG q;

    for (q = 0; q < Device->Queues; q++) {
        RING *ring = &Device->Rings[q];
        ULONG before = ring->Head;

        if (ring->Message != Message) {
            continue;
        }
        while (Take(ring)) {
        }
        if (ring->Head != before) {
            Write(Device, QUEUE_DOORBELL(q), ring->Head);
        }
    }
    if (Message == Device->Messages - 1 && (Read(Device, ERROR_REGISTER) & ERROR_VALID) != 0) {
        Write(Device, ERROR_REGISTER, ERROR_VALID);
    }
}

/* Serve, arm, and look once more: what came before the arming is not signalled again. */
void NTAPI DpcForIsr(PKDPC Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2)
{
    MESSAGE *message = DeferredContext;
    DEVICE *device = message->Device;

    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(SystemArgument1);
    UNREFERENCED_PARAMETER(SystemArgument2);
    KeAcquireSpinLockAtDpcLevel(&message->Lock);
    Serve(device, message->Number);
    if (!device->Line) {
        Write(device, VECTOR_ARM(message->Number), ARM);
        Read(device, VECTOR_ARM(message->Number)); /* armed for certain */
        Serve(device, message->Number);
    }
    KeReleaseSpinLockFromDpcLevel(&message->Lock);
}
