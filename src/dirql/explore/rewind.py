"""Takes a graph of objects down and puts it back in place: the root of an exploration without a process for each schedule.

What is restored are the objects' own contents: dictionaries, lists, sets, deques, byte arrays, attributes and slots, closures'
cells and the state of random generators. No object changes its identity. Stacks cannot be put back: a machine at rest has none
that matters.
Limits: a generator, a file, an iterator or anything else whose state Python does not tell is refused; the order in which an
object's attributes were first set is not put back. What the roots do not reach is not seen, which is why an exploration compares
a schedule played after a rewinding with the same one before.
"""

from __future__ import annotations

import builtins
import gc
import io
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from ctypes import Array, _SimpleCData, addressof, memmove
from dataclasses import is_dataclass
from enum import Enum
from functools import partial
from mmap import mmap
from operator import attrgetter
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any
from weakref import ProxyType, ReferenceType

from greenlet import greenlet

from dirql.layout import Register

__all__ = ["CannotRewind", "Snapshot"]

Put = Callable[[Any, Any], None]
ATOMS = (
    type(None), bool, int, float, complex, str, bytes, range, slice, object, type(Ellipsis), type(NotImplemented),
    CodeType, BuiltinFunctionType, WrapperDescriptorType, MethodWrapperType, GetSetDescriptorType,
    MemberDescriptorType, greenlet, mmap, memoryview,
)  # fmt: skip
TRANSPARENT = (
    tuple, frozenset, partial, MethodType, MappingProxyType, ReferenceType, ProxyType, property, staticmethod, classmethod,
)  # fmt: skip
PLAIN = {type(None), bool, int, float, str, bytes, MethodType}  # what is equal to it is as good
IDENTITY: Any = object.__eq__
NOTHING: Any = object()
PARAMETERS = "__dataclass_params__"  # what typeshed leaves out


class CannotRewind(Exception):
    """There is something whose state cannot be put back; the message names it."""


