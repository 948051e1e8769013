"""What the framework's routines have in common: required pointers, structures of several sizes, callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from dirql.hosts.sys.structs import Struct
from dirql.hosts.sys.wdf_values import nothing
from dirql.ntstatus import STATUS_INFO_LENGTH_MISMATCH, StatusError
from dirql.wdf.object import expect_parameter

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["event", "required", "sized"]

T = TypeVar("T")
V = TypeVar("V", bound=Struct)


def required(value: T | None, name: str, routine: str) -> T:
    """A pointer that may not be NULL: bugcheck 10D/4."""
    expect_parameter(value, name, routine)
    assert value is not None
    return value


def sized(view: V | None, name: str, routine: str, *older: int) -> V:
    """A required structure whose Size is the present one or one of `older`; STATUS_INFO_LENGTH_MISMATCH otherwise."""
    given = required(view, name, routine)
    size = given.Size
    if size != type(given).size and size not in older:
        problem = f"{routine}: {name}->Size {size:#x} is not {type(given).size:#x}, the size of {type(given).__name__}"
        raise StatusError(STATUS_INFO_LENGTH_MISMATCH, problem)
    return given


def event(guest: Guest, entry: int, result: Callable[[int], Any] = nothing) -> Callable[..., Any] | None:
    """The driver's callback; None where it has none."""
    return guest.callback(entry, result) if entry else None
