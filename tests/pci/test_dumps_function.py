"""A dump as a function that software drives: exact bytes, type 0 write rules, BARs in which nothing happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dirql.errors import InputError
from dirql.pci.dump_function import DumpFunction
from dirql.pci.dumps import Dump, load
from dirql.pci.function import Cancel, Fate, Function, Message

EXAMPLES = Path(__file__).parents[2] / "examples" / "dumps"
SIZES = {0: 0x20000, 1: 0x20000, 2: 0x20, 3: 0x4000}
COMMAND, BAR0, MSIX = 0x04, 0x10, 0xA0
MEMORY_AND_MASTER = 0x6


class Recorder:
    """A host that keeps what reaches it."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.notes: list[str] = []

    def now(self) -> int:
        return 0

    def after(self, delay: int, action: Callable[[], None], slack: int = 0) -> Cancel:
        return lambda: None

    def dma_write(self, function: Function, address: int, data: bytes) -> None:
        """Nothing does."""

    def dma_read(self, function: Function, address: int, length: int) -> bytes:
        return bytes(length)

    def send(self, function: Function, message: Message, fate: Fate) -> None:
        self.sent.append(message)

    def intx(self, function: Function, asserted: bool) -> None:
        """Nobody looks."""

    def note(self, function: Function, what: str, **detail: Any) -> None:
        self.notes.append(what)


def example(number: int = 0) -> Dump:
    """e1000e (5 vectors in BAR 3), nvme (9 vectors in 64-bit BAR 0), edu (MSI)."""
    return load(EXAMPLES / "qemu-e1000e-nvme.txt")[number]


def plugged(dump: Dump) -> tuple[DumpFunction, Recorder]:
    function, host = DumpFunction(dump), Recorder()
    function.connect(host)
    return function, host


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_configuration_reads_give_the_bytes_of_the_dump(number: int, size: int) -> None:
    dump = example(number)
    function: Function = DumpFunction(dump)
    got = b"".join(function.config_read(at, size).to_bytes(size, "little") for at in range(0, len(dump.config), size))
    assert got == dump.config


def test_interrupt_status_of_the_dump_is_kept() -> None:
    raw = bytearray(example().config)
    raw[0x06] |= 0x08
    assert DumpFunction(Dump("card", "0000:01:00.0", bytes(raw))).config_read(0x06, 1) == raw[0x06]


def test_a_bar_tells_its_size_when_ones_are_written() -> None:
    function = DumpFunction(example().sized(SIZES))
    for index in range(6):
        function.config_write(BAR0 + 4 * index, 4, 0xFFFF_FFFF)
    assert [function.config_read(BAR0 + 4 * index, 4) for index in range(6)] == [
        0xFFFE_0000, 0xFFFE_0000, 0xFFFF_FFE1, 0xFFFF_C000, 0, 0,
    ]  # fmt: skip
    assert (function.assumed, [function.bar_size(index) for index in range(6)]) == ({}, [*SIZES.values(), 0, 0])


def test_a_64_bit_bar_is_sized_in_both_halves() -> None:
    function = DumpFunction(example(1).sized({0: 0x4000}))
    for index in range(2):
        function.config_write(BAR0 + 4 * index, 4, 0xFFFF_FFFF)
    assert [function.config_read(BAR0 + 4 * index, 4) for index in range(2)] == [0xFFFF_C004, 0xFFFF_FFFF]
    assert [function.bar_size(index) for index in range(2)] == [0x4000, 0]


def test_an_untold_size_is_the_smallest_that_holds_the_tables() -> None:
    assert DumpFunction(example()).assumed == {0: 0x1000, 1: 0x1000, 2: 0x20, 3: 0x4000}
    assert DumpFunction(example(1).sized({0: 0x8000})).assumed == {}


def test_a_table_in_a_bar_without_address_still_has_its_bar() -> None:
    raw = bytearray(example().config)
    raw[0x10:0x28] = bytes(24)
    function = DumpFunction(Dump("card", "0000:01:00.0", bytes(raw)))
    assert function.assumed == {3: 0x4000}


def test_what_no_rule_makes_writable_stays() -> None:
    dump = example(2)
    function, _ = plugged(dump)
    for at in range(0, 0x1000, 4):
        function.config_write(at, 4, 0xFFFF_FFFF)
    writable = {*range(0x04, 0x08), 0x0C, *range(0x10, 0x14), 0x3C, *range(0x42, 0x4E)}
    assert [at for at in range(256) if function.config_read(at, 1) != dump.config[at] and at not in writable] == []


