"""WDFCHILDLIST: the children that a bus driver describes, and how their devices come and go (kmdf "Dynamic Enumeration").

A description is any value; two are the same child when they are equal, or the driver's compare callback says so. In C it is the
bytes of the driver's structure. A child that is new gets its device from EvtChildListCreateDevice, on a system thread once its
parent has started and no iteration or scan is under way; one that is missing loses it. A create callback that fails is called
again when the child is reported again, and a status of STATUS_RETRY is not told from other failures (model choice).

Limits: children are enumerated, their function drivers do not exist: see `dirql.wdf.pdo`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any

from dirql import ntstatus
from dirql.ddi import ddi, ddi_create
from dirql.ntstatus import StatusError
from dirql.wdf.creation import validate
from dirql.wdf.object import Object, ObjectAttributes
from dirql.wdf.pdo import PdoInit

if TYPE_CHECKING:
    from dirql.wdf.device import Device

__all__ = ["Child", "ChildIterator", "ChildList", "ChildListConfig", "RetrieveChildFlags", "RetrieveDeviceStatus"]


class RetrieveChildFlags(IntFlag):
    """WDF_RETRIEVE_CHILD_FLAGS."""

    PresentChildren = 1
    MissingChildren = 2
    PendingChildren = 4
    AddedChildren = 5
    AllStates = 7


class RetrieveDeviceStatus(IntEnum):
    """WDF_CHILD_LIST_RETRIEVE_DEVICE_STATUS."""

    Undefined = 0
    Success = 1
    NotYetCreated = 2
    NoSuchDevice = 3


@dataclass(frozen=True)
class ChildListConfig:
    """WDF_CHILD_LIST_CONFIG. `evt_child_list_create_device(list, identification, init)` calls `Device.create(init)`."""

    evt_child_list_create_device: Callable[[ChildList, Any, PdoInit], int | None]
    evt_child_list_scan_for_children: Callable[[ChildList], None] | None = None
    evt_child_list_identification_description_compare: Callable[[ChildList, Any, Any], bool] | None = None
    evt_child_list_identification_description_cleanup: Callable[[ChildList, Any], None] | None = None
    evt_child_list_address_description_cleanup: Callable[[ChildList, Any], None] | None = None


@dataclass(eq=False)
class Child:
    """One child: what its driver said of it, and its device once there is one."""

    of: ChildList
    identification: Any
    address: Any = None
    present: bool = True
    device: Device | None = None
    reported: bool = True  # during the scan that is under way
    tried: bool = False  # EvtChildListCreateDevice failed


@dataclass
class ChildIterator:
    """WDF_CHILD_LIST_ITERATOR: the children when the iteration began."""

    flags: RetrieveChildFlags
    left: list[Child] = field(default_factory=list)


class ChildList(Object):
    """WDFCHILDLIST."""

    kind = "WDFCHILDLIST"
    deletable = False

    def __init__(self, device: Device, config: ChildListConfig, attributes: ObjectAttributes | None) -> None:
        super().__init__(device.framework, device, attributes)
        self.of_device, self.config = device, config
        self.known: list[Child] = []
        self._holds = 0  # scans and iterations under way
        self._queued = False
        device.child_lists.append(self)

    @classmethod
    @ddi_create("WdfChildListCreate")
    def create(cls, device: Device, config: ChildListConfig, attributes: ObjectAttributes | None = None) -> ChildList:
        """WdfChildListCreate: one more list besides the default one."""
        validate("WDFCHILDLIST", attributes, parent_allowed=False)
        return cls(device, config, attributes)

    @ddi("WdfChildListGetDevice")
    def get_device(self) -> Device:
        """WdfChildListGetDevice."""
        return self.of_device

    # Reporting.

    @ddi("WdfChildListAddOrUpdateChildDescriptionAsPresent")
    def add_or_update_child_description_as_present(self, identification: Any, address: Any = None) -> int:
        """WdfChildListAddOrUpdateChildDescriptionAsPresent: STATUS_OBJECT_NAME_EXISTS, a success, for a child that was there."""
        child = self._find(identification)
        if child is not None and child.present:
            child.reported, child.tried = True, False
            child.address = address if address is not None else child.address
            self._changed()
            return ntstatus.STATUS_OBJECT_NAME_EXISTS
        self.known.append(Child(self, identification, address))
        self._changed()
        return ntstatus.STATUS_SUCCESS

    @ddi("WdfChildListUpdateChildDescriptionAsMissing")
    def update_child_description_as_missing(self, identification: Any) -> None:
        """WdfChildListUpdateChildDescriptionAsMissing: STATUS_NO_SUCH_DEVICE for one that is not there."""
        child = self._find(identification)
        if child is None:
            raise StatusError(ntstatus.STATUS_NO_SUCH_DEVICE, f"{self.of_device.name} has no such child")
        child.present = child.reported = False
        self._changed()

    @ddi("WdfChildListUpdateAllChildDescriptionsAsPresent")
    def update_all_child_descriptions_as_present(self) -> None:
        """WdfChildListUpdateAllChildDescriptionsAsPresent: those of the scan that is under way."""
        for child in self.known:
            child.reported = child.present

    @ddi("WdfChildListBeginScan")
    def begin_scan(self) -> None:
        """WdfChildListBeginScan: who is not reported until `end_scan` is missing."""
        self._holds += 1
        for child in self.known:
            child.reported = False

    @ddi("WdfChildListEndScan")
    def end_scan(self) -> None:
        """WdfChildListEndScan."""
        for child in self.known:
            child.present = child.present and child.reported
        self._release()

    @ddi("WdfChildListRequestChildEject")
    def request_child_eject(self, identification: Any) -> bool:
        """WdfChildListRequestChildEject: False, nothing is ever ejected."""
        return False

    # Asking.

    @ddi("WdfChildListRetrievePdo")
    def retrieve_pdo(self, identification: Any) -> tuple[Device | None, RetrieveDeviceStatus]:
        """WdfChildListRetrievePdo: (device, why there is none)."""
        child = self._find(identification)
        if child is None:
            return None, RetrieveDeviceStatus.NoSuchDevice
        return child.device, RetrieveDeviceStatus.Success if child.device is not None else RetrieveDeviceStatus.NotYetCreated

    @ddi("WdfChildListRetrieveAddressDescription")
    def retrieve_address_description(self, identification: Any) -> Any:
        """WdfChildListRetrieveAddressDescription: STATUS_NO_SUCH_DEVICE."""
        child = self._find(identification)
        if child is None:
            raise StatusError(ntstatus.STATUS_NO_SUCH_DEVICE, f"{self.of_device.name} has no such child")
        return child.address

    @ddi("WdfChildListBeginIteration")
    def begin_iteration(self, flags: int = RetrieveChildFlags.AllStates) -> ChildIterator:
        """WdfChildListBeginIteration: changes wait for `end_iteration`."""
        self._holds += 1
        wanted = RetrieveChildFlags(flags)
        return ChildIterator(wanted, [child for child in self.known if self._state(child) & wanted])

    @ddi("WdfChildListRetrieveNextDevice")
    def retrieve_next_device(
        self, iterator: ChildIterator, matches: Callable[[Child], bool] | None = None
    ) -> tuple[Child, RetrieveDeviceStatus]:
        """WdfChildListRetrieveNextDevice: STATUS_NO_MORE_ENTRIES at the end. `matches` is the compare of the retrieve info."""
        while iterator.left:
            child = iterator.left.pop(0)
            if matches is None or matches(child):
                created = child.device is not None
                return child, RetrieveDeviceStatus.Success if created else RetrieveDeviceStatus.NotYetCreated
        raise StatusError(ntstatus.STATUS_NO_MORE_ENTRIES, f"no more children of {self.of_device.name}")

    @ddi("WdfChildListEndIteration")
    def end_iteration(self, iterator: ChildIterator) -> None:
        """WdfChildListEndIteration."""
        iterator.left.clear()
        self._release()

    # The framework's side.

    def scan(self) -> None:
        """The parent has started: ask the driver who is there, and make devices."""
        callback = self.config.evt_child_list_scan_for_children
        if callback is not None:
            self.framework.call("EvtChildListScanForChildren", self.of_device, callback, self)
        self._changed()

    def remove_all(self) -> None:
        """The parent goes: its children first."""
        for child in self.known:
            child.present = False
        self._holds = 0
        self._settle(None)

    def _find(self, identification: Any) -> Child | None:
        return next((child for child in self.known if child.present and self._same(child.identification, identification)), None)

    def _same(self, one: Any, other: Any) -> bool:
        compare = self.config.evt_child_list_identification_description_compare
        return bool(one == other if compare is None else compare(self, one, other))

    def _state(self, child: Child) -> RetrieveChildFlags:
        if not child.present:
            return RetrieveChildFlags.MissingChildren
        return RetrieveChildFlags.PresentChildren if child.device is not None else RetrieveChildFlags.PendingChildren

    def _release(self) -> None:
        self._holds = max(self._holds - 1, 0)
        self._changed()

    def _changed(self) -> None:
        if not self._holds and not self._queued and self.of_device.started:
            self._queued = True
            self.framework.kernel.work.queue(self._settle, None)

    def _settle(self, _: Any) -> None:
        """IRP_MN_QUERY_DEVICE_RELATIONS: what is there and what is not, made true. At PASSIVE_LEVEL."""
        self._queued = False
        if self._holds:
            return
        for child in [child for child in self.known if not child.present]:
            self.known.remove(child)
            if child.device is not None:
                child.device.pnp.remove()
            self._forget(child)
        for child in [child for child in self.known if child.device is None and not child.tried]:
            self._create(child)

    def _create(self, child: Child) -> None:
        init = PdoInit(self.of_device, child)
        create = self.config.evt_child_list_create_device
        status = self.framework.status("EvtChildListCreateDevice", self.of_device, create, self, child.identification, init)
        if not ntstatus.nt_success(status) or init.device is None:
            child.tried = True
            if init.device is not None:
                init.device.pnp.remove()
            return
        child.device = init.device
        init.device.enumerated()

    def _forget(self, child: Child) -> None:
        for callback, value in (
            (self.config.evt_child_list_identification_description_cleanup, child.identification),
            (self.config.evt_child_list_address_description_cleanup, child.address),
        ):  # fmt: skip
            if callback is not None and value is not None:
                callback(self, value)
