/*
 * What the drivers that share memory with the card have in common.
 */
#ifndef DMA_H
#define DMA_H

#include <ntddk.h>
#include <wdf.h>

/* A common buffer full of zeros, which goes when the device does. */
static __inline NTSTATUS CreateBuffer(WDFDEVICE Device, SIZE_T Length, PVOID *Virtual, PHYSICAL_ADDRESS *Logical)
{
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER enabler;
    WDFCOMMONBUFFER buffer;
    NTSTATUS status;

    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfileScatterGather64, PAGE_SIZE);
    status = WdfDmaEnablerCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &enabler);
    if (NT_SUCCESS(status)) {
        status = WdfCommonBufferCreate(enabler, Length, WDF_NO_OBJECT_ATTRIBUTES, &buffer);
    }
    if (NT_SUCCESS(status)) {
        *Virtual = WdfCommonBufferGetAlignedVirtualAddress(buffer);
        *Logical = WdfCommonBufferGetAlignedLogicalAddress(buffer);
        RtlZeroMemory(*Virtual, Length);
    }
    return status;
}

#endif
