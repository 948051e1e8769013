"""WdfObject*."""

from __future__ import annotations

from dirql.hosts.sys.abi import NTSTATUS, PVOID, ULONG, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.wdf_structs import WDF_OBJECT_ATTRIBUTES
from dirql.hosts.sys.wdf_values import attributes_of, context_type
from dirql.ntstatus import STATUS_OBJECT_NAME_EXISTS, STATUS_SUCCESS
from dirql.wdf.object import Object, expect_parameter

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
