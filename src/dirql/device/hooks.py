"""Behaviour hung on named registers: `@regs.doorbell.written` and `@regs.cause.reading` on methods of a device model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from dirql.errors import LayoutError
from dirql.layout import Block, Placement, Register

if TYPE_CHECKING:
    from dirql.device.declare import Bar

__all__ = ["HookPoint", "Moment", "RegisterHook", "check_hook", "tagged"]

Moment = Literal["written", "reading"]
M = TypeVar("M", bound=Callable[..., Any])
TAG = "_dirql_hooks"


@dataclass(frozen=True)
class HookPoint:
    """One register (or array of them) of one BAR, and the moment at which the model wants to be called."""

    bar: str
    path: tuple[str, ...]
    moment: Moment

    def __str__(self) -> str:
        return ".".join((self.bar, *self.path))

    @property
    def occasion(self) -> str:
        """In words, for messages."""
        return f"a write of {self}" if self.moment == "written" else f"a read of {self}"


class RegisterHook:
    """A register of a BAR by name, in a model's class body; registers of a nested block are named by one more dot."""

    def __init__(self, bar: Bar, path: tuple[str, ...]) -> None:
        self._bar, self._path = bar, path

    def __getattr__(self, name: str) -> RegisterHook:
        if name.startswith("_"):
            raise AttributeError(name)
        return RegisterHook(self._bar, (*self._path, name))

    def written(self, method: M) -> M:
        """Call `method(self, [index,] value)` after software wrote the register: what was written, before access modes ruled.
        Of a narrower write the bytes not written are the stored ones where software can store, else 0."""
        return self._tag(method, "written")

    def reading(self, method: M) -> M:
        """Call `method(self, [index])` before software's read is answered; it may return the answer (None: the stored value)."""
        return self._tag(method, "reading")

    def _tag(self, method: M, moment: Moment) -> M:
        vars(method).setdefault(TAG, []).append((self._bar, self._path, moment))
        return method


def tagged(namespace: Mapping[str, Any]) -> Iterator[tuple[HookPoint, str]]:
    """(point, method's name) for each hook that a class body declares."""
    for name, value in namespace.items():
        for bar, path, moment in getattr(value, TAG, ()) if callable(value) else ():
            yield HookPoint(bar.name, path, moment), name


def check_hook(owner: type, point: HookPoint, method: str, block: type[Block]) -> None:
    """LayoutError unless `block` has the register and the method takes what it will be handed."""
    indices = _descend(owner, point, method, block)
    needed = ["index"] if indices == 1 else [f"index{i}" for i in range(indices)]
    if point.moment == "written":
        needed.append("value")
    function = getattr(owner, method)
    try:
        inspect.signature(function).bind(None, *needed)
    except TypeError:
        takes = ", ".join(inspect.signature(function).parameters)
        passed = ", ".join(["self", *needed])
        raise LayoutError(f"{owner.__name__}.{method} takes ({takes}), but {point.occasion} passes ({passed})") from None


def _descend(owner: type, point: HookPoint, method: str, block: type[Block]) -> int:
    """The number of array indices on the way to the register."""
    who, indices = f"{owner.__name__}.{method} hooks {point}", 0
    kind: type[Block | Register] = block
    for name in point.path:
        if not issubclass(kind, Block):
            raise LayoutError(f"{who}, but {kind.__name__} is a register and has no {name}")
        placement: Placement[Any] | None = kind.placements.get(name)
        if placement is None:
            raise LayoutError(f"{who}, which {kind.__name__} does not have; it has {', '.join(sorted(kind.placements))}")
        indices += placement.count > 1
        kind = placement.kind
    if issubclass(kind, Block):
        raise LayoutError(f"{who}, a block of registers; name one of {', '.join(sorted(kind.placements))}")
    return indices
