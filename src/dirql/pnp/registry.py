"""Registry values as an INF's AddReg writes them under a device's hardware key (windows-driver-docs, "INF AddReg directive").

Limits: one key tree, values only; no security, no links.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

__all__ = ["Registry", "RegistryValue"]


class RegistryValue(NamedTuple):
    """A value: its type by name, and an int, bytes, string or strings."""

    type: str
    data: int | bytes | str | tuple[str, ...]


class Registry(Mapping[str, RegistryValue]):
    """`key\\value` → value below one key; paths keep their spelling and compare without case."""

    def __init__(self, values: Mapping[str, RegistryValue] | None = None) -> None:
        self._values: dict[str, tuple[str, RegistryValue]] = {}
        self._keys: set[str] = set()  # those that were created; a key with a value in it is there besides
        for path, value in (values or {}).items():
            self.set(path, value)

    def set(self, path: str, value: RegistryValue) -> None:
        """Creates or replaces a value."""
        self._values[path.casefold()] = (path, value)

    def delete(self, path: str) -> None:
        """Deletes a value, if it is there."""
        self._values.pop(path.casefold(), None)

    def create_key(self, path: str) -> None:
        """Makes a key that is there without any value."""
        self._keys.add(path.casefold())

    def has_key(self, path: str) -> bool:
        """True if the key was created, or has a value or a key below it."""
        below = f"{path.casefold()}\\"
        return not path or path.casefold() in self._keys or any(one.startswith(below) for one in (*self._values, *self._keys))

    def delete_key(self, path: str) -> None:
        """Deletes a key with its values."""
        below = f"{path.casefold()}\\"
        self._keys.discard(path.casefold())
        for one in [one for one in self._values if one.startswith(below)]:
            del self._values[one]

    def __getitem__(self, path: str) -> RegistryValue:
        return self._values[path.casefold()][1]

    def __iter__(self) -> Iterator[str]:
        return (path for path, _ in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Registry({dict(self._values.values())})"
