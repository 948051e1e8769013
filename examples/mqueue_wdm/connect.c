/*
 * The three ways of IoConnectInterruptEx. One of these macros says which:
 *
 * -DFULLY_SPECIFIED  one call for each interrupt descriptor, with what stands in it: its vector, IRQL, mode and processors.
 * -DLINE_BASED       one call, and nothing to say: for a line, or the only message that was granted.
 * -DMESSAGE_BASED    one call for all messages, and a routine to fall back to when there is only a line.
 */
#include "device.h"

#if defined(FULLY_SPECIFIED) + defined(LINE_BASED) + defined(MESSAGE_BASED) != 1
#error "define one of FULLY_SPECIFIED, LINE_BASED and MESSAGE_BASED"
#endif

/* A line is shared and says nothing: ask, drop the line, and wait until it is down. */
static BOOLEAN Claim(DEVICE *Device)
{
    ULONG status = Read(Device, STATUS(0));

    if (status == 0 || status == ALL_ONES) {
        return FALSE;
    }
    Write(Device, STATUS(0), status);
    Read(Device, STATUS(0)); /* the write was posted; this pushes it */
    return TRUE;
}

static MESSAGE *Add(DEVICE *Device)
{
    MESSAGE *message = &Device->Message[Device->Messages];

    message->Device = Device;
    message->Number = Device->Messages++;
    KeInitializeSpinLock(&message->Lock);
    KeInitializeDpc(&message->Dpc, DpcForIsr, message);
    return message;
}

#if defined(FULLY_SPECIFIED) || defined(LINE_BASED)

static KSERVICE_ROUTINE Isr;
static BOOLEAN NTAPI Isr(PKINTERRUPT Interrupt, PVOID ServiceContext)
{
    MESSAGE *message = ServiceContext;

    UNREFERENCED_PARAMETER(Interrupt);
    if (message->Device->Line && !Claim(message->Device)) {
        return FALSE;
    }
    KeInsertQueueDpc(&message->Dpc, NULL, NULL);
    return TRUE;
}

#endif

#if defined(FULLY_SPECIFIED)

static NTSTATUS ConnectOne(DEVICE *Device, PCM_PARTIAL_RESOURCE_DESCRIPTOR Translated)
{
    IO_CONNECT_INTERRUPT_PARAMETERS parameters;
    MESSAGE *message = Add(Device);
    NTSTATUS status;

    RtlZeroMemory(&parameters, sizeof(parameters));
    parameters.Version = CONNECT_FULLY_SPECIFIED;
    parameters.FullySpecified.PhysicalDeviceObject = Device->Physical;
    parameters.FullySpecified.InterruptObject = &message->Interrupt;
    parameters.FullySpecified.ServiceRoutine = Isr;
    parameters.FullySpecified.ServiceContext = message;
    parameters.FullySpecified.ShareVector = (BOOLEAN)(Translated->ShareDisposition == CmResourceShareShared);
    if (Translated->Flags & CM_RESOURCE_INTERRUPT_MESSAGE) {
        parameters.FullySpecified.Vector = Translated->u.MessageInterrupt.Translated.Vector;
        parameters.FullySpecified.Irql = (KIRQL)Translated->u.MessageInterrupt.Translated.Level;
        parameters.FullySpecified.ProcessorEnableMask = Translated->u.MessageInterrupt.Translated.Affinity;
    } else {
        parameters.FullySpecified.Vector = Translated->u.Interrupt.Vector;
        parameters.FullySpecified.Irql = (KIRQL)Translated->u.Interrupt.Level;
        parameters.FullySpecified.ProcessorEnableMask = Translated->u.Interrupt.Affinity;
    }
    parameters.FullySpecified.SynchronizeIrql = parameters.FullySpecified.Irql;
    parameters.FullySpecified.InterruptMode = (Translated->Flags & CM_RESOURCE_INTERRUPT_LATCHED) ? Latched : LevelSensitive;
    status = IoConnectInterruptEx(&parameters);
    if (!NT_SUCCESS(status)) {
        Device->Messages--;
    }
    return status;
}

/* One object for each descriptor. Not for MSI with several messages, whose one descriptor stands for all of them. */
NTSTATUS Connect(DEVICE *Device, PCM_RESOURCE_LIST Raw, PCM_RESOURCE_LIST Translated)
{
    PCM_PARTIAL_RESOURCE_LIST list = &Translated->List[0].PartialResourceList;
    ULONG i;
    NTSTATUS status = STATUS_SUCCESS;

    UNREFERENCED_PARAMETER(Raw);
    Device->Version = CONNECT_FULLY_SPECIFIED;
    for (i = 0; i < list->Count && NT_SUCCESS(status) && Device->Messages <= Device->Queues; i++) {
        if (list->PartialDescriptors[i].Type == CmResourceTypeInterrupt) {
            Device->Line = (list->PartialDescriptors[i].Flags & CM_RESOURCE_INTERRUPT_MESSAGE) == 0;
            status = ConnectOne(Device, &list->PartialDescriptors[i]);
        }
    }
    return status;
}

