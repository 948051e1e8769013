"""WDFDEVICE: what is checked at class and at creation, and its own routines."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from dirql import wdf
from dirql.errors import UsageError


@pytest.mark.parametrize(("name", "hint"), [
    ("evt_device_d0entry", "did you mean evt_device_d0_entry?"),
    ("evt_d0_entry", "did you mean evt_device_d0_entry?"),
    ("EvtDeviceD0Entry", "did you mean evt_device_d0_entry?"),
    ("evt_device_go", "there are evt_device_d0_entry, evt_device_d0_entry_post_interrupts_enabled, "),
])  # fmt: skip
def test_a_misspelt_callback_is_refused_when_the_class_is_made(name: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        type("Wrong", (wdf.Device,), {name: lambda self, previous: None})
    assert str(caught.value).startswith(f"test_device.py:22: Wrong.{name} is no callback of a device; {hint}")


def test_a_callback_of_a_config_may_have_its_documented_name() -> None:
    class Right(wdf.Device):
        def evt_interrupt_isr(self, interrupt: wdf.Interrupt, message_id: int) -> bool:
            return True

    assert issubclass(Right, wdf.Device)


def test_callbacks_that_are_not_overridden_are_not_registered_and_not_called(World: Any) -> None:
    class Quiet(wdf.Driver):
        def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
            wdf.Device.create(init)

    from dirql.system import System

    w = World()
    system = System(1)
    system.plug(type(w.card)(1))
    system.load(Quiet)
    assert system.start() == wdf.STATUS_SUCCESS
    system.shut_down()
    assert system.framework.callbacks == [("EvtDriverDeviceAdd", "Quiet")]


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        (wdf.ObjectAttributes(size=0), wdf.STATUS_INFO_LENGTH_MISMATCH),
        (wdf.ObjectAttributes(execution_level=0), wdf.STATUS_WDF_OBJECT_ATTRIBUTES_INVALID),
        (wdf.ObjectAttributes(synchronization_scope=2, execution_level=2), wdf.STATUS_SUCCESS),
    ],
)
def test_a_devices_attributes_are_checked(World: Any, attributes: Any, status: int) -> None:
    class Checked(wdf.Driver):
        def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
            wdf.Device.create(init, attributes)

    from dirql.system import System

    system = System(1)
    system.plug(type(World().card)(1))
    system.load(Checked)
    assert system.start() == status


def test_a_device_init_makes_one_device(World: Any) -> None:
    inits: list[Any] = []

    class Twice(wdf.Driver):
        def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
            inits.append(wdf.Device.create(init))
            wdf.Device.create(init)

    from dirql.system import System

    system = System(1)
    system.plug(type(World().card)(1))
    system.load(Twice)
    assert system.start() == wdf.STATUS_INVALID_DEVICE_REQUEST
    assert inits[0].destroyed


def test_the_bus_interfaces_are_there_and_others_are_not_supported(World: Any) -> None:
    w = World().started()
    table = w.call(w.device.query_for_interface, wdf.GUID_MSIX_TABLE_CONFIG_INTERFACE)
    assert table.get_table_size() == 3
    bus = w.call(w.device.query_for_interface, wdf.GUID_BUS_INTERFACE_STANDARD)
    assert bus.get_bus_data(wdf.PCI_WHICHSPACE_CONFIG, 0, 4) == bytes.fromhex("3412514d")
    other = UUID(int=1)
    text = f"STATUS_NOT_SUPPORTED (0xc00000bb): the bus has no interface {other}"
    assert w.failure(w.device.query_for_interface, other) == text


def test_states_are_told(World: Any) -> None:
    w = World(idle=wdf.S0IdleSettings(1))
    seen: dict[str, Any] = {}
    for name in ("FilterAdd", "PrepareHardware", "PostInterruptsEnabled", "D0Exit"):
        w.during(name, lambda *_, name=name: seen.__setitem__(name, w.device.get_device_power_state()))
    w.start()
    d0, d3_final = wdf.PowerDeviceState.D0, wdf.PowerDeviceState.D3Final
    assert seen == {"FilterAdd": d3_final, "PrepareHardware": d3_final, "PostInterruptsEnabled": d0, "D0Exit": d0}
    assert w.call(w.device.get_device_power_state) == wdf.PowerDeviceState.D3
    assert w.call(w.device.get_device_pnp_state) is wdf.PnpState.Started


def test_set_failed_during_the_start_takes_effect_after_it(World: Any) -> None:
    w = World()
    w.during("D0Entry", lambda _: w.device.set_failed())
    assert w.start() == wdf.STATUS_SUCCESS
    assert w.log[w.log.index("SmIoInit") + 1] == "SurpriseRemoval"
    assert w.system.node(w.card).stack is None


@pytest.mark.parametrize(("pageable", "owner"), [(True, True), (False, True), (True, False)])
def test_what_device_init_was_told_holds_for_the_device(World: Any, pageable: bool, owner: bool) -> None:
    w = World(pageable=pageable, owner=owner).started()
    assert (w.device.power_pageable, w.device.power_policy_owner) == (pageable, owner)
