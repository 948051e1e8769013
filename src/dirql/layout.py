"""Registers and blocks declared once, as a data sheet prints them; masks, reset values and accessors derive from it.

An access mode is a class and a bit range is its subscript::

    class Control(Register, width=16):
        table_size = RO[10:0]
        enable     = RW[15](reset=1)

    class Bar0(Block, size=0x1000):
        control  = at(0x000, Control)
        doorbell = at(0x100, Word, count=4, stride=8)

There are two sides to every register. *Software* (a driver, a bus) goes through `RegisterFile.read` and `.write`, where
the access modes rule. *Hardware* (the model) uses the attributes, which reach every bit. Bits that no field claims are
reserved: they read 0 and ignore writes, and a write of ones to them is told to `RegisterFile.on_reserved`. A name that was not
declared is an AttributeError, assigned as well as read.
All storage is little endian.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, Self, TypeVar, overload

from dirql.errors import LayoutError

__all__ = [
    "RO", "RW", "RW1C", "RW1S", "WO", "Access", "Block", "Byte", "Field", "Half", "Placement", "Quad", "Register",
    "RegisterArray", "RegisterFile", "Word", "at",
]  # fmt: skip


class Field:
    """A bit range of a register; on a register's view it reads and writes as an unsigned integer."""

    def __init__(self, access: Access, high: int, low: int, reset: int = 0) -> None:
        self.access, self.high, self.low, self.reset = access, high, low, reset
        self.name = "?"
        self.ones = (1 << (high - low + 1)) - 1
        self.mask = self.ones << low
        if high < low or low < 0:
            raise LayoutError(f"bits [{high}:{low}] run backwards; write the high bit first")
        if not 0 <= reset <= self.ones:
            raise LayoutError(f"reset {reset:#x} does not fit bits [{high}:{low}], which hold at most {self.ones:#x}")

    def __call__(self, *, reset: int) -> Field:
        return Field(self.access, self.high, self.low, reset)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, view: None, owner: type) -> Field: ...
    @overload
    def __get__(self, view: Register, owner: type) -> int: ...
    def __get__(self, view: Register | None, owner: type) -> Field | int:
        return self if view is None else (view.value >> self.low) & self.ones

    def __set__(self, view: Register, value: int) -> None:
        view.value = (view.value & ~self.mask) | ((value & self.ones) << self.low)


@dataclass(frozen=True)
class Access:
    """What a software write does to a bit; subscripted with bits it makes a field: `RW[15]`, `RO[10:0]`."""

    name: str
    stores: bool = False
    clears: bool = False
    sets: bool = False
    hidden: bool = False

    def __getitem__(self, bits: int | slice) -> Field:
        if isinstance(bits, slice):
            return Field(self, bits.start, bits.stop)
        return Field(self, bits, bits)


RO = Access("RO")  # software reads it; its writes are ignored
RW = Access("RW", stores=True)
RW1C = Access("RW1C", clears=True)  # cleared by writing ones
RW1S = Access("RW1S", sets=True)  # set by writing ones
WO = Access("WO", stores=True, hidden=True)  # reads zeros


class RegisterType(type):
    """The class of register classes: gives each one slots only, so that assigning to a misspelt field fails at no cost."""

    fields: dict[str, Field]

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kw: Any) -> RegisterType:
        namespace.setdefault("__slots__", ())
        return super().__new__(mcs, name, bases, namespace, **kw)

    @property
    def reset(cls) -> int:
        """Its value after reset. Not an attribute of the class itself: many a register has a field of that name."""
        return sum(f.reset << f.low for f in cls.fields.values())


