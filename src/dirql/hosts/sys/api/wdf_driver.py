"""WdfDriver*."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, NTSTATUS, PVOID, ULONG, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.driver import SysDriver
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.wdf_structs import WDF_DRIVER_CONFIG, WDF_DRIVER_VERSION_AVAILABLE_PARAMS, WDF_OBJECT_ATTRIBUTES
from dirql.hosts.sys.wdf_values import attributes_of
from dirql.ntstatus import STATUS_INFO_LENGTH_MISMATCH, STATUS_SUCCESS
from dirql.wdf.driver import Driver
from dirql.wdf.object import expect_parameter
from dirql.wdf.registry import Key
from dirql.wdf.string import String

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
def WdfDriverGetRegistryPath(guest: Guest, driver: Handle[Driver]) -> PVOID:
    """WdfDriverGetRegistryPath: a PWSTR."""
    driver.get_registry_path()
    assert isinstance(driver, SysDriver)
    return int(driver.registry_path.Buffer)


@wdf
def WdfDriverOpenParametersRegistryKey(
    guest: Guest, driver: Handle[Driver], access: ULONG, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, key: Out[Handle[Key]]
) -> NTSTATUS:
    """WdfDriverOpenParametersRegistryKey."""
    key(driver.open_parameters_registry_key(attributes_of(guest, attributes, "WdfDriverOpenParametersRegistryKey")))
    return STATUS_SUCCESS


@wdf
def WdfDriverOpenPersistentStateRegistryKey(
    guest: Guest, driver: Handle[Driver], access: ULONG, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None, key: Out[Handle[Key]]
) -> NTSTATUS:
    """WdfDriverOpenPersistentStateRegistryKey."""
    key(driver.open_persistent_state_registry_key(attributes_of(guest, attributes, "WdfDriverOpenPersistentStateRegistryKey")))
    return STATUS_SUCCESS


@wdf
def WdfDriverRetrieveVersionString(guest: Guest, driver: Handle[Driver], string: Handle[String]) -> NTSTATUS:
    """WdfDriverRetrieveVersionString."""
    driver.retrieve_version_string(string)
    return STATUS_SUCCESS


@wdf
def WdfDriverIsVersionAvailable(
    guest: Guest, driver: Handle[Driver], version: Ptr[WDF_DRIVER_VERSION_AVAILABLE_PARAMS] | None
) -> BOOLEAN:
    """WdfDriverIsVersionAvailable: FALSE for another Size."""
    expect_parameter(version, "VersionAvailableParams", "WdfDriverIsVersionAvailable")
    assert version is not None
    if version.Size != WDF_DRIVER_VERSION_AVAILABLE_PARAMS.size:
        return False
    return driver.is_version_available(version.MajorVersion, version.MinorVersion)


@wdf
def WdfDriverRegisterTraceInfo(guest: Guest, driver_object: PVOID, callback: PVOID, block: PVOID) -> NTSTATUS:
    """WdfDriverRegisterTraceInfo: nobody asks for what WPP has to say (model choice)."""
    return STATUS_SUCCESS


@wdf
def WdfWdmDriverGetWdfDriverHandle(guest: Guest, driver_object: PVOID) -> Handle[Driver] | None:
    """WdfWdmDriverGetWdfDriverHandle: NULL for a driver object that is not the framework's."""
    found = guest.behind.get(driver_object)
    return found if isinstance(found, SysDriver) and found.created else None


@wdf
def WdfDriverMiniportUnload(guest: Guest, driver: Handle[Driver]) -> VOID:
    """WdfDriverMiniportUnload: for drivers that have no PnP of the framework's, which dirql does not load."""


@wdf
def WdfDriverWdmGetDriverObject(guest: Guest, driver: Handle[Driver]) -> PVOID:
    """WdfDriverWdmGetDriverObject."""
    assert isinstance(driver, SysDriver)
    return driver.driver_object.address
