/* The interrupt objects: one per message in the order of the messages, so that the MessageID is the message; or one for the line. */
#include "mqueue.h"

EVT_WDF_INTERRUPT_ENABLE EvtInterruptEnable;
EVT_WDF_INTERRUPT_DISABLE EvtInterruptDisable;

BOOLEAN IsMessage(PCM_PARTIAL_RESOURCE_DESCRIPTOR Descriptor)
{
    return Descriptor->Type == CmResourceTypeInterrupt && (Descriptor->Flags & CM_RESOURCE_INTERRUPT_MESSAGE) != 0;
}

/* How many interrupts a descriptor stands for. MSI-X: 1 each; MSI: one descriptor, many messages. */
static ULONG CountOf(PCM_PARTIAL_RESOURCE_DESCRIPTOR Raw)
{
    return IsMessage(Raw) ? Raw->u.MessageInterrupt.Raw.MessageCount : 1;
}

static NTSTATUS CreateInterrupt(WDFDEVICE Device, CARD *Card, ULONG Number, PCM_PARTIAL_RESOURCE_DESCRIPTOR Raw,
                                PCM_PARTIAL_RESOURCE_DESCRIPTOR Translated)
{
    WDF_INTERRUPT_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFINTERRUPT interrupt;
    MESSAGE *message;
    NTSTATUS status;

    WDF_INTERRUPT_CONFIG_INIT(&config, Card->Line ? EvtInterruptIsrOfALine : EvtInterruptIsr, EvtInterruptDpc);
    config.EvtInterruptEnable = EvtInterruptEnable;
    config.EvtInterruptDisable = EvtInterruptDisable;
    config.InterruptRaw = Raw;
    config.InterruptTranslated = Translated;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, MESSAGE);
    status = WdfInterruptCreate(Device, &config, &attributes, &interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    message = GetMessageContext(interrupt);
    message->Number = Number;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = interrupt;
    return WdfSpinLockCreate(&attributes, &message->Lock);
}

NTSTATUS CreateInterrupts(WDFDEVICE Device, CARD *Card, WDFCMRESLIST Raw, WDFCMRESLIST Translated)
{
    ULONG count = WdfCmResourceListGetCount(Translated);
    ULONG i, n, q;
    NTSTATUS status;

    Card->Messages = 0;
    for (i = 0; i < count; i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR raw = WdfCmResourceListGetDescriptor(Raw, i);
        PCM_PARTIAL_RESOURCE_DESCRIPTOR translated = WdfCmResourceListGetDescriptor(Translated, i);

        if (translated->Type != CmResourceTypeInterrupt) {
            continue;
        }
        for (n = CountOf(raw); n > 0 && Card->Messages < Card->Queues + 1; n--) {
            status = CreateInterrupt(Device, Card, Card->Messages, raw, translated);
            if (!NT_SUCCESS(status)) {
                return status;
            }
            Card->Messages++;
        }
    }
    if (Card->Messages == 0) {
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    }
    /* Planned from what was granted, never from what the card could do; the last message is the admin source's. */
    for (q = 0; q < Card->Queues; q++) {
        Card->Rings[q].Message = q % max(Card->Messages - 1, 1);
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI EvtInterruptEnable(WDFINTERRUPT Interrupt, WDFDEVICE AssociatedDevice)
{
    CARD *card = GetCard(AssociatedDevice);
    ULONG word;

    if (card->Line) {
        for (word = 0; word < card->Queues / 32 + 1; word++) {
            Write(card, MASK_SET(word), ALL_ONES);
        }
    } else {
        Write(card, VECTOR_ARM(GetMessageContext(Interrupt)->Number), ARM);
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI EvtInterruptDisable(WDFINTERRUPT Interrupt, WDFDEVICE AssociatedDevice)
{
    CARD *card = GetCard(AssociatedDevice);

    if (!card->Line) {
        Write(card, VECTOR_ARM(GetMessageContext(Interrupt)->Number), 0);
    }
    return STATUS_SUCCESS;
}
