"""What a driver sets of its device, what it asks the PnP manager, its registry keys and its children."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from dirql import wdf
from dirql.device.models import MultiQueue
from dirql.ntstatus import STATUS_OBJECT_NAME_EXISTS
from dirql.pnp.inf import Inf
from dirql.system import System

CLASS = UUID("4d36e972-e325-11ce-bfc1-08002be10318")
DEVICE = UUID("a45c254e-df1c-4efd-8020-67d146a850e0")
PCI = UUID("3ab22e31-8264-4b4e-9af5-a8d2d8e33e62")
INF = r"""
[Version]
Signature = "$WINDOWS NT$"
Class = Net
ClassGuid = {4d36e972-e325-11ce-bfc1-08002be10318}
Provider = Cards
[Manufacturer]
P = Cards,NTamd64
[Cards.NTamd64]
A card = Install, PCI\VEN_1234&DEV_4D51
[Install.NT]
AddReg = Software
[Software]
HKR, , Speed, 0x00010001, 100
[Install.NT.HW]
AddReg = Hardware
[Hardware]
HKR, Tuning, Depth, 0x00010001, 7
HKR, , Label, 0x00000000, "left"
HKR, , Names, 0x00010000, "one", "two"
[Install.NT.Services]
AddService = card, 2, Service
[Service]
ServiceType = 1
AddReg = Service.Values
[Service.Values]
HKR, Parameters, Queues, 0x00010001, 3
"""


class World:
    """A started device of a driver that does nothing."""

    def __init__(self, setup: Any = None) -> None:
        world = self
        self.device: Any = None

        class Plain(wdf.Driver):
            def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
                world.device = setup(init) if setup is not None else wdf.Device.create(init)

        self.system = System(1, memory=1 << 21, trace=True)
        self.card = self.system.plug(MultiQueue(2))
        self.driver = self.system.load(Plain, Inf.parse(INF.encode()))
        assert self.system.start() == wdf.STATUS_SUCCESS

    def call(self, routine: Any) -> Any:
        return self.system.call(routine)

    def failure(self, routine: Any) -> str:
        with pytest.raises(wdf.StatusError) as caught:
            self.call(routine)
        return str(caught.value)


@pytest.mark.parametrize(("which", "value"), [
    (wdf.DeviceProperty.DeviceDescription, "A card"), (wdf.DeviceProperty.ClassName, "Net"),
    (wdf.DeviceProperty.ClassGuid, f"{{{CLASS}}}"), (wdf.DeviceProperty.Manufacturer, "Cards"),
    (wdf.DeviceProperty.BusNumber, 1), (wdf.DeviceProperty.LegacyBusType, 5), (wdf.DeviceProperty.EnumeratorName, "PCI"),
    (wdf.DeviceProperty.BusTypeGuid, UUID("c8ebdfb0-b510-11d0-80e5-00a0c92542e3")),
    (wdf.DeviceProperty.DriverKeyName, rf"{{{CLASS}}}\0000"),
])  # fmt: skip
def test_properties_come_from_the_bus_and_the_inf(which: Any, value: Any) -> None:
    w = World()
    assert w.call(lambda: w.device.query_property(which)) == value


@pytest.mark.parametrize(("key", "type_", "value"), [
    ((DEVICE, 6), wdf.DevPropType.STRING, "card"), ((DEVICE, 10), wdf.DevPropType.GUID, CLASS),
    ((PCI, 14), wdf.DevPropType.UINT32, 7), ((PCI, 15), wdf.DevPropType.UINT32, 3),
])  # fmt: skip
def test_properties_by_key_have_their_types(key: Any, type_: int, value: Any) -> None:
    w = World()
    assert w.call(lambda: w.device.query_property_ex(key)) == (type_, value)


def test_a_property_that_is_not_there_or_unknown_is_told() -> None:
    w = World()
    text = "STATUS_OBJECT_NAME_NOT_FOUND (0xc0000034): WdfDeviceQueryProperty: MultiQueue has no DevicePropertyFriendlyName"
    assert w.failure(lambda: w.device.query_property(9)) == text
    assert w.failure(lambda: w.device.query_property(99)).startswith("STATUS_INVALID_PARAMETER_2 ")


def test_a_driver_may_assign_a_property_of_its_own_and_delete_it() -> None:
    w, key = World(), (UUID(int=5), 2)
    w.call(lambda: w.device.assign_property(key, 7, b"\1\0\0\0"))
    assert w.call(lambda: w.device.query_property_ex(key)) == (7, b"\1\0\0\0")
    w.call(lambda: w.device.assign_property(key, 7, b""))
    assert w.failure(lambda: w.device.query_property_ex(key)).startswith("STATUS_OBJECT_NAME_NOT_FOUND")


@pytest.mark.parametrize(("open_", "path", "value"), [
    (lambda w: w.device.open_registry_key(2), "Speed", 100),
    (lambda w: w.device.open_registry_key(1).open_key("Tuning"), "Depth", 7),
    (lambda w: w.driver.open_parameters_registry_key(), "Queues", 3),
])  # fmt: skip
def test_the_infs_values_are_in_the_keys_that_they_were_written_to(open_: Any, path: str, value: int) -> None:
    w = World()
    assert w.call(lambda: open_(w).query_ulong(path)) == value


def test_a_registry_key_reads_and_writes_each_type() -> None:
    w = World()

    def work() -> list[Any]:
        key = w.device.open_registry_key(1)
        string, collection = wdf.String.create(w.device), wdf.Collection.create(w.device)
        key.query_string("Label", string)
        key.query_multi_string("Names", collection)
        key.assign_ulong("New", 0x1_0000_0005)
        key.assign_unicode_string("Text", "x")
        key.assign_multi_string("Many", [string, string])
        key.assign_value("Raw", 3, b"abc")
        memory, type_ = key.query_memory("Raw")
        texts = [collection.get_item(i).text for i in range(collection.get_count())]
        made, new = key.create_key("Sub")
        made.assign_memory("Copy", 3, memory, 1, 2)
        copied = made.query_value("Copy")
        made.remove_key()
        return [string.text, texts, key.query_ulong("New"), key.query_unicode_string("Text"), key.query_value("Many"), type_,
                bytes(memory.get_buffer()), new, copied, w.device.pdo.registry_key("hardware").has_key("Sub")]  # fmt: skip

    many = "left\0left\0\0".encode("utf-16-le")
    assert w.call(work) == ["left", ["one", "two"], 5, "x", (7, many), 3, b"abc", True, (3, b"bc"), False]


@pytest.mark.parametrize(("ask", "status"), [
    (lambda key: key.query_ulong("Nothing"), "STATUS_OBJECT_NAME_NOT_FOUND"),
    (lambda key: key.query_ulong("Label"), "STATUS_OBJECT_TYPE_MISMATCH"),
    (lambda key: key.query_unicode_string("Names"), "STATUS_OBJECT_TYPE_MISMATCH"),
    (lambda key: key.open_key("Nowhere"), "STATUS_OBJECT_NAME_NOT_FOUND"),
    (lambda key: key.remove_value("Nothing"), "STATUS_OBJECT_NAME_NOT_FOUND"),
    (lambda key: key.remove_key(), "STATUS_ACCESS_DENIED"),
])  # fmt: skip
def test_what_a_key_does_not_have_is_its_own_status(ask: Any, status: str) -> None:
    w = World()
    assert w.failure(lambda: ask(w.device.open_registry_key(1))).startswith(f"{status} ")


def test_a_device_state_of_failed_takes_the_device_away() -> None:
    w = World()
    w.call(lambda: w.device.set_device_state(wdf.DeviceState(failed=wdf.TriState.WdfTrue)))
    assert w.system.node(w.card).stack is None


def test_a_device_that_may_not_be_stopped_vetoes_its_removal() -> None:
    w = World()
    w.call(lambda: w.device.set_static_stop_remove(False))
    assert w.system.remove(w.card) == wdf.STATUS_UNSUCCESSFUL


def test_wake_settings_are_for_the_power_policy_owner() -> None:
    def add(init: wdf.DeviceInit) -> wdf.Device:
        init.set_power_policy_ownership(False)
        return wdf.Device.create(init)

    w, other = World(), World(add)
    w.call(lambda: w.device.assign_sx_wake_settings(wdf.SxWakeSettings()))
    assert w.failure(lambda: w.device.assign_sx_wake_settings(wdf.SxWakeSettings(dx_state=1))).startswith("STATUS_INVALID_PARAM")
    assert other.failure(lambda: other.device.assign_sx_wake_settings(wdf.SxWakeSettings())).startswith(
        "STATUS_INVALID_DEVICE_REQUEST"
    )


class Bus(World):
    """A bus driver: children by their numbers; `log` has what was made and cleaned up."""

    def __init__(self, first: tuple[int, ...] = (), *, raw: bool = False, fail: int = 0) -> None:
        log: list[Any] = []
        self.log = log

        def create(children: Any, number: int, init: wdf.PdoInit) -> int | None:
            log.append(("create", number))
            if number == fail:
                return wdf.STATUS_UNSUCCESSFUL
            init.assign_device_id("BUS\\Child")
            init.assign_instance_id(f"{number:02}")
            init.add_hardware_id("BUS\\Child")
            init.add_device_text("A child", "here", 0x409)
            init.set_default_locale(0x409)
            if raw:
                init.assign_raw_device(UUID(int=1))
            Child.create(init, wdf.ObjectAttributes(evt_cleanup_callback=lambda _: log.append(("gone", number))))
            return None

        class Child(wdf.Device):
            def evt_device_d0_entry(self, previous_state: int) -> None:
                log.append("D0Entry")

        def scan(children: Any) -> None:
            for number in first:
                children.add_or_update_child_description_as_present(number, f"slot {number}")

        def setup(init: wdf.DeviceInit) -> wdf.Device:
            init.set_default_child_list_config(wdf.ChildListConfig(create, scan))
            return wdf.Device.create(init)

        super().__init__(setup)
        self.list = self.device.default_child_list


def test_children_that_are_reported_get_their_devices() -> None:
    w = Bus((1, 2))
    assert w.log == [("create", 1), ("create", 2)]
    device, status = w.call(lambda: w.list.retrieve_pdo(2))
    assert (device.name, status) == ("BUS\\Child\\02", wdf.RetrieveDeviceStatus.Success)
    assert w.call(device.get_parent) is w.device
    assert w.call(device.retrieve_identification_description) == 2
    assert w.call(lambda: w.list.retrieve_address_description(2)) == "slot 2"
    assert w.call(lambda: device.query_property(wdf.DeviceProperty.HardwareID)) == ("BUS\\Child",)


def test_a_raw_child_is_started_and_another_is_not() -> None:
    assert Bus((1,)).log == [("create", 1)]
    assert Bus((1,), raw=True).log == [("create", 1), "D0Entry"]


def test_a_child_that_is_missing_is_removed_and_one_reported_twice_is_one() -> None:
    w = Bus((1, 2))
    assert w.call(lambda: w.list.add_or_update_child_description_as_present(2)) == STATUS_OBJECT_NAME_EXISTS
    w.call(lambda: w.list.update_child_description_as_missing(1))
    w.system.run()
    assert w.log == [("create", 1), ("create", 2), ("gone", 1)]
    assert w.failure(lambda: w.list.update_child_description_as_missing(1)).startswith("STATUS_NO_SUCH_DEVICE ")
    assert w.call(lambda: w.list.retrieve_pdo(1)) == (None, wdf.RetrieveDeviceStatus.NoSuchDevice)


def test_a_scan_leaves_those_that_were_reported() -> None:
    w = Bus((1, 2))

    def scan() -> None:
        w.list.begin_scan()
        w.list.add_or_update_child_description_as_present(2)
        w.list.add_or_update_child_description_as_present(3)
        w.list.end_scan()

    w.call(scan)
    w.system.run()
    assert w.log[2:] == [("gone", 1), ("create", 3)]


def test_an_iteration_holds_changes_back() -> None:
    w = Bus((1, 2))
    seen: list[Any] = []

    def iterate() -> None:
        iterator = w.list.begin_iteration(wdf.RetrieveChildFlags.PresentChildren)
        w.list.update_child_description_as_missing(2)
        for _ in range(2):
            child, status = w.list.retrieve_next_device(iterator)
            seen.append((child.identification, int(status)))
        try:
            w.list.retrieve_next_device(iterator)
        except wdf.StatusError as error:
            seen.append(wdf.name_of(error.status))
        assert w.log[2:] == []
        w.list.end_iteration(iterator)

    w.call(iterate)
    w.system.run()
    assert (seen, w.log[2:]) == ([(1, 1), (2, 1), "STATUS_NO_MORE_ENTRIES"], [("gone", 2)])


def test_a_child_whose_creation_fails_has_no_device() -> None:
    w = Bus((1, 2), fail=2)
    assert w.call(lambda: w.list.retrieve_pdo(2)) == (None, wdf.RetrieveDeviceStatus.NotYetCreated)


def test_children_go_before_their_parent() -> None:
    w = Bus((1,), raw=True)
    assert w.system.remove(w.card) == wdf.STATUS_SUCCESS
    assert w.log[-1] == ("gone", 1)
    assert w.device.destroyed


def test_static_children_are_added_walked_and_marked_missing() -> None:
    w = World()

    def work() -> list[Any]:
        children = []
        for number in (1, 2):
            init = wdf.PdoInit.allocate(w.device)
            init.assign_device_id("BUS\\Static")
            init.assign_instance_id(str(number))
            children.append(wdf.Device.create(init))
            w.device.add_static_child(children[-1])
        first = w.device.retrieve_next_static_child()
        second = w.device.retrieve_next_static_child(first)
        end = w.device.retrieve_next_static_child(second)
        first.mark_missing()
        return [children == [first, second], end, first]

    same, end, first = w.call(work)
    w.system.run()
    assert (same, end, first.destroyed, len(w.device.static_children)) == (True, None, True, 1)


def test_a_pdo_without_its_identifiers_is_refused() -> None:
    w = World()
    text = "STATUS_INVALID_PARAMETER (0xc000000d): WdfDeviceCreate: a child of MultiQueue has no device ID"
    assert w.failure(lambda: wdf.Device.create(wdf.PdoInit.allocate(w.device))) == text


def test_an_init_that_the_framework_gave_is_not_the_drivers_to_free() -> None:
    def add(init: wdf.DeviceInit) -> wdf.Device:
        init.free()
        return wdf.Device.create(init)

    w = World(add)
    assert [f.rule for f in w.system.findings] == ["device-init-free"]
