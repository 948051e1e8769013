/*
 * A driver for QEMU's edu device: one MSI message (or a line) for two causes, a factorial unit and a DMA engine.
 *
 * One operation at a time; each ends with an interrupt, whose DPC sets the event that the operation waits for.
 */
#include <initguid.h>
#include <ntddk.h>
#include <wdf.h>

#include "edu.h"

#define IDENTIFICATION 0x00
#define FACTORIAL 0x08
#define STATUS_REGISTER 0x20
#define INTERRUPT_STATUS 0x24
#define ACKNOWLEDGE 0x64
#define DMA_SOURCE 0x80
#define DMA_DESTINATION 0x88
#define DMA_COUNT 0x90
#define DMA_COMMAND 0x98

#define INTERRUPT_AFTER_FACTORIAL 0x80
#define START 1
#define TO_MEMORY 2
#define INTERRUPT_WHEN_DONE 4
#define DEVICE_BUFFER 0x40000
#define MAXIMUM_TRANSFER 4096
#define HALF 2048
#define ALL_ONES 0xFFFFFFFF

typedef struct EDU {
    PUCHAR Registers;
    SIZE_T Length;
    volatile LONG Cause;
    volatile BOOLEAN Gone;
    KEVENT Finished;
    WDFDMAENABLER Enabler;
    WDFCOMMONBUFFER Buffer;
} EDU;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(EDU, GetEdu)

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD EvtDriverDeviceAdd;
EVT_WDF_DEVICE_PREPARE_HARDWARE EvtDevicePrepareHardware;
EVT_WDF_DEVICE_RELEASE_HARDWARE EvtDeviceReleaseHardware;
EVT_WDF_DEVICE_D0_ENTRY EvtDeviceD0Entry;
EVT_WDF_DEVICE_D0_EXIT EvtDeviceD0Exit;
EVT_WDF_DEVICE_SURPRISE_REMOVAL EvtDeviceSurpriseRemoval;
EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC EvtInterruptDpc;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtIoDeviceControl;

#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, EvtDriverDeviceAdd)
#pragma alloc_text(PAGE, EvtDevicePrepareHardware)
#pragma alloc_text(PAGE, EvtDeviceReleaseHardware)
#pragma alloc_text(PAGE, EvtIoDeviceControl)

static ULONG Read(EDU *Edu, ULONG Offset)
{
    return READ_REGISTER_ULONG((PULONG)(Edu->Registers + Offset));
}

static void Write(EDU *Edu, ULONG Offset, ULONG Value)
{
    WRITE_REGISTER_ULONG((PULONG)(Edu->Registers + Offset), Value);
}

static void Write64(EDU *Edu, ULONG Offset, ULONG64 Value)
{
    WRITE_REGISTER_ULONG64((PULONG64)(Edu->Registers + Offset), Value);
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
    WDF_IO_QUEUE_CONFIG queue;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    PAGED_CODE();

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = EvtDevicePrepareHardware;
    callbacks.EvtDeviceReleaseHardware = EvtDeviceReleaseHardware;
    callbacks.EvtDeviceD0Entry = EvtDeviceD0Entry;
    callbacks.EvtDeviceD0Exit = EvtDeviceD0Exit;
    callbacks.EvtDeviceSurpriseRemoval = EvtDeviceSurpriseRemoval;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);

    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, EDU);
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = WdfDeviceCreateDeviceInterface(device, &GUID_DEVINTERFACE_EDU, NULL);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&queue, WdfIoQueueDispatchSequential);
    queue.EvtIoDeviceControl = EvtIoDeviceControl;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ExecutionLevel = WdfExecutionLevelPassive; /* an operation waits for its interrupt */
    return WdfIoQueueCreate(device, &queue, &attributes, WDF_NO_HANDLE);
}