class Snapshot:
    """The contents of everything that `roots` reach, as they are now. What the classes and the globals of a module hold is part
    of it where `own(module name)` says so; what is `apart` is left as it is."""

    def __init__(self, roots: Iterable[object], own: Callable[[str], bool], apart: Iterable[object] = ()) -> None:
        self._own = own
        self._attributes: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._dicts: list[tuple[dict[Any, Any], dict[Any, Any]]] = []
        self._empty: list[dict[Any, Any]] = []
        self._lists: list[tuple[list[Any], list[Any]]] = []
        self._sets: list[tuple[set[Any], list[Any]]] = []  # refilled in the order that they had
        self._objects: list[tuple[Callable[[Any], Any], Any, Any, list[Put]]] = []  # with slots: all of one are looked at at once
        self._slots: list[tuple[Put, object, Any]] = []  # others, and all else that is put by a call
        self._members: dict[type, list[MemberDescriptorType]] = {}
        self._kept: dict[int, object] = {id(one): one for one in (vars(builtins), *apart)}
        waiting = list(roots)
        while waiting:
            one = waiting.pop()
            if id(one) not in self._kept and type(one) not in ATOMS:
                self._kept[id(one)] = one
                waiting += self._take(one)

    def restore(self) -> None:
        """Everything is as it was."""
        for attributes, were in self._attributes:  # never empty: a thread of the host's may look
            attributes.update(were)
            if len(attributes) != len(were):
                for name in attributes.keys() - were.keys():
                    del attributes[name]
        for mapping, was in self._dicts:  # in the same order too
            mapping.clear()
            mapping.update(was)
        for mapping in self._empty:
            mapping.clear()
        for items, before in self._lists:
            items[:] = before
        for elements, had in self._sets:
            elements.clear()
            elements.update(had)
        for read, one, values, puts in self._objects:
            try:
                if read(one) == values:
                    continue
            except AttributeError:
                pass  # one of its slots is empty now
            for put, value in zip(puts, values, strict=True):
                put(one, value)
        for put, one, value in self._slots:
            put(one, value)

    def _take(self, one: Any) -> Iterator[object]:
        """Take `one` down; what it refers to."""
        match one:
            case type():
                yield from self._class(one)
                return
            case ModuleType():
                if self._own(one.__name__):
                    yield vars(one)
                return
            case FunctionType():
                yield from self._function(one)
                return
            case MethodType():
                yield from (one.__self__, one.__func__)
                return
            case Enum():
                yield one.value
                return
            case CellType():
                yield from self._cell(one)
                return
            case dict():
                self._dict(one)
                yield from gc.get_referents(one)
            case list():
                self._lists.append((one, list(one)))
                yield from one
            case set():
                self._sets.append((one, list(one)))
                yield from list(one)
            case deque():
                self._slots.append((_refill, one, list(one)))
                yield from list(one)
            case bytearray():
                self._slots.append((_overwrite, one, bytes(one)))
            case Array() | _SimpleCData():
                if one._b_needsfree_:  # its memory is its own
                    self._slots.append((_copy_into, one, bytes(one)))
            case random.Random():
                self._slots.append((random.Random.setstate, one, one.getstate()))
            case _ if isinstance(one, TRANSPARENT):
                yield from gc.get_referents(one)
            case io.IOBase() | Iterator():
                raise CannotRewind(f"{type(one).__qualname__} {one!r:.80}")
        frozen = isinstance(one, Register) or (is_dataclass(one) and getattr(type(one), PARAMETERS).frozen)
        attributes = getattr(one, "__dict__", None)
        if isinstance(attributes, dict):
            self._kept[id(attributes)] = attributes
            if not frozen:
                self._attributes.append((attributes, dict(attributes)))
            yield from attributes.values()
        yield from self._slotted(one, frozen)

    def _dict(self, one: dict[Any, Any]) -> None:
        if one:
            self._dicts.append((one, dict(one)))
        else:
            self._empty.append(one)

    def _function(self, one: FunctionType) -> Iterator[object]:
        if self._own(one.__module__ or ""):
            yield one.__globals__
            yield vars(one)
        yield from one.__closure__ or ()
        yield from one.__defaults__ or ()
        yield from (one.__kwdefaults__ or {}).values()

    def _slotted(self, one: object, frozen: bool) -> Iterator[object]:
        """`frozen` as `Register` is too: which bytes it is a view of."""
        cls = type(one)
        if cls not in self._members:
            slotted = [vars(base) for base in cls.__mro__ if "__slots__" in vars(base)]
            self._members[cls] = [m for names in slotted for m in names.values() if isinstance(m, MemberDescriptorType)]
        alike: list[tuple[MemberDescriptorType, Any]] = []
        for member in self._members[cls]:
            try:
                value = member.__get__(one, cls)
            except AttributeError:
                self._slots.append((_deleter(member), one, None))
                continue
            yield value
            if type(value) in PLAIN or type(value).__eq__ is IDENTITY:
                alike.append((member, value))
            elif not frozen:
                self._slots.append((member.__set__, one, value))
        if len(alike) > 1 and not frozen:
            read = attrgetter(*(member.__name__ for member, _ in alike))
            self._objects.append((read, one, tuple(value for _, value in alike), [member.__set__ for member, _ in alike]))
        elif not frozen:
            self._slots += [(member.__set__, one, value) for member, value in alike]

    def _cell(self, cell: CellType) -> Iterator[object]:
        try:
            value = cell.cell_contents
        except ValueError:
            return
        self._slots.append((_fill, cell, value))
        yield value

    def _class(self, cls: type) -> Iterator[object]:
        """A user's class keeps what its objects share."""
        if self._own(cls.__module__):
            was = {name: value for name, value in vars(cls).items() if not name.startswith("__")}
            self._slots.append((_set_class, cls, was))
            yield from was.values()


def _refill(one: deque[Any], items: list[Any]) -> None:
    one.clear()
    one.extend(items)


def _overwrite(one: bytearray, content: bytes) -> None:
    one[:] = content


def _copy_into(one: Any, content: bytes) -> None:
    memmove(addressof(one), content, len(content))


def _fill(cell: CellType, value: object) -> None:
    cell.cell_contents = value


def _deleter(member: MemberDescriptorType) -> Put:
    def put(one: Any, _: None) -> None:
        with suppress(AttributeError):
            member.__delete__(one)

    return put


def _set_class(cls: type, was: dict[str, Any]) -> None:
    now = vars(cls)
    for name in [name for name in now if not name.startswith("__") and name not in was]:
        delattr(cls, name)
    for name, value in was.items():
        if now.get(name, NOTHING) is not value:
            setattr(cls, name, value)
