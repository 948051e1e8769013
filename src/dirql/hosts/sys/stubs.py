"""Where a driver's calls come out: a `hlt` for every routine that a driver may call, and one to return to.

Limits: stubs hold no code that a driver could read or patch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dirql.errors import NotModelled
from dirql.hosts.sys.abi import ROUTINES, Thunk
from dirql.hosts.sys.address_space import AddressSpace, Area
from dirql.hosts.sys.page_table import Rights

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Frame, Guest

__all__ = ["Stubbed", "Stubs", "Unmodelled"]

CAPACITY = 4096
SPACING = 16
HLT = b"\xf4"
STUB = HLT + b"\xc3" + HLT * 14  # the call is made at the hlt; the ret behind it goes back
TWO_BLOCKS = b"\xeb\x00" + HLT  # jmp to the hlt behind it
ORDINAL = "!#"
Entry = Callable[[Any, Any], int]


class Unmodelled:
    """A routine that drivers import and dirql does not model, `#12` one by its ordinal: loud when it is called."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self, guest: Guest, frame: Frame) -> int:
        """Ends the run."""
        caller, name = guest.words(frame.return_address, returning=True), f"{self.module}!{self.name}"
        said = _said(name)
        option = f"{said}=VALUE" if said != name else f"'{said}=VALUE'"  # a shell has a use of its own for ! and #
        raise NotModelled(f"{caller} calls {name}, which dirql does not model; pass --stub {option} to let it return that")


class Stubbed:
    """A routine that does nothing and returns what the user said."""

    def __init__(self, name: str, value: int) -> None:
        self.name, self.value = name, value & (1 << 64) - 1

    def __call__(self, guest: Guest, frame: Frame) -> int:
        """The value, and a note in the trace."""
        guest.framework.note(f"{self.name} returns {self.value:#x}, as --stub says")
        return self.value


class Stubs:
    """`thunks[i]` is called when a driver has called the stub at `base + 16 * i`; the last stub is `returns`."""

    def __init__(self, space: AddressSpace) -> None:
        code = STUB * CAPACITY + HLT * SPACING + TWO_BLOCKS
        region = space.allocate(Area.KERNEL, len(code), "the kernel's code", Rights.READ | Rights.WRITE)
        space.write(region.start, code)
        space.pages.protect(region.first, region.pages, Rights.READ | Rights.EXECUTE)
        self.base = region.start
        self.returns = self.base + SPACING * CAPACITY
        self.two_blocks = self.returns + SPACING
        self.thunks: list[Entry] = []
        self._address: dict[str, int] = {}
        self.data: dict[str, int] = {}  # "module!Name" of exported variables
        self._replaced: dict[str, int] = {}  # by what --stub calls a routine: what it returns instead of being called

    def address(self, name: str, thunk: Entry) -> int:
        """Where a driver calls `thunk`; the same for the same name."""
        known = self._address.get(name)
        if known is None:
            if len(self.thunks) == CAPACITY:
                raise NotModelled(f"{name} is one more than the {CAPACITY} routines that the images of one system can import")
            value = self._replaced.get(_said(name))
            if value is not None:
                thunk = Stubbed(name, value)
            known = self._address[name] = self.base + SPACING * len(self.thunks)
            self.thunks.append(thunk.enter if isinstance(thunk, Thunk) else thunk)
        return known

    def index(self, address: int) -> int | None:
        """Which thunk a stub at `address` is for; None where none is."""
        index = address - self.base >> 4
        return index if 0 <= index < len(self.thunks) else None

    def stopped_at(self, rip: int) -> bool:
        """True right behind the hlt of a stub."""
        at = rip - 1 - self.base
        return rip == self.returns + 1 or (not at % SPACING and 0 <= at // SPACING < len(self.thunks))

    def words(self, address: int) -> str:
        """`ntoskrnl!KeStallExecutionProcessor`; "" where no stub is."""
        index = self.index(address)
        return next((name for name, known in self._address.items() if known == self.base + SPACING * index), "") \
            if index is not None else ""

    def replace(self, name: str, value: int) -> None:
        """From now on the routine `name` of whichever module does nothing and returns `value`; `ndis.sys!#12` is one that is
        imported by its ordinal."""
        name = name.lower() if ORDINAL in name else name
        self._replaced[name] = value
        for known, address in self._address.items():
            if _said(known) == name:
                self.thunks[address - self.base >> 4] = Stubbed(known, value)

    def known(self, name: str) -> int:
        """Where a routine of the kernel's is that dirql models, whichever module has it; 0 for any other."""
        for module in ("ntoskrnl", "hal"):
            thunk = ROUTINES.get(f"{module}!{name}")
            if thunk is not None:
                return self.address(f"{module}!{name}", thunk)
        if name in self._replaced:
            return self.address(f"ntoskrnl!{name}", Unmodelled("ntoskrnl", name))
        return 0


def _said(name: str) -> str:
    """What --stub calls the routine `module!Name`: a name is one routine's in whichever module, an ordinal is not."""
    return name if ORDINAL in name else name.partition("!")[2]
