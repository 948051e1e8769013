"""WdfCmResourceList*, WdfIoResourceRequirementsList* and WdfIoResourceList*: resources, granted and wished for.

A descriptor that a driver is handed is a clone at an address of its own: what the driver writes there changes nothing until it
passes it to an update, an append or an insert, and a removal by descriptor goes by that address first.
"""

from __future__ import annotations

from dataclasses import replace

from dirql.hosts.sys.abi import NTSTATUS, PVOID, ULONG, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.wdf_structs import WDF_OBJECT_ATTRIBUTES
from dirql.ntstatus import STATUS_SUCCESS
from dirql.pnp.filters import IoResList, IoResReqList
from dirql.pnp.io_resources import IoMemory, IoResourceDescriptor
from dirql.pnp.resources import CmPartialResourceDescriptor
from dirql.wdf.object import expect_parameter
from dirql.wdf.resource_list import CmResourceList

__all__: list[str] = []

CM_SIZE, IO_SIZE = 20, 32


class NewLists:
    """A component of the guest: lists that WdfIoResourceListCreate made, which are nobody's before they are inserted."""

    def __init__(self, guest: Guest) -> None:
        self.lists: list[IoResList] = []


def _cm(guest: Guest, address: int, routine: str) -> CmPartialResourceDescriptor:
    expect_parameter(address or None, "Descriptor", routine)
    return CmPartialResourceDescriptor.unpack(guest.space.read(address, CM_SIZE), raw=False)


def _io(guest: Guest, address: int, routine: str) -> IoResourceDescriptor:
    """The clone that was handed out, as long as the driver left its bytes alone; else what it made of it, with what the bus
    driver knows of the clone besides the bytes."""
    expect_parameter(address or None, "Descriptor", routine)
    given, known = IoResourceDescriptor.unpack(guest.space.read(address, IO_SIZE)), guest.behind.get(address)
    if not isinstance(known, IoResourceDescriptor):
        return given
    return known if known == given else _tagged(given, known)


def _tagged(given: IoResourceDescriptor, known: IoResourceDescriptor) -> IoResourceDescriptor:
    if isinstance(given.u, IoMemory) and isinstance(known.u, IoMemory):
        return replace(given, u=replace(given.u, bar=known.u.bar, firmware=known.u.firmware, size=known.u.size))
    if given.interrupt is not None and known.interrupt is not None:
        return replace(given, u=replace(given.interrupt, pin=known.interrupt.pin))
    return given


@wdf
def WdfCmResourceListGetCount(guest: Guest, resources: Handle[CmResourceList]) -> ULONG:
    """WdfCmResourceListGetCount."""
    return resources.get_count()


@wdf
def WdfCmResourceListGetDescriptor(guest: Guest, resources: Handle[CmResourceList], index: ULONG) -> PVOID:
    """The clone's address, the same each time; NULL past the end."""
    descriptor = resources.get_descriptor(index)
    if descriptor is None:
        return 0
    return guest.structure(descriptor, descriptor.pack(), f"descriptor {index} of the {resources.name}")


@wdf
def WdfCmResourceListAppendDescriptor(guest: Guest, resources: Handle[CmResourceList], descriptor: PVOID) -> NTSTATUS:
    """WdfCmResourceListAppendDescriptor."""
    resources.append_descriptor(_cm(guest, descriptor, "WdfCmResourceListAppendDescriptor"))
    return STATUS_SUCCESS


@wdf
def WdfCmResourceListInsertDescriptor(
    guest: Guest, resources: Handle[CmResourceList], descriptor: PVOID, index: ULONG
) -> NTSTATUS:
    """WdfCmResourceListInsertDescriptor."""
    resources.insert_descriptor(_cm(guest, descriptor, "WdfCmResourceListInsertDescriptor"), index)
    return STATUS_SUCCESS


@wdf
def WdfCmResourceListRemove(guest: Guest, resources: Handle[CmResourceList], index: ULONG) -> VOID:
    """WdfCmResourceListRemove."""
    resources.remove(index)


@wdf
def WdfCmResourceListRemoveByDescriptor(guest: Guest, resources: Handle[CmResourceList], descriptor: PVOID) -> VOID:
    """WdfCmResourceListRemoveByDescriptor: for a clone of the list's."""
    known = guest.behind.get(descriptor)
    resources.remove_by_descriptor(known if isinstance(known, CmPartialResourceDescriptor) else None)


@wdf
def WdfIoResourceRequirementsListSetSlotNumber(guest: Guest, requirements: Handle[IoResReqList], slot: ULONG) -> VOID:
    """WdfIoResourceRequirementsListSetSlotNumber."""
    requirements.set_slot_number(slot)


