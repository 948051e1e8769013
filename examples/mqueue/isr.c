/* What runs above PASSIVE_LEVEL: the ISR and its DPC. */
#include "mqueue.h"

#if defined(STATUS_REGISTER)

/* Right, and slow: it clears its own sources only, and believes the message when the register says nothing. */
BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    CARD *card = GetCard(WdfInterruptGetDevice(Interrupt));
    ULONG mine = 0;
    ULONG q;

    for (q = 0; q < card->Queues; q++) {
        if (card->Rings[q].Message == MessageID) {
            mine |= 1u << q;
        }
    }
    if ((Read(card, STATUS(0)) & mine) != 0) {
        Write(card, STATUS(0), mine);
    }
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

#elif defined(NOT_MINE)

/* Wrong: an ISR for a line, used for messages. It takes the bits of another message, whose ISR then finds none. */
BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    CARD *card = GetCard(WdfInterruptGetDevice(Interrupt));
    ULONG status = Read(card, STATUS(0));

    UNREFERENCED_PARAMETER(MessageID);
    if (status == 0) {
        return FALSE;
    }
    Write(card, STATUS(0), status);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

#else

/* The message says who it was: nothing to ask the card, and nobody else's to leave alone. */
BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    UNREFERENCED_PARAMETER(MessageID);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

#endif

/* A line is shared and says nothing: ask, drop the line, and wait until it is down. */
BOOLEAN NTAPI EvtInterruptIsrOfALine(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    CARD *card = GetCard(WdfInterruptGetDevice(Interrupt));
    BOOLEAN ours = FALSE;
    ULONG word;

    UNREFERENCED_PARAMETER(MessageID);
    for (word = 0; word < card->Queues / 32 + 1; word++) {
        ULONG status = Read(card, STATUS(word));
        if (status != 0 && status != ALL_ONES) {
            Write(card, STATUS(word), status);
            ours = TRUE;
        }
    }
    if (ours) {
        Read(card, STATUS(0)); /* the write was posted; this pushes it */
        WdfInterruptQueueDpcForIsr(Interrupt);
    }
    return ours;
}

/* Serve, arm, and look once more: what came before the arming is not signalled again. */
void NTAPI EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    CARD *card = GetCard(AssociatedObject);
    MESSAGE *message = GetMessageContext(Interrupt);

    WdfSpinLockAcquire(message->Lock);
    Serve(card, message->Number);
    if (!card->Line) {
        Write(card, VECTOR_ARM(message->Number), ARM);
        Read(card, VECTOR_ARM(message->Number)); /* armed for certain */
        Serve(card, message->Number);
    }
    WdfSpinLockRelease(message->Lock);
}
