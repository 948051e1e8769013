"""DMA: common buffers, and transactions whose lists and pages are the ones that the device is given."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import ntstatus
from dirql.hosts.sys.nt_structs import MDL, SCATTER_GATHER_ELEMENT, SCATTER_GATHER_LIST
from dirql.hosts.sys.wdf_structs import WDF_COMMON_BUFFER_CONFIG, WDF_DMA_ENABLER_CONFIG, WDF_IO_QUEUE_CONFIG
from dirql.kernel.irp import Irp
from dirql.kernel.stop import BugCheck

PACKET64, SCATTER64 = 3, 4
FROM_DEVICE, TO_DEVICE = 0, 1
SUCCESS, MORE = ntstatus.STATUS_SUCCESS, ntstatus.STATUS_MORE_PROCESSING_REQUIRED


def enabler(wdf: Any, profile: int = SCATTER64, length: int = 0x4000, size: int = 0x50, **more: int) -> int:
    """A DMA enabler."""
    config = wdf.struct(WDF_DMA_ENABLER_CONFIG, size, Profile=profile, MaximumLength=length, **more)
    return int(wdf.create("WdfDmaEnablerCreate", wdf.device, config, 0))


def elements(wdf: Any, address: int) -> list[tuple[int, int]]:
    """A SCATTER_GATHER_LIST."""
    count = SCATTER_GATHER_LIST(wdf.guest.space, address).NumberOfElements
    places = (address + SCATTER_GATHER_LIST.size + SCATTER_GATHER_ELEMENT.size * i for i in range(count))
    views = [SCATTER_GATHER_ELEMENT(wdf.guest.space, place) for place in places]
    return [(view.Address.QuadPart, view.Length) for view in views]


def retrieved(wdf: Any, irp: Irp) -> int:
    """A request of the user's in the driver's hands."""
    config = wdf.struct(WDF_IO_QUEUE_CONFIG, DispatchType=3, PowerManaged=2, DefaultQueue=1)
    queue, out = wdf.create("WdfIoQueueCreate", wdf.device, config, 0), wdf.out()
    wdf.send(irp)
    assert wdf.call("WdfIoQueueRetrieveNextRequest", queue, out) == SUCCESS
    return int(wdf.value(out))


def test_a_common_buffer_is_one_memory_for_driver_and_device(wdf: Any) -> None:
    buffer = wdf.create("WdfCommonBufferCreate", enabler(wdf), 0x3000, 0)
    virtual = wdf.call("WdfCommonBufferGetAlignedVirtualAddress", buffer)
    logical = wdf.call("WdfCommonBufferGetAlignedLogicalAddress", buffer)
    wdf.guest.space.write(virtual + 0x2FFE, b"ab")
    assert wdf.system.machine.memory.read(logical + 0x2FFE, 2) == b"ab"
    wdf.system.machine.memory.write(logical, b"device")
    assert wdf.read(virtual, 6) == b"device" and wdf.call("WdfCommonBufferGetLength", buffer) == 0x3000
    assert wdf.call("WdfCommonBufferGetAlignedVirtualAddress", buffer) == virtual
    wdf.call("WdfObjectDelete", buffer)
    with pytest.raises(BugCheck, match=r"0x0 bytes into the common buffer commonbuffer\d+ of 0x3000 bytes .*, which was freed"):
        wdf.read(virtual, 1)


def test_a_common_buffer_is_aligned_as_the_driver_asks(wdf: Any) -> None:
    config = wdf.struct(WDF_COMMON_BUFFER_CONFIG, AlignmentRequirement=0xFFFF)
    buffer = wdf.create("WdfCommonBufferCreateWithConfig", enabler(wdf), 64, config, 0)
    assert wdf.call("WdfCommonBufferGetAlignedLogicalAddress", buffer) % 0x10000 == 0


@pytest.mark.parametrize("size", [0x40, 0x50])
def test_an_enablers_callbacks_are_called_and_its_limits_known(wdf: Any, size: int) -> None:
    fill = wdf.logs("fill", 1)
    made = enabler(wdf, size=size, EvtDmaEnablerFill=fill)
    wdf.call("WdfDmaEnablerSetMaximumScatterGatherElements", made, 9)
    assert wdf.call("WdfDmaEnablerGetMaximumScatterGatherElements", made) == 9
    assert wdf.call("WdfDmaEnablerGetMaximumLength", made) == wdf.call("WdfDmaEnablerGetFragmentLength", made, 0) == 0x4000
    wdf.system.call(wdf.object(made).power_up)
    assert ("fill", made) in wdf.log


def test_a_transfer_of_a_request_lists_the_pages_of_its_buffer(direct: Any) -> None:
    wdf, status = direct, direct.out()
    transaction = wdf.create("WdfDmaTransactionCreate", enabler(wdf), 0)
    sent = Irp.read(wdf.kernel, 0x2800)
    request = retrieved(wdf, sent)
    pages = sent.user_pages.fragments()

    def program(*arguments: int) -> int:
        wdf.log.append((*arguments[:4], elements(wdf, arguments[4]), wdf.system.machine.cpu.irql))
        for address, length in elements(wdf, arguments[4]):
            wdf.system.machine.memory.write(address, b"\x42" * length)
        return 1

    entry = wdf.callback(program, 5)
    assert wdf.call("WdfDmaTransactionInitializeUsingRequest", transaction, request, entry, FROM_DEVICE) == SUCCESS
    assert wdf.call("WdfDmaTransactionExecute", transaction, 0x77) == SUCCESS
    assert wdf.log == [(transaction, wdf.device, 0x77, FROM_DEVICE, pages, 2)] and len(pages) > 1
    assert wdf.call("WdfDmaTransactionGetRequest", transaction) == request
    assert wdf.call("WdfDmaTransactionGetDevice", transaction) == wdf.device
    assert wdf.call("WdfDmaTransactionGetCurrentDmaTransferLength", transaction) == 0x2800
    assert wdf.call("WdfDmaTransactionDmaCompleted", transaction, status) == 1 and wdf.value(status, 4) == SUCCESS
    assert wdf.call("WdfDmaTransactionGetBytesTransferred", transaction) == 0x2800
    wdf.call("WdfDmaTransactionRelease", transaction)
    wdf.call("WdfRequestCompleteWithInformation", request, SUCCESS, 0x2800)
    assert sent.output == b"\x42" * 0x2800


def test_a_long_transfer_comes_in_parts_and_each_list_is_gone_after_its_own(direct: Any) -> None:
    wdf, status, lists = direct, direct.out(), []
    transaction = wdf.create("WdfDmaTransactionCreate", enabler(wdf, length=0x1000), 0)
    request = retrieved(wdf, Irp.write(wdf.kernel, bytes(0x1800)))

    def program(*arguments: int) -> int:
        lists.append(arguments[4])
        wdf.log.append(sum(length for _, length in elements(wdf, arguments[4])))
        return 1

    wdf.call("WdfDmaTransactionInitializeUsingOffset", transaction, request, wdf.callback(program, 5), TO_DEVICE, 0x200, 0x1200)
    assert wdf.call("WdfDmaTransactionExecute", transaction, 0) == SUCCESS
    assert wdf.call("WdfDmaTransactionDmaCompletedWithLength", transaction, 0x1000, status) == 0
    assert wdf.value(status, 4) == MORE and wdf.log == [0x1000, 0x200]
    with pytest.raises(BugCheck, match=r"the scatter/gather list of dmatransaction\d+ of 0x\w+ bytes at 0x\w+, which was freed"):
        elements(wdf, lists[0])


def test_a_short_transfer_ends_with_what_was_moved(direct: Any) -> None:
    wdf, status = direct, direct.out()
    transaction = wdf.create("WdfDmaTransactionCreate", enabler(wdf), 0)
    request = retrieved(wdf, Irp.write(wdf.kernel, bytes(0x800)))
    program = wdf.callback(lambda *_: 1, 5)
    wdf.call("WdfDmaTransactionSetMaximumLength", transaction, 0x400)
    assert wdf.call("WdfDmaTransactionInitializeUsingRequest", transaction, request, program, TO_DEVICE) == SUCCESS
    counts = wdf.out()
    wdf.call("WdfDmaTransactionGetTransferInfo", transaction, counts, counts + 4)
    assert wdf.read(counts, 8) == b"\1\0\0\0\1\0\0\0"
    wdf.call("WdfDmaTransactionExecute", transaction, 0)
    assert wdf.call("WdfDmaTransactionDmaCompletedFinal", transaction, 0x100, status) == 1
    assert wdf.call("WdfDmaTransactionGetBytesTransferred", transaction) == 0x100


def test_an_mdl_of_the_drivers_own_is_read_from_its_memory(wdf: Any) -> None:
    buffer = wdf.memory(0x1800)
    mdl, pages = wdf.memory(MDL.size + 16), wdf.mappings.pages_at(buffer, 0x1800).pages
    MDL(wdf.guest.space, mdl).store(StartVa=buffer, ByteCount=0x1800, MdlFlags=4)
    wdf.guest.space.write(mdl + MDL.size, b"".join((page >> 12).to_bytes(8, "little") for page in pages))
    transaction = wdf.create("WdfDmaTransactionCreate", enabler(wdf), 0)
    program = wdf.callback(lambda *a: wdf.log.append(elements(wdf, a[4])), 5)
    start = buffer + 0x10
    assert wdf.call("WdfDmaTransactionInitialize", transaction, program, TO_DEVICE, mdl, start, 0x1000) == SUCCESS
    wdf.call("WdfDmaTransactionExecute", transaction, 0)
    assert wdf.log == [[(pages[0] + 0x10, 0xFF0), (pages[1], 0x10)]] or wdf.log == [[(pages[0] + 0x10, 0x1000)]]


@pytest.mark.parametrize(("offset", "length"), [(-1, 16), (0x1800, 1), (0, 0x1801), (0, 0)])
def test_a_part_that_is_not_in_the_mdl_is_refused(wdf: Any, offset: int, length: int) -> None:
    buffer = wdf.memory(0x1800)
    mdl = wdf.mappings.mdl(wdf.mappings.pages_at(buffer, 0x1800))
    start = MDL(wdf.guest.space, mdl).StartVa + offset
    transaction = wdf.create("WdfDmaTransactionCreate", enabler(wdf), 0)
    arguments = transaction, wdf.callback(lambda *_: 1), TO_DEVICE, mdl, start, length
    assert wdf.call("WdfDmaTransactionInitialize", *arguments) == ntstatus.STATUS_INVALID_PARAMETER


def test_a_packet_transaction_that_waits_for_the_channel_can_be_cancelled(direct: Any) -> None:
    wdf, made = direct, enabler(direct, PACKET64)
    first, second = (wdf.create("WdfDmaTransactionCreate", made, 0) for _ in range(2))
    request, program = retrieved(wdf, Irp.write(wdf.kernel, bytes(64))), wdf.logs("program", 5)
    for transaction in (first, second):
        wdf.call("WdfDmaTransactionInitializeUsingRequest", transaction, request, program, TO_DEVICE)
    wdf.call("WdfDmaTransactionSetImmediateExecution", second, 1)
    assert wdf.call("WdfDmaTransactionExecute", first, 0) == SUCCESS
    assert wdf.call("WdfDmaTransactionExecute", second, 0) == ntstatus.STATUS_INSUFFICIENT_RESOURCES
    wdf.call("WdfDmaTransactionSetImmediateExecution", second, 0)
    assert wdf.call("WdfDmaTransactionExecute", second, 0) == SUCCESS
    assert wdf.call("WdfDmaTransactionCancel", second) == 1 and wdf.call("WdfDmaTransactionCancel", first) == 0
    wdf.call("WdfDmaTransactionDmaCompleted", first, wdf.out())
    assert len(wdf.log) == 1 and wdf.call("WdfDmaTransactionRelease", second) == SUCCESS


def test_a_transfer_that_may_not_be_split_is_refused(direct: Any) -> None:
    wdf = direct
    transaction = wdf.create("WdfDmaTransactionCreate", enabler(wdf, length=0x1000), 0)
    request, program = retrieved(wdf, Irp.write(wdf.kernel, bytes(0x1800))), wdf.callback(lambda *_: 1, 5)
    wdf.call("WdfDmaTransactionSetSingleTransferRequirement", transaction, 1)
    status = wdf.call("WdfDmaTransactionInitializeUsingRequest", transaction, request, program, TO_DEVICE)
    assert status == ntstatus.STATUS_WDF_TOO_MANY_TRANSFERS


@pytest.mark.parametrize(
    ("name", "arguments", "pointer"),
    [("WdfDmaTransactionDmaCompleted", (0,), "Status"), ("WdfDmaTransactionInitialize", (0, 0, 0, 0, 0), "Mdl"),
     ("WdfDmaTransactionInitializeUsingRequest", ("request", 0, 0), "EvtProgramDmaFunction")],
)  # fmt: skip
def test_a_required_pointer_that_is_null_is_a_bugcheck(direct: Any, name: str, arguments: tuple[Any, ...], pointer: str) -> None:
    wdf = direct
    transaction = wdf.create("WdfDmaTransactionCreate", enabler(wdf), 0)
    request = retrieved(wdf, Irp.write(wdf.kernel, bytes(64))) if "request" in arguments else 0
    with pytest.raises(BugCheck, match=f"{name}: required parameter {pointer} is NULL"):
        wdf.call(name, transaction, *(request if a == "request" else a for a in arguments))


def test_a_chained_mdl_is_refused_in_words(wdf: Any) -> None:
    from dirql.errors import NotModelled

    mdl = wdf.mappings.mdl(wdf.mappings.pages_at(wdf.memory(64), 64))
    MDL(wdf.guest.space, mdl).Next = 0x1000
    with pytest.raises(NotModelled, match=f"the MDL at {mdl:#x} is chained to another at 0x1000; pass one MDL at a time"):
        wdf.mappings.mdl_at(mdl)
