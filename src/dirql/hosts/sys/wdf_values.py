"""From the driver's WDF structures to the framework's own values, and back.

Nothing is decided here: a size, a level or a combination that the framework refuses is passed on as the driver wrote it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.strings import text
from dirql.hosts.sys.wdf_structs import WDF_INTERRUPT_CONFIG, WDF_OBJECT_ATTRIBUTES, WDF_OBJECT_CONTEXT_TYPE_INFO
from dirql.ntstatus import STATUS_INSUFFICIENT_RESOURCES, StatusError
from dirql.pnp.resources import CmPartialResourceDescriptor
from dirql.wdf.interrupt_config import InterruptConfig, TriState
from dirql.wdf.lock import SpinLock, WaitLock
from dirql.wdf.object import HostContext, Object, ObjectAttributes, expect

if TYPE_CHECKING:
    from dirql.hosts.sys.guest import Guest

__all__ = ["attributes_of", "boolean", "context_type", "interrupt_config", "nothing", "ntstatus_of"]


def ntstatus_of(rax: int) -> int:
    """A callback that returns NTSTATUS."""
    return rax & 0xFFFF_FFFF


def boolean(rax: int) -> bool:
    """A callback that returns BOOLEAN."""
    return bool(rax & 0xFF)


def nothing(rax: int) -> None:
    """A callback that returns nothing, whatever RAX holds."""


class Context(HostContext):
    """An object's context in the driver's memory. Subclasses are the context types."""

    guest: Guest
    length = 0
    info = 0

    def __init__(self) -> None:
        what = f"a context of type {type(self).__name__}"
        try:
            self._region = self.guest.space.allocate(Area.POOL, max(self.length, 1), what, at_end=True)
        except MemoryError as error:
            raise StatusError(STATUS_INSUFFICIENT_RESOURCES, f"{what} of {self.length:#x} bytes: {error}") from None
        self.address = self._region.start
        self.guest.behind[self.address] = self

    def free(self) -> None:
        """With its object."""
        self.guest.behind.pop(self.address, None)
        self.guest.space.free(self._region)


def context_type(guest: Guest, info: int, override: int = 0) -> type[Context]:
    """The type that WDF_OBJECT_CONTEXT_TYPE_INFO at `info` stands for; identity is the UniqueType pointer (facts §6.2)."""
    view = WDF_OBJECT_CONTEXT_TYPE_INFO(guest.space, info)
    unique = view.UniqueType or info
    key = unique, override
    known = guest.context_types.get(key)
    if known is None:
        base = guest.context_types.get((unique, 0))
        name = text(guest.space, view.ContextName) if view.ContextName else "without a name"
        length = max(view.ContextSize, override)
        members = {"guest": guest, "length": length, "info": unique}
        known = guest.context_types[key] = cast("type[Context]", type(name, (base or Context,), members))
    return known


def attributes_of(guest: Guest, view: WDF_OBJECT_ATTRIBUTES | None, routine: str) -> ObjectAttributes | None:
    """WDF_OBJECT_ATTRIBUTES."""
    if view is None:
        return None
    given = view.load()
    attributes = ObjectAttributes(
        _callback(guest, given.EvtCleanupCallback, nothing), _callback(guest, given.EvtDestroyCallback, nothing),
        given.ExecutionLevel, given.SynchronizationScope,
        expect(guest.objects.get(given.ParentObject), Object, routine) if given.ParentObject else None,
        given.ContextSizeOverride, size=given.Size,
    )  # fmt: skip
    if given.ContextTypeInfo:
        info = WDF_OBJECT_CONTEXT_TYPE_INFO(guest.space, given.ContextTypeInfo).load()
        attributes.context_info_size, attributes.context_size = info.Size, info.ContextSize
        attributes.context_name = "" if info.ContextName else None
        attributes.context_type = context_type(guest, given.ContextTypeInfo, given.ContextSizeOverride)
    return attributes


def interrupt_config(guest: Guest, view: WDF_INTERRUPT_CONFIG) -> InterruptConfig:
    """WDF_INTERRUPT_CONFIG: as many of its fields as its Size says there are."""
    size = view.Size
    given: Any = view
    config = InterruptConfig(
        _callback(guest, given.EvtInterruptIsr, boolean), _callback(guest, given.EvtInterruptDpc, nothing),
        _callback(guest, given.EvtInterruptEnable, ntstatus_of), _callback(guest, given.EvtInterruptDisable, ntstatus_of),
        spin_lock=_handle(guest, given.SpinLock, SpinLock), share_vector=_tri_state(given.ShareVector),
        floating_save=bool(given.FloatingSave), automatic_serialization=bool(given.AutomaticSerialization), size=size,
    )  # fmt: skip
    if size >= 0x60:
        config.evt_interrupt_work_item = _callback(guest, given.EvtInterruptWorkItem, nothing)
        config.interrupt_raw = descriptor(guest, given.InterruptRaw)
        config.interrupt_translated = descriptor(guest, given.InterruptTranslated)
        config.wait_lock = _handle(guest, given.WaitLock, WaitLock)
        config.passive_handling = bool(given.PassiveHandling)
        config.report_inactive_on_power_down = _tri_state(given.ReportInactiveOnPowerDown)
    if size >= 0x68:
        config.can_wake_device = bool(given.CanWakeDevice)
    return config


def descriptor(guest: Guest, address: int) -> CmPartialResourceDescriptor | None:
    """The clone that WdfCmResourceListGetDescriptor handed out; a copy of the driver's own has its bytes and no identity."""
    if not address:
        return None
    known = guest.behind.get(address)
    if isinstance(known, CmPartialResourceDescriptor):
        return known
    return CmPartialResourceDescriptor.unpack(guest.space.read(address, 20), raw=False)


def _callback(guest: Guest, entry: int, result: Callable[[int], Any]) -> Callable[..., Any] | None:
    return guest.callback(entry, result) if entry else None


def _handle(guest: Guest, handle: int, type_: type[Object]) -> Any:
    return expect(guest.objects.get(handle), type_, "WdfInterruptCreate") if handle else None


def _tri_state(value: int) -> Any:
    return TriState(value) if value in (0, 1, 2) else value
