"""DMA enablers, transactions and common buffers (facts §3.1 step 9, §3.2)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql import ntstatus
from dirql.errors import NotModelled
from dirql.kernel import BugCheck
from dirql.kernel.irp import Irp, MajorFunction, Method, ctl_code
from dirql.kernel.mdl import Buffer, Mdl
from dirql.machine import PAGE_SIZE
from dirql.machine import Memory as Ram
from dirql.wdf.common_buffer import CommonBuffer, CommonBufferConfig
from dirql.wdf.dma import DmaDirection, DmaEnabler, DmaEnablerConfig, DmaProfile
from dirql.wdf.dma_transaction import DmaTransaction
from dirql.wdf.io_config import IoQueueDispatchType
from dirql.wdf.object import ObjectAttributes

READ, WRITE = DmaDirection.ReadFromDevice, DmaDirection.WriteToDevice
SG, PACKET = DmaProfile.ScatterGather64, DmaProfile.Packet


def enabler(w: Any, profile: int = SG, maximum_length: int = 1 << 16, **callbacks: Any) -> DmaEnabler:
    made = w.call(lambda: DmaEnabler.create(w.device, DmaEnablerConfig(profile, maximum_length, **callbacks)))
    assert isinstance(made, DmaEnabler)
    return made


def transaction(w: Any, one: DmaEnabler) -> DmaTransaction:
    made = w.call(lambda: DmaTransaction.create(one))
    assert isinstance(made, DmaTransaction)
    return made


def buffer(w: Any, length: int) -> Buffer:
    return Buffer.allocate(w.machine.memory, length)


class Card:
    """Remembers what it was programmed with; moves the bytes when told to."""

    def __init__(self, w: Any) -> None:
        self.w = w
        self.lists: list[list[tuple[int, int]]] = []
        self.irqls: list[int] = []
        self.context: Any = None

    def program(self, transaction: DmaTransaction, device: Any, context: Any, direction: DmaDirection, sg_list: Any) -> None:
        assert device is self.w.device
        self.context = context
        self.irqls.append(self.w.irql)
        self.lists.append([(e.address, e.length) for e in sg_list.elements])

    def store(self, data: bytes) -> None:
        """Bus-master writes into the list that was programmed last."""
        for address, length in self.lists[-1]:
            self.w.machine.memory.write(address, data[:length])
            data = data[length:]

    def fetch(self) -> bytes:
        """Bus-master reads."""
        return b"".join(self.w.machine.memory.read(a, n) for a, n in self.lists[-1])


def finish(w: Any, dma: DmaTransaction, moved: Any = None) -> list[tuple[bool, int]]:
    """Complete transfer after transfer; what each completion returned."""
    results = []
    while not results or not results[-1][0]:
        if moved is not None:
            moved()
        results.append(w.call(dma.dma_completed))
    return results


@pytest.mark.parametrize(
    ("profile", "length", "maximum", "transfers"),
    [(SG, 10_000, 1 << 16, 1), (SG, 10_000, 4096, 3), (SG, 8192, 4096, 2), (SG, 1, 4096, 1), (PACKET, 10_000, 4096, 3)],
)
@pytest.mark.parametrize("direction", [READ, WRITE])
def test_every_byte_moves_in_transfers_of_at_most_the_maximum_length(
    io: Any, profile: int, length: int, maximum: int, transfers: int, direction: DmaDirection
) -> None:
    w = io()
    card, dma, memory = Card(w), transaction(w, enabler(w, profile, maximum)), buffer(w, length)
    data = bytes(i % 253 for i in range(length))
    seen = bytearray()

    def moved() -> None:
        size = sum(n for _, n in card.lists[-1])
        if direction == READ:
            card.store(data[len(seen) : len(seen) + size])
        seen.extend(card.fetch())

    if direction == WRITE:
        memory[:] = data
    w.call(lambda: (dma.initialize(card.program, direction, memory.mdl), dma.execute("context")))
    results = finish(w, dma, moved)
    assert results == [(False, ntstatus.STATUS_MORE_PROCESSING_REQUIRED)] * (transfers - 1) + [(True, ntstatus.STATUS_SUCCESS)]
    assert (bytes(memory), bytes(seen)) == (data, data)
    assert (card.irqls, card.context) == ([2] * transfers, "context")
    assert w.call(dma.get_bytes_transferred) == length


def test_a_scatter_gather_list_has_the_buffers_scattered_pages(io: Any) -> None:
    w = io()
    card, dma, memory = Card(w), transaction(w, enabler(w)), buffer(w, 3 * PAGE_SIZE)
    w.call(lambda: (dma.initialize(card.program, READ, memory.mdl, 0x10, 2 * PAGE_SIZE), dma.execute()))
    first, second, third = memory.mdl.pages
    assert len({first + PAGE_SIZE == second, second + PAGE_SIZE == third}) == 1
    assert card.lists == [[(first + 0x10, PAGE_SIZE - 0x10), (second, PAGE_SIZE), (third, 0x10)]]


def test_a_packet_list_is_one_element_that_reaches_the_buffer_at_completion(io: Any) -> None:
    w = io()
    card, dma, memory = Card(w), transaction(w, enabler(w, PACKET)), buffer(w, 2 * PAGE_SIZE)
    w.call(lambda: (dma.initialize(card.program, READ, memory.mdl), dma.execute()))
    assert [len(elements) for elements in card.lists] == [1]
    card.store(b"x" * 2 * PAGE_SIZE)
    assert bytes(memory) == bytes(2 * PAGE_SIZE)
    finish(w, dma)
    assert bytes(memory) == b"x" * 2 * PAGE_SIZE


def test_a_packet_enabler_runs_one_transaction_at_a_time(io: Any) -> None:
    w = io()
    one = enabler(w, PACKET)
    cards, dmas = [Card(w) for _ in range(3)], [transaction(w, one) for _ in range(3)]
    for card, dma in zip(cards, dmas, strict=True):
        memory = buffer(w, 8)
        w.call(lambda d=dma, c=card, m=memory: (d.initialize(c.program, READ, m.mdl), d.execute()))
    started = []
    for dma in dmas:
        started.append([len(card.lists) for card in cards])
        finish(w, dma)
    assert started == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_a_scatter_gather_enabler_runs_many_transactions_at_a_time(io: Any) -> None:
    w = io()
    one, card = enabler(w), Card(w)
    for _ in range(3):
        dma, memory = transaction(w, one), buffer(w, 8)
        w.call(lambda d=dma, m=memory: (d.initialize(card.program, READ, m.mdl), d.execute()))
    assert len(card.lists) == 3


def test_a_list_longer_than_the_enabler_allows_is_too_fragmented(io: Any) -> None:
    w = io()
    one = enabler(w)
    w.call(lambda: one.set_maximum_scatter_gather_elements(2))
    card, dma, memory = Card(w), transaction(w, one), buffer(w, 3 * PAGE_SIZE)
    w.call(lambda: dma.initialize(card.program, READ, memory.mdl))
    assert w.failure(dma.execute) == (f"STATUS_WDF_TOO_FRAGMENTED: WdfDmaTransactionExecute: {dma.name} of 0x3000 bytes")
    assert card.lists == []


def test_a_shorter_transfer_goes_on_where_the_device_stopped(io: Any) -> None:
    w = io()
    card, dma, memory = Card(w), transaction(w, enabler(w)), buffer(w, 100)
    start = memory.mdl.pages[0]
    w.call(lambda: (dma.initialize(card.program, READ, memory.mdl), dma.execute()))
    assert w.call(dma.get_current_dma_transfer_length) == 100
    assert w.call(lambda: dma.dma_completed_with_length(30)) == (False, ntstatus.STATUS_MORE_PROCESSING_REQUIRED)
    assert card.lists == [[(start, 100)], [(start + 30, 70)]]
    assert w.call(lambda: dma.dma_completed_with_length(71)) == (True, ntstatus.STATUS_INVALID_PARAMETER)
    assert w.call(lambda: dma.dma_completed_final(20)) == (True, ntstatus.STATUS_SUCCESS)
    assert w.call(dma.get_bytes_transferred) == 50


@pytest.mark.parametrize(
    ("offset", "length", "words"),
    [
        (0, 0, "0x0 bytes at offset 0x0 of a buffer of 0x8"),
        (4, 5, "0x5 bytes at offset 0x4 of a buffer of 0x8"),
        (-1, 4, "0x4 bytes at offset -0x1 of a buffer of 0x8"),
    ],
)
def test_a_part_outside_the_buffer_is_refused(io: Any, offset: int, length: int, words: str) -> None:
    w = io()
    dma, memory = transaction(w, enabler(w)), buffer(w, 8)
    failure = w.failure(lambda: dma.initialize(print, READ, memory.mdl, offset, length))
    assert failure == f"STATUS_INVALID_PARAMETER: WdfDmaTransactionInitialize: {words}"


def test_one_transfer_only_is_refused_where_more_are_needed(io: Any) -> None:
    w = io()
    dma, memory = transaction(w, enabler(w)), buffer(w, 100)
    w.call(lambda: (dma.set_maximum_length(64), dma.set_single_transfer_requirement(True)))
    assert w.failure(lambda: dma.initialize(print, READ, memory.mdl)) == (
        "STATUS_WDF_TOO_MANY_TRANSFERS: WdfDmaTransactionInitialize: 0x64 bytes do not go into one transfer of 0x40"
    )


@pytest.mark.parametrize(
    ("state", "routine", "words"),
    [
        ("new", "execute", "WdfDmaTransactionExecute: {} is not initialised"),
        ("running", "execute", "WdfDmaTransactionExecute: {} is transferring"),
        ("running", "release", "WdfDmaTransactionRelease: {} is transferring"),
        ("done", "execute", "WdfDmaTransactionExecute: {} is completed"),
    ],
)
def test_a_transaction_in_the_wrong_state_is_refused(io: Any, state: str, routine: str, words: str) -> None:
    w = io()
    card, dma, memory = Card(w), transaction(w, enabler(w)), buffer(w, 8)
    if state != "new":
        w.call(lambda: (dma.initialize(card.program, READ, memory.mdl), dma.execute()))
    if state == "done":
        finish(w, dma)
    assert w.failure(getattr(dma, routine)) == "STATUS_INVALID_DEVICE_STATE: " + words.format(dma.name)


def test_a_released_transaction_can_be_used_again(io: Any) -> None:
    w = io()
    card, dma, memory = Card(w), transaction(w, enabler(w)), buffer(w, 8)
    for _ in range(2):
        w.call(lambda: (dma.initialize(card.program, READ, memory.mdl), dma.execute()))
        finish(w, dma)
        w.call(dma.release)
    assert len(card.lists) == 2


def test_a_completion_of_nothing_is_bugcheck_10d_8(io: Any) -> None:
    w = io()
    dma = transaction(w, enabler(w))
    with pytest.raises(BugCheck) as error:
        w.call(dma.dma_completed)
    assert error.value.parameters == (8, dma.handle, 0, 0)
    assert error.value.why == f"WdfDmaTransactionDmaCompleted: {dma.name} is not initialised, not transferring"


@pytest.mark.parametrize("io_type", ["buffered", "direct"])
def test_a_read_is_served_by_dma_into_its_buffer(io: Any, io_type: str) -> None:
    w = io(io_type=io_type)
    one, card = enabler(w), Card(w)
    dma = transaction(w, one)

    def read(queue: Any, request: Any, length: int) -> None:
        dma.initialize_using_request(request, card.program, READ)
        dma.execute()

    w.queue(IoQueueDispatchType.Sequential, default_queue=True, evt_io_read=read)
    irp = w.read(6000)
    w.run()
    data = bytes(i % 250 for i in range(6000))
    card.store(data)

    def interrupt() -> None:
        request = dma.get_request()
        assert request is not None
        assert dma.dma_completed() == (True, 0)
        moved = dma.get_bytes_transferred()
        dma.release()
        request.complete_with_information(0, moved)

    w.at_dispatch(interrupt)
    assert irp.output == data


@pytest.mark.parametrize(("irp", "direction", "type_"), [(Irp.read, WRITE, "read"), (Irp.write, READ, "write")])
def test_a_direction_that_does_not_fit_the_request_is_refused(io: Any, irp: Any, direction: DmaDirection, type_: str) -> None:
    w = io()
    dma = transaction(w, enabler(w))
    requests: list[Any] = []
    w.queue(IoQueueDispatchType.Parallel, default_queue=True, evt_io_default=lambda queue, request: requests.append(request))
    w.io.start(w.device, irp(w.kernel, 4 if type_ == "read" else b"abcd"))
    w.run()
    assert w.failure(lambda: dma.initialize_using_request(requests[0], print, direction)) == (
        f"STATUS_INVALID_DEVICE_REQUEST: WdfDmaTransactionInitializeUsingRequest: direction {direction.name} does not fit "
        f"a {type_} request"
    )


def test_a_part_of_a_request_can_be_moved(io: Any) -> None:
    w = io()
    card, dma = Card(w), transaction(w, enabler(w))
    requests: list[Any] = []
    w.queue(IoQueueDispatchType.Parallel, default_queue=True, evt_io_default=lambda queue, request: requests.append(request))
    w.io.start(w.device, Irp.write(w.kernel, b"abcdefgh"))
    w.run()
    w.call(lambda: (dma.initialize_using_offset(requests[0], card.program, WRITE, 2, 3), dma.execute()))
    assert card.fetch() == b"cde"


def test_the_output_buffer_of_method_in_direct_goes_to_the_device(io: Any) -> None:
    w = io()
    card, dma = Card(w), transaction(w, enabler(w))
    requests: list[Any] = []
    w.queue(IoQueueDispatchType.Parallel, default_queue=True, evt_io_default=lambda queue, request: requests.append(request))
    code = ctl_code(0x22, 1, Method.IN_DIRECT)
    irp = Irp(w.kernel, MajorFunction.DEVICE_CONTROL, input=b"command", io_control_code=code, direct_input=b"payload!")
    w.io.start(w.device, irp)
    w.run()
    w.call(lambda: (dma.initialize_using_request(requests[0], card.program, WRITE), dma.execute()))
    assert card.fetch() == b"payload!"


@pytest.mark.parametrize(
    ("profile", "maximum", "words"),
    [
        (0, 1, "STATUS_INVALID_PARAMETER: WdfDmaEnablerCreate: profile 0 is not a WDF_DMA_PROFILE"),
        (9, 1, "STATUS_INVALID_PARAMETER: WdfDmaEnablerCreate: profile 9 is not a WDF_DMA_PROFILE"),
        (2, 0, "STATUS_INVALID_PARAMETER: WdfDmaEnablerCreate: MaximumLength is 0x0"),
    ],
)
def test_an_enabler_that_cannot_be_is_refused(io: Any, profile: int, maximum: int, words: str) -> None:
    w = io()
    assert w.failure(lambda: DmaEnabler.create(w.device, DmaEnablerConfig(profile, maximum))) == words


def test_system_dma_is_said_not_to_be_modelled(io: Any) -> None:
    w = io()
    with pytest.raises(
        NotModelled, match=r"^WdfDmaEnablerCreate: system DMA \(System\) is not modelled; PCIe functions are bus masters$"
    ):
        enabler(w, DmaProfile.System)


def test_an_enabler_tells_what_it_was_made_with(io: Any) -> None:
    w = io()
    one = enabler(w, maximum_length=12_345)
    assert w.call(one.get_maximum_length) == w.call(lambda: one.get_fragment_length(READ)) == 12_345
    assert w.call(one.get_maximum_scatter_gather_elements) == 0xFFFF_FFFF
    assert w.device.dma_enablers == [one]


UP = ["fill", "enable", "self_managed_io_start"]
DOWN = ["self_managed_io_stop", "flush", "disable"]


@pytest.mark.parametrize("failing", [None, *UP, *DOWN])
def test_power_callbacks_come_in_order_and_the_way_down_never_stops_early(io: Any, failing: str | None) -> None:
    w = io(d0=False)

    def callback(name: str) -> Any:
        def call(one: DmaEnabler) -> int:
            w.log.append(name)
            return ntstatus.STATUS_UNSUCCESSFUL if name == failing else ntstatus.STATUS_SUCCESS

        return call

    one = enabler(w, **{f"evt_dma_enabler_{name}": callback(name) for name in (*UP, *DOWN)})
    up, down = w.call(one.power_up), w.call(one.power_down)
    stopped = UP.index(failing) + 1 if failing in UP else len(UP)
    assert w.log == [*UP[:stopped], *DOWN]
    assert (up, down) == tuple(ntstatus.STATUS_UNSUCCESSFUL if failing in names else 0 for names in (UP, DOWN))


# Common buffers.


@pytest.mark.parametrize(("length", "mask"), [(1, 0), (4096, 3), (10_000, 0xFFFF), (64, 0xFFF)])
def test_a_common_buffer_is_contiguous_aligned_and_shared(io: Any, length: int, mask: int) -> None:
    w = io()
    one = enabler(w)
    common = w.call(lambda: CommonBuffer.create_with_config(one, length, CommonBufferConfig(mask)))
    address, view = w.call(common.get_aligned_logical_address), w.call(common.get_aligned_virtual_address)
    assert (address & mask, len(view), w.call(common.get_length)) == (0, length, length)
    w.machine.memory.write(address + length - 1, b"\x5a")
    assert view[-1] == 0x5A
    view[0] = 0xA5
    assert w.machine.memory.read(address, 1) == b"\xa5"


@pytest.mark.parametrize(
    ("length", "mask", "words"),
    [
        (0, 0, "WdfCommonBufferCreateWithConfig: Length 0x0 is not above 0"),
        (8, 4, "WdfCommonBufferCreateWithConfig: AlignmentRequirement 0x4 is not a power of two less one"),
    ],
)
def test_a_common_buffer_that_cannot_be_is_refused(io: Any, length: int, mask: int, words: str) -> None:
    w = io()
    one = enabler(w)
    failure = w.failure(lambda: CommonBuffer.create_with_config(one, length, CommonBufferConfig(mask)))
    assert failure == f"STATUS_INVALID_PARAMETER: {words}"


def test_a_common_buffer_has_no_other_parent_than_its_enabler(io: Any) -> None:
    w = io()
    one = enabler(w)
    assert w.failure(lambda: CommonBuffer.create(one, 8, ObjectAttributes(parent_object=w.device))) == (
        "STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED: WDF_OBJECT_ATTRIBUTES of a WDFCOMMONBUFFER"
    )


def test_deleted_common_buffers_are_used_again_and_too_large_ones_refused(io: Any) -> None:
    w = io(memory=1 << 21)
    one = enabler(w)
    for _ in range(10):
        common = w.call(lambda: CommonBuffer.create(one, 600_000))
        w.call(common.delete)
    assert w.failure(lambda: CommonBuffer.create(one, 1 << 21)) == (
        "STATUS_INSUFFICIENT_RESOURCES: WdfCommonBufferCreate: no 0x200000 contiguous bytes left in 0x200000 bytes of RAM"
    )


@given(steps=st.lists(st.tuples(st.sampled_from(["contiguous", "pages", "free"]), st.integers(1, 40_000)), max_size=12))
def test_no_byte_of_ram_is_handed_out_twice(steps: list[tuple[str, int]]) -> None:
    ram = Ram(1 << 21)
    held: list[tuple[str, Any, int]] = []
    for what, size in steps:
        try:
            if what == "contiguous":
                held.append((what, ram.allocate_contiguous(size, 0x4000), size))
            elif what == "pages":
                held.append((what, ram.allocate_pages(-(-size // PAGE_SIZE)), size))
            elif held:
                kind, where, length = held.pop(size % len(held))
                if kind == "pages":
                    ram.free_pages(where)
                else:
                    ram.free_contiguous(where, length)
        except MemoryError:
            continue
    pages = [page for kind, where, _ in held if kind == "pages" for page in where]
    pages += [a for kind, where, n in held if kind != "pages" for a in range(where, where + n, PAGE_SIZE)]
    assert len(pages) == len(set(pages))
    assert all(256 * PAGE_SIZE <= page < ram.size and page % PAGE_SIZE == 0 for page in pages)


def test_every_page_of_ram_is_handed_out_before_there_is_none() -> None:
    ram = Ram(3 << 20)
    pages = ram.allocate_pages(512)
    assert sorted(pages) == list(range(1 << 20, 3 << 20, PAGE_SIZE))
    with pytest.raises(MemoryError, match=r"^all 0x300000 bytes of RAM are handed out$"):
        ram.allocate_pages(1)


def test_an_mdl_of_pages_that_follow_each_other_is_one_element(io: Any) -> None:
    w = io()
    card, dma = Card(w), transaction(w, enabler(w))
    start = w.machine.memory.allocate_contiguous(2 * PAGE_SIZE)
    mdl = Mdl(w.machine.memory, [start, start + PAGE_SIZE], 0, 2 * PAGE_SIZE)
    w.call(lambda: (dma.initialize(card.program, READ, mdl), dma.execute()))
    assert card.lists == [[(start, 2 * PAGE_SIZE)]]


def test_a_common_buffer_that_does_not_fit_leaves_nothing_behind(io: Any) -> None:
    w = io()
    enabler = w.call(lambda: DmaEnabler.create(w.device, DmaEnablerConfig(DmaProfile.ScatterGather64, 4096)))
    words = w.failure(lambda: CommonBuffer.create(enabler, 1 << 40))
    assert words.startswith("STATUS_INSUFFICIENT_RESOURCES: WdfCommonBufferCreate: no 0x10000000000 contiguous bytes left in ")
    assert enabler.children == []
    w.call(enabler.delete)
    assert enabler.destroyed


@pytest.mark.parametrize(("profile", "elements"), [(SG, 3), (PACKET, 1)])
def test_a_transaction_says_what_its_largest_transfer_needs(io: Any, profile: int, elements: int) -> None:
    w = io()
    one = transaction(w, enabler(w, profile, 0x2800))
    assert w.call(one.get_transfer_info) == (0, 0)
    w.call(lambda: one.initialize(lambda *_: None, WRITE, buffer(w, 0x4000).mdl, 0x10))
    assert w.call(one.get_transfer_info) == (3, elements)


def test_a_transaction_that_executes_at_once_or_not_at_all_does_not_wait(io: Any) -> None:
    w = io()
    channel = enabler(w, PACKET)
    first, second = transaction(w, channel), transaction(w, channel)
    for one in (first, second):
        w.call(lambda one=one: one.initialize(lambda *_: None, WRITE, buffer(w, 64).mdl))
    w.call(first.execute)
    w.call(lambda: second.set_immediate_execution(True))
    words = w.failure(second.execute)
    assert words == f"STATUS_INSUFFICIENT_RESOURCES: WdfDmaTransactionExecute: {first.name} has the channel"


def test_a_transaction_that_waits_can_be_cancelled_and_one_that_transfers_cannot(io: Any) -> None:
    w = io()
    channel, calls = enabler(w, PACKET), []
    first, second = transaction(w, channel), transaction(w, channel)
    for one in (first, second):
        w.call(lambda one=one: one.initialize(lambda *_: calls.append(1), WRITE, buffer(w, 64).mdl))
        w.call(one.execute)
    assert (w.call(first.cancel), w.call(second.cancel)) == (False, True)
    w.call(first.dma_completed)
    w.call(second.release)
    assert len(calls) == 1
