/* A WDM function driver that connects its interrupts itself, by the version of IoConnectInterruptEx that VERSION names. */
#include <ntddk.h>

#ifndef VERSION
#define VERSION CONNECT_MESSAGE_BASED
#endif

typedef struct DEVICE {
    PDEVICE_OBJECT Pdo;
    PDEVICE_OBJECT Lower;
    PIO_INTERRUPT_MESSAGE_INFO Table;
    PKINTERRUPT Interrupt;
    ULONG Connected;
    KDPC Dpc;
    ULONG Messages;
    ULONG Dpcs;
    ULONG Counts[16];
} DEVICE;

DRIVER_INITIALIZE DriverEntry;

static BOOLEAN MessageService(PKINTERRUPT Interrupt, PVOID Context, ULONG Message)
{
    DEVICE *device = Context;

    device->Counts[Message % 16]++;
    KeInsertQueueDpc(&device->Dpc, NULL, NULL);
    return TRUE;
}

static BOOLEAN Service(PKINTERRUPT Interrupt, PVOID Context)
{
    return MessageService(Interrupt, Context, 15);
}

static VOID Dpc(PKDPC Kdpc, PVOID Context, PVOID One, PVOID Two)
{
    DEVICE *device = Context;
    ULONG i, total = 0;

    device->Dpcs++;
    for (i = 0; i < 16; i++) {
        total += device->Counts[i];
    }
    DbgPrint("served %u, message 1: %u, line: %u\n", total, device->Counts[1], device->Counts[15]);
}

static NTSTATUS Start(DEVICE *device, PIO_STACK_LOCATION stack)
{
    IO_CONNECT_INTERRUPT_PARAMETERS parameters;
    PCM_PARTIAL_RESOURCE_LIST list = &stack->Parameters.StartDevice.AllocatedResourcesTranslated->List[0].PartialResourceList;
    PCM_PARTIAL_RESOURCE_DESCRIPTOR found = NULL;
    NTSTATUS status;
    ULONG i;

    for (i = 0; i < list->Count; i++) {
        if (list->PartialDescriptors[i].Type == CmResourceTypeInterrupt && found == NULL) {
            found = &list->PartialDescriptors[i];
        }
    }
    if (found == NULL) {
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    }
    RtlZeroMemory(&parameters, sizeof(parameters));
    parameters.Version = VERSION;
    if (VERSION == CONNECT_MESSAGE_BASED) {
        parameters.MessageBased.PhysicalDeviceObject = device->Pdo;
        parameters.MessageBased.ConnectionContext.InterruptMessageTable = &device->Table;
        parameters.MessageBased.MessageServiceRoutine = MessageService;
        parameters.MessageBased.FallBackServiceRoutine = Service;
        parameters.MessageBased.ServiceContext = device;
    } else if (VERSION == CONNECT_LINE_BASED) {
        parameters.LineBased.PhysicalDeviceObject = device->Pdo;
        parameters.LineBased.InterruptObject = &device->Interrupt;
        parameters.LineBased.ServiceRoutine = Service;
        parameters.LineBased.ServiceContext = device;
    } else {
        parameters.FullySpecified.PhysicalDeviceObject = device->Pdo;
        parameters.FullySpecified.InterruptObject = &device->Interrupt;
        parameters.FullySpecified.ServiceRoutine = Service;
        parameters.FullySpecified.ServiceContext = device;
        parameters.FullySpecified.SynchronizeIrql = (KIRQL)found->u.Interrupt.Level;
        parameters.FullySpecified.Irql = (KIRQL)found->u.Interrupt.Level;
        parameters.FullySpecified.Vector = found->u.Interrupt.Vector;
        parameters.FullySpecified.ProcessorEnableMask = found->u.Interrupt.Affinity;
        parameters.FullySpecified.InterruptMode = found->Flags & CM_RESOURCE_INTERRUPT_LATCHED ? Latched : LevelSensitive;
        parameters.FullySpecified.ShareVector = found->ShareDisposition == CmResourceShareShared;
    }
    status = IoConnectInterruptEx(&parameters);
    if (NT_SUCCESS(status)) {
        device->Connected = parameters.Version;
        DbgPrint("connected by version %u, %u messages\n", parameters.Version,
                 parameters.Version == CONNECT_MESSAGE_BASED ? device->Table->MessageCount : 0);
    }
    return status;
}

static VOID Stop(DEVICE *device)
{
    IO_DISCONNECT_INTERRUPT_PARAMETERS parameters;

    if (device->Connected != 0) {
        parameters.Version = device->Connected;
        parameters.ConnectionContext.Generic = device->Connected == CONNECT_MESSAGE_BASED ? (PVOID)device->Table : (PVOID)device->Interrupt;
        IoDisconnectInterruptEx(&parameters);
        device->Connected = 0;
    }
}

static NTSTATUS Completed(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    KeSetEvent(Context, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS Pnp(PDEVICE_OBJECT Device, PIRP Irp)
{
    DEVICE *device = Device->DeviceExtension;
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    KEVENT event;
    NTSTATUS status;

    switch (stack->MinorFunction) {
    case IRP_MN_START_DEVICE:
        KeInitializeEvent(&event, NotificationEvent, FALSE);
        IoCopyCurrentIrpStackLocationToNext(Irp);
        IoSetCompletionRoutine(Irp, Completed, &event, TRUE, TRUE, TRUE);
        if (IoCallDriver(device->Lower, Irp) == STATUS_PENDING) {
            KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
        }
        status = Irp->IoStatus.Status;
        if (NT_SUCCESS(status)) {
            status = Start(device, stack);
        }
        Irp->IoStatus.Status = status;
        IoCompleteRequest(Irp, IO_NO_INCREMENT);
        return status;
    case IRP_MN_REMOVE_DEVICE:
        Stop(device);
        Irp->IoStatus.Status = STATUS_SUCCESS;
        IoSkipCurrentIrpStackLocation(Irp);
        status = IoCallDriver(device->Lower, Irp);
        IoDetachDevice(device->Lower);
        IoDeleteDevice(Device);
        return status;
    case IRP_MN_STOP_DEVICE:
    case IRP_MN_SURPRISE_REMOVAL:
        Stop(device);
        /* fall through */
    case IRP_MN_QUERY_STOP_DEVICE:
    case IRP_MN_QUERY_REMOVE_DEVICE:
        Irp->IoStatus.Status = STATUS_SUCCESS;
        /* fall through */
    default:
        IoSkipCurrentIrpStackLocation(Irp);
        return IoCallDriver(device->Lower, Irp);
    }
}

static NTSTATUS AddDevice(PDRIVER_OBJECT Driver, PDEVICE_OBJECT Pdo)
{
    PDEVICE_OBJECT made;
    DEVICE *device;
    NTSTATUS status = IoCreateDevice(Driver, sizeof(DEVICE), NULL, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &made);

    if (!NT_SUCCESS(status)) {
        return status;
    }
    device = made->DeviceExtension;
    device->Pdo = Pdo;
    KeInitializeDpc(&device->Dpc, Dpc, device);
    device->Lower = IoAttachDeviceToDeviceStack(made, Pdo);
    if (device->Lower == NULL) {
        IoDeleteDevice(made);
        return STATUS_NO_SUCH_DEVICE;
    }
    made->Flags |= DO_DIRECT_IO;
    made->Flags &= ~DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverExtension->AddDevice = AddDevice;
    Driver->MajorFunction[IRP_MJ_PNP] = Pnp;
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