class Register(metaclass=RegisterType):
    """A register: subclass with `width=` and fields; an instance is a view of one place in a `RegisterFile`."""

    __slots__ = ("_buffer", "_end", "_offset")
    width: ClassVar[int] = 32
    size: ClassVar[int] = 4
    fields: ClassVar[dict[str, Field]] = {}
    claimed: ClassVar[int] = 0

    def __init_subclass__(cls, width: int | None = None, **kw: Any) -> None:
        super().__init_subclass__(**kw)
        cls.width = width or cls.width
        if cls.width % 8:
            raise LayoutError(f"{cls.__name__} is {cls.width} bits wide; a register is a whole number of bytes")
        cls.size = cls.width // 8
        cls.fields = {**cls.fields, **{n: f for n, f in vars(cls).items() if isinstance(f, Field)}}
        cls.claimed = 0
        for name, field in cls.fields.items():
            if hasattr(Register, name) and name != "reset":
                raise LayoutError(f"{cls.__name__}.{name}: every register has a {name!r} of its own; choose another name")
            if field.high >= cls.width:
                raise LayoutError(f"{cls.__name__}.{name} uses bit {field.high}; the register is {cls.width} bits wide")
            if cls.claimed & field.mask:
                other = next(f for f in cls.fields.values() if f.mask & field.mask)
                raise LayoutError(f"{cls.__name__}.{name} at [{field.high}:{field.low}] overlaps {other.name} "
                                  f"at [{other.high}:{other.low}]")  # fmt: skip
            cls.claimed |= field.mask

    @classmethod
    def no_field(cls, name: str) -> str:
        """What to say of a field that is not there."""
        return f"{cls.__name__} has no field {name}; it has {', '.join([*cls.fields, 'value'])}"

    @classmethod
    def mask(cls, trait: str) -> int:
        """The bits whose access mode has `trait` (`stores`, `clears`, `sets` or `hidden`)."""
        return sum(f.mask for f in cls.fields.values() if getattr(f.access, trait))

    def __init__(self, buffer: bytearray | memoryview, offset: int) -> None:
        self._buffer, self._offset, self._end = buffer, offset, offset + self.size

    @property
    def value(self) -> int:
        """The whole register, as hardware sees it."""
        return int.from_bytes(self._buffer[self._offset : self._end], "little")

    @value.setter
    def value(self, value: int) -> None:
        self._buffer[self._offset : self._end] = value.to_bytes(self.size, "little")

    def __repr__(self) -> str:
        fields = " ".join(f"{name}={getattr(self, name):#x}" for name in self.fields)
        return f"<{type(self).__name__} {self.value:#0{self.width // 4 + 2}x} {fields}>"


class Byte(Register, width=8):
    """A plain 8-bit register."""

    bits = RW[7:0]


class Half(Register, width=16):
    """A plain 16-bit register."""

    bits = RW[15:0]


class Word(Register, width=32):
    """A plain 32-bit register."""

    bits = RW[31:0]


class Quad(Register, width=64):
    """A plain 64-bit register."""

    bits = RW[63:0]


P = TypeVar("P", bound="Register | Block")


class Placement(Generic[P]):
    """Where a register or block stands inside a block; made by `at`."""

    def __init__(self, offset: int, kind: type[P], count: int, stride: int, reset: int | None) -> None:
        self.offset, self.kind, self.count, self.reset = offset, kind, count, reset
        self.stride = stride or kind.size
        self.end = offset + self.stride * (count - 1) + kind.size
        self.name = "?"
        if self.stride < kind.size:
            raise LayoutError(f"{kind.__name__} at {offset:#x}: stride {stride:#x} is less than its size {kind.size:#x}")

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, block: None, owner: type) -> Placement[P]: ...
    @overload
    def __get__(self, block: Block, owner: type) -> Any: ...
    def __get__(self, block: Block | None, owner: type) -> Placement[P] | Any:
        return self if block is None else block.views[self.name]

    def no_place(self, index: str = "") -> str:
        """What to say of an assignment to the register, block or array itself."""
        if self.count > 1 and not index:
            return f"{self.name} is an array of {self.count}; use {self.name}[0] to {self.name}[{self.count - 1}]"
        inside = [*self.kind.placements] if issubclass(self.kind, Block) else [*self.kind.fields, "value"]
        return f"{self.name}{index} is not assigned to itself; what it has is {', '.join(inside)}"

    def places(self) -> Iterator[tuple[int, int]]:
        """(index, offset) of each element."""
        return ((i, self.offset + i * self.stride) for i in range(self.count))


