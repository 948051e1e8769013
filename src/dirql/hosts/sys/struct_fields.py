"""What a member of a structure can be, and how each kind is read, written and decoded; little endian (x64 ABI)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from struct import Struct as Codec
from typing import Any, Protocol

from dirql.errors import UsageError

__all__ = ["SCALARS", "Array", "ArrayOf", "Bits", "Buffer", "Field", "Kind", "Memory", "Nested", "Scalar"]


class Memory(Protocol):
    """Where structures live."""

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes."""

    def write(self, address: int, data: bytes) -> None:
        """Store them."""


class Buffer:
    """Memory of its own from `address` on: for a structure that is being put together, or one that was copied."""

    __slots__ = ("address", "data")

    def __init__(self, data: bytearray | bytes, address: int = 0) -> None:
        self.data, self.address = data, address

    def _range(self, address: int, size: int) -> slice:
        start = address - self.address
        if start < 0 or start + size > len(self.data):
            raise UsageError(f"{size:#x} bytes at {address:#x} lie outside the buffer, "
                             f"{len(self.data):#x} bytes at {self.address:#x}")  # fmt: skip
        return slice(start, start + size)

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes."""
        return bytes(self.data[self._range(address, size)])

    def write(self, address: int, data: bytes) -> None:
        """Store them; what was loaded from elsewhere is a copy and takes none."""
        if isinstance(self.data, bytes):
            raise UsageError("this is a loaded copy; write to the view that it was loaded from")
        self.data[self._range(address, len(data))] = data


class Kind(Protocol):
    """The type of a member."""

    @property
    def size(self) -> int:
        """Its bytes."""

    @property
    def alignment(self) -> int:
        """What its address is a multiple of."""

    def read(self, memory: Memory, address: int) -> Any:
        """The member's value, or a view of it."""

    def write(self, memory: Memory, address: int, value: Any, name: str) -> None:
        """Store `value`; `name` is for the error."""

    def decode(self, data: bytes, offset: int) -> Any:
        """The member's value from a copy."""


@dataclass(frozen=True)
class Scalar:
    """An integer; `code` as in the standard library's struct."""

    code: str
    text: bool = False  # arrays of it are bytes
    size: int = field(init=False)
    alignment: int = field(init=False)
    codec: Codec = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        codec = Codec(f"<{self.code}")
        for name, value in (("codec", codec), ("size", codec.size), ("alignment", codec.size)):
            object.__setattr__(self, name, value)

    def read(self, memory: Memory, address: int) -> Any:
        return self.codec.unpack(memory.read(address, self.size))[0]

    def write(self, memory: Memory, address: int, value: Any, name: str) -> None:
        memory.write(address, _fit(int(value), 8 * self.size, name).to_bytes(self.size, "little"))

    def decode(self, data: bytes, offset: int) -> Any:
        return self.codec.unpack_from(data, offset)[0]


@dataclass(frozen=True)
class Bits:
    """`width` bits from bit `shift` of a scalar."""

    unit: Scalar
    shift: int
    width: int

    @property
    def size(self) -> int:
        return self.unit.size

    @property
    def alignment(self) -> int:
        return self.unit.alignment

    def read(self, memory: Memory, address: int) -> Any:
        return self.decode(memory.read(address, self.size), 0)

    def write(self, memory: Memory, address: int, value: Any, name: str) -> None:
        bits = _fit(int(value), self.width, name) << self.shift
        others = int.from_bytes(memory.read(address, self.size), "little") & ~(((1 << self.width) - 1) << self.shift)
        memory.write(address, (others | bits).to_bytes(self.size, "little"))

    def decode(self, data: bytes, offset: int) -> Any:
        unit = int.from_bytes(data[offset : offset + self.size], "little")
        return unit >> self.shift & (1 << self.width) - 1


@dataclass(frozen=True)
class Nested:
    """A structure inside another: its value is a view of it, which is set from bytes or another view of the same type."""

    type: type[Any]

    @property
    def size(self) -> int:
        return int(self.type.size)

    @property
    def alignment(self) -> int:
        return int(self.type.alignment)

    def read(self, memory: Memory, address: int) -> Any:
        return self.type(memory, address)

    def write(self, memory: Memory, address: int, value: Any, name: str) -> None:
        data = bytes(value) if isinstance(value, self.type | bytes | bytearray) else b""
        if len(data) != self.size:
            raise UsageError(f"{name} takes a {self.type.__name__} or its {self.size:#x} bytes; {value!r} is neither")
        memory.write(address, data)

    def decode(self, data: bytes, offset: int) -> Any:
        return self.type(Buffer(data), offset)


