"""A C structure as one table of fields, from which packing, unpacking and the checks of its size derive."""

from __future__ import annotations

import re
import struct

from dirql.errors import LayoutError, UsageError

__all__ = ["Packed", "snake"]


def snake(name: str) -> str:
    """The Python spelling of a header's field name: `MessageCount` is `message_count`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


class Packed:
    """Little-endian fields at fixed offsets, `size` bytes in all; bytes that no field claims pack as 0."""

    def __init__(self, name: str, size: int, *fields: tuple[str, int, str]) -> None:
        self.name, self.size, self.fields = name, size, fields
        code, end = "<", 0
        for field, offset, kind in fields:
            if offset < end:
                raise LayoutError(f"{name}.{field} at {offset:#x} overlaps the field before it, which ends at {end:#x}")
            code += f"{offset - end}x{kind}"
            end = offset + struct.calcsize(f"<{kind}")
        if end > size:
            raise LayoutError(f"{name} ends at {end:#x}, past its size {size:#x}")
        self._struct = struct.Struct(f"{code}{size - end}x")
        self.names = tuple(snake(field) for field, _, _ in fields)

    def pack(self, values: dict[str, int | bytes]) -> bytes:
        """The `size` bytes; `values` are keyed by the Python spelling of every field."""
        try:
            return self._struct.pack(*(values[name] for name in self.names))
        except struct.error:
            for name, (field, _, kind) in zip(self.names, self.fields, strict=True):
                value, width = values[name], struct.calcsize(f"<{kind}")
                if isinstance(value, int) and not 0 <= value < 1 << 8 * width:
                    raise UsageError(f"{self.name}.{field} is {value:#x}; it has {width} bytes") from None
            raise

    def unpack(self, data: bytes, offset: int = 0) -> dict[str, int]:
        """Every field of the structure at `offset`, by its Python spelling."""
        if len(data) - offset < self.size:
            left = max(0, len(data) - offset)
            raise UsageError(f"{self.name} at {offset:#x} needs {self.size:#x} bytes; {left:#x} are left")
        return dict(zip(self.names, self._struct.unpack_from(data, offset), strict=True))
