"""WdfObject*."""

from __future__ import annotations

from uuid import UUID

from dirql.hosts.sys.abi import NTSTATUS, PVOID, ULONG, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.wdf_parameters import required
from dirql.hosts.sys.wdf_structs import WDF_OBJECT_ATTRIBUTES
from dirql.hosts.sys.wdf_values import attributes_of, context_type
from dirql.ntstatus import STATUS_OBJECT_NAME_EXISTS, STATUS_SUCCESS
from dirql.wdf.driver import Driver
from dirql.wdf.object import Object, create_object, expect, expect_parameter, object_of_context

__all__: list[str] = []


@wdf
def WdfObjectGetTypedContextWorker(guest: Guest, object_: Handle[Object], type_info: PVOID) -> PVOID:
    """The context's address; NULL where there is none of the type."""
    context = object_.get_typed_context(context_type(guest, type_info))
    return context.address if context is not None else 0


@wdf
def WdfObjectDelete(guest: Guest, object_: Handle[Object]) -> VOID:
    """WdfObjectDelete."""
    object_.delete()


@wdf
def WdfObjectReferenceActual(guest: Guest, object_: Handle[Object], tag: PVOID, line: ULONG, file: PVOID) -> VOID:
    """WdfObjectReferenceActual."""
    object_.reference()


@wdf
def WdfObjectDereferenceActual(guest: Guest, object_: Handle[Object], tag: PVOID, line: ULONG, file: PVOID) -> VOID:
    """WdfObjectDereferenceActual."""
    object_.dereference()


@wdf
def WdfObjectAllocateContext(
    guest: Guest, object_: Handle[Object], attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, context: Out[PVOID] | None
) -> NTSTATUS:
    """WdfObjectAllocateContext: STATUS_OBJECT_NAME_EXISTS, a success, with the context that was there."""
    expect_parameter(attributes, "ContextAttributes", "WdfObjectAllocateContext")
    values = attributes_of(guest, attributes, "WdfObjectAllocateContext")
    assert values is not None
    known = values.context_type is not None and object_.has_context(values.context_type)
    made = object_.allocate_context(values)
    if context is not None:
        context(made.address)
    return STATUS_OBJECT_NAME_EXISTS if known else STATUS_SUCCESS


@wdf
def WdfObjectCreate(
    guest: Guest, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, object_: Out[Handle[Object]] | None
) -> NTSTATUS:
    """WdfObjectCreate: without a parent the driver is it."""
    out = required(object_, "Object", "WdfObjectCreate")
    driver = expect(guest.framework.driver, Driver, "WdfObjectCreate")
    out(create_object(driver, attributes_of(guest, attributes, "WdfObjectCreate")))
    return STATUS_SUCCESS


@wdf
def WdfObjectContextGetObject(guest: Guest, context: PVOID) -> Handle[Object]:
    """WdfObjectContextGetObject."""
    return object_of_context(guest.framework, guest.behind.get(context, context))


@wdf
def WdfObjectQuery(guest: Guest, object_: Handle[Object], guid: PVOID, length: ULONG, buffer: PVOID) -> NTSTATUS:
    """WdfObjectQuery."""
    object_.query(UUID(bytes_le=guest.space.read(required(guid or None, "Guid", "WdfObjectQuery"), 16)))
    return STATUS_SUCCESS
