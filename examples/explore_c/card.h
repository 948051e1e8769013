/* What the three drivers have in common: the card's one register that matters, its mapping, and which message an interrupt is. */
#ifndef CARD_H
#define CARD_H

#include <ntddk.h>
#include <wdf.h>

#define TAKE(queue) (0x10 + 4 * (queue)) /* a write takes that many jobs off */

typedef struct CARD {
    PUCHAR Registers;
    SIZE_T Length;
} CARD;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(CARD, GetCard)

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD EvtDriverDeviceAdd;
EVT_WDF_DEVICE_PREPARE_HARDWARE EvtDevicePrepareHardware;
EVT_WDF_DEVICE_RELEASE_HARDWARE EvtDeviceReleaseHardware;
EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC EvtInterruptDpc;

FORCEINLINE BOOLEAN IsMessage(PCM_PARTIAL_RESOURCE_DESCRIPTOR Descriptor)
{
    return Descriptor->Type == CmResourceTypeInterrupt && (Descriptor->Flags & CM_RESOURCE_INTERRUPT_MESSAGE) != 0;
}

FORCEINLINE NTSTATUS MapRegisters(CARD *Card, PCM_PARTIAL_RESOURCE_DESCRIPTOR Memory)
{
    Card->Length = Memory->u.Memory.Length;
    Card->Registers = MmMapIoSpaceEx(Memory->u.Memory.Start, Card->Length, PAGE_READWRITE | PAGE_NOCACHE);
    return Card->Registers != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

FORCEINLINE void UnmapRegisters(CARD *Card)
{
    if (Card->Registers != NULL) {
        MmUnmapIoSpace(Card->Registers, Card->Length);
        Card->Registers = NULL;
    }
}

/* There is a message for each queue: its number is the queue's. */
FORCEINLINE ULONG QueueOf(WDFINTERRUPT Interrupt)
{
    WDF_INTERRUPT_INFO info;

    WDF_INTERRUPT_INFO_INIT(&info);
    WdfInterruptGetInfo(Interrupt, &info);
    return info.MessageNumber;
}

FORCEINLINE void Take(CARD *Card, ULONG Queue, ULONG Jobs)
{
    WRITE_REGISTER_ULONG((PULONG)(Card->Registers + TAKE(Queue)), Jobs);
}

#endif
