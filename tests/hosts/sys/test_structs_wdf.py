"""Framework structures against the offsets that the facts list."""

from __future__ import annotations

import pytest

from dirql.hosts.sys import wdf_structs

# fmt: off
OFFSETS = {  # facts §2.1 and §6.2, in the order of the members
    "WDF_BIND_INFO":                [0, 8, 0x10, 0x1C, 0x20, 0x28],
    "WDF_BIND_INFO2":               [0, 0x30, 0x38, 0x40, 0x48, 0x50],
    "WDF_CLASS_BIND_INFO":          [0, 8, 0x10, 0x20, 0x28, 0x30, 0x38, 0x40, 0x48],
    "WDF_DRIVER_CONFIG":            [0, 8, 0x10, 0x18, 0x1C],
    "WDF_DRIVER_GLOBALS":           [0, 8, 0xC, 0x10, 0x30],
    "WDF_INTERRUPT_CONFIG":         [0, 8, 0x10, 0x14, 0x15, 0x18, 0x20, 0x28, 0x30, 0x38, 0x40, 0x48, 0x50, 0x58, 0x5C, 0x60],
    "WDF_INTERRUPT_EXTENDED_POLICY": [0, 4, 8, 0x10],
    "WDF_INTERRUPT_INFO":           [0, 8, 0x10, 0x18, 0x1C, 0x20, 0x24, 0x28, 0x2C, 0x30, 0x31, 0x38],
    "WDF_OBJECT_ATTRIBUTES":        [0, 8, 0x10, 0x18, 0x1C, 0x20, 0x28, 0x30],
    "WDF_OBJECT_CONTEXT_TYPE_INFO": [0, 8, 0x10, 0x18, 0x20],
    "WDF_PNPPOWER_EVENT_CALLBACKS": [8 * n for n in range(18)],
    "WDF_REQUEST_PARAMETERS":       [0, 2, 4, 8],
}
PATHS = [
    ("WDF_REQUEST_PARAMETERS.Parameters.Read.Key",                         0x10),
    ("WDF_REQUEST_PARAMETERS.Parameters.Write.DeviceOffset",               0x18),
    ("WDF_REQUEST_PARAMETERS.Parameters.DeviceIoControl.InputBufferLength", 0x10),
    ("WDF_REQUEST_PARAMETERS.Parameters.DeviceIoControl.IoControlCode",    0x18),
    ("WDF_REQUEST_PARAMETERS.Parameters.DeviceIoControl.Type3InputBuffer", 0x20),
    ("WDF_BIND_INFO.Version.Build",                                        0x18),
    ("WDF_INTERRUPT_EXTENDED_POLICY.TargetProcessorSetAndGroup.Group",     0x18),
]
OLDER = [  # a shorter form ends where this member begins
    ("WDF_PNPPOWER_EVENT_CALLBACKS.EvtDeviceUsageNotificationEx", 0x88),
    ("WDF_INTERRUPT_CONFIG.EvtInterruptWorkItem",                 0x38),
    ("WDF_INTERRUPT_CONFIG.CanWakeDevice",                        0x60),
    ("WDF_INTERRUPT_INFO.Group",                                  0x38),
    ("WDF_DEVICE_STATE.AssignedToGuest",                          28),
]
# fmt: on


@pytest.mark.parametrize(("name", "offsets"), OFFSETS.items())
def test_members_are_where_the_facts_have_them(name, offsets):
    assert [field.offset for field in getattr(wdf_structs, name).fields.values()] == offsets


@pytest.mark.parametrize(("path", "offset"), PATHS)
def test_members_of_members_are_where_the_facts_have_them(path, offset):
    name, _, member = path.partition(".")
    assert getattr(wdf_structs, name).offset(member) == offset


@pytest.mark.parametrize(("path", "size"), OLDER)
def test_an_older_form_is_a_beginning_of_the_newest(path, size):
    name, member = path.split(".")
    assert getattr(wdf_structs, name).offset(member) == size


@pytest.mark.parametrize("name", [n for n in wdf_structs.__all__ if n.endswith(("_CONFIG", "_CALLBACKS", "_PARAMS"))])
def test_a_configuration_begins_with_its_size(name):
    first = next(iter(getattr(wdf_structs, name).fields.values()))
    assert (first.name, first.offset, first.size) == ("Size", 0, 4)