static NTSTATUS CreateInterrupt(WDFDEVICE Device, PCM_PARTIAL_RESOURCE_DESCRIPTOR Raw, PCM_PARTIAL_RESOURCE_DESCRIPTOR Translated)
{
    WDF_INTERRUPT_CONFIG config;
    WDFINTERRUPT interrupt;

    WDF_INTERRUPT_CONFIG_INIT(&config, EvtInterruptIsr, EvtInterruptDpc);
    config.InterruptRaw = Raw;
    config.InterruptTranslated = Translated;
    return WdfInterruptCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &interrupt);
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    EDU *edu = GetEdu(Device);
    ULONG count = WdfCmResourceListGetCount(ResourcesTranslated);
    WDF_DMA_ENABLER_CONFIG config;
    NTSTATUS status;
    ULONG i;

    PAGED_CODE();
    edu->Registers = NULL;
    edu->Cause = 0;
    edu->Gone = FALSE;
    KeInitializeEvent(&edu->Finished, SynchronizationEvent, FALSE);
    for (i = 0; i < count; i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR one = WdfCmResourceListGetDescriptor(ResourcesTranslated, i);
        if (one->Type == CmResourceTypeMemory) {
            edu->Length = one->u.Memory.Length;
            edu->Registers = MmMapIoSpaceEx(one->u.Memory.Start, edu->Length, PAGE_READWRITE | PAGE_NOCACHE);
            if (edu->Registers == NULL) {
                return STATUS_INSUFFICIENT_RESOURCES;
            }
        } else if (one->Type == CmResourceTypeInterrupt) {
            status = CreateInterrupt(Device, WdfCmResourceListGetDescriptor(ResourcesRaw, i), one);
            if (!NT_SUCCESS(status)) {
                return status;
            }
        }
    }
    if (edu->Registers == NULL || (Read(edu, IDENTIFICATION) & 0xFF) != 0xED) {
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    }

    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfilePacket, MAXIMUM_TRANSFER);
    status = WdfDmaEnablerCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &edu->Enabler);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    return WdfCommonBufferCreate(edu->Enabler, MAXIMUM_TRANSFER, WDF_NO_OBJECT_ATTRIBUTES, &edu->Buffer);
}

NTSTATUS NTAPI EvtDeviceD0Entry(WDFDEVICE Device, WDF_POWER_DEVICE_STATE PreviousState)
{
    UNREFERENCED_PARAMETER(PreviousState);
    Write(GetEdu(Device), STATUS_REGISTER, INTERRUPT_AFTER_FACTORIAL);
    return STATUS_SUCCESS;
}

/* The last interrupt's DPC may have been queued after the framework's flush. */
NTSTATUS NTAPI EvtDeviceD0Exit(WDFDEVICE Device, WDF_POWER_DEVICE_STATE TargetState)
{
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(TargetState);
    KeFlushQueuedDpcs();
    return STATUS_SUCCESS;
}

/* No interrupt comes any more: who waits for one must not wait for ever. */
void NTAPI EvtDeviceSurpriseRemoval(WDFDEVICE Device)
{
    EDU *edu = GetEdu(Device);

    edu->Gone = TRUE;
    KeSetEvent(&edu->Finished, IO_NO_INCREMENT, FALSE);
}

NTSTATUS NTAPI EvtDeviceReleaseHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesTranslated)
{
    EDU *edu = GetEdu(Device);

    UNREFERENCED_PARAMETER(ResourcesTranslated);
    PAGED_CODE();
    if (edu->Registers != NULL) {
        MmUnmapIoSpace(edu->Registers, edu->Length);
        edu->Registers = NULL;
    }
    if (edu->Enabler != NULL) {
        WdfObjectDelete(edu->Enabler); /* and its common buffer */
        edu->Enabler = NULL;
    }
    return STATUS_SUCCESS;
}

/* Two causes behind one message: here the register must be asked, and acknowledged, or nothing more comes. */
BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    EDU *edu = GetEdu(WdfInterruptGetDevice(Interrupt));
    ULONG cause = Read(edu, INTERRUPT_STATUS);

    UNREFERENCED_PARAMETER(MessageID);
    if (cause == 0 || cause == ALL_ONES) {
        return FALSE;
    }
    Write(edu, ACKNOWLEDGE, cause);
    Read(edu, INTERRUPT_STATUS); /* a line must be down before the ISR returns */
    InterlockedOr(&edu->Cause, (LONG)cause);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

