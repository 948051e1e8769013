"""A device that has children, and a device that is one (WdfFdo…Child…, WdfPdo…).

Model choice: a static child is there from WdfFdoAddStaticChild on, when its parent has started.

Limits: no ejection relations, no removal relations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dirql import ntstatus
from dirql.ddi import ddi
from dirql.ntstatus import StatusError
from dirql.wdf.object import Object
from dirql.wdf.pdo import PdoInit

if TYPE_CHECKING:
    from dirql.wdf.child_list import ChildList
    from dirql.wdf.device import Device
    from dirql.wdf.device_init import DeviceInit
    from dirql.wdf.pnp_state import PnpStateMachine

__all__ = ["ParentDevice"]


class ParentDevice(Object):
    """The part of a device that has children or is one."""

    pnp: PnpStateMachine

    def bear(self, init: DeviceInit) -> None:
        """When it is created."""
        self.child_lists: list[ChildList] = []
        self.default_child_list: ChildList | None = None
        self.static_children: list[Device] = []
        self.own_pdo_init = init if isinstance(init, PdoInit) else None

    @property
    def is_pdo(self) -> bool:
        """True for a child that a bus driver made."""
        return self.own_pdo_init is not None

    @ddi("WdfFdoGetDefaultChildList")
    def get_default_child_list(self) -> ChildList | None:
        """WdfFdoGetDefaultChildList: None if none was configured."""
        return self.default_child_list

    @ddi("WdfFdoAddStaticChild")
    def add_static_child(self, child: Device) -> None:
        """WdfFdoAddStaticChild: a PDO from `PdoInit.allocate`."""
        if child.own_pdo_init is None or child.own_pdo_init.parent is not self:
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"{child.name} is no PDO of {self.name}'s")
        if child in self.static_children:
            raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{child.name} is a child of {self.name} already")
        self.static_children.append(child)
        if self.started:
            child.enumerated()

    @ddi("WdfFdoLockStaticChildListForIteration")
    def lock_static_child_list_for_iteration(self) -> None:
        """WdfFdoLockStaticChildListForIteration."""

    @ddi("WdfFdoUnlockStaticChildListFromIteration")
    def unlock_static_child_list_from_iteration(self) -> None:
        """WdfFdoUnlockStaticChildListFromIteration."""

    @ddi("WdfFdoRetrieveNextStaticChild")
    def retrieve_next_static_child(self, previous_child: Device | None = None, flags: int = 7) -> Device | None:
        """WdfFdoRetrieveNextStaticChild: None at the end, and behind what is no child."""
        children = self.static_children
        if previous_child is not None and previous_child not in children:
            return None
        at = 0 if previous_child is None else children.index(previous_child) + 1
        return children[at] if at < len(children) else None

    @ddi("WdfPdoGetParent")
    def get_parent(self) -> Device | None:
        """WdfPdoGetParent: None, and complained of, for what is no PDO."""
        if self.own_pdo_init is None:
            self.framework.complain("not-a-pdo", f"WdfPdoGetParent of {self.name}, which is no PDO; only a bus driver's child is")
            return None
        return self.own_pdo_init.parent

    @ddi("WdfPdoMarkMissing")
    def mark_missing(self) -> None:
        """WdfPdoMarkMissing: for a static child."""
        parent = self._as_pdo("WdfPdoMarkMissing").parent
        if self not in parent.static_children:
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"{self.name} is no static child")
        parent.static_children.remove(self)
        self.framework.kernel.work.queue(lambda _: self.pnp.remove(), None)

    @ddi("WdfPdoRequestEject")
    def request_eject(self) -> None:
        """WdfPdoRequestEject: nothing is ever ejected."""
        self.framework.note(f"WdfPdoRequestEject of {self.name}: dirql ejects nothing")

    @ddi("WdfPdoRetrieveIdentificationDescription")
    def retrieve_identification_description(self) -> Any:
        """WdfPdoRetrieveIdentificationDescription: of a child of a list; STATUS_INVALID_PARAMETER for a static one."""
        child = self._as_pdo("WdfPdoRetrieveIdentificationDescription").child
        if child is None:
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"{self.name} is a static child")
        return child.identification

    @ddi("WdfPdoRetrieveAddressDescription")
    def retrieve_own_address_description(self) -> Any:
        """WdfPdoRetrieveAddressDescription: the same of where it is."""
        child = self._as_pdo("WdfPdoRetrieveAddressDescription").child
        if child is None:
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"{self.name} is a static child")
        return child.address

    @ddi("WdfPdoUpdateAddressDescription")
    def update_address_description(self, address: Any) -> None:
        """WdfPdoUpdateAddressDescription."""
        child = self._as_pdo("WdfPdoUpdateAddressDescription").child
        if child is None:
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"{self.name} is a static child")
        child.address = address

    # The framework's side.

    def enumerated(self) -> None:
        """A child was reported to the PnP manager: a raw device is started, for another one there is no driver."""
        init = self.own_pdo_init
        assert init is not None
        pdo = init.child_pdo
        if pdo.raw_class is None:
            self.framework.note(f"{self.name} is enumerated ({', '.join(pdo.hardware_ids)}); dirql loads no driver for children")
        else:
            self.pnp.start((), (), lambda: ntstatus.STATUS_SUCCESS)

    def enumerate_children(self) -> None:
        """It has started: who is there?"""
        for children in self.child_lists:
            children.scan()
        for child in self.static_children:
            child.enumerated()

    def remove_children(self) -> None:
        """It goes: its children before it."""
        for children in self.child_lists:
            children.remove_all()
        for child in self.static_children:
            child.pnp.remove()
        self.static_children.clear()

    def _as_pdo(self, routine: str) -> PdoInit:
        if self.own_pdo_init is None:
            raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{routine}: {self.name} is no PDO")
        return self.own_pdo_init