@dataclass(frozen=True)
class ArrayOf:
    """`count` elements one after another; `open_ended` if more may follow in memory. Bytes that are too few are filled with 0."""

    element: Kind
    count: int
    open_ended: bool = False

    @property
    def size(self) -> int:
        return self.element.size * self.count

    @property
    def alignment(self) -> int:
        return self.element.alignment

    def read(self, memory: Memory, address: int) -> Any:
        return Array(self, memory, address)

    def write(self, memory: Memory, address: int, value: Any, name: str) -> None:
        if isinstance(value, bytes | bytearray) or (isinstance(value, Array) and value.kind == self):
            if len(bytes(value)) > self.size and not self.open_ended:
                raise UsageError(f"{name} holds {self.size:#x} bytes; {len(value):#x} do not fit")
            memory.write(address, bytes(value).ljust(self.size, b"\0"))
            return
        values: list[Any] = list(value)
        if len(values) > self.count and not self.open_ended:
            raise UsageError(f"{name} holds {self.count} elements; {len(values)} do not fit")
        for index, item in enumerate(values):
            self.element.write(memory, address + index * self.element.size, item, f"{name}[{index}]")

    def decode(self, data: bytes, offset: int) -> Any:
        if not isinstance(self.element, Scalar):
            return Array(self, Buffer(data), offset)
        if self.element.text:
            return data[offset : offset + self.size]
        return Codec(f"<{self.count}{self.element.code}").unpack_from(data, offset)


class Array:
    """A view of an array; `bytes()` of it are its bytes."""

    __slots__ = ("address", "kind", "memory")

    def __init__(self, kind: ArrayOf, memory: Memory, address: int) -> None:
        self.kind, self.memory, self.address = kind, memory, address

    def _at(self, index: int) -> int:
        if index < 0 or (index >= self.kind.count and not self.kind.open_ended):
            raise IndexError(f"element {index} of {self.kind.count}")
        return self.address + index * self.kind.element.size

    def __getitem__(self, index: int) -> Any:
        return self.kind.element.read(self.memory, self._at(index))

    def __setitem__(self, index: int, value: Any) -> None:
        self.kind.element.write(self.memory, self._at(index), value, f"element {index}")

    def __len__(self) -> int:
        return self.kind.count

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(self.kind.count))

    def __bytes__(self) -> bytes:
        return self.memory.read(self.address, self.kind.size)

    def __repr__(self) -> str:
        return f"<{self.kind.count} elements of {self.kind.element.size:#x} bytes at {self.address:#x}>"


class Field:
    """A member at its offset; on a view it reads and writes that member."""

    __slots__ = ("kind", "name", "offset", "path", "read")

    def __init__(self, name: str, path: str, offset: int, kind: Kind) -> None:
        self.name, self.path, self.offset, self.kind, self.read = name, path, offset, kind, kind.read

    @property
    def size(self) -> int:
        """Its bytes; for bits those of their unit."""
        return self.kind.size

    def __get__(self, view: Any, owner: type | None = None) -> Any:
        if view is None:
            return self
        return self.read(view.memory, view.address + self.offset)

    def __set__(self, view: Any, value: Any) -> None:
        self.kind.write(view.memory, view.address + self.offset, value, self.path)

    def moved(self, by: int, path: str) -> Field:
        """The same member, seen from an outer structure that has it `by` bytes further on."""
        return Field(self.name, path, self.offset + by, self.kind)

    def __repr__(self) -> str:
        return f"<{self.path} {self.size:#x} bytes at {self.offset:#x}>"


def _fit(value: int, bits: int, name: str) -> int:
    if not -(1 << bits - 1) <= value < 1 << bits:
        raise UsageError(f"{name} has {bits} bits; {value:#x} does not fit")
    return value & (1 << bits) - 1


def _scalars(rows: Iterable[tuple[str, str]]) -> dict[str, Scalar]:
    return {name: Scalar(code, name in ("CHAR", "UCHAR")) for code, names in rows for name in names.split()}


# ENUM stands for every enumeration: the Microsoft compiler makes them `int`.
SCALARS = _scalars((
    ("b", "CHAR CCHAR"),
    ("B", "UCHAR BOOLEAN KIRQL"),
    ("h", "SHORT CSHORT"),
    ("H", "USHORT WCHAR"),
    ("i", "LONG ENUM"),
    ("I", "ULONG NTSTATUS"),
    ("q", "LONGLONG LONG64"),
    ("Q", "ULONGLONG ULONG64 ULONG_PTR SIZE_T KAFFINITY KSPIN_LOCK PVOID HANDLE"),
))  # fmt: skip
