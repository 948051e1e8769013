"""What every kernel and framework routine is: a scheduling point, an IRQL limit, a trace event and a cost.

`@ddi("WdfInterruptQueueDpcForIsr")` goes on the method that *is* the routine, of an object that has a `machine`. Python
drivers call the method directly; the `.sys` host's thunks convert arguments and call the same one. The limits come from
the fact tables by the routine's C name. While nobody traces or interleaves, passing a routine costs one comparison
of the processor's clock with the agenda's horizon.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from dirql.errors import UsageError
from dirql.facts import Routine, routine
from dirql.ntstatus import STATUS_INSUFFICIENT_RESOURCES, StatusError
from dirql.trace import Kind

if TYPE_CHECKING:
    from dirql.machine.machine import Machine

__all__ = ["OnMachine", "ddi", "ddi_create"]


class OnMachine(Protocol):
    """Anything whose routines run on a machine."""

    @property
    def machine(self) -> Machine:
        """The machine it belongs to."""


class Freed(Protocol):
    """An object that is no more."""

    def refuse_if_freed(self, routine: str) -> None:
        """The bugcheck for a handle of it."""


P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=OnMachine)
T = TypeVar("T")


def ddi(name: str) -> Callable[[Callable[Concatenate[S, P], R]], Callable[Concatenate[S, P], R]]:
    """Declare a method to be the routine `name`; `ApiError` at import when the fact tables do not know it."""
    row = routine(name)
    high = row.max_irql
    of_object = row.index is not None  # a routine of the framework's is given a handle, mostly of an object that can be deleted

    def declare(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
        body = _not_below(row, method) if row.min_irql else method
        body_alone = cast("Callable[[S], R]", body)

        @wraps(method)
        def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            machine = self.machine
            cpu = machine.cpu
            if cpu.irql > high:
                _off_limits(machine, row)
            cpu.now = now = cpu.now + machine.routine_ns
            if now >= machine.agenda.horizon:
                _pause(machine, row, self)
            if of_object and getattr(self, "destroyed", False):
                cast("Freed", self).refuse_if_freed(name)
            return body(self, *args, **kwargs)

        @wraps(method)
        def call_alone(self: S) -> R:  # the same without arguments to pack and unpack: most routines on the hot path
            machine = self.machine
            cpu = machine.cpu
            if cpu.irql > high:
                _off_limits(machine, row)
            cpu.now = now = cpu.now + machine.routine_ns
            if now >= machine.agenda.horizon:
                _pause(machine, row, self)
            if of_object and getattr(self, "destroyed", False):
                cast("Freed", self).refuse_if_freed(name)
            return body_alone(self)

        chosen = call if len(signature(method).parameters) > 1 else cast("Callable[Concatenate[S, P], R]", call_alone)
        chosen.__dict__["ddi"] = row
        return chosen

    return declare


def ddi_create(name: str) -> Callable[[Callable[Concatenate[T, S, P], R]], Callable[Concatenate[T, S, P], R]]:
    """`ddi` for a class method that makes an object: its first argument is on the machine. NULL there is the method's to refuse.

    Stands below `@classmethod`.
    """

    def declare(method: Callable[Concatenate[T, S, P], R]) -> Callable[Concatenate[T, S, P], R]:
        @ddi(name)
        def enter(first: S) -> None:
            """The routine begins."""

        @wraps(method)
        def call(cls: T, first: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if hasattr(first, "machine"):
                enter(first)
                fails = first.machine.fails
                if fails is not None and fails(name):
                    raise StatusError(STATUS_INSUFFICIENT_RESOURCES, f"{name}: this allocation was chosen to fail")
            return method(cls, first, *args, **kwargs)

        call.__dict__["ddi"] = enter.__dict__["ddi"]
        return call

    return declare


def _not_below(row: Routine, method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Few routines have a lowest IRQL too."""

    def check(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if self.machine.cpu.irql < row.min_irql:
            _off_limits(self.machine, row)
        return method(self, *args, **kwargs)

    return check


def _pause(machine: Machine, row: Routine, called: object) -> None:
    cpu = machine.cpu
    if cpu is machine.nobody:
        cpu.now = 1 << 63
        raise UsageError(f"{row.name} was called while no processor runs; "
                         "call it in a driver's callback, or through system.call(…)")  # fmt: skip
    if machine.trace is not None:
        machine.trace.add((cpu.now, cpu.index, Kind.CALL, row.name, cpu.irql))
    machine.chooser.observe(row.name)
    if machine.scheduler.due(cpu):
        machine.scheduler.point(cpu)
    if machine.watch is not None:
        machine.watch.may_change(called)


def _off_limits(machine: Machine, row: Routine) -> None:
    irql = machine.cpu.irql
    if machine.cpu is machine.nobody:
        return  # `_pause` has more to say
    if irql > row.max_irql:
        sentence = f"{row.name} needs IRQL <= {row.limit_name}, called at {irql_name(irql)}"
        machine.note_finding("irql-too-high", sentence, machine.where(), None if row.enforced else "warning")
    else:
        sentence = f"{row.name} needs IRQL >= {irql_name(row.min_irql)}, called at {irql_name(irql)}"
        machine.note_finding("irql-too-low", sentence, machine.where())


def irql_name(irql: int) -> str:
    """As WinDbg's users read it."""
    return {0: "PASSIVE_LEVEL", 1: "APC_LEVEL", 2: "DISPATCH_LEVEL", 15: "HIGH_LEVEL"}.get(irql, f"DIRQL {irql}")


def routine_of(method: Any) -> Routine | None:
    """The fact row of a method declared with `ddi`."""
    row = getattr(method, "ddi", None)
    return row if isinstance(row, Routine) else None
