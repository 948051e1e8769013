/*
 * What the WDM drivers of the corpus have in common: the device object, and the PnP requests that start, stop and remove it.
 *
 * A driver has Start, called with the registers mapped, which connects the interrupts.
 */
#ifndef WDM_CARD_H
#define WDM_CARD_H

#include <ntddk.h>

#define TAKE(queue) (0x10 + 4 * (queue)) /* a write takes that many jobs off */
#define ALL_JOBS 0xFFFFFFFF
#define MAXIMUM_MESSAGES 4

/* The device extension. */
typedef struct CARD {
    PDEVICE_OBJECT Lower;
    PDEVICE_OBJECT Physical;
    PUCHAR Registers;
    SIZE_T Length;
    PIO_INTERRUPT_MESSAGE_INFO Table; /* NULL while not connected */
    KDPC Dpc[MAXIMUM_MESSAGES];
    ULONG MessageOf[MAXIMUM_MESSAGES]; /* by queue */
} CARD;

NTSTATUS Start(CARD *Card);

DRIVER_INITIALIZE DriverEntry;
DRIVER_UNLOAD DriverUnload;
DRIVER_ADD_DEVICE AddDevice;
static DRIVER_DISPATCH DispatchPnp;
static DRIVER_DISPATCH DispatchPower;
static IO_COMPLETION_ROUTINE Completed;

static __inline void Write(CARD *Card, ULONG Offset, ULONG Value)
{
    WRITE_REGISTER_ULONG((PULONG)(Card->Registers + Offset), Value);
}

void NTAPI DriverUnload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = DriverUnload;
    DriverObject->DriverExtension->AddDevice = AddDevice;
    DriverObject->MajorFunction[IRP_MJ_PNP] = DispatchPnp;
    DriverObject->MajorFunction[IRP_MJ_POWER] = DispatchPower;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI AddDevice(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject)
{
    PDEVICE_OBJECT self;
    CARD *card;
    NTSTATUS status;

    status = IoCreateDevice(DriverObject, sizeof(CARD), NULL, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &self);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    card = self->DeviceExtension;
    card->Physical = PhysicalDeviceObject;
    card->Lower = IoAttachDeviceToDeviceStack(self, PhysicalDeviceObject);
    self->Flags |= DO_POWER_PAGABLE;
    self->Flags &= ~DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}

static NTSTATUS StartCard(CARD *Card, PCM_RESOURCE_LIST Translated)
{
    PCM_PARTIAL_RESOURCE_LIST list = &Translated->List[0].PartialResourceList;
    ULONG i;

    for (i = 0; i < list->Count && Card->Registers == NULL; i++) {
        if (list->PartialDescriptors[i].Type == CmResourceTypeMemory) {
            Card->Length = list->PartialDescriptors[i].u.Memory.Length;
            Card->Registers = MmMapIoSpaceEx(list->PartialDescriptors[i].u.Memory.Start, Card->Length,
                                             PAGE_READWRITE | PAGE_NOCACHE);
        }
    }
    return Card->Registers != NULL ? Start(Card) : STATUS_INSUFFICIENT_RESOURCES;
}

static void Disconnect(CARD *Card)
{
    IO_DISCONNECT_INTERRUPT_PARAMETERS parameters;

    if (Card->Table != NULL) {
        parameters.Version = CONNECT_MESSAGE_BASED;
        parameters.ConnectionContext.InterruptMessageTable = Card->Table;
        IoDisconnectInterruptEx(&parameters);
        KeFlushQueuedDpcs();
        Card->Table = NULL;
    }
}

static void StopCard(CARD *Card)
{
    if (Card->Registers != NULL) {
        Disconnect(Card);
        MmUnmapIoSpace(Card->Registers, Card->Length);
        Card->Registers = NULL;
    }
}

static NTSTATUS PassOn(CARD *Card, PIRP Irp)
{
    IoSkipCurrentIrpStackLocation(Irp);
    return IoCallDriver(Card->Lower, Irp);
}

static NTSTATUS NTAPI Completed(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    UNREFERENCED_PARAMETER(Irp);
    KeSetEvent(Context, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS PassOnAndWait(CARD *Card, PIRP Irp)
{
    KEVENT completed;

    KeInitializeEvent(&completed, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(Irp);
    IoSetCompletionRoutine(Irp, Completed, &completed, TRUE, TRUE, TRUE);
    if (IoCallDriver(Card->Lower, Irp) == STATUS_PENDING) {
        KeWaitForSingleObject(&completed, Executive, KernelMode, FALSE, NULL);
    }
    return Irp->IoStatus.Status;
}

static NTSTATUS NTAPI DispatchPnp(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    CARD *card = DeviceObject->DeviceExtension;
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS status;

    switch (stack->MinorFunction) {
    case IRP_MN_START_DEVICE: /* the bus first */
        status = PassOnAndWait(card, Irp);
        if (NT_SUCCESS(status)) {
            status = StartCard(card, stack->Parameters.StartDevice.AllocatedResourcesTranslated);
        }
        if (!NT_SUCCESS(status)) {
            StopCard(card);
        }
        Irp->IoStatus.Status = status;
        IoCompleteRequest(Irp, IO_NO_INCREMENT);
        return status;
    case IRP_MN_QUERY_STOP_DEVICE:
    case IRP_MN_CANCEL_STOP_DEVICE:
    case IRP_MN_QUERY_REMOVE_DEVICE:
    case IRP_MN_CANCEL_REMOVE_DEVICE:
        Irp->IoStatus.Status = STATUS_SUCCESS;
        return PassOn(card, Irp);
    case IRP_MN_STOP_DEVICE:
    case IRP_MN_SURPRISE_REMOVAL:
        StopCard(card);
        Irp->IoStatus.Status = STATUS_SUCCESS;
        return PassOn(card, Irp);
    case IRP_MN_REMOVE_DEVICE:
        StopCard(card);
        Irp->IoStatus.Status = STATUS_SUCCESS;
        status = PassOn(card, Irp);
        IoDetachDevice(card->Lower);
        IoDeleteDevice(DeviceObject);
        return status;
    default:
        return PassOn(card, Irp);
    }
}

static NTSTATUS NTAPI DispatchPower(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    CARD *card = DeviceObject->DeviceExtension;

    PoStartNextPowerIrp(Irp);
    IoSkipCurrentIrpStackLocation(Irp);
    return PoCallDriver(card->Lower, Irp);
}

#endif
