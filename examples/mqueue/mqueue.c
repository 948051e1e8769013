/*
 * The multi-queue driver: one WDFINTERRUPT and one message per queue, and no register read in any ISR.
 *
 * It walks the raw and translated resources in EvtDevicePrepareHardware and creates an interrupt per message, then lays
 * its queues over as many messages as it was granted: nine, three, two, one, or none at all and a line.
 *
 * -DREFUSE_LINE        a line will not do: EvtDevicePrepareHardware fails and the device gets Code 10.
 * -DIDLE_MILLISECONDS=n  into Dx after n ms without work.
 */
#include <ntddk.h>
#include <wdf.h>

#include "registers.h"

#define RING_ENTRIES 64
#define RING_BYTES (RING_ENTRIES * sizeof(ENTRY))
#define MAXIMUM_TRANSFER 4096
#define POOL_TAG 'uQqM'

/* One queue: its completion ring in host memory, and how far the driver has read. */
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
    BOOLEAN Admin;
    WDFSPINLOCK Lock;
} MESSAGE;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(MESSAGE, GetMessageContext)

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD EvtDriverDeviceAdd;
EVT_WDF_DEVICE_PREPARE_HARDWARE EvtDevicePrepareHardware;
EVT_WDF_DEVICE_RELEASE_HARDWARE EvtDeviceReleaseHardware;
EVT_WDF_DEVICE_D0_ENTRY EvtDeviceD0Entry;
EVT_WDF_DEVICE_D0_EXIT EvtDeviceD0Exit;
EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_ISR EvtInterruptIsrOfALine;
EVT_WDF_INTERRUPT_DPC EvtInterruptDpc;
EVT_WDF_INTERRUPT_ENABLE EvtInterruptEnable;
EVT_WDF_INTERRUPT_DISABLE EvtInterruptDisable;

static NTSTATUS CreateRings(WDFDEVICE Device, CARD *Card);
static NTSTATUS CreateInterrupts(WDFDEVICE Device, CARD *Card, WDFCMRESLIST Raw, WDFCMRESLIST Translated);
static NTSTATUS CreateInterrupt(WDFDEVICE Device, CARD *Card, ULONG Number, PCM_PARTIAL_RESOURCE_DESCRIPTOR Raw,
                                PCM_PARTIAL_RESOURCE_DESCRIPTOR Translated);

#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, EvtDriverDeviceAdd)
#pragma alloc_text(PAGE, EvtDevicePrepareHardware)
#pragma alloc_text(PAGE, EvtDeviceReleaseHardware)

static ULONG Read(CARD *Card, ULONG Offset)
{
    return READ_REGISTER_ULONG((PULONG)(Card->Registers + Offset));
}

static void Write(CARD *Card, ULONG Offset, ULONG Value)
{
    WRITE_REGISTER_ULONG((PULONG)(Card->Registers + Offset), Value);
}

static BOOLEAN IsMessage(PCM_PARTIAL_RESOURCE_DESCRIPTOR Descriptor)
{
    return Descriptor->Type == CmResourceTypeInterrupt && (Descriptor->Flags & CM_RESOURCE_INTERRUPT_MESSAGE) != 0;
}

/* Messages over which the queues are laid: all but the last, which is the admin source's, unless there is only one. */
static ULONG Spread(CARD *Card)
{
    return max(Card->Messages - 1, 1);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, EvtDriverDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    PAGED_CODE();

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = EvtDevicePrepareHardware;
    callbacks.EvtDeviceReleaseHardware = EvtDeviceReleaseHardware;
    callbacks.EvtDeviceD0Entry = EvtDeviceD0Entry;
    callbacks.EvtDeviceD0Exit = EvtDeviceD0Exit;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);

    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, CARD);
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
#ifdef IDLE_MILLISECONDS
    if (NT_SUCCESS(status)) {
        WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS idle;
        WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS_INIT(&idle, IdleCannotWakeFromS0);
        idle.IdleTimeout = IDLE_MILLISECONDS;
        status = WdfDeviceAssignS0IdleSettings(device, &idle);
    }
#endif
    return status;
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    CARD *card = GetCard(Device);
    ULONG count = WdfCmResourceListGetCount(ResourcesTranslated);
    ULONG i;
    NTSTATUS status;

    PAGED_CODE();
    card->Registers = NULL;
    card->Rings = NULL;
    card->Line = FALSE;
    for (i = 0; i < count; i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR one = WdfCmResourceListGetDescriptor(ResourcesTranslated, i);
        if (one->Type == CmResourceTypeMemory && card->Registers == NULL) {
            card->Length = one->u.Memory.Length;
            card->Registers = MmMapIoSpaceEx(one->u.Memory.Start, card->Length, PAGE_READWRITE | PAGE_NOCACHE);
            if (card->Registers == NULL) {
                return STATUS_INSUFFICIENT_RESOURCES;
            }
        } else if (one->Type == CmResourceTypeInterrupt && !IsMessage(one)) {
#ifdef REFUSE_LINE
            return STATUS_DEVICE_CONFIGURATION_ERROR;
#else
            card->Line = TRUE; /* it will do: this driver serves it through the status register */
#endif
        }
    }
    if (card->Registers == NULL) {
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    }

    card->Queues = Read(card, CAPABILITY) & CAPABILITY_QUEUES;
    status = CreateRings(Device, card);
    if (NT_SUCCESS(status)) {
        status = CreateInterrupts(Device, card, ResourcesRaw, ResourcesTranslated);
    }
    return status;
}

