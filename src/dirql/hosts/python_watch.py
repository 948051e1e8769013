"""Sees what a Python driver's code does to its own data.

Each read and write of an attribute is told to the machine's watch. Where a chooser interleaves, an access to one that changes
while the devices run is a place where the processor may be interrupted, so that `self.count += 1` can come apart.

Looked at are the classes of the driver's own modules that its objects are made of: the driver, its devices, context types, and
what hangs off those. A class has hooks until the system is shut down; without a watch nothing is touched. Only accesses by code
outside of dirql count, while the machine runs.
Limits: what a container holds (a list's elements, a dictionary's values) is seen as far as the attribute that holds the
container is read or replaced. Bytes of a common buffer are not looked at. Module variables and closures are not either.
"""

from __future__ import annotations

import enum
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, MemberDescriptorType, ModuleType
from typing import Any
from weakref import ReferenceType, ref

from dirql.hosts.python_data import changing
from dirql.machine.machine import Machine

__all__ = ["PythonWatch"]

HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement
LOOKS = 16  # elements of a container whose classes are looked at
MISSING = object()
CONTAINERS = (list, dict, set, deque, bytearray)
PLAIN = (BaseException, enum.Enum, tuple, type, ModuleType, int, float, str, bytes, bytearray)


class Hooks:
    """What a class with hooks keeps."""

    def __init__(self, class_: type) -> None:
        self.class_ = class_
        self.watches: list[ReferenceType[PythonWatch]] = []  # the newest first; a class may outlive a machine that was dropped
        self.owned: set[str] = set()  # attributes that the framework keeps there
        self.changing = changing(class_)  # those that are points
        self.everything = False  # somebody is told of the others too
        self.before = {name: vars(class_).get(name, MISSING) for name in NAMES}
        self.get: Callable[..., Any] = class_.__getattribute__
        self.set: Callable[..., None] = class_.__setattr__
        self.delete: Callable[..., None] = class_.__delattr__

    def running(self) -> PythonWatch | None:
        """Whose machine runs the code that accesses an attribute."""
        for known in self.watches:
            watch = known()
            if watch is not None and watch.runs:
                return watch
        return None

    def add(self, watch: PythonWatch) -> bool:
        """True if it is new."""
        if any(known() is watch for known in self.watches):
            return False
        self.watches = [ref(watch), *(known for known in self.watches if known() is not None)]
        return True

    def drop(self, watch: PythonWatch) -> None:
        """It looks no more; the class is as it was once nobody does."""
        self.watches = [known for known in self.watches if known() not in (watch, None)]
        for name, before in self.before.items() if not self.watches else ():
            if before is not MISSING:
                setattr(self.class_, name, before)
            elif name in vars(self.class_):
                delattr(self.class_, name)

    def install(self) -> None:
        """On the class; on reads only where somebody wants to know of one."""
        set_, delete, hooks = self.set, self.delete, self

        def __setattr__(self: Any, name: str, value: Any) -> None:
            if not by_driver(sys._getframe(1)):
                hooks.owned.add(name)
            elif (watch := hooks.running()) is not None:
                hooks.owned.discard(name)
                watch.look_into(value)
                watch.touch(self, name, True, name in hooks.changing)
            set_(self, name, value)

        def __delattr__(self: Any, name: str) -> None:
            watch = hooks.running()
            if watch is not None and by_driver(sys._getframe(1)):
                watch.touch(self, name, True, True)
            delete(self, name)

        __setattr__.__dict__["hooks"] = hooks
        for name, hook in (("__setattr__", __setattr__), ("__delattr__", __delattr__)):
            setattr(self.class_, name, hook)
        if self.changing:
            self.install_reads()

    def install_reads(self) -> None:
        """Every attribute's access is slower from here on."""
        get, hooks, changing = self.get, self, self.changing

        def __getattribute__(self: Any, name: str) -> Any:
            changes = name in changing
            if (changes or hooks.everything) and name not in hooks.owned:
                watch = hooks.running()
                if watch is not None and is_data(self, name) and by_driver(sys._getframe(1)):
                    watch.touch(self, name, False, changes)
            return get(self, name)

        setattr(self.class_, NAMES[0], __getattribute__)


