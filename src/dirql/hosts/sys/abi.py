"""The Windows x64 calling convention, from annotations: a routine's signature is the call.

`@api("ntoskrnl")` and `@wdf` go on a function whose parameters are annotated with the types below. The first parameter is the
guest; the others are taken from RCX, RDX, R8, R9 and the stack, each narrowed to its C width and sign; what the function
returns goes into RAX, and a `void` routine leaves a value there that a driver which reads it will trip over. A routine of
the framework has the driver's globals in RCX, which the decorator leaves out. A parameter without an ABI type is an
`ApiError` at import.

A `StatusError` that leaves a routine is its NTSTATUS. Limits: no floating point arguments.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from operator import call as apply
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    Protocol,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from dirql.errors import ApiError, NotModelled
from dirql.facts import routine as fact_row
from dirql.kernel.stop import BugCheck
from dirql.ntstatus import STATUS_INSUFFICIENT_RESOURCES, StatusError
from dirql.wdf.framework import WDF_VIOLATION
from dirql.wdf.object import Object, expect

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = [
    "BOOLEAN", "CHAR", "KIRQL", "LONG", "LONGLONG", "NTSTATUS", "PVOID", "SHORT", "SIZE_T", "UCHAR", "ULONG", "ULONGLONG",
    "ULONG_PTR", "USHORT", "VOID", "WCHAR", "Call", "Handle", "Out", "Ptr", "Thunk", "VarArgs", "api", "wdf",
]  # fmt: skip

T = TypeVar("T")
POISON = 0xDEAD_0000_BAAD_F00D  # what RAX holds after a void routine
ROUTINES: dict[str, Thunk] = {}  # by "module!Name"


class AbiType(Protocol):
    """How one slot of eight bytes becomes a value, and a value a slot."""

    def take(self, guest: Guest, slot: int) -> Any:
        """From a register or a stack slot."""

    def give(self, guest: Guest, value: Any) -> int:
        """Into RAX."""


@dataclass(frozen=True)
class Unsigned:
    """An unsigned integer of `bits`."""

    bits: int

    def take(self, guest: Guest, slot: int) -> int:
        return slot & (1 << self.bits) - 1

    def give(self, guest: Guest, value: Any) -> int:
        return int(value) & (1 << self.bits) - 1


@dataclass(frozen=True)
class Signed:
    """A signed integer of `bits`."""

    bits: int

    def take(self, guest: Guest, slot: int) -> int:
        value = slot & (1 << self.bits) - 1
        return value - (value >> self.bits - 1 << self.bits)

    def give(self, guest: Guest, value: Any) -> int:
        return int(value) & (1 << self.bits) - 1


@dataclass(frozen=True)
class Truth:
    """BOOLEAN: a byte."""

    def take(self, guest: Guest, slot: int) -> bool:
        return bool(slot & 0xFF)

    def give(self, guest: Guest, value: Any) -> int:
        return int(bool(value))


@dataclass(frozen=True)
class Void:
    """Nothing comes back."""

    def take(self, guest: Guest, slot: int) -> None:
        raise NotImplementedError

    def give(self, guest: Guest, value: Any) -> int:
        return POISON


@dataclass(frozen=True)
class HandleOf:
    """A framework handle (or an opaque pointer such as PWDFDEVICE_INIT): the object, of that type; bugcheck 10D/5 otherwise."""

    type: type
    routine: str
    optional: bool = False

    def take(self, guest: Guest, slot: int) -> Any:
        if not slot and self.optional:
            return None
        value = guest.objects.get(slot)
        if isinstance(value, self.type) and not (isinstance(value, Object) and value.destroyed):
            return value
        if issubclass(self.type, Object) and value is not None:
            try:
                return expect(value, self.type, self.routine)
            except BugCheck as wrong:  # its second parameter is what the driver passed
                raise BugCheck(WDF_VIOLATION, 5, slot, why=wrong.why) from None
        what = f"{self.type.kind} handle" if issubclass(self.type, Object) else self.type.__name__
        raise BugCheck(WDF_VIOLATION, 5, slot, why=f"{self.routine} was given {slot:#x}, which is no {what}")

    def give(self, guest: Guest, value: Any) -> int:
        return guest.handle(value) if value is not None else 0


@dataclass(frozen=True)
class Pointer:
    """A pointer to a structure: a view of it, which faults when it is NULL and touched; None for NULL where that is allowed."""

    type: type
    optional: bool = False

    def take(self, guest: Guest, slot: int) -> Any:
        return None if not slot and self.optional else self.type(guest.space, slot)

    def give(self, guest: Guest, value: Any) -> int:
        return int(value.address) if value is not None else 0


@dataclass(frozen=True)
class OutPointer:
    """A pointer to where a result goes."""

    of: AbiType
    size: int
    optional: bool = False

    def take(self, guest: Guest, slot: int) -> Out[Any] | None:
        return None if not slot and self.optional else Out(guest, slot, self.of, self.size)

    def give(self, guest: Guest, value: Any) -> int:
        raise NotImplementedError


class Out(Generic[T]):
    """Where a result goes: `out(value)`. None in place of it for NULL where that is allowed; else it faults there."""

    __slots__ = ("_guest", "_of", "_size", "address")

    def __init__(self, guest: Guest, address: int, of: AbiType, size: int) -> None:
        self._guest, self.address, self._of, self._size = guest, address, of, size

    def __call__(self, value: T) -> None:
        self._guest.space.write(self.address, self._of.give(self._guest, value).to_bytes(self._size, "little"))


class VarArgs:
    """The `...` of a variadic routine: slot after slot."""

    def __init__(self, guest: Guest, call: Call, index: int) -> None:
        self._guest, self._call, self._index = guest, call, index

    def next(self) -> int:
        """The next argument's eight bytes."""
        index, self._index = self._index, self._index + 1
        return self._call.arguments[index] if index < 4 else self._call.stack_slot(index)

    def read(self, address: int, size: int) -> bytes:
        """The driver's memory behind an argument; fewer bytes where it ends."""
        return self._guest.space.peek(address, size)


