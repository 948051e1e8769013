"""A grant: the resources one function got, as CM lists and as what the bus and the machine have to program.

Limits: at most one line per function, and no line beside messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dirql.errors import UsageError
from dirql.pnp.resources import CmPartialResourceDescriptor, CmResourceList
from dirql.pnp.vectors import irql_of

__all__ = ["Grant", "GrantChoice", "GrantKind", "ImpossibleGrant", "LineGrant", "MessageGrant"]

GrantKind = Literal["msi-x", "msi", "line", "none"]


class ImpossibleGrant(UsageError):
    """A choice that this function cannot be granted; `reason` is the limit and the remedy without the choice."""

    def __init__(self, what: str, reason: str = "") -> None:
        super().__init__(f"{what}: {reason}" if reason else what)
        self.reason = reason or what


@dataclass(frozen=True)
class GrantChoice:
    """What the arbiter shall give: all that is asked (and what Windows falls back to), one message, the line, or a count.

    Windows gives all, one or a line; any other count is `synthetic`.
    """

    kind: Literal["all", "one", "line", "count"] = "all"
    count: int = 0

    @classmethod
    def all(cls) -> GrantChoice:
        """All messages; when vectors run out one message, then the line."""
        return cls()

    @classmethod
    def one(cls) -> GrantChoice:
        """One message, as when vectors run out."""
        return cls("one", 1)

    @classmethod
    def line(cls) -> GrantChoice:
        """The line, as when not one vector for a message is left."""
        return cls("line")

    @classmethod
    def messages(cls, count: int) -> GrantChoice:
        """Exactly `count` messages."""
        if count < 1:
            raise UsageError(f"a grant of {count} messages is none; ask for 1 or more, or for the line")
        return cls("count", count)


@dataclass(frozen=True, slots=True)
class MessageGrant:
    """One OS message: its vector and the processors that may take it, a bit each."""

    message: int
    vector: int
    targets: int
    lowest_priority: bool

    @property
    def irql(self) -> int:
        """DIRQL."""
        return irql_of(self.vector)


@dataclass(frozen=True, slots=True)
class LineGrant:
    """A share of an I/O APIC pin."""

    gsi: int
    vector: int
    targets: int
    lowest_priority: bool

    @property
    def irql(self) -> int:
        """DIRQL."""
        return irql_of(self.vector)


@dataclass(frozen=True)
class Grant:
    """What a function got. `asked` and `granted` count interrupts; `synthetic` marks a count that Windows would not give;
    `why` says what it fell back from. `raw` and `translated` have equal order and length."""

    number: int
    kind: GrantKind
    asked: int
    granted: int
    synthetic: bool
    raw: tuple[CmPartialResourceDescriptor, ...]
    translated: tuple[CmPartialResourceDescriptor, ...]
    messages: tuple[MessageGrant, ...] = ()
    line: LineGrant | None = None
    bars: Mapping[int, int] = field(default_factory=dict)
    bus_number: int = 0
    why: str = ""

    @property
    def raw_list(self) -> CmResourceList:
        """AllocatedResources of the START IRP."""
        return CmResourceList(self.raw, self.bus_number)

    @property
    def translated_list(self) -> CmResourceList:
        """AllocatedResourcesTranslated of the START IRP."""
        return CmResourceList(self.translated, self.bus_number)