void NTAPI EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    UNREFERENCED_PARAMETER(Interrupt);
    KeSetEvent(&GetEdu(AssociatedObject)->Finished, IO_NO_INCREMENT, FALSE);
}

/* The operation is over, or the device is gone. */
static NTSTATUS Finish(EDU *Edu)
{
    if (!Edu->Gone) {
        KeWaitForSingleObject(&Edu->Finished, Executive, KernelMode, FALSE, NULL);
    }
    return Edu->Gone ? STATUS_DEVICE_REMOVED : STATUS_SUCCESS;
}

static NTSTATUS Transfer(EDU *Edu, ULONG64 Source, ULONG64 Destination, ULONG64 Count, ULONG64 Command)
{
    Write64(Edu, DMA_SOURCE, Source);
    Write64(Edu, DMA_DESTINATION, Destination);
    Write64(Edu, DMA_COUNT, Count);
    Write64(Edu, DMA_COMMAND, Command);
    return Finish(Edu);
}

/* n!, modulo 2^32, as the device computes it. */
static NTSTATUS Factorial(EDU *Edu, WDFREQUEST Request, size_t *Done)
{
    PULONG number, result;
    NTSTATUS status = WdfRequestRetrieveInputBuffer(Request, sizeof(*number), (PVOID *)&number, NULL);

    if (NT_SUCCESS(status)) {
        status = WdfRequestRetrieveOutputBuffer(Request, sizeof(*result), (PVOID *)&result, NULL);
    }
    if (NT_SUCCESS(status)) {
        Write(Edu, FACTORIAL, *number);
        status = Finish(Edu);
    }
    if (NT_SUCCESS(status)) {
        *result = Read(Edu, FACTORIAL);
        *Done = sizeof(*result);
    }
    return status;
}

/* Sends bytes to the device's buffer and fetches them back into other memory. */
static NTSTATUS RoundTrip(EDU *Edu, WDFREQUEST Request, size_t Length, size_t *Done)
{
    PUCHAR memory = WdfCommonBufferGetAlignedVirtualAddress(Edu->Buffer);
    ULONG64 address = (ULONG64)WdfCommonBufferGetAlignedLogicalAddress(Edu->Buffer).QuadPart;
    PVOID input, output;
    NTSTATUS status = Length <= HALF ? STATUS_SUCCESS : STATUS_INVALID_BUFFER_SIZE;

    if (NT_SUCCESS(status)) {
        status = WdfRequestRetrieveInputBuffer(Request, 1, &input, NULL);
    }
    if (NT_SUCCESS(status)) {
        status = WdfRequestRetrieveOutputBuffer(Request, Length, &output, NULL);
    }
    if (NT_SUCCESS(status)) {
        RtlCopyMemory(memory, input, Length);
        status = Transfer(Edu, address, DEVICE_BUFFER, Length, START | INTERRUPT_WHEN_DONE);
    }
    if (NT_SUCCESS(status)) {
        status = Transfer(Edu, DEVICE_BUFFER, address + HALF, Length, START | TO_MEMORY | INTERRUPT_WHEN_DONE);
    }
    if (NT_SUCCESS(status)) {
        RtlCopyMemory(output, memory + HALF, Length);
        *Done = Length;
    }
    return status;
}

void NTAPI EvtIoDeviceControl(WDFQUEUE Queue, WDFREQUEST Request, size_t OutputBufferLength, size_t InputBufferLength,
                              ULONG IoControlCode)
{
    EDU *edu = GetEdu(WdfIoQueueGetDevice(Queue));
    size_t done = 0;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(OutputBufferLength);
    PAGED_CODE();
    switch (IoControlCode) {
    case IOCTL_EDU_FACTORIAL:
        status = Factorial(edu, Request, &done);
        break;
    case IOCTL_EDU_ROUND_TRIP:
        status = RoundTrip(edu, Request, InputBufferLength, &done);
        break;
    default:
        status = STATUS_INVALID_DEVICE_REQUEST;
        break;
    }
    WdfRequestCompleteWithInformation(Request, status, done);
}
