/*
 * What the drivers of the corpus have in common: from DriverEntry to one interrupt object for each message, and back.
 *
 * A driver has EvtDriverDeviceAdd, and EvtDevicePrepareHardware, which calls PrepareCard with its ISR and DPC. Where it needs no
 * more than that, AddCard and PrepareMessages do the usual, and QueueDpc is the usual ISR.
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

#define POOL_TAG 'draC'

typedef struct CARD {
    PUCHAR Registers;
    SIZE_T Length;
    ULONG Messages; /* that were granted */
    PVOID Block;    /* the driver's own, of pool with POOL_TAG, or NULL */
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

/* Takes all jobs of the first so many queues. */
static __inline void TakeAll(CARD *Card, ULONG Queues)
{
    ULONG queue;

    for (queue = 0; queue < Queues; queue++) {
        Write(Card, TAKE(queue), ALL_JOBS);
    }
}

/* The ISR of a driver whose DPC does everything. */
static __inline BOOLEAN NTAPI QueueDpc(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    UNREFERENCED_PARAMETER(MessageID);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, EvtDriverDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

static __inline void FreeBlock(CARD *Card)
{
    if (Card->Block != NULL) {
        ExFreePoolWithTag(Card->Block, POOL_TAG);
        Card->Block = NULL;
    }
}

/* Unmaps the registers and frees the block: for EvtDeviceReleaseHardware, and all of it where a driver has nothing else. */
static __inline NTSTATUS NTAPI ReleaseCard(WDFDEVICE Device, WDFCMRESLIST ResourcesTranslated)
{
    CARD *card = GetCard(Device);

    UNREFERENCED_PARAMETER(ResourcesTranslated);
    if (card->Registers != NULL) {
        MmUnmapIoSpace(card->Registers, card->Length);
        card->Registers = NULL;
    }
    FreeBlock(card);
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

/* The whole of EvtDriverDeviceAdd: a device with a CARD, and beside it the driver's own context where `Context` is not NULL. */
static __inline NTSTATUS AddCard(PWDFDEVICE_INIT DeviceInit, PFN_WDF_DEVICE_RELEASE_HARDWARE Release,
                                 PCWDF_OBJECT_CONTEXT_TYPE_INFO Context, WDFDEVICE *Device)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    NTSTATUS status;

    InitializeCallbacks(&callbacks);
    callbacks.EvtDeviceReleaseHardware = Release;
    status = CreateCard(DeviceInit, &callbacks, Device);
    if (!NT_SUCCESS(status) || Context == NULL) {
        return status;
    }
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ContextTypeInfo = Context;
    return WdfObjectAllocateContext(*Device, &attributes, NULL);
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

/* PrepareCard with the same ISR and DPC for each message. */
static __inline NTSTATUS PrepareMessages(WDFDEVICE Device, WDFCMRESLIST Raw, WDFCMRESLIST Translated,
                                         PFN_WDF_INTERRUPT_ISR Isr, PFN_WDF_INTERRUPT_DPC Dpc)
{
    WDF_INTERRUPT_CONFIG config;

    WDF_INTERRUPT_CONFIG_INIT(&config, Isr, Dpc);
    return PrepareCard(Device, Raw, Translated, &config, WDF_NO_OBJECT_ATTRIBUTES, NULL);
}

#endif
