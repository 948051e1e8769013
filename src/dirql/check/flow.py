"""Follows the code that touches the function table, or looks routines up by name, along all of its branches.

Each place that names the table starts a search of its own, which ends where nothing leads to the table any more. Where that
leaves something open, the whole function is followed from its start. So nothing that loads the table goes unseen; what is read
through it is told, or that it could not be.
Limits: a table that is handed to another function is not followed into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dirql.check.code import Code, Instruction, Reference, Register
from dirql.check.effects import SPAN, Effects, Wanted
from dirql.check.state import Function, Imported, JumpTarget, Stack, State

__all__ = ["LOOKUP", "Flow"]

LOOKUP, INITIALISE = "MmGetSystemRoutineAddress", "RtlInitUnicodeString"
MOST_STEPS = 2_000_000  # instructions that are followed; 500 KB of code take some 100,000
MOST_CASES = 1024
NOT_FOUND = "what is read through the function table that is loaded here was not found"
ENDS = {"ret", "retf", "iretq", "int3", "ud2", "hlt", "ud0", "ud1"}


class Flow:
    """`steps` counts the instructions followed."""

    def __init__(self, code: Code, wanted: Wanted) -> None:
        self._code, self._wanted = code, wanted
        self._effects = Effects(code, wanted)
        self._visited: set[int] = set()
        self._done: set[int] = set()
        self._short = self._open = False  # a search ends with the table; it left something open
        self.steps = 0

    def follow(self, references: Iterable[Reference]) -> None:
        """What is done with the table behind these places."""
        for reference in references:
            one = self._code.around(reference)
            if one is None or one.address in self._visited:
                continue
            wanted, before = self._wanted, set(self._wanted.unresolved)
            self._open, self._short = False, True
            self._run(one.address)
            self._short = False
            new = set(wanted.unresolved) - before
            if new or self._open or wanted.loads - wanted.followed:
                for place in new:
                    del wanted.unresolved[place]
                self._whole(one.address)
            for place in wanted.loads - wanted.followed:
                wanted.unresolved.setdefault(place, NOT_FOUND)
            wanted.loads.clear()

    def around(self, references: Iterable[Reference]) -> None:
        """What the whole functions around these places do."""
        for reference in references:
            one = self._code.around(reference)
            if one is not None:
                self._whole(one.address)

    def _whole(self, address: int) -> None:
        """The function around `address`; then from there, when no way was seen that leads to it."""
        start = self._code.function(address)
        if start not in self._done:
            self._done.add(start)
            self._visited.discard(address)
            self._run(start)
        if address not in self._visited:
            self._run(address)

    def _run(self, start: int) -> None:
        states: dict[int, State] = {start: State.on_entry()}
        waiting = [start]
        while waiting:
            at = waiting.pop()
            for target, state in self._block(at, states[at].copy(), states):
                known = states.get(target)
                if known is None:
                    states[target] = state.copy()
                elif not known.joined(state, self._wanted.followed):
                    continue
                waiting.append(target)

    def _block(self, at: int, state: State, starts: dict[int, State]) -> Iterator[tuple[int, State]]:
        """Along a straight line; the places it leads to."""
        first = at
        while True:
            if at != first and at in starts:
                yield at, state
                return
            one = self._code.instruction(at)
            if one is None:
                return
            if self.steps >= MOST_STEPS:
                self._wanted.unresolved[at] = f"more than {MOST_STEPS} instructions were followed up to here"
                return
            self.steps += 1
            self._visited.add(at)
            name = one.name
            if name == "call":
                self._call(one, state)
            elif name in ENDS or (name == "int" and one.operands[:1] == (0x29,)):
                return
            elif name == "jmp":
                yield from self._jump(one, state)
                return
            elif name[0] == "j" or name.startswith("loop"):
                target = one.operands[0] if one.operands else None
                if isinstance(target, int):
                    yield target, state
            else:
                self._effects.apply(one, state)
            if self._short and not state.holds_table():
                return
            at = one.end

    def _jump(self, one: Instruction, state: State) -> Iterator[tuple[int, State]]:
        target = one.operands[0]
        if isinstance(target, int):
            if target in self._wanted.thunks:
                self._called(self._wanted.thunks[target], one.address, state)
            elif not self._code.is_function(target):
                yield target, state
            return
        value = self._effects.value(target, state, one.address)
        if isinstance(value, Imported):
            self._called(self._wanted.imports[value.slot], one.address, state)
        elif isinstance(value, JumpTarget):
            for case in self._cases(value):
                yield case, state
        elif isinstance(target, Register) and not isinstance(value, Function) and state.holds_table():
            self._open = True
            if not self._short and state.registers.get("rsp") != Stack(0):  # else it is how a function ends with a call
                self._wanted.unresolved[one.address] = "a jump that cannot be followed, with the function table at hand"

    def _cases(self, value: JumpTarget) -> Iterator[int]:
        """Where a switch leads: rows are read for as long as they are addresses of the function's section."""
        section = None
        for row in range(MOST_CASES):
            distance = self._code.constant(value.table + 4 * row, 4)
            if distance is None:
                return
            target = value.base + distance - (distance >> 31 << 32)
            here = self._code.section(target)
            if here is None or not here.executable or (section or here) is not here or self._code.is_function(target):
                return
            section = here
            yield target

    def _call(self, one: Instruction, state: State) -> None:
        target = one.operands[0]
        name = ""
        if isinstance(target, int):
            name = self._wanted.thunks.get(target, "")
        else:
            value = self._effects.value(target, state, one.address)
            name = self._wanted.imports.get(value.slot, "") if isinstance(value, Imported) else ""
        self._called(name, one.address, state)
        given = [state.registers.get(register) for register in ("rcx", "rdx", "r8", "r9")]
        state.called()
        if name == INITIALISE and isinstance(given[0], Stack) and isinstance(given[1], int):
            state.forget(range(given[0].offset, given[0].offset + 16))
            state.names[given[0].offset] = given[1]
        elif name != LOOKUP:
            for each in given:
                if isinstance(each, Stack):
                    state.forget(range(each.offset, each.offset + SPAN))

    def _called(self, name: str, place: int, state: State) -> None:
        if name == LOOKUP:
            found = self._looked_up(state)
            known = self._wanted.lookups
            known[place] = found if known.get(place, found) == found else None

    def _looked_up(self, state: State) -> str | None:
        """The name in the UNICODE_STRING that RCX points to."""
        view, code = state.registers.get("rcx"), self._code
        if isinstance(view, int):
            buffer = code.integer(view + 8)
        elif isinstance(view, Stack):
            known = state.names.get(view.offset, state.slots.get(view.offset + 8))
            buffer = known if isinstance(known, int) else None
        else:
            return None
        return code.wide_text(buffer) if buffer is not None else None
