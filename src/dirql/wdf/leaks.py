"""What is left when a driver is unloaded, and the requests that keep it from being: findings, once nothing can be given back any
more.

Limits: pool is the `.sys` host's to tell of; a Python driver's is garbage-collected.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dirql.wdf.afterwards import kinds

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel
    from dirql.wdf.driver import Driver
    from dirql.wdf.framework import Framework
    from dirql.wdf.object import Object

__all__ = ["tell_of_leaks", "tell_of_objects", "tell_of_requests"]


def tell_of_objects(driver: Driver) -> None:
    """EvtDriverUnload has returned: objects that belong to nobody but the driver, made since its DriverEntry."""
    left = [o for o in driver.children if o.handle > driver.last_of_entry and o.device is not o]
    if left:
        made = f"{kinds(left)} made after DriverEntry of {driver.name}"
        sentence = f"{made} with no parent but the driver are there until it is unloaded"
        remedy = "set ParentObject to what each is for, or delete it"
        driver.machine.note_finding("object-leak", f"{sentence}; {remedy}", driver.name)


def tell_of_leaks(kernel: Kernel, framework: Framework) -> None:
    """Every driver is unloaded."""
    machine = kernel.machine
    for space, where in kernel.mapped.items():
        sentence = f"{space.length:#x} bytes of registers at {space.start:#x} were mapped and never unmapped"
        machine.note_finding("mapping-leak", f"{sentence}; call MmUnmapIoSpace in EvtDeviceReleaseHardware", where)
    for held in sorted(framework.held, key=_handle):
        times = f"{held.references} time{'s' if held.references > 1 else ''}"
        sentence = f"{held.kind} {held.name} is deleted and still referenced {times} when the drivers are unloaded"
        machine.note_finding("reference-leak", f"{sentence}; call WdfObjectDereference", "DriverUnload")


def tell_of_requests(drivers: Iterable[Driver]) -> None:
    """Something waits for ever: for these requests, where a queue is being stopped or purged."""
    devices = [child.device for driver in drivers for child in driver.children if child.device is not None]
    for queue in (queue for device in devices for queue in device.queues):
        for request in queue.with_driver:
            if request.stopping or not queue.accepting:
                waits = "EvtIoStop was not answered for it" if request.stopping else f"{queue.name} waits for it"
                sentence = f"{request.name} of {queue.name}, a {request.type.name.lower()}, was never completed, and {waits}"
                remedy = "complete it, or answer with WdfRequestStopAcknowledge"
                request.machine.note_finding("request-not-completed", f"{sentence}; {remedy}", queue.of_device.name)


def _handle(held: Object) -> int:
    return held.handle