def at(offset: int, kind: type[P], *, count: int = 1, stride: int = 0, reset: int | None = None) -> Placement[P]:
    """Place `count` registers or blocks of `kind` from byte `offset` on, `stride` bytes apart (default: packed)."""
    return Placement(offset, kind, count, stride, reset)


class RegisterArray:
    """`count` views of one kind; `array[i]` is made on demand and kept."""

    __slots__ = ("_base", "_buffer", "_placement", "_views")

    def __init__(self, buffer: bytearray | memoryview, base: int, placement: Placement[Any]) -> None:
        self._buffer, self._base, self._placement = buffer, base, placement
        self._views: dict[int, Any] = {}

    def __len__(self) -> int:
        return self._placement.count

    def __getitem__(self, index: int) -> Any:
        view = self._views.get(index)
        if view is None:
            if not 0 <= index < len(self):
                raise IndexError(f"{self._placement.name}[{index}]: there are {len(self)}, 0 to {len(self) - 1}")
            offset = self._base + self._placement.offset + index * self._placement.stride
            view = self._views[index] = self._placement.kind(self._buffer, offset)
        return view

    def __setitem__(self, index: int, value: Any) -> NoReturn:
        raise AttributeError(self._placement.no_place(f"[{index}]"))


class RegisterFile:
    """Bytes with a write rule per bit: what software reaches through config cycles or a BAR.

    `store`, `clear`, `set` and `hide` are byte masks as long as `buffer`; `reserved` marks the bits no field claims.
    """

    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self.store, self.clear, self.set, self.hide = (bytearray(size) for _ in range(4))
        self.reserved = bytearray(b"\xff") * size
        self.on_reserved: Callable[[int, int, int], None] | None = None  # (offset, size, the reserved ones written)
        self._rules: dict[tuple[int, int], tuple[int, int, int, int]] = {}

    def mount(self, block: type[Block], base: int = 0) -> None:
        """Lay `block`'s reset image and masks over the bytes from `base` on."""
        end = base + block.size
        if end > len(self.buffer):
            raise LayoutError(f"{block.__name__} at {base:#x} ends at {end:#x}, past the {len(self.buffer):#x} bytes here")
        self.buffer[base:end] = block.image
        for name in ("store", "clear", "set", "hide", "reserved"):
            getattr(self, name)[base:end] = block.masks[name]
        self._rules.clear()

    def read(self, offset: int, size: int) -> int:
        """What software reads: `size` bytes, little endian; past the end reads 0."""
        value = int.from_bytes(self.buffer[offset : offset + size], "little")
        return value & ~self._rule(offset, size)[3]

    def write(self, offset: int, size: int, value: int) -> None:
        """A software write of `size` bytes; bytes past the end are ignored."""
        store, clear, ones, _ = self._rule(offset, size)
        end = min(offset + size, len(self.buffer))
        if end <= offset:
            return
        old = int.from_bytes(self.buffer[offset:end], "little")
        new = ((old & ~store) | (value & store) | (value & ones)) & ~(value & clear)
        self.buffer[offset:end] = new.to_bytes(end - offset, "little")
        if self.on_reserved is not None:
            stray = value & int.from_bytes(self.reserved[offset:end], "little")
            if stray:
                self.on_reserved(offset, size, stray)

    def forget_rules(self) -> None:
        """To be called after a mask was changed by hand."""
        self._rules.clear()

    def _rule(self, offset: int, size: int) -> tuple[int, int, int, int]:
        rule = self._rules.get((offset, size))
        if rule is None:
            cut = slice(offset, offset + size)
            masks = (self.store, self.clear, self.set, self.hide)
            a, b, c, d = (int.from_bytes(m[cut], "little") for m in masks)
            rule = self._rules[offset, size] = (a, b, c, d)
        return rule


