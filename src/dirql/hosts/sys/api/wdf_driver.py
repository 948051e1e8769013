"""WdfDriver*."""

from __future__ import annotations

from dirql.hosts.sys.abi import NTSTATUS, PVOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.driver import SysDriver
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.wdf_structs import WDF_DRIVER_CONFIG, WDF_OBJECT_ATTRIBUTES
from dirql.hosts.sys.wdf_values import attributes_of
from dirql.ntstatus import STATUS_INFO_LENGTH_MISMATCH, STATUS_SUCCESS
from dirql.wdf.driver import Driver
from dirql.wdf.object import expect_parameter

__all__: list[str] = []


@wdf
def WdfDriverCreate(
    guest: Guest, driver_object: PVOID, registry_path: PVOID, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None,
    config: Ptr[WDF_DRIVER_CONFIG] | None, driver: Out[Handle[Driver]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfDriverCreate."""
    made = guest.behind.get(driver_object)
    expect_parameter(made if isinstance(made, SysDriver) else None, "DriverObject", "WdfDriverCreate")
    expect_parameter(registry_path or None, "RegistryPath", "WdfDriverCreate")
    expect_parameter(config, "DriverConfig", "WdfDriverCreate")
    assert isinstance(made, SysDriver) and config is not None
    if config.Size != WDF_DRIVER_CONFIG.size:
        return STATUS_INFO_LENGTH_MISMATCH
    given = config.load()
    values = attributes_of(guest, attributes, "WdfDriverCreate")
    made.create(values, given.EvtDriverDeviceAdd, given.EvtDriverUnload, given.DriverInitFlags)
    if driver is not None:
        driver(made)
    return STATUS_SUCCESS


@wdf
def WdfDriverWdmGetDriverObject(guest: Guest, driver: Handle[Driver]) -> PVOID:
    """WdfDriverWdmGetDriverObject."""
    assert isinstance(driver, SysDriver)
    return driver.driver_object.address
