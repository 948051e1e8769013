"""WdfChildList*: a bus driver's children."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.child_lists import ChildDescriptions, fits, list_config
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.structs import Struct
from dirql.hosts.sys.wdf_structs import (
    WDF_CHILD_LIST_CONFIG,
    WDF_CHILD_LIST_ITERATOR,
    WDF_CHILD_RETRIEVE_INFO,
    WDF_OBJECT_ATTRIBUTES,
)
from dirql.hosts.sys.wdf_values import attributes_of
from dirql.ntstatus import (
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_EXISTS,
    STATUS_SUCCESS,
)
from dirql.wdf.child_list import ChildIterator, ChildList, RetrieveChildFlags
from dirql.wdf.device import Device
from dirql.wdf.object import expect_parameter

__all__: list[str] = []


class DescriptionHeader(Struct, size=4):
    """The head of either description."""

    c = "ULONG DescriptionSize;"


@wdf
def WdfChildListCreate(
    guest: Guest, device: Handle[Device], config: Ptr[WDF_CHILD_LIST_CONFIG] | None,
    attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, list_: Out[Handle[ChildList]],
) -> NTSTATUS:  # fmt: skip
    """WdfChildListCreate."""
    expect_parameter(config, "Config", "WdfChildListCreate")
    assert config is not None
    if config.Size != WDF_CHILD_LIST_CONFIG.size:
        return STATUS_INFO_LENGTH_MISMATCH
    if not fits(config):
        return STATUS_INVALID_PARAMETER
    list_(ChildList.create(device, list_config(guest, config), attributes_of(guest, attributes, "WdfChildListCreate")))
    return STATUS_SUCCESS


@wdf
def WdfChildListGetDevice(guest: Guest, list_: Handle[ChildList]) -> Handle[Device]:
    """WdfChildListGetDevice."""
    return list_.get_device()


@wdf
def WdfChildListAddOrUpdateChildDescriptionAsPresent(
    guest: Guest, list_: Handle[ChildList], identification: Ptr[DescriptionHeader] | None, address: Ptr[DescriptionHeader] | None
) -> NTSTATUS:
    """WdfChildListAddOrUpdateChildDescriptionAsPresent: a description of another size is STATUS_INVALID_PARAMETER."""
    name = "WdfChildListAddOrUpdateChildDescriptionAsPresent"
    expect_parameter(identification, "IdentificationDescription", name)
    assert identification is not None
    descriptions = guest.part(ChildDescriptions)
    sizes = descriptions.sizes(list_)
    if identification.DescriptionSize != sizes[0] or (address is not None and address.DescriptionSize != sizes[1]):
        return STATUS_INVALID_PARAMETER
    kept = descriptions.kept(list_, identification.address)
    place = descriptions.kept(list_, address.address, is_address=True) if address is not None else None
    status = list_.add_or_update_child_description_as_present(kept, place)
    if status == STATUS_OBJECT_NAME_EXISTS:
        descriptions.free(kept)
    return status


@wdf
def WdfChildListUpdateChildDescriptionAsMissing(
    guest: Guest, list_: Handle[ChildList], identification: Ptr[DescriptionHeader] | None
) -> NTSTATUS:
    """WdfChildListUpdateChildDescriptionAsMissing."""
    expect_parameter(identification, "IdentificationDescription", "WdfChildListUpdateChildDescriptionAsMissing")
    assert identification is not None
    descriptions = guest.part(ChildDescriptions)
    if identification.DescriptionSize != descriptions.sizes(list_)[0]:
        return STATUS_INVALID_PARAMETER
    list_.update_child_description_as_missing(descriptions.borrowed(list_, identification.address))
    return STATUS_SUCCESS


@wdf
def WdfChildListUpdateAllChildDescriptionsAsPresent(guest: Guest, list_: Handle[ChildList]) -> VOID:
    """WdfChildListUpdateAllChildDescriptionsAsPresent."""
    list_.update_all_child_descriptions_as_present()


@wdf
def WdfChildListBeginScan(guest: Guest, list_: Handle[ChildList]) -> VOID:
    """WdfChildListBeginScan."""
    list_.begin_scan()


@wdf
def WdfChildListEndScan(guest: Guest, list_: Handle[ChildList]) -> VOID:
    """WdfChildListEndScan."""
    list_.end_scan()


@wdf
def WdfChildListBeginIteration(guest: Guest, list_: Handle[ChildList], iterator: Ptr[WDF_CHILD_LIST_ITERATOR] | None) -> VOID:
    """WdfChildListBeginIteration."""
    expect_parameter(iterator, "Iterator", "WdfChildListBeginIteration")
    assert iterator is not None
    flags = iterator.Flags & RetrieveChildFlags.AllStates
    guest.part(ChildDescriptions).iterators[iterator.address] = list_.begin_iteration(flags)


@wdf
def WdfChildListRetrieveNextDevice(
    guest: Guest, list_: Handle[ChildList], iterator: Ptr[WDF_CHILD_LIST_ITERATOR] | None, device: Out[Handle[Device] | None],
    info: Ptr[WDF_CHILD_RETRIEVE_INFO] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfChildListRetrieveNextDevice: the device is NULL for a child that has none yet."""
    expect_parameter(iterator, "Iterator", "WdfChildListRetrieveNextDevice")
    assert iterator is not None
    descriptions = guest.part(ChildDescriptions)
    entry = info.EvtChildListIdentificationDescriptionCompare if info is not None else 0
    matches = descriptions.matcher(list_, entry, info.IdentificationDescription) if info is not None else None
    under_way = descriptions.iterators.get(iterator.address) or ChildIterator(RetrieveChildFlags(0))
    child, status = list_.retrieve_next_device(under_way, matches)
    device(child.device)
    if info is not None:
        if info.IdentificationDescription:
            descriptions.copy(list_, child.identification, info.IdentificationDescription)
        if info.AddressDescription and child.address is not None:
            descriptions.copy(list_, child.address, info.AddressDescription, is_address=True)
        info.Status = status
    return STATUS_SUCCESS


