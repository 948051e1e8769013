/*
 * What the drivers of the corpus have in common: from DriverEntry to one interrupt object for each message, and back.
 *
 * A driver has EvtDriverDeviceAdd, and EvtDevicePrepareHardware, which calls PrepareCard with its ISR and DPC.
 */
#ifndef CARD_H
#define CARD_H

#include <ntddk.h>
#include <wdf.h>

/* The card's registers (tests/corpus/cards/jobs.py). */
#define ENABLE 0x00
#define TAKE(queue) (0x10 + 4 * (queue)) /* a write takes that many jobs off */
#define STATUS 0x20                      /* which queues have jobs */
#define ALL_JOBS 0xFFFFFFFF

typedef struct CARD {
    PUCHAR Registers;
    SIZE_T Length;
    ULONG Messages; /* that were granted */
} CARD;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(CARD, GetCard)

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD EvtDriverDeviceAdd;
EVT_WDF_DEVICE_PREPARE_HARDWARE EvtDevicePrepareHardware;
EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC EvtInterruptDpc;

static __inline ULONG Read(CARD *Card, ULONG Offset)
{
    return READ_REGISTER_ULONG((PULONG)(Card->Registers + Offset));
}

static __inline void Write(CARD *Card, ULONG Offset, ULONG Value)
{
    WRITE_REGISTER_ULONG((PULONG)(Card->Registers + Offset), Value);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, EvtDriverDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

/* Unmaps the registers: for EvtDeviceReleaseHardware, and all of it where a driver has nothing else. */
static __inline NTSTATUS NTAPI ReleaseCard(WDFDEVICE Device, WDFCMRESLIST ResourcesTranslated)
{
    CARD *card = GetCard(Device);

    UNREFERENCED_PARAMETER(ResourcesTranslated);
    if (card->Registers != NULL) {
        MmUnmapIoSpace(card->Registers, card->Length);
        card->Registers = NULL;
    }
    return STATUS_SUCCESS;
}

/* PnP callbacks to begin with: EvtDevicePrepareHardware and ReleaseCard. */
static __inline void InitializeCallbacks(WDF_PNPPOWER_EVENT_CALLBACKS *Callbacks)
{
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(Callbacks);
    Callbacks->EvtDevicePrepareHardware = EvtDevicePrepareHardware;
    Callbacks->EvtDeviceReleaseHardware = ReleaseCard;
}

/* A device with a CARD for its context. */
static __inline NTSTATUS CreateCard(PWDFDEVICE_INIT DeviceInit, WDF_PNPPOWER_EVENT_CALLBACKS *Callbacks, WDFDEVICE *Device)
{
    WDF_OBJECT_ATTRIBUTES attributes;

    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, Callbacks);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, CARD);
    return WdfDeviceCreate(&DeviceInit, &attributes, Device);
}

/* Maps the registers and creates an interrupt for each message; `Interrupts`, where it is not NULL, gets them in their order. */
static __inline NTSTATUS PrepareCard(WDFDEVICE Device, WDFCMRESLIST Raw, WDFCMRESLIST Translated, WDF_INTERRUPT_CONFIG *Config,
                                     WDF_OBJECT_ATTRIBUTES *Attributes, WDFINTERRUPT *Interrupts)
{
    CARD *card = GetCard(Device);
    WDFINTERRUPT interrupt;
    NTSTATUS status;
    ULONG i;

    card->Messages = 0;
    for (i = 0; i < WdfCmResourceListGetCount(Translated); i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR one = WdfCmResourceListGetDescriptor(Translated, i);

        if (one->Type == CmResourceTypeMemory && card->Registers == NULL) {
            card->Length = one->u.Memory.Length;
            card->Registers = MmMapIoSpaceEx(one->u.Memory.Start, card->Length, PAGE_READWRITE | PAGE_NOCACHE);
        } else if (one->Type == CmResourceTypeInterrupt && (one->Flags & CM_RESOURCE_INTERRUPT_MESSAGE)) {
            Config->InterruptRaw = WdfCmResourceListGetDescriptor(Raw, i);
            Config->InterruptTranslated = one;
            status = WdfInterruptCreate(Device, Config, Attributes, &interrupt);
            if (!NT_SUCCESS(status)) {
                return status;
            }
            if (Interrupts != NULL) {
                Interrupts[card->Messages] = interrupt;
            }
            card->Messages++;
        }
    }
    return card->Registers != NULL ? STATUS_SUCCESS : STATUS_DEVICE_CONFIGURATION_ERROR;
}

/* Lets programs open the card as \\.\Jobs and read from it, one read at a time. */
static __inline NTSTATUS ServeReads(WDFDEVICE Device, PFN_WDF_IO_QUEUE_IO_READ Read)
{
    DECLARE_CONST_UNICODE_STRING(name, L"\\DosDevices\\Jobs");
    WDF_IO_QUEUE_CONFIG queue;
    NTSTATUS status;

    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&queue, WdfIoQueueDispatchSequential);
    queue.EvtIoRead = Read;
    status = WdfIoQueueCreate(Device, &queue, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
    return NT_SUCCESS(status) ? WdfDeviceCreateSymbolicLink(Device, &name) : status;
}

#endif
