"""ntoskrnl's Io, Po, Zw, Etw and Dbg routines on their own; whole drivers are in test_wdm_driver.py."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.device_objects import DeviceObjects
from dirql.hosts.sys.nt_structs import DEVICE_OBJECT, DRIVER_OBJECT, IO_REMOVE_LOCK, IO_STACK_LOCATION, IRP, UNICODE_STRING
from dirql.hosts.sys.strings import unicode_string
from dirql.kernel.stop import BugCheck
from dirql.pnp.interrupt_management import InterruptManagement
from dirql.trace import Kind, Trace


def call(world: Any, name: str, *arguments: Any) -> int:
    return int(world.routine(f"ntoskrnl!{name}", *(getattr(a, "address", a) for a in arguments)))


def place(world: Any, size: int = 0x100, data: bytes = b"") -> int:
    at = int(world.guest.space.allocate(Area.POOL, size, "a driver's memory").start)
    world.guest.space.write(at, data)
    return at


def value(world: Any, at: int, size: int = 8) -> int:
    return int.from_bytes(world.guest.space.read(at, size), "little")


def string(world: Any, text: str) -> UNICODE_STRING:
    return unicode_string(world.guest.space, text, "a string")


def driver(world: Any, dispatch: Any = None) -> DRIVER_OBJECT:
    view = DRIVER_OBJECT(world.guest.space, place(world, DRIVER_OBJECT.size))
    if dispatch is not None:
        entry = world.function(dispatch, 2)
        for index in range(28):
            world.guest.space.write(view.address + DRIVER_OBJECT.offset("MajorFunction") + 8 * index, entry.to_bytes(8, "little"))
    return view


def device(world: Any, owner: DRIVER_OBJECT, extension: int = 0x20) -> DEVICE_OBJECT:
    out = place(world)
    assert call(world, "IoCreateDevice", owner, extension, 0, 0x22, 0, 0, out) == 0
    return DEVICE_OBJECT(world.guest.space, value(world, out))


def pdo(world: Any) -> int:
    node = world.system.pnp.enumerate(world.system.machine.ports[0], InterruptManagement())
    return int(world.guest.part(DeviceObjects).pdo(node))


def printed(world: Any, who: str) -> list[str]:
    return [event["what"] for event in world.system.machine.trace.events(Kind.NOTE) if event["who"] == who]


def test_a_device_object_has_its_extension_and_a_place_in_its_drivers_list(world: Any) -> None:
    owner = driver(world)
    first, second = device(world, owner), device(world, owner)
    assert second.DeviceExtension == second.address + DEVICE_OBJECT.size
    assert (owner.DeviceObject, second.NextDevice) == (second.address, first.address)
    assert (second.Flags & 0x80, second.StackSize) == (0x80, 1)
    call(world, "IoDeleteDevice", second)
    assert owner.DeviceObject == first.address
    with pytest.raises(BugCheck, match="which was freed"):
        call(world, "IoDeleteDevice", second)


def test_devices_are_stacked_and_taken_apart(world: Any) -> None:
    owner = driver(world)
    low, high = device(world, owner), device(world, owner)
    assert call(world, "IoAttachDeviceToDeviceStack", high, low) == low.address
    assert (low.AttachedDevice, high.StackSize) == (high.address, 2)
    assert call(world, "IoGetAttachedDeviceReference", low) == high.address
    call(world, "IoDetachDevice", low)
    assert low.AttachedDevice == 0


def test_an_irp_runs_down_a_stack_and_its_completion_routines_run_back_up(world: Any) -> None:
    log: list[Any] = []

    def dispatch(at: int, irp: int) -> int:
        log.append("dispatch")
        IRP(world.guest.space, irp).IoStatus.Status = 0
        world.guest.call(world.guest.stubs.address("ntoskrnl!IofCompleteRequest", complete), irp, 0)
        return 0

    from dirql.hosts.sys.abi import ROUTINES

    complete = ROUTINES["ntoskrnl!IofCompleteRequest"]
    target = device(world, driver(world, dispatch))
    irp = IRP(world.guest.space, call(world, "IoAllocateIrp", 1, 0))
    completion = world.function(lambda at, given, context: log.append(("completed", at, context)) or 0xC000_0016, 3)
    assert call(world, "IoSetCompletionRoutineEx", target, irp, completion, 77, 1, 1, 1) == 0
    assert call(world, "IofCallDriver", target, irp) == 0
    assert log == ["dispatch", ("completed", 0, 77)]
    call(world, "IoFreeIrp", irp)


def test_an_irp_without_a_stack_location_left_is_a_bugcheck(world: Any) -> None:
    target = device(world, driver(world, lambda at, irp: 0))
    irp = call(world, "IoAllocateIrp", 0, 0)
    with pytest.raises(BugCheck, match="bugcheck 0x35"):
        call(world, "IofCallDriver", target, irp)


def test_an_irp_that_is_completed_twice_is_a_bugcheck(world: Any) -> None:
    irp = call(world, "IoAllocateIrp", 1, 0)
    call(world, "IofCompleteRequest", irp, 0)
    IRP(world.guest.space, irp).CurrentLocation = 3
    with pytest.raises(BugCheck, match="was completed already"):
        call(world, "IofCompleteRequest", irp, 0)


def test_a_request_that_was_built_reports_to_its_event_and_status_block(world: Any) -> None:
    def dispatch(at: int, irp: int) -> int:
        from dirql.hosts.sys.wdm_irps import WdmIrps

        view = IRP(world.guest.space, irp)
        location = world.guest.part(WdmIrps).location(view)
        assert location.Parameters.DeviceIoControl.IoControlCode == 0x222000
        world.guest.space.write(view.AssociatedIrp.SystemBuffer, b"pong")
        view.IoStatus.Status, view.IoStatus.Information = 0, 4
        world.guest.part(WdmIrps).complete(view)
        return 0

    target = device(world, driver(world, dispatch))
    event, status, out = place(world), place(world), place(world)
    call(world, "KeInitializeEvent", event, 0, 0)
    irp = call(world, "IoBuildDeviceIoControlRequest", 0x222000, target, place(world, data=b"ping"), 4, out, 8, 0, event, status)
    assert call(world, "IofCallDriver", target, irp) == 0
    assert (world.guest.space.read(out, 4), value(world, status + 8), value(world, event + 4, 4)) == (b"pong", 4, 1)


def test_a_remove_lock_waits_for_its_holders(world: Any) -> None:
    lock = IO_REMOVE_LOCK(world.guest.space, place(world))
    call(world, "IoInitializeRemoveLockEx", lock, 0, 0, 0, IO_REMOVE_LOCK.size)
    assert call(world, "IoAcquireRemoveLockEx", lock, 0, 0, 0, 0) == 0
    call(world, "IoReleaseRemoveLockEx", lock, 0, 0)
    assert call(world, "IoAcquireRemoveLockEx", lock, 0, 0, 0, 0) == 0
    call(world, "IoReleaseRemoveLockAndWaitEx", lock, 0, 0)
    assert call(world, "IoAcquireRemoveLockEx", lock, 0, 0, 0, 0) == 0xC000_0056


@pytest.mark.parametrize(("name", "count"), [("IoQueueWorkItem", 2), ("IoQueueWorkItemEx", 3)])
def test_a_work_item_runs_on_a_thread_with_its_device(world: Any, name: str, count: int) -> None:
    seen: list[tuple[int, ...]] = []
    item = call(world, "IoAllocateWorkItem", 0x1234)
    routine = world.function(lambda *given: seen.append(given), count)
    call(world, name, item, routine, 1, 77)
    world.system.run()
    assert seen == [(0x1234, 77, item)[:count]]
    call(world, "IoFreeWorkItem", item)
    with pytest.raises(BugCheck, match="bugcheck 0xe4"):
        call(world, name, item, routine, 1, 77)


def test_a_property_tells_its_length_first(world: Any) -> None:
    at, length, out = pdo(world), place(world), place(world)
    assert call(world, "IoGetDeviceProperty", at, 0x0E, 0, out, length) == 0xC000_0023
    assert value(world, length, 4) == 4
    assert call(world, "IoGetDeviceProperty", at, 0x0E, 4, out, length) == 0
    assert call(world, "IoGetDeviceProperty", at, 0x99, 4, out, length) == 0xC000_000D
    assert call(world, "IoGetDeviceProperty", out, 0, 4, out, length) == 0xC000_0010


def test_a_device_interface_is_listed_while_it_is_enabled(world: Any) -> None:
    at, guid, list_ = pdo(world), place(world, data=bytes(range(16))), place(world)
    link = UNICODE_STRING(world.guest.space, place(world))
    assert call(world, "IoRegisterDeviceInterface", at, guid, 0, link) == 0
    name = world.guest.space.read(link.Buffer, link.Length)
    for enabled, expected in ((0, b"\0\0"), (1, name)):
        assert call(world, "IoSetDeviceInterfaceState", link, enabled) == 0
        assert call(world, "IoGetDeviceInterfaces", guid, 0, 0, list_) == 0
        assert world.guest.space.read(value(world, list_), len(expected)) == expected


def test_a_named_event_is_the_same_for_the_same_name(world: Any) -> None:
    handle = place(world)
    first = call(world, "IoCreateNotificationEvent", string(world, r"\Events\a"), handle)
    assert call(world, "IoCreateNotificationEvent", string(world, r"\Events\A"), handle) == first
    assert call(world, "ZwClose", value(world, handle)) == 0
    assert call(world, "ZwClose", value(world, handle)) == 0xC000_0008


def test_a_reported_change_calls_back_from_a_thread(world: Any) -> None:
    seen: list[int] = []
    callback = world.function(seen.append, 1)
    assert call(world, "IoReportTargetDeviceChangeAsynchronous", pdo(world), place(world), callback, 5) == 0
    world.system.run()
    assert seen == [5]


def test_a_registry_value_is_written_and_read_back(world: Any) -> None:
    handle, length, out = place(world), place(world), place(world)
    assert call(world, "IoOpenDeviceRegistryKey", pdo(world), 1, 0, handle) == 0
    key, name = value(world, handle), string(world, "Depth")
    assert call(world, "ZwQueryValueKey", key, name, 2, out, 0x40, length) == 0xC000_0034
    assert call(world, "ZwSetValueKey", key, name, 0, 4, place(world, data=b"\x07\0\0\0"), 4) == 0
    assert call(world, "ZwQueryValueKey", key, name, 2, out, 0x40, length) == 0
    assert world.guest.space.read(out + 4, 12) == bytes.fromhex("040000000400000007000000")
    assert call(world, "ZwQueryValueKey", key, name, 2, out, 12, length) == 0x8000_0005
    assert call(world, "ZwEnumerateValueKey", key, 0, 0, out, 0x40, length) == 0
    assert call(world, "ZwEnumerateValueKey", key, 1, 0, out, 0x40, length) == 0x8000_001A
    assert call(world, "ZwDeleteValueKey", key, name) == 0


def test_a_power_irp_reaches_the_bus_and_its_completion_is_called(world: Any) -> None:
    from dirql.hosts.sys.wdm_driver import _bus

    seen: list[tuple[int, ...]] = []
    at = pdo(world)
    world.guest.part(DeviceObjects).bus_dispatch = lambda node, irp: _bus(world.guest, node, irp)
    completion = world.function(lambda *given: seen.append((given[1], given[2], given[3])), 5)
    assert call(world, "PoRequestPowerIrp", at, 2, 4, completion, 9, 0) == 0x103
    world.system.run()
    assert seen == [(2, 4, 9)]
    assert world.guest.behind[at].bus_device.power == 3


def test_a_provider_that_is_registered_writes_into_the_trace(world: Any) -> None:
    world.system.machine.trace = Trace()
    guid, handle, event = place(world, data=bytes(16)), place(world), place(world, data=b"\x07\0")
    assert call(world, "EtwRegister", guid, 0, 0, handle) == 0
    given = value(world, handle)
    text = place(world, data=b"ab")
    entry = place(world, data=text.to_bytes(8, "little") + b"\x02\0\0\0")
    assert call(world, "EtwEventEnabled", given, event) == 0
    assert call(world, "EtwWrite", given, event, 0, 1, entry) == 0
    assert call(world, "EtwUnregister", given) == 0
    assert call(world, "EtwWrite", given, event, 0, 1, entry) == 0xC000_0008
    assert printed(world, "EtwWrite") == ["00000000-0000-0000-0000-000000000000 event 7 level 0 keyword 0x0: 6162"]


def test_wpps_messages_are_kept(world: Any) -> None:
    world.system.machine.trace = Trace()
    assert call(world, "WmiTraceMessage", 1, 0x2B, place(world, data=bytes(16)), 10, place(world, data=b"\x05"), 1, 0) == 0
    assert printed(world, "WmiTraceMessage") == ["00000000-0000-0000-0000-000000000000 message 10: 05"]


def test_lines_of_a_va_list_are_printed(world: Any) -> None:
    world.system.machine.trace = Trace()
    list_ = place(world, data=(5).to_bytes(8, "little"))
    format_ = place(world, data=b"queue %d\n\0")
    call(world, "vDbgPrintEx", 77, 3, format_, list_)
    call(world, "vDbgPrintExWithPrefix", place(world, data=b"nic: \0"), 77, 3, format_, list_)
    assert printed(world, "DbgPrint") == ["queue 5", "nic: queue 5"]


def test_a_location_is_one_io_stack_location_below_the_next(world: Any) -> None:
    irp = IRP(world.guest.space, call(world, "IoAllocateIrp", 2, 0))
    assert irp.Tail.Overlay.CurrentStackLocation == irp.address + IRP.size + 2 * IO_STACK_LOCATION.size
    assert (irp.CurrentLocation, irp.StackCount) == (3, 2)