@wdf
def WdfChildListEndIteration(guest: Guest, list_: Handle[ChildList], iterator: Ptr[WDF_CHILD_LIST_ITERATOR] | None) -> VOID:
    """WdfChildListEndIteration."""
    expect_parameter(iterator, "Iterator", "WdfChildListEndIteration")
    assert iterator is not None
    under_way = guest.part(ChildDescriptions).iterators.pop(iterator.address, None)
    if under_way is not None:
        list_.end_iteration(under_way)


@wdf
def WdfChildListRetrievePdo(
    guest: Guest, list_: Handle[ChildList], info: Ptr[WDF_CHILD_RETRIEVE_INFO] | None
) -> Handle[Device] | None:
    """WdfChildListRetrievePdo: NULL, and why in Status."""
    expect_parameter(info, "RetrieveInfo", "WdfChildListRetrievePdo")
    assert info is not None
    descriptions = guest.part(ChildDescriptions)
    wanted = descriptions.borrowed(list_, info.IdentificationDescription)
    device, info.Status = list_.retrieve_pdo(wanted)
    if device is not None and info.AddressDescription:
        address = list_.retrieve_address_description(wanted)
        if address is not None:
            descriptions.copy(list_, address, info.AddressDescription, is_address=True)
    return device


@wdf
def WdfChildListRetrieveAddressDescription(
    guest: Guest, list_: Handle[ChildList], identification: PVOID, address: PVOID
) -> NTSTATUS:
    """WdfChildListRetrieveAddressDescription."""
    descriptions = guest.part(ChildDescriptions)
    found = list_.retrieve_address_description(descriptions.borrowed(list_, identification))
    if found is not None:
        descriptions.copy(list_, found, address, is_address=True)
    return STATUS_SUCCESS


@wdf
def WdfChildListRequestChildEject(guest: Guest, list_: Handle[ChildList], identification: PVOID) -> BOOLEAN:
    """WdfChildListRequestChildEject."""
    return list_.request_child_eject(guest.part(ChildDescriptions).borrowed(list_, identification))
