/*
 * The multi-queue card without a framework: a WDM function driver that connects its interrupts itself.
 *
 * mqueue_wdm.c   the driver's entry, and the PnP requests that start, stop and remove the device
 * connect.c      IoConnectInterruptEx in its three ways
 * card.c         the rings and the DPC
 *
 * Power requests are passed on: the card stays in D0 while it is started.
 */
#include "device.h"

DRIVER_INITIALIZE DriverEntry;
DRIVER_UNLOAD DriverUnload;
DRIVER_ADD_DEVICE AddDevice;
static DRIVER_DISPATCH DispatchPnp;
static DRIVER_DISPATCH DispatchPower;

#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, DriverUnload)
#pragma alloc_text(PAGE, AddDevice)

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = DriverUnload;
    DriverObject->DriverExtension->AddDevice = AddDevice;
    DriverObject->MajorFunction[IRP_MJ_PNP] = DispatchPnp;
    DriverObject->MajorFunction[IRP_MJ_POWER] = DispatchPower;
    return STATUS_SUCCESS;
}

void NTAPI DriverUnload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    PAGED_CODE();
}

NTSTATUS NTAPI AddDevice(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject)
{
    PDEVICE_OBJECT self;
    DEVICE *device;
    NTSTATUS status = IoCreateDevice(DriverObject, sizeof(DEVICE), NULL, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &self);

    PAGED_CODE();
    if (!NT_SUCCESS(status)) {
        return status;
    }
    device = self->DeviceExtension;
    device->Self = self;
    device->Physical = PhysicalDeviceObject;
    device->Lower = IoAttachDeviceToDeviceStack(self, PhysicalDeviceObject);
    if (device->Lower == NULL) {
        IoDeleteDevice(self);
        return STATUS_NO_SUCH_DEVICE;
    }
    self->Flags |= DO_POWER_PAGABLE;
    self->Flags &= ~DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}

static NTSTATUS StartDevice(DEVICE *Device, PCM_RESOURCE_LIST Raw, PCM_RESOURCE_LIST Translated)
{
    PCM_PARTIAL_RESOURCE_LIST list;
    ULONG i;
    NTSTATUS status;

    if (Raw == NULL || Translated == NULL) {
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    }
    list = &Translated->List[0].PartialResourceList;
    for (i = 0; i < list->Count && Device->Registers == NULL; i++) {
        if (list->PartialDescriptors[i].Type == CmResourceTypeMemory) {
            Device->Length = list->PartialDescriptors[i].u.Memory.Length;
            Device->Registers = MmMapIoSpaceEx(list->PartialDescriptors[i].u.Memory.Start, Device->Length,
                                               PAGE_READWRITE | PAGE_NOCACHE);
        }
    }
    if (Device->Registers == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Device->Queues = min(Read(Device, CAPABILITY) & CAPABILITY_QUEUES, MAXIMUM_QUEUES);
    status = Connect(Device, Raw, Translated);
    if (NT_SUCCESS(status)) {
        status = StartCard(Device);
    }
    if (NT_SUCCESS(status)) {
        ArmCard(Device);
    }
    return status;
}

/* Also after a start that failed half way. */
static void StopDevice(DEVICE *Device)
{
    if (Device->Registers == NULL) {
        return;
    }
    Disconnect(Device);
    StopCard(Device);
    MmUnmapIoSpace(Device->Registers, Device->Length);
    Device->Registers = NULL;
}

static NTSTATUS PassOn(DEVICE *Device, PIRP Irp)
{
    IoSkipCurrentIrpStackLocation(Irp);
    return IoCallDriver(Device->Lower, Irp);
}

static IO_COMPLETION_ROUTINE Completed;
static NTSTATUS NTAPI Completed(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    UNREFERENCED_PARAMETER(Irp);
    KeSetEvent(Context, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED; /* the IRP is ours again */
}

/* Lets the drivers below have the IRP first; how they completed it. */
static NTSTATUS PassOnAndWait(DEVICE *Device, PIRP Irp)
{
    KEVENT completed;

    KeInitializeEvent(&completed, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(Irp);
    IoSetCompletionRoutine(Irp, Completed, &completed, TRUE, TRUE, TRUE);
    if (IoCallDriver(Device->Lower, Irp) == STATUS_PENDING) {
        KeWaitForSingleObject(&completed, Executive, KernelMode, FALSE, NULL);
    }
    return Irp->IoStatus.Status;
}

static NTSTATUS NTAPI DispatchPnp(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    DEVICE *device = DeviceObject->DeviceExtension;
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS status;

    switch (stack->MinorFunction) {
    case IRP_MN_START_DEVICE: /* the bus first */
        status = PassOnAndWait(device, Irp);
        if (NT_SUCCESS(status)) {
            status = StartDevice(device, stack->Parameters.StartDevice.AllocatedResources,
                                 stack->Parameters.StartDevice.AllocatedResourcesTranslated);
        }
        if (!NT_SUCCESS(status)) {
            StopDevice(device);
        }
        Irp->IoStatus.Status = status;
        IoCompleteRequest(Irp, IO_NO_INCREMENT);
        return status;
    case IRP_MN_QUERY_STOP_DEVICE:
    case IRP_MN_CANCEL_STOP_DEVICE:
    case IRP_MN_QUERY_REMOVE_DEVICE:
    case IRP_MN_CANCEL_REMOVE_DEVICE:
        Irp->IoStatus.Status = STATUS_SUCCESS;
        return PassOn(device, Irp);
    case IRP_MN_STOP_DEVICE:
    case IRP_MN_SURPRISE_REMOVAL:
        StopDevice(device);
        Irp->IoStatus.Status = STATUS_SUCCESS;
        return PassOn(device, Irp);
    case IRP_MN_REMOVE_DEVICE:
        StopDevice(device);
        Irp->IoStatus.Status = STATUS_SUCCESS;
        status = PassOn(device, Irp);
        IoDetachDevice(device->Lower);
        IoDeleteDevice(DeviceObject);
        return status;
    default:
        return PassOn(device, Irp);
    }
}

static NTSTATUS NTAPI DispatchPower(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    DEVICE *device = DeviceObject->DeviceExtension;

    PoStartNextPowerIrp(Irp);
    IoSkipCurrentIrpStackLocation(Irp);
    return PoCallDriver(device->Lower, Irp);
}
