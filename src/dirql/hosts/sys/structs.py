"""Structures of the Windows x64 ABI: declared as C text, laid out by its rules, used as views of memory.

    class KDPC(Struct):
        c = "UCHAR Type; UCHAR Importance; USHORT Number; ..."

    dpc = KDPC(memory, address)      # nothing is read yet
    dpc.Number = 3                   # writes two bytes
    dpc.load().Importance            # all fields from one read

Natural alignment, padding between members and at the end (x64 ABI conventions, "Types and storage"); `pack=` and `align=` are
`#pragma pack` and `__declspec(align)`. The size must be the one in facts/structs.csv, else `LayoutError` at import; a structure
of dirql's own says `size=` instead. A class and not a value, so that a routine's annotation can name it. Once declared, a
structure is a type that later ones can use, and unnamed members belong to the structure around them, as in C11.
NTSTATUS is unsigned, as `dirql.ntstatus` writes it; a field takes every value that fits its bits, signed or not.

Limits: little endian; bit-fields as the Microsoft compiler lays them out, and only in units of one type.
"""

from __future__ import annotations

import csv
from collections import namedtuple
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from struct import Struct as Codec
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from dirql.errors import LayoutError, UsageError
from dirql.hosts.sys.struct_fields import SCALARS, Array, ArrayOf, Bits, Buffer, Field, Kind, Memory, Nested, Scalar
from dirql.hosts.sys.struct_text import Declaration, Members, parse

__all__ = ["Array", "Buffer", "Field", "Memory", "Struct", "known_sizes", "struct"]

POINTER = SCALARS["PVOID"]
_DECLARED: dict[str, type[Struct]] = {}  # those of the fact table, by name