class Block:
    """Registers at fixed offsets: subclass with `size=` and `at(...)`; an instance is a view over bytes."""

    size: ClassVar[int] = 0
    placements: ClassVar[dict[str, Placement[Any]]] = {}
    image: ClassVar[bytes] = b""
    masks: ClassVar[dict[str, bytes]] = {}

    def __init_subclass__(cls, size: int | None = None, **kw: Any) -> None:
        super().__init_subclass__(**kw)
        cls.size = size if size is not None else cls.size
        cls.placements = {**cls.placements, **{n: p for n, p in vars(cls).items() if isinstance(p, Placement)}}
        for name in cls.placements:
            if hasattr(Block, name) or name in Block.__annotations__:
                raise LayoutError(f"{cls.__name__}.{name}: every block has a {name!r} of its own; choose another name")
        previous: Placement[Any] | None = None
        for placement in sorted(cls.placements.values(), key=lambda p: p.offset):
            who = f"{cls.__name__}.{placement.name} at {placement.offset:#x}"
            if previous is not None and placement.offset < previous.end:
                raise LayoutError(f"{who} overlaps {previous.name}, which ends at {previous.end:#x}")
            if placement.end > cls.size:
                raise LayoutError(f"{who} ends at {placement.end:#x}, past the block's size {cls.size:#x}")
            previous = placement
        cls._derive()

    @classmethod
    def _derive(cls) -> None:
        image = bytearray(cls.size)
        masks = {name: bytearray(cls.size) for name in ("store", "clear", "set", "hide")}
        masks["reserved"] = bytearray(b"\xff") * cls.size
        for placement in cls.placements.values():
            kind, size = placement.kind, placement.kind.size
            if issubclass(kind, Block):
                one, parts = kind.image, kind.masks
            else:
                reset = kind.reset if placement.reset is None else placement.reset
                one = reset.to_bytes(size, "little")
                traits = {"store": "stores", "clear": "clears", "set": "sets", "hide": "hidden"}
                parts = {m: kind.mask(t).to_bytes(size, "little") for m, t in traits.items()}
                parts["reserved"] = (kind.claimed ^ ((1 << kind.width) - 1)).to_bytes(size, "little")
            for _, offset in placement.places():
                image[offset : offset + size] = one
                for name, part in parts.items():
                    masks[name][offset : offset + size] = part
        cls.image = bytes(image)
        cls.masks = {name: bytes(mask) for name, mask in masks.items()}

    base: int
    buffer: bytearray | memoryview
    views: dict[str, Any]

    def __init__(self, buffer: bytearray | memoryview, base: int = 0) -> None:
        views = {
            name: RegisterArray(buffer, base, p) if p.count > 1 else p.kind(buffer, base + p.offset)
            for name, p in self.placements.items()
        }
        vars(self).update(base=base, buffer=buffer, views=views)

    @classmethod
    def no_register(cls, name: str) -> str:
        """What to say of a register that is not there."""
        return f"{cls.__name__} has no register {name}; it has {', '.join(cls.placements)}"

    if not TYPE_CHECKING:  # which knows that there is nothing to assign to. No __getattr__: it makes every access slower

        def __setattr__(self, name: str, value: Any) -> None:
            placement = self.placements.get(name)
            raise AttributeError(self.no_register(name) if placement is None else placement.no_place())

    @classmethod
    def alone(cls) -> tuple[RegisterFile, Self]:
        """A register file that holds this block and nothing else, and the block's view of it."""
        file = RegisterFile(cls.size)
        file.mount(cls)
        return file, cls(file.buffer)

    @classmethod
    def find(cls, offset: int) -> tuple[Placement[Any], int] | None:
        """The placement and element index that hold byte `offset`, if any."""
        for placement in cls.placements.values():
            if placement.offset <= offset < placement.end:
                index, within = divmod(offset - placement.offset, placement.stride)
                if within < placement.kind.size:
                    return placement, index
        return None
