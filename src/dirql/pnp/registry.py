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
        for path, value in (values or {}).items():
            self.set(path, value)

    def set(self, path: str, value: RegistryValue) -> None:
        """Creates or replaces a value."""
        self._values[path.casefold()] = (path, value)

    def delete(self, path: str) -> None:
        """Deletes a value, if it is there."""
        self._values.pop(path.casefold(), None)

    def __getitem__(self, path: str) -> RegistryValue:
        return self._values[path.casefold()][1]

    def __iter__(self) -> Iterator[str]:
        return (path for path, _ in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Registry({dict(self._values.values())})"