@cache
def known_sizes() -> dict[str, int]:
    """The size of every structure in facts/structs.csv."""
    lines = files("dirql.facts").joinpath("structs.csv").read_text("utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {row["name"]: int(row["size"], 0) for row in rows}


class _Slotted(type):
    """Takes `__dict__` from every structure, so that a member's name written wrongly is an AttributeError."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        return super().__new__(cls, name, bases, {"__slots__": (), **namespace}, **options)

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> None:
        super().__init__(name, bases, namespace)


class Struct(metaclass=_Slotted):
    """A view of a structure in memory: subclass with `c = "…"`; an instance is one place."""

    __slots__ = ("address", "memory")

    c: ClassVar[str] = ""
    size: ClassVar[int] = 0
    alignment: ClassVar[int] = 1
    fields: ClassVar[dict[str, Field]] = {}

    _decode: ClassVar[Callable[[bytes], Any] | None] = None

    def __init_subclass__(
        cls, *, size: int | None = None, pack: int = 16, align: int = 1, union: bool = False, members: Members | None = None
    ) -> None:
        name = cls.__name__
        fact = known_sizes().get(name) if members is None and size is None else size
        if fact is None and members is None:
            raise LayoutError(f"{name} has no row in facts/structs.csv; add its size and the source")
        layout = _Layout(cls, members or parse(name, cls.c, union=union), pack, align)
        cls.fields, cls.size, cls.alignment, cls._decode = layout.fields, layout.size, layout.alignment, None
        for field in layout.fields.values():
            if hasattr(Struct, field.name):
                raise LayoutError(f"{field.path} has the name of something that every structure has; rename it")
            setattr(cls, field.name, field)
        if fact not in (None, cls.size):
            last, source = list(layout.fields.values())[-1], "in facts/structs.csv" if size is None else "by its size="
            raise LayoutError(f"{name} is {cls.size:#x} bytes as declared and {fact:#x} {source}; its last member is "
                              f"{last.name} at {last.offset:#x}")  # fmt: skip
        if size is None and members is None:
            if name in _DECLARED:
                raise LayoutError(f"{name} is declared twice")
            _DECLARED[name] = cls

    def __init__(self, memory: Memory, address: int) -> None:
        self.memory, self.address = memory, address

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    @classmethod
    def field(cls, path: str) -> Field:
        """The member that `path` names, as in C: `u.Interrupt.Vector`; its offset is from the start of this structure."""
        fields, offset = cls.fields, 0
        *outer, last = path.split(".")
        for name in outer:
            field = fields.get(name)
            fields = field.kind.type.fields if field and isinstance(field.kind, Nested) else {}
            offset += field.offset if field else 0
        if last not in fields:
            raise UsageError(f"{cls.__name__} has no member {path}; where {last!r} is looked for there are {_names(fields)}")
        return fields[last].moved(offset, f"{cls.__name__}.{path}")

    @classmethod
    def offset(cls, path: str) -> int:
        """C's `offsetof`."""
        return cls.field(path).offset

    @classmethod
    def new(cls, **values: Any) -> Self:
        """One in a buffer of its own, zeroed but for `values`; its bytes are `bytes()` of it."""
        view = cls(Buffer(bytearray(cls.size)), 0)
        view.store(**values)
        return view

    def load(self, size: int | None = None) -> Any:
        """A namedtuple of all fields from one read. Structures in it are views of that copy, arrays of characters are bytes,
        other arrays tuples. Of a form that is shorter (an older driver's), only `size` bytes are read; the rest is 0."""
        cls = type(self)
        decode = cls._decode
        if decode is None:
            decode = cls._decode = _decoder(cls)
        if size is None or size >= cls.size:
            return decode(self.memory.read(self.address, cls.size))
        return decode(self.memory.read(self.address, size).ljust(cls.size, b"\0"))

    def store(self, **values: Any) -> None:
        """Write the fields that are named."""
        for name, value in values.items():
            field = type(self).fields.get(name)
            if field is None:
                raise UsageError(f"{type(self).__name__} has no member {name}; there are {_names(type(self).fields)}")
            field.__set__(self, value)

    def clear(self) -> None:
        """Zero all of it, padding too, in one write."""
        self.memory.write(self.address, bytes(self.size))

    def __bytes__(self) -> bytes:
        return self.memory.read(self.address, self.size)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.address:#x}>"


def struct(name: str, text: str, *, size: int | None = None, pack: int = 16, align: int = 1, union: bool = False) -> type[Struct]:
    """A structure from its C text, where a class statement would be in the way."""
    return _new(name, {"c": text}, size=size, pack=pack, align=align, union=union)


def _new(name: str, namespace: dict[str, Any], **options: Any) -> type[Struct]:
    return cast("type[Struct]", _Slotted(name, (Struct,), namespace, **options))


def _names(fields: dict[str, Field]) -> str:
    return ", ".join(fields) or "none"


def _decoder(cls: type[Struct]) -> Callable[[bytes], Any]:
    """How a copy becomes a namedtuple: one unpack if all fields are scalars that do not overlap, else field by field."""
    make: Any = namedtuple
    record = make(cls.__name__.replace(".", "_"), cls.fields)
    code, end = "<", 0
    for field in cls.fields.values():
        if not isinstance(field.kind, Scalar) or field.offset < end:
            steps = [(field.kind.decode, field.offset) for field in cls.fields.values()]
            return lambda data: record._make([decode(data, offset) for decode, offset in steps])
        code += f"{field.offset - end}x{field.kind.code}"
        end = field.offset + field.size
    unpack = Codec(f"{code}{cls.size - end}x").unpack
    return lambda data: record._make(unpack(data))


class _Layout:
    """Places members one after another (or, in a union, on top of each other)."""

    def __init__(self, cls: type[Struct], members: Members, pack: int, align: int) -> None:
        self.owner, self.module, self.union, self.pack = cls.__name__, cls.__module__, members.union, pack
        self.fields: dict[str, Field] = {}
        self.end, self.size, self.alignment = 0, 0, align
        self._unit: tuple[Scalar, int, int] | None = None  # of the bit-field before: type, offset, bits taken
        for declaration in members.declarations:
            self._place(declaration)
        self.size += -self.size % self.alignment

    def _place(self, member: Declaration) -> None:
        kind = self._kind(member)
        if member.bits is not None:
            self._place_bits(member.name, member.bits, kind)
            return
        self._unit = None
        offset = self._room(kind, 8 if member.pointer_aligned else 1)
        if member.name:
            self._add(Field(member.name, f"{self.owner}.{member.name}", offset, kind))
        elif isinstance(kind, Nested):
            for inner in kind.type.fields.values():
                self._add(inner.moved(offset, f"{self.owner}.{inner.name}"))

    def _place_bits(self, name: str, width: int, kind: Kind) -> None:
        if not isinstance(kind, Scalar) or not 1 <= width <= 8 * kind.size:
            raise LayoutError(f"{self.owner}.{name} has {width} bits; its type holds {8 * kind.size}")
        unit, offset, taken = self._unit or (None, 0, 0)
        if self.union or unit != kind or taken + width > 8 * kind.size:
            offset, taken = self._room(kind, 1), 0
        self._add(Field(name, f"{self.owner}.{name}", offset, Bits(kind, taken, width)))
        self._unit = kind, offset, taken + width

    def _room(self, kind: Kind, least: int) -> int:
        alignment = max(min(kind.alignment, self.pack), least)
        offset = 0 if self.union else self.end + -self.end % alignment
        self.end = offset + kind.size
        self.size, self.alignment = max(self.size, self.end), max(self.alignment, alignment)
        return offset

    def _add(self, field: Field) -> None:
        if field.name in self.fields:
            raise LayoutError(f"{field.path} is declared twice")
        self.fields[field.name] = field

    def _kind(self, member: Declaration) -> Kind:
        kind: Kind
        if member.pointer:
            kind = POINTER
        elif isinstance(member.type, Members):
            name = f"{self.owner}.{member.name}" if member.name else self.owner
            kind = Nested(_new(name, {"__module__": self.module}, members=member.type, pack=self.pack))
        elif member.type in SCALARS:
            kind = SCALARS[member.type]
        elif member.type in _DECLARED:
            kind = Nested(_DECLARED[member.type])
        else:
            raise LayoutError(f"{self.owner}.{member.name} has the type {member.type}, which is not known; declare it before, "
                              f"or import the module that does")  # fmt: skip
        return kind if member.count is None else ArrayOf(kind, member.count, member.open_ended)
