"""WdfDpc*."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.nt_structs import KDPC
from dirql.hosts.sys.wdf_parameters import event, required, sized
from dirql.hosts.sys.wdf_structs import WDF_DPC_CONFIG, WDF_OBJECT_ATTRIBUTES
from dirql.hosts.sys.wdf_values import attributes_of
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.dpc import Dpc, DpcConfig
from dirql.wdf.object import Object

__all__: list[str] = []


@wdf
def WdfDpcCreate(
    guest: Guest, config: Ptr[WDF_DPC_CONFIG] | None, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None,
    dpc: Out[Handle[Dpc]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfDpcCreate."""
    given, out = sized(config, "Config", "WdfDpcCreate").load(), required(dpc, "Dpc", "WdfDpcCreate")
    values = DpcConfig(event(guest, given.EvtDpcFunc), bool(given.AutomaticSerialization))
    out(Dpc.create(guest.framework, values, attributes_of(guest, attributes, "WdfDpcCreate")))
    return STATUS_SUCCESS


@wdf
def WdfDpcEnqueue(guest: Guest, dpc: Handle[Dpc]) -> BOOLEAN:
    """WdfDpcEnqueue."""
    return dpc.enqueue()


@wdf
def WdfDpcCancel(guest: Guest, dpc: Handle[Dpc], wait: BOOLEAN) -> BOOLEAN:
    """WdfDpcCancel."""
    return dpc.cancel(wait)


@wdf
def WdfDpcGetParentObject(guest: Guest, dpc: Handle[Dpc]) -> Handle[Object] | None:
    """WdfDpcGetParentObject."""
    return dpc.get_parent_object()


@wdf
def WdfDpcWdmGetDpc(guest: Guest, dpc: Handle[Dpc]) -> PVOID:
    """A KDPC for KeSetImportanceDpc and KeSetTargetProcessorDpc; the kernel's own object is authoritative for all of it."""
    kdpc = dpc.wdm_get_dpc()
    address = guest.structure(kdpc, bytes(KDPC.new(Type=0x13, Importance=1)), f"the KDPC of {dpc.name}")
    guest.kernel_objects[address] = kdpc
    return address
