"""Where a driver's calls come out: a `hlt` for every routine that a driver may call, and one to return to.

Limits: stubs hold no code that a driver could read or patch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dirql.errors import NotModelled
from dirql.hosts.sys.abi import ROUTINES
from dirql.hosts.sys.address_space import AddressSpace, Area
from dirql.hosts.sys.page_table import Rights

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Frame, Guest

__all__ = ["Stubs", "Unmodelled"]

CAPACITY = 4096
SPACING = 16
HLT = b"\xf4"
Entry = Callable[[Any, Any], int]


class Unmodelled:
    """A routine that drivers import and dirql does not model: loud when it is called."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self, guest: Guest, frame: Frame) -> int:
        """Ends the run."""
        caller = guest.words(frame.return_address)
        raise NotModelled(f"{caller} calls {self.module}!{self.name}, which dirql does not model; "
                          f"pass --stub {self.name}=VALUE to let it return that")  # fmt: skip


class Stubs:
    """`thunks[i]` is called when a driver has called the stub at `base + 16 * i`; the last stub is `returns`."""

    def __init__(self, space: AddressSpace) -> None:
        code = (HLT * SPACING) * (CAPACITY + 1)
        region = space.allocate(Area.KERNEL, len(code), "the kernel's code", Rights.READ | Rights.WRITE)
        space.write(region.start, code)
        space.pages.protect(region.first, region.pages, Rights.READ | Rights.EXECUTE)
        self.base = region.start
        self.returns = self.base + SPACING * CAPACITY
        self.thunks: list[Entry] = []
        self._address: dict[str, int] = {}
        self.data: dict[str, int] = {}  # "module!Name" of exported variables

    def address(self, name: str, thunk: Entry) -> int:
        """Where a driver calls `thunk`; the same for the same name."""
        known = self._address.get(name)
        if known is None:
            known = self._address[name] = self.base + SPACING * len(self.thunks)
            self.thunks.append(thunk)
        return known

    def known(self, name: str) -> int:
        """Where a routine of the kernel's is that dirql models, whichever module has it; 0 for any other."""
        for module in ("ntoskrnl", "hal"):
            thunk = ROUTINES.get(f"{module}!{name}")
            if thunk is not None:
                return self.address(f"{module}!{name}", thunk)
        return 0
