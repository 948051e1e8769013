"""WdfWorkItem*."""

from __future__ import annotations

from dirql.hosts.sys.abi import NTSTATUS, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.wdf_parameters import event, required, sized
from dirql.hosts.sys.wdf_structs import WDF_OBJECT_ATTRIBUTES, WDF_WORKITEM_CONFIG
from dirql.hosts.sys.wdf_values import attributes_of
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.object import Object
from dirql.wdf.work_item import WorkItem, WorkItemConfig

__all__: list[str] = []


@wdf
def WdfWorkItemCreate(
    guest: Guest, config: Ptr[WDF_WORKITEM_CONFIG] | None, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None,
    work_item: Out[Handle[WorkItem]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfWorkItemCreate."""
    name = "WdfWorkItemCreate"
    given, out = sized(config, "Config", name).load(), required(work_item, "WorkItem", name)
    values = WorkItemConfig(event(guest, given.EvtWorkItemFunc), bool(given.AutomaticSerialization))
    out(WorkItem.create(guest.framework, values, attributes_of(guest, attributes, name)))
    return STATUS_SUCCESS


@wdf
def WdfWorkItemEnqueue(guest: Guest, work_item: Handle[WorkItem]) -> VOID:
    """WdfWorkItemEnqueue."""
    work_item.enqueue()


@wdf
def WdfWorkItemGetParentObject(guest: Guest, work_item: Handle[WorkItem]) -> Handle[Object] | None:
    """WdfWorkItemGetParentObject."""
    return work_item.get_parent_object()


@wdf
def WdfWorkItemFlush(guest: Guest, work_item: Handle[WorkItem]) -> VOID:
    """WdfWorkItemFlush."""
    work_item.flush()
