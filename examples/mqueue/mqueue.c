/*
 * The multi-queue driver: one WDFINTERRUPT and one message per queue, and no register read in any ISR.
 *
 * It walks the raw and translated resources in EvtDevicePrepareHardware and creates an interrupt per message, then lays
 * its queues over as many messages as it was granted: nine, three, two, one, or none at all and a line.
 *
 * mqueue.c      from the driver's entry to D0 and back
 * interrupt.c   the interrupt objects
 * isr.c         ISR and DPC
 * queue.c       the rings
 *
 * -DREFUSE_LINE          a line will not do: EvtDevicePrepareHardware fails and the device gets Code 10.
 * -DIDLE_MILLISECONDS=n  into Dx after n ms without work.
 * -DSTATUS_REGISTER      isr.c: every ISR asks the card's status register.
 * -DNOT_MINE             isr.c: it does so and believes it, which is a bug.
 */
#include "mqueue.h"

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD EvtDriverDeviceAdd;
EVT_WDF_DEVICE_PREPARE_HARDWARE EvtDevicePrepareHardware;
EVT_WDF_DEVICE_RELEASE_HARDWARE EvtDeviceReleaseHardware;
EVT_WDF_DEVICE_D0_ENTRY EvtDeviceD0Entry;
EVT_WDF_DEVICE_D0_EXIT EvtDeviceD0Exit;

#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, EvtDriverDeviceAdd)
#pragma alloc_text(PAGE, EvtDevicePrepareHardware)
#pragma alloc_text(PAGE, EvtDeviceReleaseHardware)

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

NTSTATUS NTAPI EvtDeviceD0Entry(WDFDEVICE Device, WDF_POWER_DEVICE_STATE PreviousState)
{
    CARD *card = GetCard(Device);

    UNREFERENCED_PARAMETER(PreviousState);
    Write(card, CONTROL, RESET);
    return StartRings(card);
}

NTSTATUS NTAPI EvtDeviceD0Exit(WDFDEVICE Device, WDF_POWER_DEVICE_STATE TargetState)
{
    UNREFERENCED_PARAMETER(TargetState);
    Write(GetCard(Device), CONTROL, RESET);
    Read(GetCard(Device), CONTROL); /* the write is posted, and the rings are freed next: this pushes it */
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
    DeleteRings(card);
    return STATUS_SUCCESS;
}
