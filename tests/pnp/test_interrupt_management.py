"""The Interrupt Management values of the registry, good and bad."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.pnp import InterruptManagement
from dirql.pnp.constants import IrqDevicePolicy, IrqPriority
from dirql.pnp.registry import Registry, RegistryValue

PATHS = {
    "MSISupported": r"Interrupt Management\MessageSignaledInterruptProperties\MSISupported",
    "MessageNumberLimit": r"Interrupt Management\MessageSignaledInterruptProperties\MessageNumberLimit",
    "DevicePolicy": r"Interrupt Management\Affinity Policy\DevicePolicy",
    "DevicePriority": r"INTERRUPT MANAGEMENT\affinity policy\DEVICEPRIORITY",
    "AssignmentSetOverride": r"Interrupt Management\Affinity Policy\AssignmentSetOverride",
}


def read(**values: Any) -> InterruptManagement:
    def value(data: Any) -> RegistryValue:
        return data if isinstance(data, RegistryValue) else RegistryValue("REG_DWORD", data)

    return InterruptManagement.from_registry(Registry({PATHS[name]: value(data) for name, data in values.items()}))


def test_an_empty_key_opts_in_to_nothing() -> None:
    assert read() == InterruptManagement()
    assert not InterruptManagement().policy_included


def test_all_values_are_read_without_regard_to_case() -> None:
    assert read(MSISupported=1, MessageNumberLimit=9, DevicePolicy=4, DevicePriority=3, AssignmentSetOverride=6) == (
        InterruptManagement(True, 9, IrqDevicePolicy.IrqPolicySpecifiedProcessors, IrqPriority.IrqPriorityHigh, 6, True)
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (RegistryValue("REG_BINARY", b"\x0f"), 0x0F),
        (RegistryValue("REG_BINARY", b"\0\x01\0\0"), 0x100),
        (RegistryValue("REG_BINARY", b"\0" * 7 + b"\x80"), 1 << 63),
        (RegistryValue("REG_DWORD", 3), 3),
        (RegistryValue("REG_QWORD", 1 << 40), 1 << 40),
    ],
)
def test_the_processors_are_binary_dword_or_qword(value: RegistryValue, expected: int) -> None:
    management = read(DevicePolicy=4, AssignmentSetOverride=value)
    assert (management.assignment_set_override, management.notes) == (expected, ())


@pytest.mark.parametrize(("values", "note"), [
    ({"MSISupported": 2},                        "MSISupported is 0x2; it must be 0 to 1, and counts as absent"),
    ({"MSISupported": RegistryValue("REG_SZ", "1")},
     "MSISupported is REG_SZ; Windows reads a REG_DWORD (flags 0x00010001)"),
    ({"MSISupported": 1, "MessageNumberLimit": 0}, "MessageNumberLimit is 0x0; it must be 1 to 2048, and counts as absent"),
    ({"MSISupported": 1, "MessageNumberLimit": 2049}, "MessageNumberLimit is 0x801; it must be 1 to 2048, and counts as absent"),
    ({"MessageNumberLimit": 8},                  "MessageNumberLimit has no effect; it needs MSISupported 1"),
    ({"DevicePolicy": 6},
     "DevicePolicy is 0x6; it must be 0 to 5, and counts as absent"),
    ({"DevicePriority": 4},                      "DevicePriority is 0x4; it must be 0 to 3, and counts as absent"),
    ({"DevicePolicy": 4},
     ("DevicePolicy is 4 (IrqPolicySpecifiedProcessors) without AssignmentSetOverride; "
     "add the processors")),
    ({"AssignmentSetOverride": 1},
     ("AssignmentSetOverride has no effect; it needs DevicePolicy 4 "
     "(IrqPolicySpecifiedProcessors)")),
    ({"AssignmentSetOverride": RegistryValue("REG_BINARY", b"\1" * 9)},
     "AssignmentSetOverride has 0x9 bytes; a KAFFINITY has 1 to 8, and it counts as absent"),
    ({"AssignmentSetOverride": RegistryValue("REG_SZ", "3")},
     "AssignmentSetOverride is REG_SZ; Windows reads REG_BINARY, REG_DWORD or REG_QWORD"),
])  # fmt: skip
def test_what_counts_as_absent_is_noted(values: dict[str, Any], note: str) -> None:
    assert read(**values).notes == (note,)


@pytest.mark.parametrize(("values", "included"), [({}, False), ({"DevicePolicy": 0}, True), ({"DevicePriority": 0}, True)])
def test_a_policy_of_the_registry_is_included_even_when_it_is_the_default(values: dict[str, int], included: bool) -> None:
    assert read(**values).policy_included is included


@pytest.mark.parametrize(("path", "note"), [
    (r"Interrupt Management\MessageSignaledInterruptProperties\MessageNumberLimits",
     "nobody reads MessageNumberLimits; did you mean MessageNumberLimit?"),
    (r"interrupt management\Affinity Policy\DevicePolcy", "nobody reads DevicePolcy; did you mean DevicePolicy?"),
    (r"Interrupt Management\MSISupported",
     ("nobody reads MSISupported in Interrupt Management; did you mean MSISupported in "
     r"Interrupt Management\MessageSignaledInterruptProperties?")),
    (r"Interrupt Managment\Affinity Policy\DevicePolicy",
     (r"nobody reads DevicePolicy in Interrupt Managment\Affinity Policy; did you mean DevicePolicy in "
     r"Interrupt Management\Affinity Policy?")),
])  # fmt: skip
def test_a_misspelt_name_or_key_is_noted(path: str, note: str) -> None:
    assert InterruptManagement.from_registry(Registry({path: RegistryValue("REG_DWORD", 1)})).notes == (note,)


@pytest.mark.parametrize("path", [
    r"Interrupt Management\Affinity Policy\TargetGroup", r"Interrupt Management\Vendor\Moderation", "MSISupport",
    r"Rings\DevicePolicy",
])  # fmt: skip
def test_a_value_of_the_drivers_own_is_not_noted(path: str) -> None:
    assert InterruptManagement.from_registry(Registry({path: RegistryValue("REG_DWORD", 1)})).notes == ()


def test_a_policy_given_by_hand_is_included() -> None:
    assert InterruptManagement(device_policy=IrqDevicePolicy.IrqPolicyOneCloseProcessor).policy_included
