"""What one instruction does to what is known: moves, addresses, a little arithmetic; anything else is forgotten.

Limits: no flags, so that both ways of a branch count; partial registers and vectors other than whole moves are not followed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dirql.check.code import Code, Instruction, Memory, Operand, Register
from dirql.check.state import Bytes, Function, Imported, JumpOffset, JumpTarget, Stack, State, Table, Value, Variable

__all__ = ["Effects", "Wanted"]

MASK = (1 << 64) - 1
SPAN = 0x40  # bytes of a structure that a called function may write
QUIET = {"cmp", "test", "nop", "push", "endbr64", "pause", "lfence", "mfence", "sfence", "prefetchw", "prefetchnta", "bt",
         "ucomisd", "ucomiss", "comisd", "comiss", "cld", "std", "clc", "stc"}  # fmt: skip
HIDDEN = {"cdq": ("rdx",), "cqo": ("rdx",), "cdqe": ("rax",), "cwde": ("rax",), "cwd": ("rdx",), "mul": ("rax", "rdx"),
          "div": ("rax", "rdx"), "idiv": ("rax", "rdx"), "cpuid": ("rax", "rbx", "rcx", "rdx"), "rdtsc": ("rax", "rdx"),
          "rdtscp": ("rax", "rcx", "rdx"), "rdmsr": ("rax", "rdx"), "cmpxchg": ("rax",), "cmpxchg8b": ("rax", "rdx"),
          "cmpxchg16b": ("rax", "rdx"), "xgetbv": ("rax", "rdx"), "in": ("rax",), "lahf": ("rax",), "syscall": ("rcx", "r11"),
          "loop": ("rcx",)}  # fmt: skip
VECTORS = {"movaps", "movups", "movdqa", "movdqu", "movapd", "movupd"}
ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "imul": lambda a, b: a * b, "shl": lambda a, b: a << (b & 63),
    "and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b,
}  # fmt: skip


@dataclass
class Wanted:
    """What is looked for, by address, and what was found; places are instruction addresses."""

    table_variable: int | None = None  # the variable that holds the table's address
    table: range = range(0)  # where the table itself is, when the driver has it
    imports: dict[int, str] = field(default_factory=dict)  # slot → name
    thunks: dict[int, str] = field(default_factory=dict)  # address of a jump through a slot → name
    used: dict[int, set[int]] = field(default_factory=dict)  # table index → places
    unresolved: dict[int, str] = field(default_factory=dict)  # place → why
    loads: set[int] = field(default_factory=set)  # places that load the table's address into something
    followed: set[int] = field(default_factory=set)  # those of them behind which a use was seen
    lookups: dict[int, str | None] = field(default_factory=dict)  # calls of MmGetSystemRoutineAddress → the name, if known


class Effects:
    """Applies instructions to states, and notes what they do with the function table."""

    def __init__(self, code: Code, wanted: Wanted) -> None:
        self._code, self._wanted = code, wanted

    def apply(self, one: Instruction, state: State) -> None:
        """Everything but calls and jumps."""
        name, operands = one.name, one.operands
        if (name.startswith("mov") or name == "lea") and len(operands) == 2:
            self._move(one, state)
        elif name in ARITHMETIC and operands and isinstance(operands[0], Register):
            self._arithmetic(one, state)
        elif name == "push":
            self._push(one, state)
        elif name == "pop":
            self._pop(one, state)
        else:
            self._other(one, state)

    def value(self, operand: Operand, state: State, place: int) -> Value | None:
        """What an operand holds; reading it through the function table is a use."""
        if isinstance(operand, int):
            return self._named(operand & MASK)
        if isinstance(operand, Register):
            found = state.registers.get(operand.name)
            if operand.size == 8 or found is None:
                return found
            return found & (1 << 8 * operand.size) - 1 if isinstance(found, int) and operand.size else None
        return self._load(operand, state, place)

    def address(self, operand: Memory, state: State) -> Value | None:
        """Where a memory operand lies."""
        if not operand.base and not operand.scaled:
            return self._named(operand.offset & MASK)
        total: Value | None = operand.offset & MASK
        for name, times in ((operand.base, 1), (operand.scaled, operand.scale)):
            if name:
                part = state.registers.get(name)
                total = _sum(total, part * times & MASK if isinstance(part, int) and times > 1 else part if times == 1 else None)
        return total

    def _named(self, address: int) -> Value:
        """A constant, which may be the address of the table or of its variable. What arithmetic makes of another address is
        neither: a walk over the data beside the table would else look like a use of it."""
        wanted = self._wanted
        if address in wanted.table:
            return Table(address - wanted.table.start, -1)
        return Variable(address) if address == wanted.table_variable else address

    # Memory.

    def _load(self, operand: Memory, state: State, place: int) -> Value | None:
        where, wanted = self.address(operand, state), self._wanted
        if isinstance(where, Table):
            return self._use(where, operand, place)
        if isinstance(where, Stack):
            return state.slots.get(where.offset) if operand.size == 8 else None
        if isinstance(where, Variable):
            wanted.loads.add(place)
            return Table(0, place) if operand.size == 8 else None
        if where is None:
            return self._load_by_index(operand, state, place)
        if not isinstance(where, int):
            return None
        if operand.size == 8 and where in wanted.imports:
            return Imported(where)
        if operand.size == 16:
            return Bytes(where)
        known = self._code.constant(where, operand.size) if operand.size in (1, 2, 4, 8) else None
        return self._named(known) if known is not None else None

    def _load_by_index(self, operand: Memory, state: State, place: int) -> Value | None:
        """With an index that is not known: a row of the function table, or of a jump table."""
        known = [state.registers.get(name) for name in (operand.base, operand.scaled) if name]
        fixed = next((each for each in known if isinstance(each, int)), 0 if not operand.base else None)
        table = next((each for each in known if isinstance(each, Table)), None)
        if table is not None:
            return self._use(Table(None, table.origin), operand, place)
        if fixed is not None and operand.scale == 8 and fixed + operand.offset & MASK in self._wanted.table:
            return self._use(Table(None, -1), operand, place)
        if fixed is not None and operand.size == 4 and operand.scale == 4 and self._code.holds(fixed + operand.offset & MASK):
            return JumpOffset(fixed + operand.offset & MASK)
        return None

    def _use(self, where: Table, operand: Memory, place: int) -> Function:
        wanted = self._wanted
        wanted.followed.add(where.origin)
        if where.offset is None or where.offset % 8 or operand.size not in (0, 8):
            wanted.unresolved[place] = "the index into the function table is worked out at run time"
            return Function(None)
        index = (where.offset - (where.offset >> 63 << 64)) // 8
        wanted.used.setdefault(index, set()).add(place)
        return Function(index)

    def _store(self, operand: Memory, value: Value | None, state: State, place: int) -> None:
        where = self.address(operand, state)
        if isinstance(where, Stack):
            slot = where.offset
            state.forget(range(slot - 7, slot + max(operand.size, 1)))
            if isinstance(value, Bytes) and operand.size == 16:
                for part in (0, 8):
                    state.slots[slot + part] = self._constant(value.address + part)
            elif value is not None and operand.size == 8:
                state.slots[slot] = value
        elif isinstance(value, Table | Variable):
            self._wanted.unresolved[place] = "the function table's address is stored where it cannot be followed"
            self._wanted.followed.add(value.origin if isinstance(value, Table) else -1)

    def _constant(self, address: int) -> int:
        return self._code.integer(address) or 0

    # Instructions.

    def _move(self, one: Instruction, state: State) -> None:
        target, source = one.operands
        value: Value | None
        if one.name == "lea" and isinstance(source, Memory):
            value = self.address(source, state)
        else:
            value = self.value(source, state, one.address)
        if isinstance(target, Memory):
            self._store(target, value, state, one.address)
        elif isinstance(target, Register):
            if one.name in ("movsx", "movsxd") and not isinstance(value, JumpOffset):
                value = None
            if target.name.startswith("xmm") and one.name not in VECTORS:
                value = None
            if target.size < 4 or (target.size == 4 and not isinstance(value, int | JumpOffset)):
                value = None
            if target.size == 4 and isinstance(value, int):
                value &= 0xFFFF_FFFF
            _set(state, target, value)

    def _arithmetic(self, one: Instruction, state: State) -> None:
        target, *sources = one.operands
        assert isinstance(target, Register)
        if one.name in ("xor", "sub") and sources == [target]:
            _set(state, target, 0 if target.size >= 4 else None)
            return
        values = [self.value(each, state, one.address) for each in (sources if len(sources) > 1 else [target, *sources])]
        result: Value | None = None
        if len(values) == 2 and target.size >= 4:
            left, right = values
            if isinstance(left, int) and isinstance(right, int):
                result = ARITHMETIC[one.name](left, right) & (1 << 8 * target.size) - 1
            elif target.size == 8 and one.name == "add":
                result = _sum(left, right)
            elif target.size == 8 and one.name == "sub" and isinstance(right, int):
                result = _sum(left, -right & MASK)
        if len(values) == 1:  # imul rcx: into rdx and rax
            state.registers.pop("rdx", None)
            target = Register("rax", 8)
        _set(state, target, result)

    def _push(self, one: Instruction, state: State) -> None:
        value = self.value(one.operands[0], state, one.address)
        top = state.registers.get("rsp")
        if isinstance(top, Stack):
            state.registers["rsp"] = Stack(top.offset - 8)
            state.forget(range(top.offset - 15, top.offset))
            if value is not None:
                state.slots[top.offset - 8] = value

    def _pop(self, one: Instruction, state: State) -> None:
        top = state.registers.get("rsp")
        value = state.slots.get(top.offset) if isinstance(top, Stack) else None
        if isinstance(one.operands[0], Register):
            _set(state, one.operands[0], value)
        if isinstance(top, Stack):
            state.registers["rsp"] = Stack(top.offset + 8)

    def _other(self, one: Instruction, state: State) -> None:
        words = one.name.split()
        for operand in one.operands:
            if isinstance(operand, Memory):
                self.value(operand, state, one.address)
        for name in HIDDEN.get(words[-1], ()):
            state.registers.pop(name, None)
        if words[0].startswith("rep"):
            for name in ("rcx", "rsi", "rdi"):
                state.registers.pop(name, None)
            state.slots.clear()
        elif words[-1] not in QUIET and one.operands:
            exchanged = one.operands if words[-1] in ("xchg", "xadd") else one.operands[:1]
            for operand in exchanged:
                if isinstance(operand, Register):
                    if words[-1].startswith("cmov") and self.value(one.operands[1], state, one.address) == state.registers.get(
                        operand.name
                    ):
                        continue
                    state.registers.pop(operand.name, None)
                elif isinstance(operand, Memory):
                    self._store(operand, None, state, one.address)


def _set(state: State, target: Register, value: Value | None) -> None:
    if value is None:
        state.registers.pop(target.name, None)
    else:
        state.registers[target.name] = value


def _sum(left: Value | None, right: Value | None) -> Value | None:
    """Of two values of which at most one is an address of its own kind."""
    if isinstance(right, int) and not isinstance(left, int):
        left, right = right, left
    if isinstance(left, int):
        if isinstance(right, int):
            return left + right & MASK
        if isinstance(right, Stack):
            return Stack(right.offset + left - (left >> 63 << 64))
        if isinstance(right, Variable):
            return right if not left else None
        if isinstance(right, Table):
            return right if right.offset is None else Table(right.offset + left & MASK, right.origin)
        if isinstance(right, JumpOffset):
            return JumpTarget(right.table, left)
        return None
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Table) and other is None:
            return Table(None, one.origin)
    return None
