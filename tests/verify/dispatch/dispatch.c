/* A WDM driver whose IRP_MJ_PNP routine enters a critical region on START, and leaves it or not. */
#include <ntddk.h>

DRIVER_INITIALIZE DriverEntry;

typedef struct DEVICE {
    PDEVICE_OBJECT Lower;
} DEVICE;

static NTSTATUS Pnp(PDEVICE_OBJECT Device, PIRP Irp)
{
    DEVICE *device = Device->DeviceExtension;
    UCHAR minor = IoGetCurrentIrpStackLocation(Irp)->MinorFunction;
    NTSTATUS status;

    if (minor == IRP_MN_START_DEVICE) {
        KeEnterCriticalRegion();
    }
    IoSkipCurrentIrpStackLocation(Irp);
    status = IoCallDriver(device->Lower, Irp);
#ifdef LEAVES
    if (minor == IRP_MN_START_DEVICE) {
        KeLeaveCriticalRegion();
    }
#endif
    if (minor == IRP_MN_REMOVE_DEVICE) {
        IoDetachDevice(device->Lower);
        IoDeleteDevice(Device);
    }
    return status;
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
    device->Lower = IoAttachDeviceToDeviceStack(made, Pdo);
    made->Flags &= ~DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverExtension->AddDevice = AddDevice;
    Driver->MajorFunction[IRP_MJ_PNP] = Pnp;
    return STATUS_SUCCESS;
}
