"""A driver's own descriptions of children, in its memory: what a child list of a driver image holds.

A description is kept in memory of the framework's (the driver's EvtChildListIdentificationDescriptionDuplicate fills it, where it
has one), handed to EvtChildListCreateDevice by its address, and compared by the driver's function or byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.wdf_structs import WDF_CHILD_LIST_CONFIG
from dirql.hosts.sys.wdf_values import boolean, nothing, ntstatus_of
from dirql.ntstatus import StatusError, nt_success
from dirql.wdf.child_list import Child, ChildIterator, ChildList, ChildListConfig

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["ChildDescriptions", "Description", "SysChildListConfig", "fits", "list_config"]

LARGEST = 0x10000


class Description:
    """A description at its address."""

    def __init__(self, guest: Guest, address: int, size: int) -> None:
        self.guest, self.address, self.size = guest, address, size

    def __bytes__(self) -> bytes:
        return self.guest.space.read(self.address, self.size)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Description) and bytes(self) == bytes(other)


class SysChildListConfig(ChildListConfig):
    """WDF_CHILD_LIST_CONFIG of a driver image: `raw` is the structure's values."""

    raw: Any


def fits(view: WDF_CHILD_LIST_CONFIG) -> bool:
    """True if the descriptions have room for their heads and are no larger than dirql keeps."""
    identification, address = view.IdentificationDescriptionSize, view.AddressDescriptionSize
    return 4 <= identification <= LARGEST and (not address or 4 <= address <= LARGEST)


def list_config(guest: Guest, view: WDF_CHILD_LIST_CONFIG) -> SysChildListConfig:
    """WDF_CHILD_LIST_CONFIG."""
    given = view.load()

    def create(list_: ChildList, identification: Description, init: Any) -> int:
        arguments = guest.handle(list_), identification.address, guest.handle(init)
        return ntstatus_of(guest.call(given.EvtChildListCreateDevice, *arguments))

    def compare(list_: ChildList, one: Description, other: Description) -> bool:
        entry = given.EvtChildListIdentificationDescriptionCompare
        return boolean(guest.call(entry, guest.handle(list_), one.address, other.address))

    def cleanup(entry: int) -> Any:
        def clean(list_: ChildList, one: Description) -> None:
            if entry:
                guest.call(entry, guest.handle(list_), one.address)
            guest.part(ChildDescriptions).free(one)

        return clean

    scan = given.EvtChildListScanForChildren
    config = SysChildListConfig(
        create, guest.callback(scan, nothing) if scan else None,
        compare if given.EvtChildListIdentificationDescriptionCompare else None,
        cleanup(given.EvtChildListIdentificationDescriptionCleanup), cleanup(given.EvtChildListAddressDescriptionCleanup),
    )  # fmt: skip
    object.__setattr__(config, "raw", given)
    return config


class ChildDescriptions:
    """A component of the guest: the descriptions that child lists keep, and the iterations under way."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.iterators: dict[int, ChildIterator] = {}  # by the address of the driver's WDF_CHILD_LIST_ITERATOR

    def sizes(self, list_: ChildList) -> tuple[int, int]:
        """(identification description, address description)."""
        raw = self._raw(list_)
        return raw.IdentificationDescriptionSize, raw.AddressDescriptionSize

    def borrowed(self, list_: ChildList, address: int) -> Description:
        """An identification description where the driver has it."""
        return Description(self.guest, address, self.sizes(list_)[0])

    def kept(self, list_: ChildList, address: int, *, is_address: bool = False) -> Description:
        """A duplicate in memory of the framework's."""
        space, raw, size = self.guest.space, self._raw(list_), self.sizes(list_)[is_address]
        what = "the address description of a child" if is_address else "the identification description of a child"
        region = space.allocate(Area.POOL, size, what, at_end=True)
        duplicate = (raw.EvtChildListAddressDescriptionDuplicate if is_address
                     else raw.EvtChildListIdentificationDescriptionDuplicate)  # fmt: skip
        if duplicate:
            space.write(region.start, size.to_bytes(4, "little"))
            self._refuse(self.guest.call(duplicate, self.guest.handle(list_), address, region.start), what)
        else:
            space.write(region.start, space.read(address, size))
        return Description(self.guest, region.start, size)

    def copy(self, list_: ChildList, one: Description, to: int, *, is_address: bool = False) -> None:
        """A kept description into the driver's memory."""
        raw = self._raw(list_)
        entry = raw.EvtChildListAddressDescriptionCopy if is_address else raw.EvtChildListIdentificationDescriptionCopy
        if entry:
            self._refuse(self.guest.call(entry, self.guest.handle(list_), one.address, to), "a description of a child")
        else:
            self.guest.space.write(to, bytes(one))

    def free(self, one: Description) -> None:
        """The child is gone."""
        region = self.guest.space.exactly(one.address)
        if region is not None and region.live:
            self.guest.space.free(region)

    def matcher(self, list_: ChildList, entry: int, identification: int) -> Any:
        """The compare callback of a WDF_CHILD_RETRIEVE_INFO."""

        def matches(child: Child) -> bool:
            return boolean(self.guest.call(entry, self.guest.handle(list_), identification, child.identification.address))

        return matches if entry else None

    def _raw(self, list_: ChildList) -> Any:
        config = list_.config
        assert isinstance(config, SysChildListConfig)
        return config.raw

    def _refuse(self, rax: int, what: str) -> None:
        if not nt_success(ntstatus_of(rax)):
            raise StatusError(ntstatus_of(rax), f"the driver's callback did not take {what}")
