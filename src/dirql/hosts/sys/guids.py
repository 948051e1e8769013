"""GUIDs, DEVPROPKEYs and optional strings in the driver's memory."""

from __future__ import annotations

from uuid import UUID

from dirql.hosts.sys.address_space import AddressSpace
from dirql.hosts.sys.nt_structs import UNICODE_STRING
from dirql.hosts.sys.strings import unicode_text
from dirql.pnp.properties import DevPropKey

__all__ = ["devpropkey", "guid", "optional_text"]


def guid(space: AddressSpace, address: int) -> UUID:
    """A GUID."""
    return UUID(bytes_le=space.read(address, 16))


def devpropkey(space: AddressSpace, address: int) -> DevPropKey:
    """A DEVPROPKEY: fmtid, pid."""
    return guid(space, address), int.from_bytes(space.read(address + 16, 4), "little")


def optional_text(view: UNICODE_STRING | None) -> str:
    """What a UNICODE_STRING holds; nothing where the driver passed NULL."""
    return unicode_text(view) if view is not None and view.Length else ""
