"""WDFLDR.SYS: how a driver finds the framework (facts §6.1, §6.2)."""

from __future__ import annotations

from dirql.errors import NotModelled
from dirql.hosts.sys.abi import NTSTATUS, PVOID, Out, Ptr, api
from dirql.hosts.sys.binding import bind
from dirql.hosts.sys.driver import SysDriver
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.nt_structs import UNICODE_STRING
from dirql.hosts.sys.strings import wide_text
from dirql.hosts.sys.wdf_structs import WDF_BIND_INFO, WDF_CLASS_BIND_INFO
from dirql.ntstatus import STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_SUCCESS

__all__: list[str] = []


@api("wdfldr")
def WdfVersionBind(
    guest: Guest, driver_object: PVOID, registry_path: Ptr[UNICODE_STRING], info: Ptr[WDF_BIND_INFO], globals_: Out[PVOID]
) -> NTSTATUS:
    """The function table goes to the driver, and its globals."""
    driver = guest.behind.get(driver_object)
    if not isinstance(driver, SysDriver):
        return STATUS_INVALID_PARAMETER
    globals_(bind(guest, driver, info))
    return STATUS_SUCCESS


@api("wdfldr")
def WdfVersionUnbind(guest: Guest, registry_path: Ptr[UNICODE_STRING], info: Ptr[WDF_BIND_INFO], globals_: PVOID) -> NTSTATUS:
    """Nothing is taken back: the table is the framework's."""
    return STATUS_SUCCESS


@api("wdfldr")
def WdfVersionBindClass(guest: Guest, info: Ptr[WDF_BIND_INFO], globals_: PVOID, class_: Ptr[WDF_CLASS_BIND_INFO]) -> NTSTATUS:
    """A class extension is named, and refused."""
    name = wide_text(guest.space, class_.ClassName)
    raise NotModelled(f"the driver is built on the class extension {name}, which dirql does not model; "
                      "a KMDF driver without one runs")  # fmt: skip


@api("wdfldr")
def WdfVersionUnbindClass(guest: Guest, info: Ptr[WDF_BIND_INFO], globals_: PVOID, class_: Ptr[WDF_CLASS_BIND_INFO]) -> NTSTATUS:
    """Nothing was bound."""
    return STATUS_SUCCESS


@api("wdfldr")
def WdfLdrQueryInterface(guest: Guest, interface: PVOID) -> NTSTATUS:
    """The loader's own interfaces (model choice: none)."""
    return STATUS_NOT_FOUND