@wdf
def WdfIoResourceRequirementsListSetInterfaceType(guest: Guest, requirements: Handle[IoResReqList], type_: ULONG) -> VOID:
    """WdfIoResourceRequirementsListSetInterfaceType."""
    requirements.set_interface_type(type_)


@wdf
def WdfIoResourceRequirementsListGetCount(guest: Guest, requirements: Handle[IoResReqList]) -> ULONG:
    """WdfIoResourceRequirementsListGetCount."""
    return requirements.get_count()


@wdf
def WdfIoResourceRequirementsListGetIoResList(
    guest: Guest, requirements: Handle[IoResReqList], index: ULONG
) -> Handle[IoResList] | None:
    """WdfIoResourceRequirementsListGetIoResList: NULL past the end."""
    return requirements.get_io_res_list(index)


@wdf
def WdfIoResourceRequirementsListAppendIoResList(
    guest: Guest, requirements: Handle[IoResReqList], list_: Handle[IoResList]
) -> NTSTATUS:
    """WdfIoResourceRequirementsListAppendIoResList."""
    requirements.append_io_res_list(list_)
    return STATUS_SUCCESS


@wdf
def WdfIoResourceRequirementsListInsertIoResList(
    guest: Guest, requirements: Handle[IoResReqList], list_: Handle[IoResList], index: ULONG
) -> NTSTATUS:
    """WdfIoResourceRequirementsListInsertIoResList."""
    requirements.insert_io_res_list(list_, index)
    return STATUS_SUCCESS


@wdf
def WdfIoResourceRequirementsListRemove(guest: Guest, requirements: Handle[IoResReqList], index: ULONG) -> VOID:
    """WdfIoResourceRequirementsListRemove."""
    requirements.remove(index)


@wdf
def WdfIoResourceRequirementsListRemoveByIoResList(
    guest: Guest, requirements: Handle[IoResReqList], list_: Handle[IoResList]
) -> VOID:
    """WdfIoResourceRequirementsListRemoveByIoResList."""
    requirements.remove_by_io_res_list(list_)


@wdf
def WdfIoResourceListCreate(
    guest: Guest, requirements: Handle[IoResReqList], attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, list_: Out[Handle[IoResList]]
) -> NTSTATUS:
    """WdfIoResourceListCreate: attributes are not kept, since the list is no object that outlives the callback."""
    made = IoResList(requirements)
    guest.part(NewLists).lists.append(made)
    list_(made)
    return STATUS_SUCCESS


@wdf
def WdfIoResourceListGetCount(guest: Guest, list_: Handle[IoResList]) -> ULONG:
    """WdfIoResourceListGetCount."""
    return list_.get_count()


@wdf
def WdfIoResourceListGetDescriptor(guest: Guest, list_: Handle[IoResList], index: ULONG) -> PVOID:
    """The clone's address, the same each time; NULL past the end."""
    descriptor = list_.get_descriptor(index)
    if descriptor is None:
        return 0
    return guest.structure(descriptor, descriptor.pack(), f"descriptor {index} of a resource requirements list")


@wdf
def WdfIoResourceListAppendDescriptor(guest: Guest, list_: Handle[IoResList], descriptor: PVOID) -> NTSTATUS:
    """WdfIoResourceListAppendDescriptor."""
    list_.append_descriptor(_io(guest, descriptor, "WdfIoResourceListAppendDescriptor"))
    return STATUS_SUCCESS


@wdf
def WdfIoResourceListInsertDescriptor(guest: Guest, list_: Handle[IoResList], descriptor: PVOID, index: ULONG) -> NTSTATUS:
    """WdfIoResourceListInsertDescriptor."""
    list_.insert_descriptor(_io(guest, descriptor, "WdfIoResourceListInsertDescriptor"), index)
    return STATUS_SUCCESS


@wdf
def WdfIoResourceListUpdateDescriptor(guest: Guest, list_: Handle[IoResList], descriptor: PVOID, index: ULONG) -> VOID:
    """WdfIoResourceListUpdateDescriptor."""
    given, old = _io(guest, descriptor, "WdfIoResourceListUpdateDescriptor"), list_.get_descriptor(index)
    list_.update_descriptor(_tagged(given, old) if old is not None else given, index)


@wdf
def WdfIoResourceListRemove(guest: Guest, list_: Handle[IoResList], index: ULONG) -> VOID:
    """WdfIoResourceListRemove."""
    list_.remove(index)


@wdf
def WdfIoResourceListRemoveByDescriptor(guest: Guest, list_: Handle[IoResList], descriptor: PVOID) -> VOID:
    """WdfIoResourceListRemoveByDescriptor."""
    known = guest.behind.get(descriptor)
    name = "WdfIoResourceListRemoveByDescriptor"
    list_.remove_by_descriptor(known if isinstance(known, IoResourceDescriptor) else _io(guest, descriptor, name))
