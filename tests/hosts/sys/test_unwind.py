"""Unwinding by hand-made unwind information: what compilers seldom write, and what nobody should."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dirql.errors import DirqlError
from dirql.hosts.sys.unwind import Frame, Handler, LoadedTable, scopes_at, stack_trace, unwind, virtual_unwind
from dirql.hosts.sys.unwind_epilogue import Epilogue, find_epilogue
from dirql.hosts.sys.unwind_info import Scope, UnwindError, UnwindFlag, read_scopes

BASE, STACK, SIZE = 0x140000000, 0x50000000, 0x4000
CODE, XDATA, PDATA = 0x1000, 0x2000, 0x3000
RSP, RBP, R12 = 4, 5, 12


class World:
    """An image of one function, 0x1000 to 0x1100, and a stack on which each slot holds 0x5000 and its own number."""

    def __init__(self, xdata: bytes, pdata: bytes | None = None, code: bytes = b"", stack: dict[int, int] | None = None) -> None:
        pdata = pack("<3I", CODE, CODE + 0x100, XDATA) if pdata is None else pdata
        self.image = bytearray(b"\x90" * SIZE)
        for at, data in ((CODE, code), (XDATA, xdata), (PDATA, pdata)):
            self.image[at : at + len(data)] = data
        self.stack = bytearray(b"".join(pack("<Q", (stack or {}).get(slot, 0x5000 + slot)) for slot in range(0x800)))
        self.tables = [LoadedTable(BASE, SIZE, PDATA, len(pdata))]

    def read(self, address: int, size: int) -> bytes:
        for start, memory in ((BASE, self.image), (STACK, self.stack)):
            if start <= address < start + len(memory):
                return bytes(memory[address - start : address - start + size])
        return b""

    def frame(self, rva: int = CODE + 0x80, rsp: int = STACK, **registers: int) -> Frame:
        values = [0xAA00 + number for number in range(16)]
        values[RSP] = rsp
        for name, value in registers.items():
            values[int(name[1:])] = value
        return Frame(BASE + rva, tuple(values))


def info(*slots: int, flags: int = 0, version: int = 1, prologue: int = 0x20, frame: int = 0, behind: bytes = b"") -> bytes:
    """UNWIND_INFO of `slots`, 16 bits each: (operation info, operation, offset)."""
    head = pack("<4B", version | flags << 3, prologue, len(slots), frame)
    return head + pack(f"<{len(slots)}H", *slots) + bytes(len(slots) % 2 * 2) + behind


def op(operation: int, value: int, at: int = 4) -> int:
    """The first slot of a step."""
    return value << 12 | operation << 8 | at


@pytest.mark.parametrize(("slots", "rip", "rsp", "register", "value"), [
    ((op(0, R12),), 0x5001, 0x10, R12, 0x5000),
    ((op(2, 4),), 0x5005, 0x30, R12, 0xAA0C),
    ((op(1, 0), 0x20), 0x5020, 0x108, R12, 0xAA0C),
    ((op(1, 1), 0x200, 0), 0x5040, 0x208, R12, 0xAA0C),
    ((op(2, 4), op(4, R12), 3), 0x5005, 0x30, R12, 0x5003),  # counted from where the stack pointer stood at first
    ((op(4, R12), 7, op(2, 4)), 0x5005, 0x30, R12, 0x5007),
    ((op(5, R12), 0x800, 0, op(2, 4)), 0x5005, 0x30, R12, 0x5100),
    ((op(10, 0),), 0x5000, 0x5003 - STACK, R12, 0xAA0C),
    ((op(10, 1),), 0x5001, 0x5004 - STACK, R12, 0xAA0C),
    ((op(2, 0), op(10, 1)), 0x5002, 0x5005 - STACK, R12, 0xAA0C),
])  # fmt: skip
def test_a_step_of_the_prologue_is_undone(slots: tuple[int, ...], rip: int, rsp: int, register: int, value: int) -> None:
    world = World(info(*slots))
    caller = unwind(world.frame(), world.tables, world.read)
    assert (caller.rip, caller.rsp - STACK, caller.registers[register]) == (rip, rsp, value)
    assert caller.returning == (slots[-1] >> 8 & 15 != 10)


@pytest.mark.parametrize("slots", [(op(8, 7), 2), (op(9, 7), 0x20, 0)])
def test_a_vector_register_comes_back_whole(slots: tuple[int, ...]) -> None:
    world = World(info(*slots))
    caller = unwind(world.frame(), world.tables, world.read)
    assert caller.xmm == (*[0] * 7, 0x5005 << 64 | 0x5004, *[0] * 8)


@pytest.mark.parametrize(("offset", "rip", "rsp"), [
    (0x00, 0x5000, 0x008),   # nothing done yet
    (0x01, 0x5001, 0x010),   # rbp pushed
    (0x07, 0x5001, 0x010),   # in the middle of the allocation
    (0x08, 0x5005, 0x030),   # allocated, the frame register not yet set
    (0x0C, 0x5045, 0x230),   # by the frame register, 0x20 below which the frame lies
    (0x90, 0x5045, 0x230),
])  # fmt: skip
def test_in_a_prologue_only_what_was_done_is_undone(offset: int, rip: int, rsp: int) -> None:
    world = World(info(op(3, 0, 0x0C), op(2, 3, 0x08), op(0, RBP, 0x01), frame=RBP | 2 << 4, prologue=0x0C))
    caller = unwind(world.frame(CODE + offset, r5=STACK + 0x220), world.tables, world.read)
    assert (caller.rip, caller.rsp - STACK) == (rip, rsp)


def test_code_without_an_entry_is_a_leaf_inside_of_an_image_and_outside() -> None:
    world = World(info(), pdata=b"")
    for frame in (world.frame(), Frame(0x1234, world.frame().registers)):
        unwound = virtual_unwind(frame, world.tables, world.read)
        assert (unwound.caller.rip, unwound.caller.rsp, unwound.function, unwound.handler) == (0x5000, STACK + 8, None, None)


@pytest.mark.parametrize("rva", [0x1000, 0x10FF, 0x1200, 0x12FF, 0x1300, 0x13FF])
def test_the_entry_of_an_address_is_found_among_many(rva: int) -> None:
    entries = [pack("<3I", start, start + 0x100, XDATA + 4 * number) for number, start in enumerate((0x1000, 0x1200, 0x1300))]
    world = World(info() + info() + info(), pdata=b"".join(entries))
    unwound = virtual_unwind(world.frame(rva), world.tables, world.read)
    assert unwound.function is not None and unwound.function.begin == rva & ~0xFF


@pytest.mark.parametrize("rva", [0x0FFF, 0x1100, 0x11FF])
def test_an_address_between_entries_is_a_leafs(rva: int) -> None:
    world = World(info(), pdata=pack("<6I", 0x1000, 0x1100, XDATA, 0x1200, 0x1300, XDATA))
    assert virtual_unwind(world.frame(rva), world.tables, world.read).function is None


def test_an_entry_may_stand_for_another() -> None:
    real = pack("<3I", CODE, CODE + 0x100, XDATA)
    world = World(info(op(2, 0)).ljust(0x20, b"\0") + real, pdata=pack("<3I", CODE, CODE + 0x100, XDATA + 0x20 | 1))
    assert unwind(world.frame(), world.tables, world.read).rip == 0x5001


def test_what_is_chained_to_ran_to_its_end_and_its_handler_is_the_frames() -> None:
    primary = pack("<3I", 0x1000, 0x1010, XDATA + 0x40)
    xdata = info(op(0, R12, 2), op(2, 1, 1), flags=4, prologue=2, behind=primary).ljust(0x40, b"\0")
    xdata += info(op(2, 1, 0x30), flags=1, prologue=0x30, behind=pack("<I", 0x1050))
    world = World(xdata, pdata=pack("<3I", 0x1080, 0x1100, XDATA))
    unwound = virtual_unwind(world.frame(0x1081), world.tables, world.read)
    assert (unwound.caller.rip, unwound.function is not None and unwound.function.begin) == (0x5004, 0x1000)
    assert unwound.handler == Handler(BASE + 0x1050, XDATA + 0x4C, UnwindFlag.EHANDLER, world.tables[0])
    whole = unwind(world.frame(0x1090), world.tables, world.read)
    assert (whole.rip, whole.registers[R12]) == (0x5005, 0x5000)


@pytest.mark.parametrize(("rva", "code", "found"), [(0x1080, b"", True), (0x1010, b"", False), (0x1080, b"\x5b\xc3", False)])
def test_a_handler_is_the_bodys_alone(rva: int, code: bytes, found: bool) -> None:
    world = World(info(op(2, 0), flags=3, behind=pack("<I", 0x1300)), code=code.rjust(0x80 + len(code), b"\x90"))
    unwound = virtual_unwind(world.frame(rva), world.tables, world.read)
    assert (unwound.handler is not None) == found
    if unwound.handler is not None:
        assert (unwound.handler.address, unwound.handler.data_address) == (BASE + 0x1300, BASE + XDATA + 12)
        assert unwound.handler.flags == UnwindFlag.EHANDLER | UnwindFlag.UHANDLER and unwound.establisher == STACK


def test_the_scopes_around_an_address_are_those_that_begin_before_and_end_behind_it() -> None:
    rows = [(0x1080, 0x1090, 0x1200, 0), (0x1070, 0x1081, 1, 0x1300), (0x1081, 0x1090, 1, 0x1300), (0x1000, 0x1080, 1, 0x1300)]
    scopes = pack("<I", 4) + b"".join(pack("<4I", *row) for row in rows)
    world = World(info(flags=1, behind=pack("<I", 0x1300) + scopes))
    frame = world.frame(0x1080)
    found = scopes_at(virtual_unwind(frame, world.tables, world.read), frame.rip, world.read)
    assert found == (Scope(*rows[0]), Scope(*rows[1])) and [scope.is_finally for scope in found] == [True, False]


def test_a_frame_without_a_handler_has_no_scopes() -> None:
    world = World(info())
    assert scopes_at(virtual_unwind(world.frame(), world.tables, world.read), BASE + CODE, world.read) == ()


@pytest.mark.parametrize(("code", "frame", "expected"), [
    ("c3", 0, Epilogue(RSP, 0, ())),
    ("f3c3", 0, Epilogue(RSP, 0, ())),
    ("f2c3", 0, Epilogue(RSP, 0, ())),
    ("c21000", 0, Epilogue(RSP, 0, (), 0x10)),
    ("5bc3", 0, Epilogue(RSP, 0, (3,))),
    ("415c5dc3", 0, Epilogue(RSP, 0, (R12, RBP))),
    ("4883c428c3", 0, Epilogue(RSP, 0x28, ())),
    ("4881c4000100005fc3", 0, Epilogue(RSP, 0x100, (7,))),
    ("488d65105dc3", RBP, Epilogue(RBP, 0x10, (5,))),
    ("488da5800000005dc3", RBP, Epilogue(RBP, 0x80, (5,))),
    ("488d23c3", 3, Epilogue(3, 0, ())),
    ("498d642408c3", R12, Epilogue(R12, 8, ())),
    ("ff2500000000", 0, Epilogue(RSP, 0, ())),
    ("48ffe0", 0, Epilogue(RSP, 0, ())),
    ("eb70", 0, Epilogue(RSP, 0, ())),
    ("5be900010000", 0, Epilogue(RSP, 0, (3,))),
    ("488d65105dc3", 3, None),          # another register than the frame's
    ("488d65105dc3", 0, None),          # there is no frame register
    ("488d2500000000c3", RBP, None),    # relative to rip
    ("4883c428", 0, None),
    ("4883c42890c3", 0, None),
    ("4883ec28c3", 0, None),
    ("ffe0", 0, None),                  # a switch's jump
    ("eb10", 0, None),                  # stays in the function
    ("e910000000", 0, None),
    ("e9000001", 0, None),
    ("", 0, None),
    ("41", 0, None),
    ("90c3", 0, None),
])  # fmt: skip
def test_an_epilogue_is_known_by_its_instructions(code: str, frame: int, expected: Epilogue | None) -> None:
    assert find_epilogue(bytes.fromhex(code), frame, lambda distance: distance >= 0x50) == expected


@pytest.mark.parametrize(("target", "epilogue"), [
    (0x1000, True),    # a tail call of itself
    (0x1001, False),
    (0x10FF, False),
    (0x1100, True),    # a leaf
    (0x1200, True),    # another function
    (0x1300, False),   # a piece of the same function
])  # fmt: skip
def test_a_jump_ends_the_function_only_if_it_leaves_it(target: int, epilogue: bool) -> None:
    primary = (0x1000, 0x1100, XDATA)
    pieces = pack("<9I", *primary, 0x1200, 0x1300, XDATA, 0x1300, 0x1400, XDATA + 0x20)
    jump = b"\xe9" + pack("<i", target - 0x1085)
    xdata = info(op(2, 0)).ljust(0x20, b"\0") + info(flags=4, behind=pack("<3I", *primary))
    world = World(xdata, pdata=pieces, code=jump.rjust(0x85, b"\x90"))
    assert unwind(world.frame(0x1080), world.tables, world.read).rip == (0x5000 if epilogue else 0x5001)


@pytest.mark.parametrize(("xdata", "text"), [
    (info(version=3), "unwind information at 0x140002000 is of version 3; 1 and 2 are modelled"),
    (info(op(11, 0)), "unwind information at 0x140002000 has operation 11, which version 1 does not know"),
    (info(op(6, 0)), "unwind information at 0x140002000 has operation 6, which version 1 does not know"),
    (info(op(1, 2)), "unwind information at 0x140002000 has a broken ALLOC_LARGE at slot 0"),
    (info(op(0, 3), op(5, 3)), "unwind information at 0x140002000 has a broken SAVE_NONVOL_FAR at slot 1"),
    (info(flags=4, behind=pack("<3I", CODE, CODE + 1, XDATA)), "unwind information at RVA 0x2000 is chained more than 32 times"),
    (info(flags=4, behind=pack("<3I", CODE, CODE + 1, XDATA + 4 | 1)),
     "function entry at RVA 0x2004 leads on more than 32 times"),
    (info(flags=4, behind=pack("<3I", CODE, CODE + 1, 0x3FFE)), "unwind information at 0x140003ffe cannot be read"),
    (info(op(1, 1), 0, 0x1000), "the stack at 0x60000000 cannot be read"),
])  # fmt: skip
def test_unwind_information_that_cannot_be_is_an_error_that_says_where(xdata: bytes, text: str) -> None:
    world = World(xdata)
    with pytest.raises(UnwindError) as caught:
        unwind(world.frame(), world.tables, world.read)
    assert str(caught.value) == text and isinstance(caught.value, DirqlError)
    assert stack_trace(world.frame(), world.tables, world.read).stopped == text


def test_a_scope_table_that_cannot_be_is_an_error_that_says_where() -> None:
    world = World(pack("<I", 0x1001) + bytes(16) + pack("<I", 0x1000))
    for rva, text in (
        (XDATA, "the scope table at 0x140002000 has 0x1001 scopes; 0x1000 are read"),
        (XDATA + 20, "a scope table at 0x140002018 cannot be read"),
        (0x9000, "a scope table at 0x140009000 cannot be read"),
    ):
        with pytest.raises(UnwindError) as caught:
            read_scopes(world.tables[0], rva, world.read)
        assert str(caught.value) == text


def test_version_2_steps_over_its_epilogue_codes() -> None:
    world = World(info(op(6, 1, 0x10), op(6, 0, 0), op(2, 0), version=2))
    assert unwind(world.frame(), world.tables, world.read).rip == 0x5001


def test_a_trace_ends_where_the_host_was_called_from() -> None:
    world = World(info(op(2, 0)), stack={1: BASE + CODE + 0x90, 3: 0xFFFFF80000001000})
    trace = stack_trace(world.frame(), world.tables, world.read)
    assert [frame.rip for frame in trace.frames] == [BASE + CODE + 0x80, BASE + CODE + 0x90, 0xFFFFF80000001000]
    assert [frame.lookup - frame.rip for frame in trace.frames] == [0, -1, -1] and trace.stopped == ""


def test_a_trace_of_endless_recursion_is_cut_off() -> None:
    world = World(info(op(2, 0)), stack=dict.fromkeys(range(0x800), BASE + CODE + 0x90))
    trace = stack_trace(world.frame(), world.tables, world.read, most=40)
    assert (len(trace.frames), trace.stopped) == (40, "more than 40 frames")


def test_a_trace_ends_where_the_stack_turns_back() -> None:
    world = World(info(op(3, 0), frame=RBP), stack=dict.fromkeys(range(0x800), BASE + CODE + 0x90))
    trace = stack_trace(world.frame(rsp=STACK + 0x100, r5=STACK + 0x80), world.tables, world.read)
    assert (len(trace.frames), trace.stopped) == (1, "the stack goes the wrong way: from 0x50000100 to 0x50000088")


@settings(max_examples=40, deadline=None)
@given(
    st.binary(max_size=64), st.lists(st.tuples(*[st.integers(0, SIZE + 1)] * 3), min_size=1, max_size=3),
    st.binary(max_size=24), st.integers(0, SIZE),
)  # fmt: skip
def test_whatever_the_tables_say_a_trace_ends(xdata: bytes, pdata: list[tuple[int, int, int]], code: bytes, rva: int) -> None:
    rows = b"".join(pack("<3I", *row) for row in pdata)
    world = World(xdata, rows, code, dict.fromkeys(range(0x800), BASE + CODE + 2))
    assert 1 <= len(stack_trace(world.frame(rva), world.tables, world.read).frames) <= 64