# fmt: off
BOOLEAN   = Annotated[bool, Truth()]
UCHAR     = Annotated[int, Unsigned(8)]
CHAR      = Annotated[int, Signed(8)]
KIRQL     = Annotated[int, Unsigned(8)]
USHORT    = Annotated[int, Unsigned(16)]
SHORT     = Annotated[int, Signed(16)]
WCHAR     = Annotated[int, Unsigned(16)]
ULONG     = Annotated[int, Unsigned(32)]
LONG      = Annotated[int, Signed(32)]
NTSTATUS  = Annotated[int, Unsigned(32)]
ULONGLONG = Annotated[int, Unsigned(64)]
LONGLONG  = Annotated[int, Signed(64)]
SIZE_T    = Annotated[int, Unsigned(64)]
ULONG_PTR = Annotated[int, Unsigned(64)]
PVOID     = Annotated[int, Unsigned(64)]
VOID: TypeAlias = None
Handle    = Annotated[T, "a framework handle"]
Ptr       = Annotated[T, "a pointer to a structure"]
# fmt: on


class Call(Protocol):
    """The arguments of the call that is being made."""

    @property
    def arguments(self) -> tuple[int, int, int, int]:
        """RCX, RDX, R8, R9."""

    def stack_slot(self, index: int) -> int:
        """Argument `index` (from 4 on)."""


