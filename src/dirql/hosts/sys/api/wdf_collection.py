"""WdfCollection*."""

from __future__ import annotations

from dirql.hosts.sys.abi import NTSTATUS, ULONG, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.wdf_parameters import required
from dirql.hosts.sys.wdf_structs import WDF_OBJECT_ATTRIBUTES
from dirql.hosts.sys.wdf_values import attributes_of
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.collection import Collection
from dirql.wdf.object import Object

__all__: list[str] = []


@wdf
def WdfCollectionCreate(
    guest: Guest, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, collection: Out[Handle[Collection]] | None
) -> NTSTATUS:
    """WdfCollectionCreate."""
    out = required(collection, "Collection", "WdfCollectionCreate")
    out(Collection.create(guest.framework, attributes_of(guest, attributes, "WdfCollectionCreate")))
    return STATUS_SUCCESS


@wdf
def WdfCollectionGetCount(guest: Guest, collection: Handle[Collection]) -> ULONG:
    """WdfCollectionGetCount."""
    return collection.get_count()


@wdf
def WdfCollectionAdd(guest: Guest, collection: Handle[Collection], item: Handle[Object]) -> NTSTATUS:
    """WdfCollectionAdd."""
    collection.add(item)
    return STATUS_SUCCESS


@wdf
def WdfCollectionRemove(guest: Guest, collection: Handle[Collection], item: Handle[Object]) -> VOID:
    """WdfCollectionRemove."""
    collection.remove(item)


@wdf
def WdfCollectionRemoveItem(guest: Guest, collection: Handle[Collection], index: ULONG) -> VOID:
    """WdfCollectionRemoveItem."""
    collection.remove_item(index)


@wdf
def WdfCollectionGetItem(guest: Guest, collection: Handle[Collection], index: ULONG) -> Handle[Object] | None:
    """NULL past the end."""
    return collection.get_item(index)


@wdf
def WdfCollectionGetFirstItem(guest: Guest, collection: Handle[Collection]) -> Handle[Object] | None:
    """NULL of an empty one."""
    return collection.get_first_item()


@wdf
def WdfCollectionGetLastItem(guest: Guest, collection: Handle[Collection]) -> Handle[Object] | None:
    """NULL of an empty one."""
    return collection.get_last_item()
