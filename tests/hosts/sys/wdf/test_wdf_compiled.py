"""A driver in C: requests through a sequential queue, a scatter/gather transaction for each read, and a DPC that completes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dirql.build import build_driver
from dirql.device.models import MultiQueue
from dirql.kernel.irp import Irp, MajorFunction, Method, ctl_code
from dirql.system import System
from dirql.wdf.io_manager import IoManager

ECHO = ctl_code(0x22, 0x801, Method.BUFFERED)
SUM = ctl_code(0x22, 0x802, Method.IN_DIRECT)
SOURCE = r"""
#include <ntddk.h>
#include <wdf.h>

typedef struct { WDFSPINLOCK Lock; WDFDMATRANSACTION Transaction; WDFDPC Dpc; WDFCOMMONBUFFER Common; ULONG Reads; } CARD;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(CARD, GetCard)

static BOOLEAN NTAPI Program(WDFDMATRANSACTION Transaction, WDFDEVICE Device, WDFCONTEXT Context,
                             WDF_DMA_DIRECTION Direction, PSCATTER_GATHER_LIST List)
{
    CARD *card = GetCard(Device);
    ULONG *ring = WdfCommonBufferGetAlignedVirtualAddress(card->Common);
    ULONG i;
    ring[0] = List->NumberOfElements;
    for (i = 0; i < List->NumberOfElements && i < 8; i++) {
        ring[1 + 3 * i] = List->Elements[i].Address.LowPart;
        ring[2 + 3 * i] = (ULONG)List->Elements[i].Address.HighPart;
        ring[3 + 3 * i] = List->Elements[i].Length;
    }
    WdfDpcEnqueue(card->Dpc);
    return TRUE;
}

static void NTAPI Completed(WDFDPC Dpc)
{
    CARD *card = GetCard(WdfDpcGetParentObject(Dpc));
    WDFREQUEST request = WdfDmaTransactionGetRequest(card->Transaction);
    NTSTATUS status;
    if (WdfDmaTransactionDmaCompleted(card->Transaction, &status)) {
        size_t moved = WdfDmaTransactionGetBytesTransferred(card->Transaction);
        WdfDmaTransactionRelease(card->Transaction);
        WdfRequestCompleteWithInformation(request, status, moved);
    }
}

static void NTAPI Read(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    CARD *card = GetCard(WdfIoQueueGetDevice(Queue));
    NTSTATUS status;
    WdfSpinLockAcquire(card->Lock);
    card->Reads++;
    WdfSpinLockRelease(card->Lock);
    status = WdfDmaTransactionInitializeUsingRequest(card->Transaction, Request, Program, WdfDmaDirectionReadFromDevice);
    if (NT_SUCCESS(status))
        status = WdfDmaTransactionExecute(card->Transaction, NULL);
    if (!NT_SUCCESS(status))
        WdfRequestComplete(Request, status);
}

static void NTAPI Control(WDFQUEUE Queue, WDFREQUEST Request, size_t OutputLength, size_t InputLength, ULONG Code)
{
    UCHAR *in, *out;
    size_t i, length = 0;
    PMDL mdl;
    ULONG sum = 0;
    NTSTATUS status = WdfRequestRetrieveInputBuffer(Request, 1, (PVOID *)&in, &length);
    if (NT_SUCCESS(status) && Code == ECHO_CODE) {
        status = WdfRequestRetrieveOutputBuffer(Request, length, (PVOID *)&out, NULL);
        for (i = 0; NT_SUCCESS(status) && i < length / 2; i++) {
            UCHAR byte = in[i];
            out[i] = in[length - 1 - i];
            out[length - 1 - i] = byte;
        }
    } else if (NT_SUCCESS(status)) {
        status = WdfRequestRetrieveOutputWdmMdl(Request, &mdl);
        if (NT_SUCCESS(status)) {
            out = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
            for (i = 0; i < MmGetMdlByteCount(mdl); i++)
                sum += out[i];
            *(ULONG *)out = sum + in[0];
            length = sizeof(ULONG);
        }
    }
    if (IoGetCurrentIrpStackLocation(WdfRequestWdmGetIrp(Request))->Parameters.DeviceIoControl.IoControlCode != Code)
        status = STATUS_UNSUCCESSFUL;
    WdfRequestCompleteWithInformation(Request, status, length);
}

