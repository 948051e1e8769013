/* Runs connect.c and card.c of examples/mqueue_wdm below the framework: it has no interrupt objects of its own. */
#include <ntddk.h>
#include <wdf.h>

#include "device.h"

#define ROOM 64

typedef struct SHELL {
    DEVICE Device;
    union {
        CM_RESOURCE_LIST List;
        UCHAR Bytes[sizeof(CM_RESOURCE_LIST) + ROOM * sizeof(CM_PARTIAL_RESOURCE_DESCRIPTOR)];
    } Raw, Given;
} SHELL;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(SHELL, GetShell)

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD EvtDriverDeviceAdd;
EVT_WDF_DEVICE_PREPARE_HARDWARE EvtDevicePrepareHardware;
EVT_WDF_DEVICE_RELEASE_HARDWARE EvtDeviceReleaseHardware;
EVT_WDF_DEVICE_D0_ENTRY EvtDeviceD0Entry;
EVT_WDF_DEVICE_D0_EXIT EvtDeviceD0Exit;

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

    UNREFERENCED_PARAMETER(Driver);
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = EvtDevicePrepareHardware;
    callbacks.EvtDeviceReleaseHardware = EvtDeviceReleaseHardware;
    callbacks.EvtDeviceD0Entry = EvtDeviceD0Entry;
    callbacks.EvtDeviceD0Exit = EvtDeviceD0Exit;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, SHELL);
    return WdfDeviceCreate(&DeviceInit, &attributes, &device);
}

static void Copy(CM_RESOURCE_LIST *List, WDFCMRESLIST Given)
{
    PCM_PARTIAL_RESOURCE_LIST list = &List->List[0].PartialResourceList;

    List->Count = 1;
    for (list->Count = 0; list->Count < WdfCmResourceListGetCount(Given) && list->Count < ROOM; list->Count++) {
        list->PartialDescriptors[list->Count] = *WdfCmResourceListGetDescriptor(Given, list->Count);
    }
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    SHELL *shell = GetShell(Device);
    PCM_PARTIAL_RESOURCE_DESCRIPTOR one;
    ULONG i;

    Copy(&shell->Raw.List, ResourcesRaw);
    Copy(&shell->Given.List, ResourcesTranslated);
    shell->Device.Physical = WdfDeviceWdmGetPhysicalDevice(Device);
    for (i = 0; i < WdfCmResourceListGetCount(ResourcesTranslated) && shell->Device.Registers == NULL; i++) {
        one = WdfCmResourceListGetDescriptor(ResourcesTranslated, i);
        if (one->Type == CmResourceTypeMemory) {
            shell->Device.Length = one->u.Memory.Length;
            shell->Device.Registers = MmMapIoSpaceEx(one->u.Memory.Start, one->u.Memory.Length, PAGE_READWRITE | PAGE_NOCACHE);
        }
    }
    shell->Device.Queues = Read(&shell->Device, CAPABILITY) & CAPABILITY_QUEUES;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI EvtDeviceReleaseHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesTranslated)
{
    DEVICE *device = &GetShell(Device)->Device;

    UNREFERENCED_PARAMETER(ResourcesTranslated);
    MmUnmapIoSpace(device->Registers, device->Length);
    device->Registers = NULL;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI EvtDeviceD0Entry(WDFDEVICE Device, WDF_POWER_DEVICE_STATE PreviousState)
{
    SHELL *shell = GetShell(Device);
    NTSTATUS status = Connect(&shell->Device, &shell->Raw.List, &shell->Given.List);

    UNREFERENCED_PARAMETER(PreviousState);
    if (NT_SUCCESS(status)) {
        status = StartCard(&shell->Device);
    }
    if (NT_SUCCESS(status)) {
        ArmCard(&shell->Device);
    }
    return status;
}

NTSTATUS NTAPI EvtDeviceD0Exit(WDFDEVICE Device, WDF_POWER_DEVICE_STATE TargetState)
{
    UNREFERENCED_PARAMETER(TargetState);
    Disconnect(&GetShell(Device)->Device);
    StopCard(&GetShell(Device)->Device);
    return STATUS_SUCCESS;
}
