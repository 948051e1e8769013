/* What the parts of the driver share: the card's context, its queues' rings, and an interrupt's context. */
#ifndef MQUEUE_H
#define MQUEUE_H

#include <ntddk.h>
#include <wdf.h>

#include "registers.h"

#define RING_ENTRIES 64
#define RING_BYTES (RING_ENTRIES * sizeof(ENTRY))

/* One queue: its completion ring in host memory, how far the driver has read, and the message that tells of it. */
typedef struct RING {
    WDFCOMMONBUFFER Buffer;
    volatile ENTRY *Memory;
    ULONG Head;
    ULONG Served;
    ULONG Message;
} RING;

typedef struct CARD {
    PUCHAR Registers;
    SIZE_T Length;
    BOOLEAN Line;
    WDFDMAENABLER Enabler;
    ULONG Queues;
    RING *Rings;
    ULONG Messages;
} CARD;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(CARD, GetCard)

/* An interrupt's context: which message it is, and the lock that keeps its DPC from running against itself. */
typedef struct MESSAGE {
    ULONG Number;
    WDFSPINLOCK Lock;
} MESSAGE;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(MESSAGE, GetMessageContext)

/* interrupt.c */
NTSTATUS CreateInterrupts(WDFDEVICE Device, CARD *Card, WDFCMRESLIST Raw, WDFCMRESLIST Translated);
BOOLEAN IsMessage(PCM_PARTIAL_RESOURCE_DESCRIPTOR Descriptor);

/* isr.c */
EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_ISR EvtInterruptIsrOfALine;
EVT_WDF_INTERRUPT_DPC EvtInterruptDpc;

/* queue.c */
NTSTATUS CreateRings(WDFDEVICE Device, CARD *Card);
void DeleteRings(CARD *Card);
NTSTATUS StartRings(CARD *Card);
void Serve(CARD *Card, ULONG Message);

FORCEINLINE ULONG Read(CARD *Card, ULONG Offset)
{
    return READ_REGISTER_ULONG((PULONG)(Card->Registers + Offset));
}

FORCEINLINE void Write(CARD *Card, ULONG Offset, ULONG Value)
{
    WRITE_REGISTER_ULONG((PULONG)(Card->Registers + Offset), Value);
}

#endif