static NTSTATUS NTAPI Add(WDFDRIVER Driver, PWDFDEVICE_INIT Init)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_IO_QUEUE_CONFIG queue;
    WDF_DMA_ENABLER_CONFIG dma;
    WDF_DPC_CONFIG dpc;
    WDFDMAENABLER enabler;
    WDFDEVICE device;
    CARD *card;
    NTSTATUS status;

    WdfDeviceInitSetIoType(Init, WdfDeviceIoDirect);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, CARD);
    status = WdfDeviceCreate(&Init, &attributes, &device);
    if (!NT_SUCCESS(status)) return status;
    card = GetCard(device);
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&queue, WdfIoQueueDispatchSequential);
    queue.EvtIoRead = Read;
    queue.EvtIoDeviceControl = Control;
    status = WdfIoQueueCreate(device, &queue, WDF_NO_OBJECT_ATTRIBUTES, NULL);
    if (!NT_SUCCESS(status)) return status;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = device;
    status = WdfSpinLockCreate(&attributes, &card->Lock);
    if (!NT_SUCCESS(status)) return status;
    WDF_DPC_CONFIG_INIT(&dpc, Completed);
    status = WdfDpcCreate(&dpc, &attributes, &card->Dpc);
    if (!NT_SUCCESS(status)) return status;
    WDF_DMA_ENABLER_CONFIG_INIT(&dma, WdfDmaProfileScatterGather64, 0x10000);
    status = WdfDmaEnablerCreate(device, &dma, WDF_NO_OBJECT_ATTRIBUTES, &enabler);
    if (!NT_SUCCESS(status)) return status;
    status = WdfCommonBufferCreate(enabler, 0x1000, WDF_NO_OBJECT_ATTRIBUTES, &card->Common);
    if (!NT_SUCCESS(status)) return status;
    return WdfDmaTransactionCreate(enabler, WDF_NO_OBJECT_ATTRIBUTES, &card->Transaction);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;
    WDF_DRIVER_CONFIG_INIT(&config, Add);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}
"""
INF = Path(__file__).parents[4] / "examples" / "mqueue" / "mqueue.inf"


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver, compiled."""
    directory = tmp_path_factory.mktemp("queued")
    (directory / "queued.c").write_text(f"#define ECHO_CODE {ECHO:#x}\n{SOURCE}")
    return build_driver(directory).image


def started(image: Path) -> tuple[Any, Any, IoManager]:
    """The system, the device, and the user's side of it."""
    system = System(2, memory=16 << 20)
    card = system.plug(MultiQueue())
    system.load(image, INF)
    assert system.start() == 0, system.stopped
    return system, system.device(card), IoManager(system.kernel)


def test_a_control_is_answered_in_the_systems_buffer(image: Path) -> None:
    system, device, io = started(image)
    irp = Irp.device_control(system.kernel, ECHO, b"drawer", 16)
    io.start(device, irp)
    system.run()
    assert (system.stopped, irp.output) == (None, b"reward")


def test_a_direct_control_reads_the_users_pages_through_the_mdl(image: Path) -> None:
    system, device, io = started(image)
    pages = bytes([1] * 5000)
    irp = Irp(system.kernel, MajorFunction.DEVICE_CONTROL, input=b"\x05", direct_input=pages, io_control_code=SUM)
    io.start(device, irp)
    system.run()
    assert (system.stopped, irp.output) == (None, (5005).to_bytes(4, "little"))


def test_reads_wait_for_each_other_and_end_with_what_the_transaction_moved(image: Path) -> None:
    system, device, io = started(image)
    irps = [Irp.read(system.kernel, length) for length in (0x2800, 64)]
    for irp in irps:
        io.start(device, irp)
    system.run()
    assert (system.stopped, [irp.information for irp in irps]) == (None, [0x2800, 64])
    ring = system.machine.memory.read(common_buffer(device), 40)
    assert int.from_bytes(ring[:4], "little") == 1  # of the second read


def common_buffer(device: Any) -> int:
    """The physical address of the driver's ring."""
    return int(device.dma_enablers[0].children[0].physical)
