/* What the parts of the driver share. */
#ifndef DEVICE_H
#define DEVICE_H

#include <ntddk.h>

#include "registers.h"

#define RING_ENTRIES 64
#define RING_BYTES (RING_ENTRIES * sizeof(ENTRY))
#define MAXIMUM_QUEUES 32
#define MAXIMUM_MESSAGES (MAXIMUM_QUEUES + 1)

typedef struct RING {
    volatile ENTRY *Memory;
    ULONG Head;
    ULONG Message;
} RING;

/* One message, or the line: its interrupt object, its DPC, and the lock that keeps the DPC from running against itself. */
typedef struct MESSAGE {
    struct DEVICE *Device;
    ULONG Number;
    PKINTERRUPT Interrupt;
    KDPC Dpc;
    KSPIN_LOCK Lock;
} MESSAGE;

/* The device extension. */
typedef struct DEVICE {
    PDEVICE_OBJECT Self;
    PDEVICE_OBJECT Lower;
    PDEVICE_OBJECT Physical;
    PUCHAR Registers;
    SIZE_T Length;
    ULONG Queues;
    RING Rings[MAXIMUM_QUEUES];
    BOOLEAN Line;
    ULONG Messages;
    MESSAGE Message[MAXIMUM_MESSAGES];
    ULONG Version;                    /* CONNECT_…, as it was connected */
    PIO_INTERRUPT_MESSAGE_INFO Table; /* of CONNECT_MESSAGE_BASED */
} DEVICE;

/* connect.c */
NTSTATUS Connect(DEVICE *Device, PCM_RESOURCE_LIST Raw, PCM_RESOURCE_LIST Translated);
void Disconnect(DEVICE *Device);

/* card.c */
NTSTATUS StartCard(DEVICE *Device);
void ArmCard(DEVICE *Device);
void StopCard(DEVICE *Device);
KDEFERRED_ROUTINE DpcForIsr;

FORCEINLINE ULONG Read(DEVICE *Device, ULONG Offset)
{
    return READ_REGISTER_ULONG((PULONG)(Device->Registers + Offset));
}

FORCEINLINE void Write(DEVICE *Device, ULONG Offset, ULONG Value)
{
    WRITE_REGISTER_ULONG((PULONG)(Device->Registers + Offset), Value);
}

#endif