def test_a_bar_reads_zeros_and_notes_it() -> None:
    function, host = plugged(example())
    function.bar_write(0, 0x100, 4, 0xDEADBEEF)
    assert function.bar_read(0, 0x100, 4) == 0
    assert host.notes == ["write outside every register", "read outside every register"]


def test_a_bar_reads_ones_while_memory_decoding_is_off() -> None:
    function, _ = plugged(example())
    function.config_write(COMMAND, 2, 0)
    assert [function.bar_read(bar, 0, 4) for bar in (0, 2)] == [0xFFFF_FFFF] * 2


def test_a_message_leaves_by_the_table_in_the_bar() -> None:
    function, host = plugged(example())
    assert function.msix is not None
    for offset, value in ((0x0, 0xFEE01000), (0x4, 0), (0x8, 0x51), (0xC, 0)):
        function.bar_write(3, 0x10 + offset, 4, value)
    function.msix.fire(1)
    function.msix.fire(2)
    assert host.sent == [Message(0xFEE01000, 0x51)]
    assert function.bar_read(3, 0x2000, 8) == 0b100


def test_msi_leaves_by_the_registers_in_configuration_space() -> None:
    function, host = plugged(example(2))
    assert function.msi is not None
    program = ((0x44, 4, 0xFEE00000), (0x48, 4, 0), (0x4C, 2, 0x61), (0x42, 2, 1), (COMMAND, 2, MEMORY_AND_MASTER))
    for offset, size, value in program:
        function.config_write(offset, size, value)
    function.msi.fire(0)
    assert host.sent == [Message(0xFEE00000, 0x61)]


def test_a_reset_takes_the_enables_away() -> None:
    function, _ = plugged(example())
    assert function.interrupt_mode == "msi-x"
    function.reset()
    assert (function.interrupt_mode, function.config_read(COMMAND, 2), function.config_read(MSIX + 2, 2)) == ("line", 0, 4)
    assert function.config_read(BAR0, 4) == 0


def test_a_bridge_cannot_be_driven() -> None:
    dump = load(EXAMPLES / "qemu-machine-verbose.txt")[1]
    with pytest.raises(InputError) as caught:
        DumpFunction(dump)
    assert str(caught.value) == (
        f"{dump.source}:{dump.rows[0]}: 0000:00:01.0: header type 0x1 is a bridge's; only type 0 functions can be driven; "
        "choose an endpoint of the dump"
    )


def test_a_dump_that_holds_no_capabilities_cannot_be_driven() -> None:
    dump = Dump("card.bin", "0000:01:00.0", example().config[:64])
    with pytest.raises(InputError) as caught:
        DumpFunction(dump)
    assert str(caught.value) == (
        "card.bin:0x34: 0000:01:00.0: the capability list starts at 0xc8, past the 0x40 bytes held; "
        "take the dump again, as root: lspci -xxxx"
    )


def test_tables_that_overlap_are_refused() -> None:
    raw = bytearray(example().config)
    raw[MSIX + 8 : MSIX + 12] = (0x0000_0043).to_bytes(4, "little")
    with pytest.raises(InputError) as caught:
        DumpFunction(Dump("card.bin", "0000:01:00.0", bytes(raw)))
    assert str(caught.value) == (
        "card.bin: 0000:01:00.0 MSI-X PBA at 0x40 to 0x48 overlaps the table at 0x0 to 0x50 in BAR 3; move one of them; "
        "take the dump again"
    )


@settings(max_examples=20)
@given(accesses=st.lists(st.tuples(st.integers(0, 0xFFF), st.sampled_from((1, 2, 4)), st.integers(0, 0xFFFF_FFFF)), max_size=30))
def test_no_access_ever_raises_or_changes_who_the_function_is(accesses: list[tuple[int, int, int]]) -> None:
    dump = example(2)
    function, _ = plugged(dump)
    for at, size, value in accesses:
        at -= at % size
        function.config_write(at, size, value & (1 << 8 * size) - 1)
        assert 0 <= function.config_read(at, size) < 1 << 8 * size
    assert function.config_read(0, 4) == dump.word(0, 4)
