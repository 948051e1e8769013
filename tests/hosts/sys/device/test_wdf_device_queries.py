"""What a driver image asks of its device, its bus and its framework: properties, keys, interfaces, versions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from dirql import ntstatus, wdf
from dirql.hosts.sys.nt_structs import BUS_INTERFACE_STANDARD, PCI_MSIX_TABLE_CONFIG_INTERFACE, UNICODE_STRING
from dirql.hosts.sys.strings import unicode_text
from dirql.hosts.sys.wdf_structs import (
    WDF_DEVICE_PROPERTY_DATA,
)

GUID = UUID("5f0f9a8a-6d0c-4d4e-9b63-3a7f0a1f2b3c")
DEVICE = UUID("a45c254e-df1c-4efd-8020-67d146a850e0")


def test_properties_and_keys_are_there_before_the_device(Sys: Any, world: Any) -> None:
    seen: list[Any] = []

    def before(s: Sys, init: int) -> None:
        needed, buffer, type_ = s.data(bytes(4)), s.data(b"", 64), s.data(bytes(4))
        asked = s.struct(WDF_DEVICE_PROPERTY_DATA, PropertyKey=s.data(DEVICE.bytes_le + (9).to_bytes(4, "little")))
        seen.append(s("WdfFdoInitQueryProperty", init, 0, 64, buffer, needed))
        seen.append(s("WdfFdoInitQueryPropertyEx", init, asked, 64, buffer, needed, type_))
        memory = s.guest.objects[s.made("WdfFdoInitAllocAndQueryProperty", init, 5, 0, 0)]
        seen.append(s("WdfFdoInitAllocAndQueryPropertyEx", init, asked, 0, 0, buffer, type_))
        seen.append((bytes(memory.get_buffer()), s.number(type_)))
        key = s.made("WdfFdoInitOpenRegistryKey", init, 1, 0, 0)
        seen.append((s("WdfRegistryQueryULong", key, s.text("Depth"), needed), s.number(needed)))
        seen.append(s.guest.behind[s("WdfFdoInitWdmGetPhysicalDevice", init)])

    s = Sys(world, before)
    assert seen == [0, 0, 0, ("Net\0".encode("utf-16-le"), 0x12), (0, 7), s.world.system.node(s.world.card)]


def test_properties_are_handed_out_with_the_length_that_they_need(Sys: Any, world: Any) -> None:
    s = Sys(world)
    needed, buffer = s.data(bytes(4)), s.data(b"", 64)
    assert s("WdfDeviceQueryProperty", s.handle, 0, 0, 0, needed) == ntstatus.STATUS_BUFFER_TOO_SMALL
    assert s.number(needed) == 14
    assert s("WdfDeviceQueryProperty", s.handle, 0, 64, buffer, needed) == 0
    assert s.space.read(buffer, 14).decode("utf-16-le") == "A card\0"
    assert s("WdfDeviceQueryProperty", s.handle, 9, 64, buffer, needed) == ntstatus.STATUS_OBJECT_NAME_NOT_FOUND
    memory = s.made("WdfDeviceAllocAndQueryProperty", s.handle, 6, 0, 0)
    assert s.bytes_of(memory).decode("utf-16-le") == "{4d36e972-e325-11ce-bfc1-08002be10318}\0"


def test_properties_by_key_have_a_type_and_may_be_assigned(Sys: Any, world: Any) -> None:
    s = Sys(world)
    key = s.data(DEVICE.bytes_le + (9).to_bytes(4, "little"))
    own = s.data(GUID.bytes_le + (2).to_bytes(4, "little"))
    needed, type_, buffer = s.data(bytes(4)), s.data(bytes(4)), s.data(b"", 64)
    asked = s.struct(WDF_DEVICE_PROPERTY_DATA, PropertyKey=key)
    assert s("WdfDeviceQueryPropertyEx", s.handle, asked, 64, buffer, needed, type_) == 0
    assert (s.number(needed), s.number(type_), s.space.read(buffer, 8)) == (8, 0x12, "Net\0".encode("utf-16-le"))
    mine = s.struct(WDF_DEVICE_PROPERTY_DATA, PropertyKey=own)
    assert s("WdfDeviceAssignProperty", s.handle, mine, 7, 4, s.data(b"\5\0\0\0")) == 0
    memory = s.data(bytes(8))
    assert s("WdfDeviceAllocAndQueryPropertyEx", s.handle, mine, 0, 0, memory, type_) == 0
    assert (s.bytes_of(s.number(memory, 8)), s.number(type_)) == (b"\5\0\0\0", 7)
    wrong = s.struct(WDF_DEVICE_PROPERTY_DATA, Size=8)
    assert s("WdfDeviceQueryPropertyEx", s.handle, wrong, 64, buffer, needed, type_) == ntstatus.STATUS_INFO_LENGTH_MISMATCH


def test_registry_values_are_read_and_written_through_keys(Sys: Any, world: Any) -> None:
    s = Sys(world)
    key = s.made("WdfDeviceOpenRegistryKey", s.handle, 1, 0x20019, 0)
    value, type_, length = s.data(bytes(4)), s.data(bytes(4)), s.data(bytes(4))
    assert s("WdfRegistryQueryULong", key, s.text("Depth"), value) == 0
    assert s.number(value) == 7
    assert s("WdfRegistryQueryULong", key, s.text("Label"), value) == ntstatus.STATUS_OBJECT_TYPE_MISMATCH
    assert s("WdfRegistryQueryULong", key, s.text("No"), value) == ntstatus.STATUS_OBJECT_NAME_NOT_FOUND
    assert s("WdfRegistryQueryValue", key, s.text("Label"), 2, value, length, type_) == ntstatus.STATUS_BUFFER_OVERFLOW
    assert (s.number(length), s.number(type_)) == (10, 1)
    assert s("WdfRegistryAssignULong", key, s.text("New"), 9) == 0
    assert s("WdfRegistryQueryValue", key, s.text("New"), 4, value, length, type_) == 0
    assert (s.number(value), s.number(type_)) == (9, 4)
    string = s.made("WdfStringCreate", s.text("hello"), 0)
    assert s("WdfRegistryAssignString", key, s.text("S"), string) == 0
    assert s("WdfRegistryAssignUnicodeString", key, s.text("U"), s.text("you")) == 0
    assert s("WdfRegistryQueryString", key, s.text("U"), string) == 0
    assert s.guest.objects[string].text == "you"
    room = s.data(b"", 32)
    to = s.data(bytes(UNICODE_STRING.new(MaximumLength=32, Buffer=room)))
    assert s("WdfRegistryQueryUnicodeString", key, s.text("S"), length, to) == 0
    assert (unicode_text(UNICODE_STRING(s.space, to)), s.number(length, 2)) == ("hello", 12)
    small = s.data(bytes(UNICODE_STRING.new(MaximumLength=4, Buffer=room)))
    assert s("WdfRegistryQueryUnicodeString", key, s.text("S"), 0, small) == ntstatus.STATUS_BUFFER_OVERFLOW
    assert s("WdfRegistryAssignValue", key, s.text("Raw"), 3, 3, s.data(b"abc")) == 0
    memory, what = s.data(bytes(8)), s.data(bytes(4))
    assert s("WdfRegistryQueryMemory", key, s.text("Raw"), 0, 0, memory, what) == 0
    handle = s.number(memory, 8)
    assert s("WdfRegistryAssignMemory", key, s.text("Part"), 3, handle, s.data(bytes([1, *[0] * 7, 2, *[0] * 7]))) == 0
    assert s.device.pdo.registry_key("hardware")["Part"].data == b"bc"
    assert s("WdfRegistryRemoveValue", key, s.text("Part")) == 0
    s("WdfRegistryClose", key)


def test_keys_are_made_opened_and_removed_and_strings_collected(Sys: Any, world: Any) -> None:
    s = Sys(world)
    key = s.made("WdfDeviceOpenRegistryKey", s.handle, 2, 0x20019, 0)
    disposition, out = s.data(bytes(4)), s.data(bytes(8))
    assert s("WdfRegistryCreateKey", key, s.text("Sub"), 0, 0, disposition, 0, out) == 0
    sub = s.number(out, 8)
    assert (s.number(disposition), s.made("WdfRegistryOpenKey", key, s.text("Sub"), 0, 0) != sub) == (1, True)
    collection = s.made("WdfCollectionCreate", 0)
    for text in ("a", "b"):
        s("WdfCollectionAdd", collection, s.made("WdfStringCreate", s.text(text), 0))
    assert s("WdfRegistryAssignMultiString", sub, s.text("Many"), collection) == 0
    other = s.made("WdfCollectionCreate", 0)
    assert s("WdfRegistryQueryMultiString", sub, s.text("Many"), 0, other) == 0
    items = [s.guest.objects[s("WdfCollectionGetItem", other, i)] for i in range(2)]
    assert [one.text for one in items] == ["a", "b"]
    assert s("WdfRegistryRemoveKey", sub) == 0
    assert s("WdfRegistryOpenKey", key, s.text("Sub"), 0, 0, out) == ntstatus.STATUS_OBJECT_NAME_NOT_FOUND
    assert s.made("WdfDriverOpenParametersRegistryKey", s.guest.handle(s.driver), 0, 0) != 0


def test_the_bus_interface_is_a_structure_of_functions_over_configuration_space(Sys: Any, world: Any) -> None:
    s = Sys(world)
    interface, buffer = s.data(bytes(BUS_INTERFACE_STANDARD.size)), s.data(b"", 16)
    guid = s.data(UUID("496b8280-6f25-11d0-beaf-08002be2092f").bytes_le)
    assert s("WdfFdoQueryForInterface", s.handle, guid, interface, 0x40, 1, 0) == 0
    view = BUS_INTERFACE_STANDARD(s.space, interface)
    assert BUS_INTERFACE_STANDARD.offset("SetBusData") == 0x30
    assert (view.Size, view.Version) == (0x40, 1)
    assert world.call(view.GetBusData, view.Context, 0, buffer, 0, 4) == 4
    assert s.space.read(buffer, 4) == bytes.fromhex("3412514d")
    s.space.write(buffer, b"\x5a")
    assert world.call(view.SetBusData, view.Context, 0, buffer, 0x3C, 1) == 1
    assert world.card.config_read(0x3C, 1) == 0x5A
    for function in (view.InterfaceReference, view.InterfaceDereference):
        world.call(function, view.Context)
    assert s("WdfFdoQueryForInterface", s.handle, guid, interface, 0x20, 1, 0) == ntstatus.STATUS_NOT_SUPPORTED
    assert s("WdfFdoQueryForInterface", s.handle, s.data(GUID.bytes_le), interface, 0x40, 1, 0) == ntstatus.STATUS_NOT_SUPPORTED


def test_the_msix_table_interface_aims_masks_and_tells(Sys: Any, world: Any) -> None:
    s = Sys(world)
    interface, message, masked = s.data(bytes(0x48)), s.data(bytes(4)), s.data(bytes(1))
    guid = s.data(wdf.GUID_MSIX_TABLE_CONFIG_INTERFACE.bytes_le)
    assert s("WdfFdoQueryForInterface", s.handle, guid, interface, 0x48, 1, 0) == 0
    view = PCI_MSIX_TABLE_CONFIG_INTERFACE(s.space, interface)
    entries = world.call(view.GetTableSize, view.Context)
    assert entries > 1
    assert world.call(view.SetTableEntry, view.Context, 0, 1) & 0xFFFF_FFFF == 0
    assert world.call(view.MaskTableEntry, view.Context, 0) & 0xFFFF_FFFF == 0
    assert world.call(view.GetTableEntry, view.Context, 0, message, masked) & 0xFFFF_FFFF == 0
    assert (s.number(message), s.number(masked, 1)) == (1, 1)
    assert world.call(view.UnmaskTableEntry, view.Context, 0) & 0xFFFF_FFFF == 0
    assert world.call(view.MaskTableEntry, view.Context, entries) & 0xFFFF_FFFF == ntstatus.STATUS_INVALID_PARAMETER


@pytest.mark.parametrize(("major", "minor", "size", "there"), [(1, 33, 12, 1), (1, 34, 12, 0), (2, 0, 12, 0), (1, 9, 4, 0)])
def test_a_driver_asks_for_its_framework(Sys: Any, world: Any, major: int, minor: int, size: int, there: int) -> None:
    s = Sys(world)
    asked = s.data(b"".join(n.to_bytes(4, "little") for n in (size, major, minor)))
    assert s("WdfDriverIsVersionAvailable", s.guest.handle(s.driver), asked) & 0xFF == there
    string = s.made("WdfStringCreate", 0, 0)
    assert s("WdfDriverRetrieveVersionString", s.guest.handle(s.driver), string) == 0
    assert s.guest.objects[string].text == "Kernel Mode Driver Framework 1.33"
