"""How a driver's filter callbacks see a requirements list, and how the framework stamps its policies on it
(EvtDeviceFilterRemoveResourceRequirements, EvtDeviceFilterAddResourceRequirements; KMDF's WDFIORESREQLIST, WDFIORESLIST).

The Remove callback may remove and the Add callback may add; the other way round is refused (model choice:
STATUS_ACCESS_DENIED, or no effect and a note where the routine returns void). Updating is allowed in both (model choice).

Limits: processor groups other than 0 are carried and not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Flag, auto

from dirql.ntstatus import STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER, StatusError
from dirql.pnp.constants import CM_RESOURCE_INTERRUPT_POLICY_INCLUDED, CmShareDisposition
from dirql.pnp.io_resources import IoInterrupt, IoResourceDescriptor, IoResourceList, IoResourceRequirementsList

__all__ = ["Access", "InterruptPolicy", "IoResList", "IoResReqList", "Stamped", "stamp"]


class Access(Flag):
    """What a callback may do to the lists it is given."""

    NONE = 0
    ADD = auto()
    REMOVE = auto()
    ALL = ADD | REMOVE


class IoResReqList:
    """WDFIORESREQLIST: the alternatives, editable. `changed` tells whether the list has to be replaced; `notes` holds the
    calls that had no effect."""

    def __init__(self, requirements: IoResourceRequirementsList, access: Access = Access.ALL) -> None:
        self.access, self.changed = access, False
        self.notes: list[str] = []
        self.interface_type, self.bus_number = requirements.interface_type, requirements.bus_number
        self.slot_number, self._msi = requirements.slot_number, requirements.msi
        self._lists = [IoResList(self, one.descriptors) for one in requirements.lists]

    def value(self) -> IoResourceRequirementsList:
        """What the IRP carries on."""
        lists = tuple(IoResourceList(tuple(one.descriptors)) for one in self._lists)
        return IoResourceRequirementsList(lists, self.bus_number, self.slot_number, self.interface_type, self._msi)

    def set_slot_number(self, slot_number: int) -> None:
        """WdfIoResourceRequirementsListSetSlotNumber."""
        self.slot_number, self.changed = slot_number, True

    def set_interface_type(self, interface_type: int) -> None:
        """WdfIoResourceRequirementsListSetInterfaceType."""
        self.interface_type, self.changed = interface_type, True

    def get_count(self) -> int:
        """WdfIoResourceRequirementsListGetCount."""
        return len(self._lists)

    def get_io_res_list(self, index: int) -> IoResList | None:
        """WdfIoResourceRequirementsListGetIoResList; None past the end."""
        return self._lists[index] if 0 <= index < len(self._lists) else None

    def append_io_res_list(self, io_res_list: IoResList) -> None:
        """WdfIoResourceRequirementsListAppendIoResList."""
        self.insert_io_res_list(io_res_list, len(self._lists))

    def insert_io_res_list(self, io_res_list: IoResList, index: int) -> None:
        """WdfIoResourceRequirementsListInsertIoResList: becomes alternative number `index`."""
        self.may_add("IO_RESOURCE_LIST", index, len(self._lists))
        if io_res_list.owner is not self or any(one is io_res_list for one in self._lists):
            raise StatusError(STATUS_INVALID_PARAMETER, "the list is of another requirements list, or in this one already")
        self._lists.insert(index, io_res_list)
        self.changed = True

    def remove(self, index: int) -> None:
        """WdfIoResourceRequirementsListRemove; void in C."""
        if self.may_remove("alternative list", index, len(self._lists)):
            del self._lists[index]
            self.changed = True

    def remove_by_io_res_list(self, io_res_list: IoResList) -> None:
        """WdfIoResourceRequirementsListRemoveByIoResList; void in C."""
        self.remove(next((i for i, one in enumerate(self._lists) if one is io_res_list), -1))

    def may_add(self, what: str, index: int, count: int) -> None:
        """Raises what an adding routine would return."""
        if not self.access & Access.ADD:
            raise StatusError(STATUS_ACCESS_DENIED, f"this callback may not add an {what}; do it in the one that adds")
        if not 0 <= index <= count:
            raise StatusError(STATUS_INVALID_PARAMETER, f"{what} cannot go to index {index}; there are {count}")

    def may_remove(self, what: str, index: int, count: int) -> bool:
        """False, with a note, where a removing routine would return without acting."""
        if not self.access & Access.REMOVE:
            self.notes.append(f"this callback may not remove an {what}; do it in the one that removes")
        elif not 0 <= index < count:
            self.notes.append(f"there is no {what} {index} to remove; there are {count}")
        else:
            return True
        return False


class IoResList:
    """WDFIORESLIST: one alternative, editable. A new one (WdfIoResourceListCreate) is in its owner only once inserted."""

    def __init__(self, owner: IoResReqList, descriptors: Sequence[IoResourceDescriptor] = ()) -> None:
        self.owner = owner
        self.descriptors = list(descriptors)

    def get_count(self) -> int:
        """WdfIoResourceListGetCount."""
        return len(self.descriptors)

    def get_descriptor(self, index: int) -> IoResourceDescriptor | None:
        """WdfIoResourceListGetDescriptor, a copy; None past the end. Use `update_descriptor` to change it."""
        return self.descriptors[index] if 0 <= index < len(self.descriptors) else None

    def append_descriptor(self, descriptor: IoResourceDescriptor) -> None:
        """WdfIoResourceListAppendDescriptor."""
        self.insert_descriptor(descriptor, len(self.descriptors))

    def insert_descriptor(self, descriptor: IoResourceDescriptor, index: int) -> None:
        """WdfIoResourceListInsertDescriptor."""
        self.owner.may_add("IO_RESOURCE_DESCRIPTOR", index, len(self.descriptors))
        self.descriptors.insert(index, descriptor)
        self.owner.changed = True

    def update_descriptor(self, descriptor: IoResourceDescriptor, index: int) -> None:
        """WdfIoResourceListUpdateDescriptor; void in C."""
        if not 0 <= index < len(self.descriptors):
            self.owner.notes.append(f"there is no descriptor {index} to update; there are {len(self.descriptors)}")
            return
        self.descriptors[index] = descriptor
        self.owner.changed = True

    def remove(self, index: int) -> None:
        """WdfIoResourceListRemove; void in C."""
        if self.owner.may_remove("IO_RESOURCE_DESCRIPTOR", index, len(self.descriptors)):
            del self.descriptors[index]
            self.owner.changed = True

    def remove_by_descriptor(self, descriptor: IoResourceDescriptor) -> None:
        """WdfIoResourceListRemoveByDescriptor: the first that is this very one, else the first that is equal."""
        same = (i for i, one in enumerate(self.descriptors) if one is descriptor)
        equal = (i for i, one in enumerate(self.descriptors) if one == descriptor)
        self.remove(next(same, next(equal, -1)))


@dataclass(frozen=True)
class InterruptPolicy:
    """What one WDFINTERRUPT of EvtDriverDeviceAdd wants: `share` None leaves the descriptor's; `is_set` tells whether
    WdfInterruptSetPolicy or SetExtendedPolicy was called."""

    share: bool | None = None
    is_set: bool = False
    policy: int = 0
    priority: int = 0
    targeted_processors: int = 0
    group: int = 0


@dataclass(frozen=True)
class Stamped:
    """The list with policies, and the descriptors that found no interrupt object."""

    requirements: IoResourceRequirementsList
    warnings: tuple[str, ...] = ()


def stamp(requirements: IoResourceRequirementsList, policies: Sequence[InterruptPolicy]) -> Stamped:
    """The framework's walk before EvtDeviceFilterAddResourceRequirements; `policies` in the order of creation.

    Messages and lines have a cursor each, which moves on descriptors that are no alternatives only. An MSI descriptor
    moves it once however many messages it asks for. A line right after messages takes the first interrupt object. What
    the registry set (POLICY_INCLUDED) stays.
    """
    warnings: list[str] = []
    lists = tuple(_walk(number, one, policies, warnings) for number, one in enumerate(requirements.lists))
    return Stamped(replace(requirements, lists=lists), tuple(warnings))


def _walk(number: int, one: IoResourceList, policies: Sequence[InterruptPolicy], warnings: list[str]) -> IoResourceList:
    message = line = -1
    after_message = False
    out: list[IoResourceDescriptor] = []
    for index, descriptor in enumerate(one.descriptors):
        if not isinstance(descriptor.u, IoInterrupt):
            out.append(descriptor)
            continue
        if descriptor.is_message:
            message += not descriptor.is_alternative
            cursor, after_message = message, True
        else:
            line = 0 if after_message else line + (not descriptor.is_alternative)
            cursor, after_message = line, False
        if 0 <= cursor < len(policies):
            descriptor = _stamped(descriptor, descriptor.u, policies[cursor])
        elif cursor < 0:
            warnings.append(f"list {number}, descriptor {index} is an alternative of nothing; put its preferred one before it")
        else:
            warnings.append(f"list {number}, descriptor {index} has no interrupt object; there are {len(policies)}")
        out.append(descriptor)
    return IoResourceList(tuple(out))


def _stamped(descriptor: IoResourceDescriptor, u: IoInterrupt, policy: InterruptPolicy) -> IoResourceDescriptor:
    if policy.share is not None:
        shared, exclusive = CmShareDisposition.CmResourceShareShared, CmShareDisposition.CmResourceShareDeviceExclusive
        descriptor = replace(descriptor, share_disposition=shared if policy.share else exclusive)
    if policy.is_set and not descriptor.flags & CM_RESOURCE_INTERRUPT_POLICY_INCLUDED:
        u = replace(u, affinity_policy=policy.policy, priority_policy=policy.priority, group=policy.group,
                    targeted_processors=policy.targeted_processors)  # fmt: skip
        descriptor = replace(descriptor, u=u, flags=descriptor.flags | CM_RESOURCE_INTERRUPT_POLICY_INCLUDED)
    return descriptor
