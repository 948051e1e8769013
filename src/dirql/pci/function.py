"""The seam between a PCIe function, wherever it lives, and the machine it is plugged into.

`Function` is what a machine drives; `Host` is what a function sees of the machine. Neither knows the other's kind: a
function may be a Python model, a dump, a vfio-user peer or real hardware, and a host may be a whole machine or a test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

__all__ = ["Cancel", "Fate", "Function", "Host", "Message"]

Cancel = Callable[[], None]


class Message(NamedTuple):
    """A message-signalled interrupt as it crosses the link: one DWORD memory write (PCIe 6.0 §6.1.4)."""

    address: int
    data: int


class Fate:
    """What became of the messages of one MSI-X table entry (or MSI message): terminal counts that sum to `sent`.

    sent = delivered + merged + latched + withdrawn + swallowed + sum(dropped) + in_flight

    * delivered — an interrupt service routine of the driver's was entered for it
    * merged    — an identical one was already pending (in the PBA while masked, or in a processor's IRR)
    * latched   — held in the Pending bit now, because the vector or the function is masked (0 or 1)
    * withdrawn — was latched, and the device took its cause back before it was unmasked
    * dropped   — never left the function; `dropped` counts each reason
    * swallowed — reached a processor while no interrupt object was connected

    `message` and `route` are the host's: the last message that it saw of this entry, and where it found that one to lead.
    """

    __slots__ = (
        "cpus", "delivered", "dropped", "entry", "in_flight", "latched", "merged", "message", "route", "sent", "swallowed",
        "withdrawn",
    )  # fmt: skip

    def __init__(self, entry: int) -> None:
        self.entry = entry
        self.sent = self.delivered = self.merged = self.latched = self.withdrawn = self.swallowed = self.in_flight = 0
        self.dropped: dict[str, int] = {}
        self.cpus = 0  # bit per processor that took one
        self.message: Message | None = None
        self.route: Any = None

    def drop(self, why: str) -> None:
        """One more that never left, because of `why`."""
        self.dropped[why] = self.dropped.get(why, 0) + 1

    @property
    def balanced(self) -> bool:
        """True when every message sent has exactly one fate."""
        ended = self.delivered + self.merged + self.latched + self.withdrawn + self.swallowed + self.in_flight
        return self.sent == ended + sum(self.dropped.values())

    def __repr__(self) -> str:
        names = [n for n in self.__slots__ if n not in ("entry", "cpus", "message", "route")]
        counts = " ".join(f"{n}={getattr(self, n)}" for n in names if getattr(self, n))
        return f"<Fate of entry {self.entry}: {counts or 'nothing sent'}>"


class Host(Protocol):
    """What a function sees of whatever it is plugged into. All upstream traffic of one function stays in order
    (posted writes push one another, PCIe 6.0 §2.4); all addresses are physical; all times are nanoseconds."""

    def now(self) -> int:
        """Virtual time, ns."""

    def after(self, delay: int, action: Callable[[], None], slack: int = 0) -> Cancel:
        """Run `action` between `delay` and `delay + slack` ns from now; returns what cancels it."""

    def dma_write(self, function: Function, address: int, data: bytes) -> None:
        """A posted memory write: lands later, after all that this function sent before."""

    def dma_read(self, function: Function, address: int, length: int) -> bytes:
        """A read of host memory; completes at once. Bytes that no memory answers for are 0xFF."""

    def send(self, function: Function, message: Message, fate: Fate) -> None:
        """A message: a posted memory write that pushes the DMA before it (PCIe 6.0 §6.1.4). `fate` was counted as sent."""

    def intx(self, function: Function, asserted: bool) -> None:
        """Assert_INTx or Deassert_INTx for the function's Interrupt Pin, in order with its other posted traffic."""

    def note(self, function: Function, what: str, **detail: Any) -> None:
        """Something worth a line in the trace (a reserved bit written, an access outside every register …)."""


class Function(Protocol):
    """A PCIe function. Reads and writes keep their width; nothing here raises for what software does."""

    @property
    def name(self) -> str:
        """Short, for reports: the model's or the file's name."""

    @property
    def deterministic(self) -> bool:
        """True when the same accesses at the same virtual times give the same answers: only then may orders be explored."""

    @property
    def fates(self) -> Sequence[Fate]:
        """Of each MSI-X table entry, or each MSI message."""

    def connect(self, host: Host) -> None:
        """Plugged in."""

    def config_read(self, offset: int, size: int) -> int:
        """Configuration read of 1, 2 or 4 bytes at `offset` (0 to 0xFFF)."""

    def config_write(self, offset: int, size: int, value: int) -> None:
        """Configuration write of 1, 2 or 4 bytes."""

    def bar_size(self, bar: int) -> int:
        """Bytes behind BAR `bar` (0 to 5), 0 where there is none (or it is the upper half of a 64-bit one)."""

    def bar_read(self, bar: int, offset: int, size: int) -> int:
        """Memory or I/O read of 1, 2, 4 or 8 bytes; all ones when decoding is off or nothing answers."""

    def bar_write(self, bar: int, offset: int, size: int, value: int) -> None:
        """Memory or I/O write of 1, 2, 4 or 8 bytes."""

    def reset(self) -> None:
        """Conventional reset: what fundamental or hot reset leaves (PCIe 6.0 §6.6.1)."""

    def unserved(self) -> list[str]:
        """Work that the device has still outstanding at rest, in words; empty when all was served."""
