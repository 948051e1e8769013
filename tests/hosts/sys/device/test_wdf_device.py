"""A driver image's side of devices: inits, settings, resources, states, WDM views, files."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from dirql import ntstatus, wdf
from dirql.hosts.sys.abi import ROUTINES
from dirql.hosts.sys.nt_structs import DEVICE_OBJECT, UNICODE_STRING
from dirql.hosts.sys.strings import unicode_text
from dirql.hosts.sys.wdf_structs import (
    WDF_DEVICE_PNP_CAPABILITIES,
    WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS,
    WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS,
    WDF_DEVICE_STATE,
    WDF_FDO_EVENT_CALLBACKS,
    WDF_FILEOBJECT_CONFIG,
    WDF_IO_TYPE_CONFIG,
    WDF_PNPPOWER_EVENT_CALLBACKS,
    WDF_POWER_POLICY_EVENT_CALLBACKS,
)
from dirql.kernel.stop import BugCheck

GUID = UUID("5f0f9a8a-6d0c-4d4e-9b63-3a7f0a1f2b3c")


def test_a_null_pointer_for_a_structure_is_a_fault_in_the_routine(Sys: Any, world: Any) -> None:
    s = Sys(world)
    with pytest.raises(BugCheck, match="reads 0x0: a NULL pointer"):
        s("WdfDeviceSetPnpCapabilities", s.handle, 0)


def test_pnp_callbacks_are_called_with_the_device_and_their_arguments(Sys: Any, world: Any) -> None:
    log: list[Any] = []

    def before(s: Sys, init: int) -> None:
        entry = s.world.function(lambda device, state: log.append((device, state)), 2)
        s("WdfDeviceInitSetPnpPowerEventCallbacks", init, s.struct(WDF_PNPPOWER_EVENT_CALLBACKS, EvtDeviceD0Entry=entry))

    s = Sys(world, before)
    assert log == [(s.handle, 5)]


@pytest.mark.parametrize(("routine", "arguments", "attribute", "value"), [
    ("WdfDeviceInitSetPowerNotPageable", (), "power_pageable", False),
    ("WdfDeviceInitSetPowerPageable", (), "power_pageable", True),
    ("WdfDeviceInitSetPowerInrush", (), "power_pageable", False),
    ("WdfDeviceInitSetPowerPolicyOwnership", (0,), "power_policy_owner", False),
    ("WdfDeviceInitSetIoType", (1,), "io_type", "neither"), ("WdfDeviceInitSetIoType", (3,), "io_type", "direct"),
    ("WdfDeviceInitSetIoType", (77,), "io_type", "buffered"),
    ("WdfDeviceInitSetExclusive", (1,), "exclusive", True), ("WdfDeviceInitSetDeviceType", (0x8000,), "device_type", 0x8000),
    ("WdfDeviceInitSetCharacteristics", (0x100, 1), "characteristics", 0x100), ("WdfFdoInitSetFilter", (), "is_filter", True),
    ("WdfDeviceInitSetReleaseHardwareOrderOnFailure", (1,), "io_type", "buffered"),
])  # fmt: skip
def test_what_an_init_is_told_the_device_has(
    Sys: Any, world: Any, routine: str, arguments: Any, attribute: str, value: Any
) -> None:
    s = Sys(world, lambda s, init: (s(routine, init, *arguments), None)[1])
    assert getattr(s.device, attribute) == value


def test_the_larger_settings_of_an_init_are_read_from_their_structures(Sys: Any, world: Any) -> None:
    log: list[int] = []

    def before(s: Sys, init: int) -> None:
        function = s.world.function(lambda *slots: 0)
        s("WdfDeviceInitSetIoTypeEx", init, s.struct(WDF_IO_TYPE_CONFIG, ReadWriteIoType=3))
        s("WdfDeviceInitSetPowerPolicyEventCallbacks", init, s.struct(WDF_POWER_POLICY_EVENT_CALLBACKS))
        log.append(s("WdfDeviceInitAssignName", init, s.text("\\Device\\Card")))
        log.append(s("WdfDeviceInitAssignSDDLString", init, s.text("D:P(A;;GA;;;SY)")))
        s("WdfDeviceInitSetDeviceClass", init, s.data(GUID.bytes_le))
        s("WdfDeviceInitSetRemoveLockOptions", init, s.data(bytes([8, 0, 0, 0, 1, 0, 0, 0])))
        log.append(s("WdfDeviceInitRegisterPnpStateChangeCallback", init, 0x119, function, 1))
        log.append(s("WdfDeviceInitRegisterPowerStateChangeCallback", init, 0x305, function, 1))
        log.append(s("WdfDeviceInitRegisterPowerPolicyStateChangeCallback", init, 0x505, function, 0))

    s = Sys(world, before)
    assert (s.device.io_type, s.device.device_name) == ("direct", "\\Device\\Card")
    assert log == [0, 0, 0, 0, ntstatus.STATUS_INVALID_PARAMETER]
    string = s.made("WdfStringCreate", 0, 0)
    assert s("WdfDeviceRetrieveDeviceName", s.handle, string) == 0
    to = s.data(bytes(16))
    s("WdfStringGetUnicodeString", string, to)
    assert unicode_text(UNICODE_STRING(s.space, to)) == "\\Device\\Card"


def test_resource_filters_see_and_change_the_requirements(Sys: Any, world: Any) -> None:
    seen: list[Any] = []

    def before(s: Sys, init: int) -> None:
        def add(device: int, requirements: int) -> int:
            count = s("WdfIoResourceRequirementsListGetCount", requirements)
            first = s("WdfIoResourceRequirementsListGetIoResList", requirements, 0)
            wishes = s("WdfIoResourceListGetCount", first)
            address = s("WdfIoResourceListGetDescriptor", first, 0)
            again = s("WdfIoResourceListGetDescriptor", first, 0)
            seen.append((count > 0, wishes > 2, address == again, s("WdfIoResourceListGetDescriptor", first, 99)))
            s("WdfIoResourceListUpdateDescriptor", first, address, 0)
            made = s.made("WdfIoResourceListCreate", requirements, 0)
            s("WdfIoResourceListAppendDescriptor", made, address)
            seen.append(s("WdfIoResourceRequirementsListAppendIoResList", requirements, made))
            s("WdfIoResourceRequirementsListSetSlotNumber", requirements, 3)
            return 0

        def remove(device: int, requirements: int) -> int:
            first = s("WdfIoResourceRequirementsListGetIoResList", requirements, 0)
            last = s("WdfIoResourceListGetCount", first) - 1
            wish = s("WdfIoResourceListGetDescriptor", first, last)
            s("WdfIoResourceListRemoveByDescriptor", first, wish)
            seen.append(last - s("WdfIoResourceListGetCount", first))
            return 0

        s("WdfFdoInitSetEventCallbacks", init, s.struct(
            WDF_FDO_EVENT_CALLBACKS, EvtDeviceFilterAddResourceRequirements=s.world.function(add, 2),
            EvtDeviceFilterRemoveResourceRequirements=s.world.function(remove, 2),
        ))  # fmt: skip

    s = Sys(world, before)
    assert seen == [0, (True, True, True, 0), 0]
    requirements = s.world.system.node(s.world.card).requirements
    assert (len(requirements.lists[-1].descriptors), requirements.slot_number) == (1, 3)


def test_resources_may_be_added_to_a_list_that_is_sent_down(Sys: Any, world: Any) -> None:
    s, seen = Sys(world), []
    list_ = s.guest.handle(s.device.translated_resources)

    def work() -> None:
        count = s("WdfCmResourceListGetCount", list_)
        clone = s("WdfCmResourceListGetDescriptor", list_, 0)
        seen.append(s("WdfCmResourceListAppendDescriptor", list_, clone))
        seen.append(s("WdfCmResourceListInsertDescriptor", list_, clone, 99))
        s("WdfCmResourceListRemoveByDescriptor", list_, clone)
        seen.append(s("WdfCmResourceListGetCount", list_) - count)

    world.system.call(work)
    assert seen == [0, ntstatus.STATUS_INVALID_PARAMETER, 0]


def test_a_device_is_opened_through_its_interface_and_the_image_sees_the_file(Sys: Any, world: Any) -> None:
    log: list[Any] = []

    def before(s: Sys, init: int) -> None:
        def create(device: int, request: int, file: int) -> None:
            name = UNICODE_STRING(s.space, s("WdfFileObjectGetFileName", file))
            log.append(("create", unicode_text(name), s("WdfFileObjectGetDevice", file) == device))
            log.append(s("WdfDeviceGetFileObject", device, s("WdfFileObjectWdmGetFileObject", file)) == file)
            s.guest.objects[request].complete(0)

        tell = {name: s.world.function(lambda file, name=name: log.append(name), 1) for name in ("close", "cleanup")}
        config = s.struct(WDF_FILEOBJECT_CONFIG, EvtDeviceFileCreate=s.world.function(create, 3), EvtFileClose=tell["close"],
                          EvtFileCleanup=tell["cleanup"])  # fmt: skip
        s("WdfDeviceInitSetFileObjectConfig", init, config, 0)

    s = Sys(world, before)
    assert s("WdfDeviceCreateDeviceInterface", s.handle, s.data(GUID.bytes_le), s.text("one")) == 0
    assert s("WdfDeviceCreateSymbolicLink", s.handle, s.text("\\DosDevices\\Card")) == 0
    assert s("WdfDeviceCreateSymbolicLink", s.handle, s.text("\\??\\card")) == ntstatus.STATUS_OBJECT_NAME_COLLISION
    world.system.open(GUID).close()
    assert log == [("create", "\\one", True), True, "cleanup", "close"]
    s("WdfDeviceSetDeviceInterfaceState", s.handle, s.data(GUID.bytes_le), s.text("one"), 0)
    with pytest.raises(wdf.StatusError, match="is not enabled"):
        world.system.open(GUID)
    string = s.made("WdfStringCreate", s.text("x"), 0)
    assert s("WdfDeviceRetrieveDeviceInterfaceString", s.handle, s.data(GUID.bytes_le), s.text("one"), string) == 0
    assert s.guest.objects[string].text.endswith(f"#{{{GUID}}}\\one")


@pytest.mark.parametrize(("values", "status"), [
    ({"IdleCaps": 1, "DxState": 5, "Enabled": 2, "IdleTimeout": 10}, 0),
    ({"IdleCaps": 1, "DxState": 4, "Enabled": 2, "Size": 0x18}, 0),
    ({"IdleCaps": 0, "DxState": 4}, ntstatus.STATUS_INVALID_PARAMETER),
    ({"IdleCaps": 1, "DxState": 1}, ntstatus.STATUS_INVALID_PARAMETER),
    ({"IdleCaps": 1, "DxState": 4, "Size": 4}, ntstatus.STATUS_INFO_LENGTH_MISMATCH),
])  # fmt: skip
def test_idle_settings_are_checked_and_taken(Sys: Any, world: Any, values: Any, status: int) -> None:
    s = Sys(world)
    assert s("WdfDeviceAssignS0IdleSettings", s.handle, s.struct(WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS, **values)) == status
    assert (s.device.idle.settings is not None) == (status == 0)


def test_an_idle_device_goes_down_and_a_reference_brings_it_back(Sys: Any, world: Any) -> None:
    s = Sys(world)
    settings = s.struct(WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS, IdleCaps=1, DxState=5, Enabled=2, IdleTimeout=1)
    s("WdfDeviceAssignS0IdleSettings", s.handle, settings)
    world.system.run()
    assert s.device.power.state == wdf.PowerDeviceState.D3
    assert s("WdfDeviceStopIdleActual", s.handle, 1, 0, 7, 0) == 0
    assert s.device.power.state == wdf.PowerDeviceState.D0
    s("WdfDeviceResumeIdleActual", s.handle, 0, 7, 0)
    world.system.run()
    assert s("WdfDeviceStopIdleNoTrack", s.handle, 0) == ntstatus.STATUS_PENDING
    world.system.run()
    s("WdfDeviceResumeIdleNoTrack", s.handle)
    assert s.device.idle.references == 0


def test_wake_settings_capabilities_and_states_are_kept(Sys: Any, world: Any) -> None:
    s = Sys(world)
    settings = s.struct(WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS, DxState=5, Enabled=2)
    assert s("WdfDeviceAssignSxWakeSettings", s.handle, settings) == 0
    assert s("WdfDeviceIndicateWakeStatus", s.handle, 0) == ntstatus.STATUS_INVALID_DEVICE_REQUEST
    s("WdfDeviceSetPnpCapabilities", s.handle, s.struct(WDF_DEVICE_PNP_CAPABILITIES, Removable=1, UINumber=4))
    assert (s.device.pnp_capabilities.removable, s.device.pnp_capabilities.ui_number) == (1, 4)
    s("WdfDeviceSetPowerCapabilities", s.handle, s.data((0x48).to_bytes(4, "little"), 0x100))
    state = s.struct(WDF_DEVICE_STATE)
    s("WdfDeviceGetDeviceState", s.handle, state)
    assert WDF_DEVICE_STATE(s.space, state).Failed == 2
    s("WdfDeviceSetDeviceState", s.handle, s.struct(WDF_DEVICE_STATE, Disabled=2, NotDisableable=1))
    assert s.device.device_state.not_disableable == 1
    s("WdfDeviceSetBusInformationForChildren", s.handle, s.data(GUID.bytes_le + bytes([5, 0, 0, 0, 2, 0, 0, 0])))
    assert (s.device.bus_information.legacy_bus_type, s.device.bus_information.bus_number) == (5, 2)
    s("WdfDeviceSetSpecialFileSupport", s.handle, 1, 1)
    s("WdfDeviceSetStaticStopRemove", s.handle, 0)
    assert (s.device.static_stop_remove, s("WdfDeviceGetSystemPowerAction", s.handle)) == (False, 0)


def test_a_device_that_failed_is_removed(Sys: Any, world: Any) -> None:
    s = Sys(world)
    s("WdfDeviceSetFailed", s.handle, 2)
    world.system.run()
    assert world.system.node(world.card).stack is None


def test_what_a_device_has_is_handed_out_as_handles(Sys: Any, world: Any) -> None:
    s = Sys(world)
    assert s("WdfDeviceGetDriver", s.handle) == s.guest.handle(s.driver)
    assert s("WdfDeviceGetDefaultQueue", s.handle) == 0
    assert s("WdfDeviceGetIoTarget", s.handle) == s("WdfDeviceGetIoTarget", s.handle) != 0
    assert s("WdfDeviceGetDevicePnpState", s.handle) == 0x119
    assert s("WdfFdoGetDefaultChildList", s.handle) == 0


def test_wdm_device_objects_form_a_stack_and_lead_back(Sys: Any, world: Any) -> None:
    s = Sys(world)
    s("WdfDeviceSetAlignmentRequirement", s.handle, 0x3F)
    s("WdfDeviceSetCharacteristics", s.handle, 0x100)
    functional, physical = (s(f"WdfDeviceWdmGet{name}", s.handle) for name in ("DeviceObject", "PhysicalDevice"))
    view, below = DEVICE_OBJECT(s.space, functional), DEVICE_OBJECT(s.space, physical)
    assert (view.Type, view.AlignmentRequirement, view.Characteristics, view.Flags & 4) == (3, 0x3F, 0x100, 4)
    assert (below.AttachedDevice, view.StackSize, below.Flags & 0x1000) == (functional, 2, 0x1000)
    assert s("WdfDeviceWdmGetAttachedDevice", s.handle) == physical
    assert s("WdfDeviceWdmGetDeviceObject", s.handle) == functional
    assert s.guest.behind[physical] is world.system.node(world.card)
    assert (s("WdfDeviceGetAlignmentRequirement", s.handle), s("WdfDeviceGetCharacteristics", s.handle)) == (0x3F, 0x100)

    def back(address: int) -> int:
        return int(world.call(s.guest.stubs.address("wdf!WdfWdmDeviceGetWdfDeviceHandle",
                                                    ROUTINES["wdf!WdfWdmDeviceGetWdfDeviceHandle"]), 0, address))  # fmt: skip

    assert (back(functional), back(physical)) == (s.handle, 0)