#elif defined(LINE_BASED)

/* STATUS_INVALID_DEVICE_REQUEST when several messages were granted. */
NTSTATUS Connect(DEVICE *Device, PCM_RESOURCE_LIST Raw, PCM_RESOURCE_LIST Translated)
{
    IO_CONNECT_INTERRUPT_PARAMETERS parameters;
    PCM_PARTIAL_RESOURCE_LIST list = &Translated->List[0].PartialResourceList;
    MESSAGE *message = Add(Device);
    ULONG i;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Raw);
    for (i = 0; i < list->Count; i++) {
        if (list->PartialDescriptors[i].Type == CmResourceTypeInterrupt) {
            Device->Line = (list->PartialDescriptors[i].Flags & CM_RESOURCE_INTERRUPT_MESSAGE) == 0;
        }
    }
    Device->Version = CONNECT_LINE_BASED;
    RtlZeroMemory(&parameters, sizeof(parameters));
    parameters.Version = CONNECT_LINE_BASED;
    parameters.LineBased.PhysicalDeviceObject = Device->Physical;
    parameters.LineBased.InterruptObject = &message->Interrupt;
    parameters.LineBased.ServiceRoutine = Isr;
    parameters.LineBased.ServiceContext = message;
    status = IoConnectInterruptEx(&parameters);
    if (!NT_SUCCESS(status)) {
        Device->Messages--;
    }
    return status;
}

#else

static KMESSAGE_SERVICE_ROUTINE IsrOfAMessage;
static BOOLEAN NTAPI IsrOfAMessage(PKINTERRUPT Interrupt, PVOID ServiceContext, ULONG MessageID)
{
    DEVICE *device = ServiceContext;

    UNREFERENCED_PARAMETER(Interrupt);
    KeInsertQueueDpc(&device->Message[MessageID].Dpc, NULL, NULL);
    return TRUE;
}

static KSERVICE_ROUTINE IsrOfALine;
static BOOLEAN NTAPI IsrOfALine(PKINTERRUPT Interrupt, PVOID ServiceContext)
{
    DEVICE *device = ServiceContext;

    UNREFERENCED_PARAMETER(Interrupt);
    if (!Claim(device)) {
        return FALSE;
    }
    KeInsertQueueDpc(&device->Message[0].Dpc, NULL, NULL);
    return TRUE;
}

/* A message may come as soon as it is connected, so all of the DPCs are there before; how many messages there are is known after. */
NTSTATUS Connect(DEVICE *Device, PCM_RESOURCE_LIST Raw, PCM_RESOURCE_LIST Translated)
{
    IO_CONNECT_INTERRUPT_PARAMETERS parameters;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Raw);
    UNREFERENCED_PARAMETER(Translated);
    while (Device->Messages < MAXIMUM_MESSAGES) {
        Add(Device);
    }
    RtlZeroMemory(&parameters, sizeof(parameters));
    parameters.Version = CONNECT_MESSAGE_BASED;
    parameters.MessageBased.PhysicalDeviceObject = Device->Physical;
    parameters.MessageBased.ConnectionContext.InterruptMessageTable = &Device->Table;
    parameters.MessageBased.MessageServiceRoutine = IsrOfAMessage;
    parameters.MessageBased.FallBackServiceRoutine = IsrOfALine;
    parameters.MessageBased.ServiceContext = Device;
    status = IoConnectInterruptEx(&parameters);
    Device->Version = parameters.Version; /* CONNECT_LINE_BASED if it fell back */
    Device->Line = Device->Version == CONNECT_LINE_BASED;
    Device->Messages = 0;
    if (NT_SUCCESS(status)) {
        Device->Messages = Device->Line ? 1 : min(Device->Table->MessageCount, Device->Queues + 1);
    }
    return status;
}

#endif

void Disconnect(DEVICE *Device)
{
    IO_DISCONNECT_INTERRUPT_PARAMETERS parameters;

    parameters.Version = Device->Version;
#if defined(MESSAGE_BASED)
    if (Device->Messages != 0) {
        parameters.ConnectionContext.InterruptMessageTable = Device->Table; /* or the line's object, in the same place */
        IoDisconnectInterruptEx(&parameters);
    }
#else
    for (ULONG i = 0; i < Device->Messages; i++) {
        parameters.ConnectionContext.InterruptObject = Device->Message[i].Interrupt;
        IoDisconnectInterruptEx(&parameters);
    }
#endif
    KeFlushQueuedDpcs();
    Device->Messages = 0;
}