NAMES = ("__getattribute__", "__setattr__", "__delattr__")


class PythonWatch:
    """Of one system."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._known: set[type] = set()
        self._hooks: list[Hooks] = []

    @property
    def runs(self) -> bool:
        """A processor runs code, and somebody looks."""
        machine = self.machine
        return machine.cpu is not machine.nobody and (machine.watch is not None or machine.chooser.interleaves)

    def look_at(self, class_: type) -> None:
        """From now on: a class of the driver's, and the other ones of its module."""
        self._adopt(class_)
        module = sys.modules.get(class_.__module__)
        if module is not None and is_drivers(class_):
            for other in list(vars(module).values()):
                if isinstance(other, type) and other.__module__ == class_.__module__:
                    self._adopt(other)

    def _adopt(self, class_: type) -> None:
        if class_ in self._known:
            return
        self._known.add(class_)
        if is_drivers(class_):
            hooks: Hooks | None = getattr(class_.__setattr__, "hooks", None)
            if hooks is None:
                hooks = Hooks(class_)
                hooks.install()
            if hooks.add(self):
                self._hooks.append(hooks)
                if self.machine.watch is not None and not hooks.everything:
                    hooks.everything = True
                    hooks.install_reads()

    def rest(self) -> None:
        """The system is shut down: nothing more is looked at."""
        for hooks in self._hooks:
            hooks.drop(self)
        self._hooks.clear()
        self._known.clear()

    def look_into(self, value: Any) -> None:
        """What hangs off an object of the driver's is the driver's data too, if its class is."""
        self._adopt(type(value))
        if isinstance(value, list | tuple | set | deque):
            for element in list(value)[:LOOKS]:
                self._adopt(type(element))
        elif isinstance(value, dict):
            for element in list(value.values())[:LOOKS]:
                self._adopt(type(element))

    def touch(self, owner: object, name: str, writes: bool, changes: bool) -> None:
        """The driver is about to access an attribute; one that `changes` is a point."""
        machine = self.machine
        if changes and machine.chooser.interleaves:
            machine.chooser.observe(f"{type(owner).__name__}.{name}")
            machine.scheduler.point(machine.cpu)
        watch = machine.watch
        if watch is None:
            return
        if writes:
            watch.write(owner, name)
        else:
            watch.read(owner, name)
            with suppress(AttributeError):  # what is read may not be there
                if isinstance(object.__getattribute__(owner, name), CONTAINERS):
                    watch.may_change(owner, name)


def is_drivers(class_: type) -> bool:
    """A class of the driver's own that can have hooks."""
    if not class_.__flags__ & HEAP_TYPE or issubclass(class_, PLAIN):
        return False
    bases = (base for base in class_.__mro__ if base is not object)
    return is_users(class_) and all(base.__module__.startswith("dirql.wdf.") or is_users(base) for base in bases)


def is_users(class_: type) -> bool:
    """It stands in no module of dirql's, of Python's own or of an installed package."""
    name = class_.__module__
    root = name.partition(".")[0]
    if root == "dirql" or root in sys.stdlib_module_names:
        return root == "__main__"
    return "site-packages" not in (getattr(sys.modules.get(name), "__file__", None) or "")


def is_data(owner: Any, name: str) -> bool:
    """An attribute that holds something, not a method or a property."""
    if name.startswith("__"):
        return False
    try:
        if name in object.__getattribute__(owner, "__dict__"):
            return True
    except AttributeError:
        pass
    for base in type(owner).__mro__:
        found = vars(base).get(name, MISSING)
        if found is not MISSING:
            return isinstance(found, MemberDescriptorType) or not (hasattr(type(found), "__get__") or callable(found))
    return False


def by_driver(frame: FrameType) -> bool:
    """The code that accesses is not dirql's."""
    name = frame.f_globals.get("__name__", "")
    return name != "dirql" and not name.startswith("dirql.")
