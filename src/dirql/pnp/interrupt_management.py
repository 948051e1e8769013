"""What a device's "Interrupt Management" registry key says about its interrupts (windows-driver-docs, "Enabling
Message-Signaled Interrupts in the Registry", "Interrupt Affinity and Priority").

A value of the wrong type or out of range counts as absent and is noted (model choice: Windows says nothing at all).

Limits: GroupPolicy and TargetGroup are not read; there is one processor group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher, get_close_matches

from dirql.pnp.constants import MSIX_LIMIT, IrqDevicePolicy, IrqPriority
from dirql.pnp.registry import RegistryValue

__all__ = ["InterruptManagement"]

_ROOT = "Interrupt Management"
_MESSAGES = rf"{_ROOT}\MessageSignaledInterruptProperties"
_AFFINITY = rf"{_ROOT}\Affinity Policy"
_KAFFINITY = 8  # bytes on x64
_READ = (
    rf"{_MESSAGES}\MSISupported", rf"{_MESSAGES}\MessageNumberLimit", rf"{_AFFINITY}\DevicePolicy",
    rf"{_AFFINITY}\DevicePriority", rf"{_AFFINITY}\AssignmentSetOverride", rf"{_AFFINITY}\GroupPolicy",
    rf"{_AFFINITY}\TargetGroup",
)  # fmt: skip
_NEAR = 0.8  # how much alike two names are, of 1


@dataclass(frozen=True)
class InterruptManagement:
    """The values pci.sys reads. `policy_included`: the registry holds a policy or a priority, so a driver's own
    WdfInterruptSetPolicy comes too late. `notes`: what was ignored, and why."""

    msi_supported: bool = False
    message_number_limit: int | None = None
    device_policy: IrqDevicePolicy = IrqDevicePolicy.IrqPolicyMachineDefault
    device_priority: IrqPriority = IrqPriority.IrqPriorityUndefined
    assignment_set_override: int | None = None
    policy_included: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        chosen = self.device_policy != IrqDevicePolicy.IrqPolicyMachineDefault
        if chosen or self.device_priority != IrqPriority.IrqPriorityUndefined:
            object.__setattr__(self, "policy_included", True)

    @classmethod
    def from_registry(cls, registry: Mapping[str, RegistryValue]) -> InterruptManagement:
        """Reads the values of a device's hardware key; `registry` maps key\\value paths and ignores their case."""
        notes: list[str] = []

        def number(path: str, least: int, most: int) -> int | None:
            name, value = path.rpartition("\\")[2], registry.get(path)
            if value is None:
                return None
            if value.type != "REG_DWORD" or not isinstance(value.data, int):
                notes.append(f"{name} is {value.type}; Windows reads a REG_DWORD (flags 0x00010001)")
            elif not least <= value.data <= most:
                notes.append(f"{name} is {value.data:#x}; it must be {least} to {most}, and counts as absent")
            else:
                return value.data
            return None

        supported = number(rf"{_MESSAGES}\MSISupported", 0, 1)
        limit = number(rf"{_MESSAGES}\MessageNumberLimit", 1, MSIX_LIMIT)
        policy = number(rf"{_AFFINITY}\DevicePolicy", 0, 5)
        priority = number(rf"{_AFFINITY}\DevicePriority", 0, 3)
        override = _processors(registry.get(rf"{_AFFINITY}\AssignmentSetOverride"), notes)
        specified = policy == IrqDevicePolicy.IrqPolicySpecifiedProcessors
        if specified and override is None:
            notes.append("DevicePolicy is 4 (IrqPolicySpecifiedProcessors) without AssignmentSetOverride; add the processors")
        if override is not None and not specified:
            notes.append("AssignmentSetOverride has no effect; it needs DevicePolicy 4 (IrqPolicySpecifiedProcessors)")
        if limit is not None and not supported:
            notes.append("MessageNumberLimit has no effect; it needs MSISupported 1")
        notes += _misspelt(registry)
        return cls(
            supported == 1, limit, IrqDevicePolicy(policy or 0), IrqPriority(priority or 0), override,
            policy is not None or priority is not None, tuple(notes),
        )  # fmt: skip


def _misspelt(registry: Mapping[str, RegistryValue]) -> list[str]:
    """Values that look much like one that Windows reads, and are another."""
    known = {path.rpartition("\\")[2].casefold(): path for path in _READ}
    read, notes = {path.casefold() for path in _READ}, []
    for path in registry:
        key, _, name = path.rpartition("\\")
        near = SequenceMatcher(None, key.partition("\\")[0].casefold(), _ROOT.casefold()).ratio() >= _NEAR
        meant = get_close_matches(name.casefold(), known, 1, _NEAR)
        if path.casefold() in read or not meant or not near:
            continue
        right_key, _, right = known[meant[0]].rpartition("\\")
        if key.casefold() == right_key.casefold():
            notes.append(f"nobody reads {name}; did you mean {right}?")
        else:
            notes.append(f"nobody reads {name} in {key or 'the device key'}; did you mean {right} in {right_key}?")
    return notes


def _processors(value: RegistryValue | None, notes: list[str]) -> int | None:
    match value:
        case None:
            return None
        case RegistryValue("REG_BINARY", bytes(data)) if 0 < len(data) <= _KAFFINITY:
            return int.from_bytes(data, "little")
        case RegistryValue("REG_DWORD" | "REG_QWORD", int(data)):
            return data
        case RegistryValue("REG_BINARY", bytes(data)):
            have = f"{len(data):#x} bytes"
            notes.append(f"AssignmentSetOverride has {have}; a KAFFINITY has 1 to {_KAFFINITY}, and it counts as absent")
        case _:
            notes.append(f"AssignmentSetOverride is {value.type}; Windows reads REG_BINARY, REG_DWORD or REG_QWORD")
    return None
