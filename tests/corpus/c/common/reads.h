/*
 * What the drivers that serve reads have in common: a program opens the card as \\.\Jobs, and its read waits for a job.
 *
 * A driver has EvtInterruptDpc, which completes the request, and EvtRequestCancel, which completes it when it is cancelled.
 */
#ifndef READS_H
#define READS_H

#include "card.h"

#define READ_QUEUE 1 /* the card's queue that brings what is read */

typedef struct READS {
    WDFREQUEST Request; /* the one that waits for a job, or NULL */
    WDFSPINLOCK Lock;
} READS;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(READS, GetReads)

EVT_WDF_REQUEST_CANCEL EvtRequestCancel;
static EVT_WDF_IO_QUEUE_IO_READ EvtIoRead;

static void NTAPI EvtIoRead(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    READS *reads = GetReads(WdfIoQueueGetDevice(Queue));
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Length);
    WdfSpinLockAcquire(reads->Lock);
    status = WdfRequestMarkCancelableEx(Request, EvtRequestCancel);
    if (NT_SUCCESS(status)) {
        reads->Request = Request;
    }
    WdfSpinLockRelease(reads->Lock);
    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
    }
}

/* Lets programs open the card and read from it, one read at a time. The device has READS for a context. */
static __inline NTSTATUS ServeReads(WDFDEVICE Device)
{
    DECLARE_CONST_UNICODE_STRING(name, L"\\DosDevices\\Jobs");
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_IO_QUEUE_CONFIG queue;
    NTSTATUS status;

    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = Device;
    status = WdfSpinLockCreate(&attributes, &GetReads(Device)->Lock);
    if (NT_SUCCESS(status)) {
        WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&queue, WdfIoQueueDispatchSequential);
        queue.EvtIoRead = EvtIoRead;
        status = WdfIoQueueCreate(Device, &queue, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
    }
    return NT_SUCCESS(status) ? WdfDeviceCreateSymbolicLink(Device, &name) : status;
}

#endif