static NTSTATUS CreateRings(WDFDEVICE Device, CARD *Card)
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

/* One object per message, in the order of the messages: so the MessageID is the message. */
static NTSTATUS CreateInterrupts(WDFDEVICE Device, CARD *Card, WDFCMRESLIST Raw, WDFCMRESLIST Translated)
{
    ULONG count = WdfCmResourceListGetCount(Translated);
    ULONG granted = 0;
    ULONG i, messages, q;
    NTSTATUS status;

    Card->Messages = 0;
    for (i = 0; i < count; i++) { /* how many there are, since the last one is special */
        if (WdfCmResourceListGetDescriptor(Translated, i)->Type == CmResourceTypeInterrupt) {
            PCM_PARTIAL_RESOURCE_DESCRIPTOR raw = WdfCmResourceListGetDescriptor(Raw, i);
            granted += IsMessage(raw) ? raw->u.MessageInterrupt.Raw.MessageCount : 1; /* MSI-X: 1 each; MSI: one descriptor, many */
        }
    }
    if (granted == 0) {
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    }
    granted = min(granted, Card->Queues + 1);

    for (i = 0; i < count; i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR raw = WdfCmResourceListGetDescriptor(Raw, i);
        PCM_PARTIAL_RESOURCE_DESCRIPTOR translated = WdfCmResourceListGetDescriptor(Translated, i);
        if (translated->Type != CmResourceTypeInterrupt) {
            continue;
        }
        messages = IsMessage(raw) ? raw->u.MessageInterrupt.Raw.MessageCount : 1;
        while (messages-- > 0 && Card->Messages < granted) {
            status = CreateInterrupt(Device, Card, Card->Messages, raw, translated);
            if (!NT_SUCCESS(status)) {
                return status;
            }
            Card->Messages++;
        }
    }
    for (q = 0; q < Card->Queues; q++) { /* planned from what was granted, never from what the card could do */
        Card->Rings[q].Message = q % Spread(Card);
    }
    return STATUS_SUCCESS;
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

/* Program it and read it back: a card that does not like the vector says 0xFFFF. */
static NTSTATUS ChooseVector(CARD *Card, ULONG Offset, ULONG Message)
{
    PUSHORT at = (PUSHORT)(Card->Registers + Offset);

    WRITE_REGISTER_USHORT(at, (USHORT)Message);
    return READ_REGISTER_USHORT(at) == Message ? STATUS_SUCCESS : STATUS_DEVICE_CONFIGURATION_ERROR;
}

NTSTATUS NTAPI EvtDeviceD0Entry(WDFDEVICE Device, WDF_POWER_DEVICE_STATE PreviousState)
{
    CARD *card = GetCard(Device);
    NTSTATUS status;
    ULONG q;

    UNREFERENCED_PARAMETER(PreviousState);
    Write(card, CONTROL, RESET);
    for (q = 0; q < card->Queues; q++) {
        RING *ring = &card->Rings[q];
        PHYSICAL_ADDRESS address = WdfCommonBufferGetAlignedLogicalAddress(ring->Buffer);

        ring->Head = 0;
        RtlZeroMemory((PVOID)ring->Memory, RING_BYTES);
        Write(card, QUEUE_BASE_LOW(q), address.LowPart);
        Write(card, QUEUE_BASE_HIGH(q), (ULONG)address.HighPart);
        Write(card, QUEUE_RING_SIZE(q), RING_ENTRIES);
        status = ChooseVector(card, QUEUE_VECTOR(q), ring->Message);
        if (!NT_SUCCESS(status)) {
            return status;
        }
        Write(card, QUEUE_CONTROL(q), ENABLE);
    }
    return ChooseVector(card, ADMIN_VECTOR, card->Messages - 1);
}

NTSTATUS NTAPI EvtDeviceD0Exit(WDFDEVICE Device, WDF_POWER_DEVICE_STATE TargetState)
{
    UNREFERENCED_PARAMETER(TargetState);
    Write(GetCard(Device), CONTROL, RESET);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI EvtDeviceReleaseHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesTranslated)
{
    CARD *card = GetCard(Device);

    UNREFERENCED_PARAMETER(ResourcesTranslated);
    PAGED_CODE();
    if (card->Registers != NULL) {
        MmUnmapIoSpace(card->Registers, card->Length);
        card->Registers = NULL;
    }
    if (card->Rings != NULL) {
        ExFreePoolWithTag(card->Rings, POOL_TAG);
        card->Rings = NULL;
    }
    if (card->Enabler != NULL) {
        WdfObjectDelete(card->Enabler); /* and its common buffers */
        card->Enabler = NULL;
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

/* The message says who it was: nothing to ask the card, and nobody else's to leave alone. */
BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    UNREFERENCED_PARAMETER(MessageID);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

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

static void Serve(CARD *Card, ULONG Message)
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
