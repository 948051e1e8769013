/* The queues share the messages that there are. */
#include "../../common/wdm_card.h"

#define VECTOR(queue) (0x30 + 4 * (queue)) /* tests/corpus/cards/steered.py */
#define QUEUES 2

static KMESSAGE_SERVICE_ROUTINE IsrOfAMessage;
static BOOLEAN NTAPI IsrOfAMessage(PKINTERRUPT Interrupt, PVOID ServiceContext, ULONG MessageID)
{
    CARD *card = ServiceContext;

    UNREFERENCED_PARAMETER(Interrupt);
    KeInsertQueueDpc(&card->Dpc[MessageID], NULL, NULL);
    return TRUE;
}

static KDEFERRED_ROUTINE DpcForIsr;
static void NTAPI DpcForIsr(PKDPC Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2)
{
    CARD *card = DeferredContext;
    ULONG queue;

    UNREFERENCED_PARAMETER(SystemArgument1);
    UNREFERENCED_PARAMETER(SystemArgument2);
    for (queue = 0; queue < QUEUES; queue++) {
        if (&card->Dpc[card->MessageOf[queue]] == Dpc) {
            Write(card, TAKE(queue), ALL_JOBS);
        }
    }
}

NTSTATUS Start(CARD *Card)
{
    IO_CONNECT_INTERRUPT_PARAMETERS parameters;
    NTSTATUS status;
    ULONG i;

    for (i = 0; i < MAXIMUM_MESSAGES; i++) {
        KeInitializeDpc(&Card->Dpc[i], DpcForIsr, Card);
    }
    RtlZeroMemory(&parameters, sizeof(parameters));
    parameters.Version = CONNECT_MESSAGE_BASED;
    parameters.MessageBased.PhysicalDeviceObject = Card->Physical;
    parameters.MessageBased.ConnectionContext.InterruptMessageTable = &Card->Table;
    parameters.MessageBased.MessageServiceRoutine = IsrOfAMessage;
    parameters.MessageBased.ServiceContext = Card;
    status = IoConnectInterruptEx(&parameters);
    for (i = 0; i < QUEUES && NT_SUCCESS(status); i++) {
        Card->MessageOf[i] = i % Card->Table->MessageCount;
        Write(Card, VECTOR(i), Card->MessageOf[i]);
    }
    return status;
}
