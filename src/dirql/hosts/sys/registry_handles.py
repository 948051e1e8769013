"""Open registry keys: what a key handle stands for, and the tree of the paths that Zw routines are given.

The keys of a device are those that its INF filled. Everything else (the services, the control sets) is one tree, empty at
first but for the keys of the drivers that are loaded.
Limits: no security, no links, no notifications; nothing outlives the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dirql.pnp.registry import Registry

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["KeyHandle", "SystemRegistry"]


@dataclass
class KeyHandle:
    r"""The key `path` of `registry`; `there` says that it need not have been created."""

    registry: Registry
    path: str
    there: bool = False

    def below(self, name: str) -> str:
        r"""The path of a value or a key in it."""
        return f"{self.path}\\{name}" if self.path and name else self.path or name

    @property
    def exists(self) -> bool:
        """False once it was deleted."""
        return self.there or self.registry.has_key(self.path)

    def names(self) -> list[str]:
        """Of its values, in the order in which they were made."""
        depth = len(self.path) + 1 if self.path else 0
        folded = f"{self.path}\\".casefold() if self.path else ""
        inside = [path[depth:] for path in self.registry if path.casefold().startswith(folded)]
        return [name for name in inside if "\\" not in name]

    def keys(self) -> list[str]:
        """Of the keys in it that have values."""
        depth = len(self.path) + 1 if self.path else 0
        folded = f"{self.path}\\".casefold() if self.path else ""
        inside = [path[depth:] for path in self.registry if path.casefold().startswith(folded)]
        return list(dict.fromkeys(name.partition("\\")[0] for name in inside if "\\" in name))


class SystemRegistry:
    r"""`guest.part(SystemRegistry)`: the tree below `\Registry`."""

    def __init__(self, guest: Guest) -> None:
        self.registry = Registry()
        for image in guest.images:
            self.registry.create_key(self.plain(f"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\{image.image.name[:-4]}"))

    @staticmethod
    def plain(path: str) -> str:
        """Without the first backslash, and with the present control set by its one name."""
        names = path.strip("\\").split("\\")
        return "\\".join("CurrentControlSet" if name.casefold() == "controlset001" else name for name in names)
