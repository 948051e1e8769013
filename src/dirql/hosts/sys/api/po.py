"""ntoskrnl's power routines for WDM drivers.

Limits: no system power states; idle detection and power settings are accepted and never report anything.
"""

from __future__ import annotations

from typing import Any

from dirql.hosts.sys.abi import NTSTATUS, PVOID, UCHAR, ULONG, ULONG_PTR, VOID, Out, api
from dirql.hosts.sys.device_objects import DeviceObjects
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.limits import enter
from dirql.hosts.sys.nt_structs import DEVICE_OBJECT, IRP
from dirql.hosts.sys.wdm_irps import WdmIrps
from dirql.ntstatus import (
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_PARAMETER_2,
    STATUS_NOT_SUPPORTED,
    STATUS_PENDING,
    STATUS_SUCCESS,
)

__all__: list[str] = []

IRP_MJ_POWER = 0x16
WAIT_WAKE, SET_POWER, QUERY_POWER = 0, 2, 3
DEVICE_POWER_STATE = 1  # POWER_STATE_TYPE
D0 = 1  # PowerDeviceD0


class States:
    """What drivers reported, by device object and type."""

    def __init__(self, guest: Guest) -> None:
        self.known: dict[tuple[int, int], int] = {}


@api("ntoskrnl")
def PoStartNextPowerIrp(guest: Guest, irp: PVOID) -> VOID:
    """PoStartNextPowerIrp: since Windows Vista nothing."""


@api("ntoskrnl")
def PoSetPowerState(guest: Guest, device: PVOID, type_: ULONG, state: ULONG) -> ULONG:
    """PoSetPowerState: the state before."""
    known = guest.part(States).known
    before, known[device, type_] = known.get((device, type_), D0), state
    return before


@api("ntoskrnl")
def PoRequestPowerIrp(
    guest: Guest, device: PVOID, minor: UCHAR, state: ULONG, completion: PVOID, context: PVOID, out: Out[PVOID] | None
) -> NTSTATUS:
    """PoRequestPowerIrp: an IRP_MJ_POWER to the top of the stack; `completion` is called when it is back."""
    enter(guest, "PoRequestPowerIrp")
    if minor not in (WAIT_WAKE, SET_POWER, QUERY_POWER):
        return STATUS_INVALID_PARAMETER_2
    irps, top = guest.part(WdmIrps), guest.part(DeviceObjects).top(device)
    irp = irps.allocate(DEVICE_OBJECT(guest.space, top).StackSize, "a power IRP")
    irp.IoStatus.Status = STATUS_NOT_SUPPORTED
    location = irps.next_location(irp)
    location.MajorFunction, location.MinorFunction = IRP_MJ_POWER, minor
    power = location.Parameters.Power
    power.Type, power.State.DeviceState = DEVICE_POWER_STATE, state

    def came_back(done: IRP) -> None:
        if completion:
            guest.call(completion, device, minor, state, context, done.address + IRP.offset("IoStatus"))
        irps.free(done)

    irps.when_done(irp, came_back)
    if out is not None:
        out(irp.address)
    guest.kernel.work.queue(lambda _: _send(guest, top, irp.address), None)
    return STATUS_PENDING


def _send(guest: Guest, top: int, address: int) -> None:
    guest.part(WdmIrps).call(top, IRP(guest.space, address))


@api("ntoskrnl")
def PoRegisterDeviceForIdleDetection(guest: Guest, device: PVOID, saving: ULONG, performance: ULONG, state: ULONG) -> PVOID:
    """PoRegisterDeviceForIdleDetection: NULL, which says that it was not registered."""
    return 0


@api("ntoskrnl")
def PoRegisterPowerSettingCallback(
    guest: Guest, device: PVOID, setting: PVOID, callback: PVOID, context: PVOID, handle: Out[ULONG_PTR] | None
) -> NTSTATUS:
    """PoRegisterPowerSettingCallback: it is not called."""
    registration = Registration()
    registrations = guest.part(Registrations)
    registrations.known[guest.handle(registration)] = registration
    if handle is not None:
        handle(guest.handle(registration))
    return STATUS_SUCCESS


@api("ntoskrnl")
def PoUnregisterPowerSettingCallback(guest: Guest, handle: ULONG_PTR) -> NTSTATUS:
    """PoUnregisterPowerSettingCallback."""
    known: Any = guest.part(Registrations).known.pop(handle, None)
    return STATUS_SUCCESS if known is not None else STATUS_INVALID_PARAMETER


@api("ntoskrnl")
def PoSetSystemState(guest: Guest, flags: ULONG) -> VOID:
    """PoSetSystemState: the system is busy anyway."""


class Registration:
    """One callback that a driver registered."""


class Registrations:
    """Those that are registered."""

    def __init__(self, guest: Guest) -> None:
        self.known: dict[int, Registration] = {}



