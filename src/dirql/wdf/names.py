r"""The directory of what devices can be opened by: symbolic links, and the links of device interfaces.

Names compare without case, and without the directory that they are written with (`\DosDevices\`, `\??\`, `\\.\`).

Limits: one directory for everybody; no sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from dirql import ntstatus
from dirql.ntstatus import StatusError

if TYPE_CHECKING:
    from dirql.wdf.device_names import NamedDevice

__all__ = ["DeviceInterface", "Names", "below", "plain_name"]

PREFIXES = ("\\DosDevices\\Global\\", "\\DosDevices\\", "\\GLOBAL??\\", "\\??\\", "\\\\.\\", "\\\\?\\")


def plain_name(name: str) -> str:
    """A symbolic link's name without the directory that it is written with, to be compared."""
    folded = name.lower()
    found = next((prefix for prefix in PREFIXES if folded.startswith(prefix.lower())), "")
    return folded[len(found) :]


@dataclass(eq=False)
class DeviceInterface:
    """One of a device's: `wanted` is what the driver last said, `enabled` whether it can be opened."""

    guid: UUID
    reference: str
    link: str
    wanted: bool = True
    enabled: bool = False


class Names:
    """The object manager's directory of symbolic links, by plain name. Those of IoCreateSymbolicLink (`wdm`: what they lead to)
    are known and lead nowhere."""

    def __init__(self) -> None:
        self.links: dict[str, tuple[NamedDevice, str]] = {}  # the device, and the file name below it
        self.wdm: dict[str, str] = {}
        self.interfaces: list[tuple[NamedDevice, DeviceInterface]] = []

    def add(self, name: str, device: NamedDevice, file_name: str = "") -> None:
        """StatusError STATUS_OBJECT_NAME_COLLISION if somebody has it."""
        if plain_name(name) in self.links or plain_name(name) in self.wdm:
            raise StatusError(ntstatus.STATUS_OBJECT_NAME_COLLISION, f"there is a {name} already")
        self.links[plain_name(name)] = device, file_name

    def forget(self, device: NamedDevice) -> None:
        """The device is deleted."""
        self.links = {name: entry for name, entry in self.links.items() if entry[0] is not device}
        self.interfaces = [entry for entry in self.interfaces if entry[0] is not device]

    def find(self, name: str | UUID) -> tuple[NamedDevice, str]:
        """(device, file name) behind an interface class (its first enabled interface) or a name; StatusError
        STATUS_OBJECT_NAME_NOT_FOUND."""
        guid = _guid(name)
        if guid is not None:
            found = next((entry for entry in self.interfaces if entry[1].guid == guid and entry[1].enabled), None)
            if found is not None:
                return found[0], below(found[1].reference)
            there = [one.link for _, one in self.interfaces if one.guid == guid]
            why = f"{there[0]} is not enabled" if there else f"no device has the interface {{{guid}}}"
            raise StatusError(ntstatus.STATUS_OBJECT_NAME_NOT_FOUND, f"{why}; {self._known()}")
        key = plain_name(str(name))
        for known, (device, file_name) in self.links.items():
            if _leads(known, key):
                return device, file_name + str(name)[len(str(name)) - len(key) + len(known) :]
        for known, target in self.wdm.items():
            if _leads(known, key):
                why = f"{name} is IoCreateSymbolicLink's link to {target}, and requests to a WDM driver's device are not modelled"
                remedy = "open a KMDF driver's: WdfDeviceCreateDeviceInterface, WdfDeviceCreateSymbolicLink"
                raise StatusError(ntstatus.STATUS_OBJECT_NAME_NOT_FOUND, f"{why}; {remedy}")
        raise StatusError(ntstatus.STATUS_OBJECT_NAME_NOT_FOUND, f"there is no {name}; {self._known()}")

    def _known(self) -> str:
        names = [f"{{{one.guid}}}" for _, one in self.interfaces if one.enabled]
        names += [name for name in self.links if not any(plain_name(one.link) == name for _, one in self.interfaces)]
        return f"there are {', '.join(names)}" if names else "no device has a name or an enabled interface"


def below(reference: str) -> str:
    """A reference string as the file name that the driver sees."""
    return f"\\{reference}" if reference else ""


def _leads(known: str, key: str) -> bool:
    """True when `key` is that name, or a file's below it."""
    return key == known or key.startswith(f"{known}\\")


def _guid(name: str | UUID) -> UUID | None:
    """The GUID that `name` is, with or without braces."""
    if isinstance(name, UUID):
        return name
    try:
        return UUID(name)
    except ValueError:
        return None