class Thunk:
    """A routine that drivers can call: converts, calls, converts back."""

    __slots__ = ("enter", "first", "function", "give", "gives", "module", "name", "status", "takes", "variadic")

    def __init__(self, module: str, function: Callable[..., Any], first: int) -> None:
        self.module, self.name, self.function, self.first = module, function.__name__, function, first
        hints = get_type_hints(function, include_extras=True)
        names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
        self.variadic = "args" in names and hints["args"] is VarArgs
        if self.variadic:
            names = names[:-1]
        self.takes = tuple(_abi_type(self.name, name, hints.get(name)).take for name in names)
        result = hints.get("return", type(None))
        self.status = result == NTSTATUS
        give = Void() if result is type(None) else _abi_type(self.name, "return", result)
        self.give = give.give
        self.gives = not isinstance(give, Void)
        self.enter = self._with_one() if len(names) == 1 and not self.variadic else self._with_any()

    def __call__(self, guest: Guest, call: Call) -> int:
        """Make the call; what RAX holds afterwards. `enter` is the same in one step."""
        return self.enter(guest, call)

    def _with_one(self) -> Callable[[Guest, Call], int]:
        """Most calls have one argument: nothing is put together for those."""
        take, function, give, first = self.takes[0], self.function, self.give, self.first

        def enter(guest: Guest, call: Call) -> int:
            try:
                return give(guest, function(guest, take(guest, call.arguments[first])))
            except (StatusError, MemoryError) as error:
                return self._failed(guest, error)

        return enter

    def _with_any(self) -> Callable[[Guest, Call], int]:
        takes, function, give, first, variadic = self.takes, self.function, self.give, self.first, self.variadic
        on_stack = range(4, first + len(takes))

        def enter(guest: Guest, call: Call) -> int:
            slots = call.arguments[first:]
            if on_stack:
                slots += tuple(map(call.stack_slot, on_stack))
            values = list(map(apply, takes, repeat(guest), slots))
            if variadic:
                values.append(VarArgs(guest, call, first + len(takes)))
            try:
                return give(guest, function(guest, *values))
            except (StatusError, MemoryError) as error:
                return self._failed(guest, error)

        return enter

    def _failed(self, guest: Guest, error: StatusError | MemoryError) -> int:
        if isinstance(error, MemoryError):
            if not self.status and not self.gives:
                raise NotModelled(f"{self.name}: {error}; give the machine more memory") from None
            error = StatusError(STATUS_INSUFFICIENT_RESOURCES, str(error))
            if not self.status:
                return 0
        if not self.status:
            raise error
        guest.failed(self.name, error)
        return error.status

    def __repr__(self) -> str:
        return f"<{self.module}!{self.name}>"


F = TypeVar("F", bound=Callable[..., Any])


def api(module: str) -> Callable[[F], F]:
    """Declare a routine that drivers import from `module`."""

    def declare(function: F) -> F:
        key = f"{module}!{function.__name__}"
        if key in ROUTINES:
            raise ApiError(f"{key} is declared twice")
        ROUTINES[key] = Thunk(module, function, 0)
        return function

    return declare


def wdf(function: F) -> F:
    """Declare a routine of the framework; its table index comes from the fact table, by name."""
    row = fact_row(function.__name__)
    key = f"wdf!{function.__name__}"
    if row.index is None:
        raise ApiError(f"{function.__name__} has no index in facts/wdf_functions.csv")
    if key in ROUTINES:
        raise ApiError(f"{key} is declared twice")
    ROUTINES[key] = Thunk("wdf", function, 1)
    return function


def _abi_type(routine: str, name: str, hint: Any) -> AbiType:
    optional = False
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [arg for arg in get_args(hint) if arg is not type(None)]
        optional, hint = len(kinds) < len(get_args(hint)), kinds[0] if len(kinds) == 1 else None
    if get_origin(hint) is Out:
        inner = _abi_type(routine, name, get_args(hint)[0])
        return OutPointer(inner, _size(inner), optional)
    if get_origin(hint) is Annotated:
        base, marker, *_ = get_args(hint)
        if marker == "a framework handle":
            return HandleOf(base, routine, optional)
        if marker == "a pointer to a structure":
            return Pointer(base, optional)
        return cast("AbiType", marker)
    raise ApiError(f"{routine}: parameter {name} has no ABI type ({hint!r}); annotate it with one of dirql.hosts.sys.abi")


def _size(of: AbiType) -> int:
    if isinstance(of, Unsigned | Signed):
        return of.bits // 8
    return 1 if isinstance(of, Truth) else 8
