"""WdfTimer*."""

from __future__ import annotations

from dirql.hosts.sys.abi import BOOLEAN, LONGLONG, NTSTATUS, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.wdf_parameters import event, required, sized
from dirql.hosts.sys.wdf_structs import WDF_OBJECT_ATTRIBUTES, WDF_TIMER_CONFIG
from dirql.hosts.sys.wdf_values import attributes_of
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.object import Object
from dirql.wdf.timer import Timer, TimerConfig

__all__: list[str] = []

OLDER = (0x18, 0x20)  # up to KMDF 1.7 without TolerableDelay, up to 1.11 without UseHighResolutionTimer


@wdf
def WdfTimerCreate(
    guest: Guest, config: Ptr[WDF_TIMER_CONFIG] | None, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None,
    timer: Out[Handle[Timer]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfTimerCreate."""
    name = "WdfTimerCreate"
    view, out = sized(config, "Config", name, *OLDER), required(timer, "Timer", name)
    given = view.load(view.Size)
    values = TimerConfig(
        event(guest, given.EvtTimerFunc), given.Period, bool(given.AutomaticSerialization), given.TolerableDelay,
        bool(given.UseHighResolutionTimer),
    )  # fmt: skip
    out(Timer.create(guest.framework, values, attributes_of(guest, attributes, name)))
    return STATUS_SUCCESS


@wdf
def WdfTimerStart(guest: Guest, timer: Handle[Timer], due_time: LONGLONG) -> BOOLEAN:
    """WdfTimerStart."""
    return timer.start(guest.kernel.clock.duration(due_time))


@wdf
def WdfTimerStop(guest: Guest, timer: Handle[Timer], wait: BOOLEAN) -> BOOLEAN:
    """WdfTimerStop."""
    return timer.stop(wait)


@wdf
def WdfTimerGetParentObject(guest: Guest, timer: Handle[Timer]) -> Handle[Object] | None:
    """WdfTimerGetParentObject."""
    return timer.get_parent_object()
