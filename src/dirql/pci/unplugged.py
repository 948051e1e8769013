"""The host of a function that is plugged into nothing: requests go nowhere, as on a link that is down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dirql.errors import UsageError
from dirql.pci.function import Cancel, Fate, Function, Message

__all__ = ["Unplugged"]


class Unplugged:
    """A `Host` before there is one."""

    def now(self) -> int:
        return 0

    def after(self, delay: int, action: Callable[[], None], slack: int = 0) -> Cancel:
        raise UsageError(f"a timer of {delay} ns was asked for before the function was plugged in; connect it to a host first")

    def dma_write(self, function: Function, address: int, data: bytes) -> None:
        """Lost."""

    def dma_read(self, function: Function, address: int, length: int) -> bytes:
        return b"\xff" * length

    def send(self, function: Function, message: Message, fate: Fate) -> None:
        fate.drop("not plugged in")

    def intx(self, function: Function, asserted: bool) -> None:
        """Nobody listens."""

    def note(self, function: Function, what: str, **detail: Any) -> None:
        """No trace yet."""
