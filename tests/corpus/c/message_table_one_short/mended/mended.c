/* As many entries as there are messages. */
#include "../../common/card.h"

#define QUEUES 3
#define POOL_TAG 'lbaT'

typedef struct ENTRY {
    WDFINTERRUPT Interrupt;
    ULONG64 Served;
} ENTRY;

typedef struct TABLE {
    ENTRY *Entries;
} TABLE;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(TABLE, GetTable)

BOOLEAN NTAPI EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    GetTable(WdfInterruptGetDevice(Interrupt))->Entries[MessageID].Served++;
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

void NTAPI EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    ULONG queue;

    UNREFERENCED_PARAMETER(Interrupt);
    for (queue = 0; queue < QUEUES; queue++) {
        Write(GetCard(AssociatedObject), TAKE(queue), ALL_JOBS);
    }
}

NTSTATUS NTAPI EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    TABLE *table = GetTable(Device);
    WDF_INTERRUPT_CONFIG config;
    WDFINTERRUPT interrupts[QUEUES + 1];
    NTSTATUS status;
    ULONG i;

    WDF_INTERRUPT_CONFIG_INIT(&config, EvtInterruptIsr, EvtInterruptDpc);
    status = PrepareCard(Device, ResourcesRaw, ResourcesTranslated, &config, WDF_NO_OBJECT_ATTRIBUTES, interrupts);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    table->Entries = ExAllocatePool2(POOL_FLAG_NON_PAGED, GetCard(Device)->Messages * sizeof(ENTRY), POOL_TAG);
    if (table->Entries == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    for (i = 0; i < GetCard(Device)->Messages; i++) {
        table->Entries[i].Interrupt = interrupts[i];
    }
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI EvtDeviceReleaseHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesTranslated)
{
    TABLE *table = GetTable(Device);

    if (table->Entries != NULL) {
        ExFreePoolWithTag(table->Entries, POOL_TAG);
        table->Entries = NULL;
    }
    return ReleaseCard(Device, ResourcesTranslated);
}

NTSTATUS NTAPI EvtDriverDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    InitializeCallbacks(&callbacks);
    callbacks.EvtDeviceReleaseHardware = EvtDeviceReleaseHardware;
    status = CreateCard(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, TABLE);
    return WdfObjectAllocateContext(device, &attributes, NULL);
}
