/*
 * A driver that a user's program can open: it keeps what was written, gives it back, and turns a control's input around.
 */
#include <initguid.h>
#include <ntddk.h>
#include <wdf.h>

DEFINE_GUID(GUID_ECHO, 0x5f0f9a8a, 0x6d0c, 0x4d4e, 0x9b, 0x63, 0x3a, 0x7f, 0x0a, 0x1f, 0x2b, 0x3c);

typedef struct ECHO {
    UCHAR Kept[64];
    size_t Length;
    LONG Opened, Cleaned, Closed;
} ECHO;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(ECHO, GetEcho)

#define IOCTL_SAME CTL_CODE(FILE_DEVICE_UNKNOWN, 0x802, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_COUNTS CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_OUT_DIRECT, FILE_ANY_ACCESS)

DRIVER_INITIALIZE DriverEntry;

/* Whether the IRP names the objects that the framework does. */
static BOOLEAN IsSame(WDFDEVICE Device, WDFREQUEST Request, WDFFILEOBJECT File)
{
    PIRP Irp = WdfRequestWdmGetIrp(Request);
    PIO_STACK_LOCATION Location = IoGetCurrentIrpStackLocation(Irp);

    return Location->FileObject == WdfFileObjectWdmGetFileObject(File) && Irp->Tail.Overlay.OriginalFileObject == Location->FileObject
        && Location->DeviceObject == WdfDeviceWdmGetDeviceObject(Device);
}

static void EvtDeviceFileCreate(WDFDEVICE Device, WDFREQUEST Request, WDFFILEOBJECT File)
{
    GetEcho(Device)->Opened++;
    WdfRequestComplete(Request, IsSame(Device, Request, File) ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL);
}

static void EvtFileCleanup(WDFFILEOBJECT File)
{
    GetEcho(WdfFileObjectGetDevice(File))->Cleaned++;
}

static void EvtFileClose(WDFFILEOBJECT File)
{
    GetEcho(WdfFileObjectGetDevice(File))->Closed++;
}

static void EvtIoWrite(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    ECHO *Echo = GetEcho(WdfIoQueueGetDevice(Queue));
    PVOID Buffer;
    NTSTATUS Status = WdfRequestRetrieveInputBuffer(Request, 1, &Buffer, NULL);

    if (NT_SUCCESS(Status)) {
        Echo->Length = Length < sizeof(Echo->Kept) ? Length : sizeof(Echo->Kept);
        RtlCopyMemory(Echo->Kept, Buffer, Echo->Length);
    }
    WdfRequestCompleteWithInformation(Request, Status, Echo->Length);
}

static void EvtIoRead(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    ECHO *Echo = GetEcho(WdfIoQueueGetDevice(Queue));
    PVOID Buffer;
    NTSTATUS Status = WdfRequestRetrieveOutputBuffer(Request, 1, &Buffer, NULL);
    size_t Count = Length < Echo->Length ? Length : Echo->Length;

    if (NT_SUCCESS(Status))
        RtlCopyMemory(Buffer, Echo->Kept, Count);
    WdfRequestCompleteWithInformation(Request, Status, Count);
}

static void EvtIoDeviceControl(WDFQUEUE Queue, WDFREQUEST Request, size_t Out, size_t In, ULONG Code)
{
    ECHO *Echo = GetEcho(WdfIoQueueGetDevice(Queue));
    LONG *Counts;
    NTSTATUS Status = STATUS_INVALID_DEVICE_REQUEST;

    UNREFERENCED_PARAMETER(Out);
    UNREFERENCED_PARAMETER(In);
    if (Code == IOCTL_SAME) {
        BOOLEAN Same = IsSame(WdfIoQueueGetDevice(Queue), Request, WdfRequestGetFileObject(Request));
        WdfRequestComplete(Request, Same ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL);
        return;
    }
    if (Code == IOCTL_COUNTS)
        Status = WdfRequestRetrieveOutputBuffer(Request, 3 * sizeof(LONG), (PVOID *)&Counts, NULL);
    if (NT_SUCCESS(Status)) {
        Counts[0] = Echo->Opened;
        Counts[1] = Echo->Cleaned;
        Counts[2] = Echo->Closed;
    }
    WdfRequestCompleteWithInformation(Request, Status, NT_SUCCESS(Status) ? 3 * sizeof(LONG) : 0);
}

static NTSTATUS EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_FILEOBJECT_CONFIG Files;
    WDF_OBJECT_ATTRIBUTES Attributes;
    WDF_IO_QUEUE_CONFIG Queue;
    WDFDEVICE Device;
    NTSTATUS Status;
    UNICODE_STRING Link;

    UNREFERENCED_PARAMETER(Driver);
    WDF_FILEOBJECT_CONFIG_INIT(&Files, EvtDeviceFileCreate, EvtFileClose, EvtFileCleanup);
    WdfDeviceInitSetFileObjectConfig(DeviceInit, &Files, WDF_NO_OBJECT_ATTRIBUTES);
    WdfDeviceInitSetIoType(DeviceInit, WdfDeviceIoBuffered);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&Attributes, ECHO);
    Status = WdfDeviceCreate(&DeviceInit, &Attributes, &Device);
    if (!NT_SUCCESS(Status))
        return Status;
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&Queue, WdfIoQueueDispatchSequential);
    Queue.EvtIoRead = EvtIoRead;
    Queue.EvtIoWrite = EvtIoWrite;
    Queue.EvtIoDeviceControl = EvtIoDeviceControl;
    Status = WdfIoQueueCreate(Device, &Queue, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
    if (!NT_SUCCESS(Status))
        return Status;
    RtlInitUnicodeString(&Link, L"\\DosDevices\\Echo");
    Status = WdfDeviceCreateSymbolicLink(Device, &Link);
    if (!NT_SUCCESS(Status))
        return Status;
    return WdfDeviceCreateDeviceInterface(Device, &GUID_ECHO, NULL);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG Config;

    WDF_DRIVER_CONFIG_INIT(&Config, EvtDriverDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &Config, WDF_NO_HANDLE);
}
