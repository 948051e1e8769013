"""The arbiter: addresses, ports, lines and vectors of one machine, and who holds them (windows-driver-docs,
"Introduction to Message-Signaled Interrupts": all messages, else one, else a line).

The alternatives are tried in order, each whole or not at all; lines that stand in for messages come last (model choice).
A BAR keeps the address that the firmware gave it where that is free. A raw message descriptor tells the same vector
as the translated one, and MSI's count is rounded down to a power of two (model choices).

Limits: one line per list; an alternative other than a line for messages is not looked at; messages and a line that are
both preferred in one list count as messages with the line as alternative.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dirql.errors import UsageError
from dirql.ntstatus import (
    STATUS_DEVICE_CONFIGURATION_ERROR,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_PARAMETER,
    StatusError,
)
from dirql.pnp.constants import MSI_LIMIT, MSIX_LIMIT, CmResourceType, IrqDevicePolicy
from dirql.pnp.grant import Grant, GrantChoice, GrantKind, ImpossibleGrant, LineGrant, MessageGrant
from dirql.pnp.io_resources import (
    IoDevicePrivate,
    IoInterrupt,
    IoMemory,
    IoResourceDescriptor,
    IoResourceList,
    IoResourceRequirementsList,
)
from dirql.pnp.requirements import GSI_FIRST, GSI_LAST
from dirql.pnp.resources import (
    CmPartialResourceDescriptor,
    DevicePrivateResource,
    MemoryResource,
    line_descriptor,
    message_raw,
    message_translated,
    private_descriptor,
)
from dirql.pnp.vectors import Exhausted, Placement, VectorSpace
from dirql.pnp.windows import Window

__all__ = ["Arbiter"]

# Model choice: where a common PC has its windows: from where firmware may have put a BAR, then what is handed out.
MEMORY32 = (0x4000_0000, 0xE000_0000, 0xFEBF_FFFF)
MEMORY64 = (0x1_0000_0000, 0x80_0000_0000, (1 << 52) - 1)
PORTS = (0x100, 0x1000, 0xFFFF)


@dataclass
class _Held:
    """What one grant holds, and so what releasing it gives back."""

    placements: list[Placement] = field(default_factory=list)
    ranges: list[tuple[Window, int, int]] = field(default_factory=list)
    gsi: int | None = None
    bars: dict[int, int] = field(default_factory=dict)
    fixed: list[CmPartialResourceDescriptor] = field(default_factory=list)
    raw: list[CmPartialResourceDescriptor] = field(default_factory=list)
    translated: list[CmPartialResourceDescriptor] = field(default_factory=list)
    messages: list[MessageGrant] = field(default_factory=list)
    line: LineGrant | None = None


@dataclass
class _Pin:
    placement: Placement
    users: int = 0


class Arbiter:
    """Owns the resources of a machine with `cpus` processors, 1 to 64."""

    def __init__(self, cpus: int) -> None:
        self.vectors = VectorSpace(cpus)
        self.memory32, self.memory64, self.ports = Window(*MEMORY32), Window(*MEMORY64), Window(*PORTS)
        self._pins: dict[int, _Pin] = {}
        self._held: dict[int, _Held] = {}
        self._next = 0

    def reserve(self, cpu: int, count: int) -> None:
        """Takes vectors away, so that requests run into exhaustion."""
        self.vectors.reserve(cpu, count)

    def grant(self, requirements: IoResourceRequirementsList, *, choice: GrantChoice | None = None) -> Grant:
        """Resources for the first alternative that can be had. Fails with STATUS_INSUFFICIENT_RESOURCES when none can, with
        STATUS_DEVICE_CONFIGURATION_ERROR when the affinity policy names no processor that exists, with
        STATUS_INVALID_PARAMETER for a list of no valid shape."""
        choice = choice or GrantChoice.all()
        self._check(requirements)
        asked = requirements.messages
        why: list[str] = []
        for descriptors, count in self._attempts(requirements, choice):
            try:
                held = self._try(requirements, descriptors, count)
            except Exhausted as problem:
                if str(problem) not in why:
                    why.append(str(problem))
                continue
            self._next += 1
            self._held[self._next] = held
            granted = len(held.messages) or int(held.line is not None)
            kind: GrantKind = "line" if held.line is not None else "none"
            if held.messages:
                kind = "msi" if requirements.msi else "msi-x"
            synthetic = choice.kind == "count" and granted not in (1, asked)
            return Grant(
                self._next, kind, asked or int(held.line is not None), granted, synthetic,
                tuple(held.fixed + held.raw), tuple(held.fixed + held.translated), tuple(held.messages), held.line,
                held.bars, requirements.bus_number, "; ".join(why),
            )  # fmt: skip
        raise StatusError(STATUS_INSUFFICIENT_RESOURCES, "; ".join(why) or "the requirements list has no alternative")

    def release(self, grant: Grant) -> None:
        """Gives back everything, at rebalance or removal."""
        held = self._held.pop(grant.number, None)
        if held is None:
            raise UsageError(f"grant {grant.number} is not held; it was released, or is of another arbiter")
        self._undo(held)

    def _undo(self, held: _Held) -> None:
        for placement in held.placements:
            self.vectors.release(placement)
        for window, start, size in held.ranges:
            window.release(start, size)
        if held.gsi is not None:
            pin = self._pins[held.gsi]
            pin.users -= 1
            if not pin.users:
                self.vectors.release(self._pins.pop(held.gsi).placement)

    # Which alternatives, in which order

    def _check(self, requirements: IoResourceRequirementsList) -> None:
        for number, one in enumerate(requirements.lists):
            asking = [d for d in one.descriptors if d.messages and not d.is_alternative]
            if len(asking) > 1 and any(d.messages > 1 for d in asking):
                raise StatusError(STATUS_INVALID_PARAMETER, f"list {number} mixes MSI and MSI-X descriptors; a list has one kind")
            for d in asking:
                if d.messages < 1:
                    raise StatusError(STATUS_INVALID_PARAMETER, f"list {number}: MinimumVector is above MaximumVector")
            if one.messages > MSIX_LIMIT:
                raise StatusError(
                    STATUS_DEVICE_CONFIGURATION_ERROR,
                    f"list {number} asks for {one.messages} messages; a function gets at most {MSIX_LIMIT}",
                )
            everybody = (1 << self.vectors.cpus) - 1
            for d in one.descriptors:
                u = d.interrupt
                specified = u is not None and u.affinity_policy == IrqDevicePolicy.IrqPolicySpecifiedProcessors
                if u is not None and specified and not u.targeted_processors & everybody:
                    raise StatusError(
                        STATUS_DEVICE_CONFIGURATION_ERROR,
                        f"IrqPolicySpecifiedProcessors names {u.targeted_processors:#x}; the processors are {everybody:#x}, "
                        f"so set AssignmentSetOverride to some of them",
                    )

    def _attempts(
        self, requirements: IoResourceRequirementsList, choice: GrantChoice
    ) -> list[tuple[IoResourceList, int | None]]:
        """(list, messages to take from it), best first; None stands for its line, 0 for no interrupt at all."""
        asked = requirements.messages
        with_messages = [one for one in requirements.lists if one.messages]
        with_line: list[tuple[IoResourceList, int | None]] = [
            (one, None) for one in requirements.lists if any(d.is_line for d in one.descriptors)
        ]
        if choice.kind == "line":
            if not with_line:
                reason = "the function has no Interrupt Pin, or a filter removed the line; grant messages"
                raise ImpossibleGrant("the line cannot be granted", reason)
            return with_line
        if choice.kind == "all":
            first = [(one, one.messages or (None if (one, None) in with_line else 0)) for one in requirements.lists]
            return first + [attempt for attempt in with_line if attempt not in first]
        what = f"{choice.count} messages cannot be granted"
        if not with_messages:
            raise ImpossibleGrant(what, "none is asked for; does the INF set MSISupported to 1?")
        most = max(one.messages for one in with_messages)
        if choice.count > most:
            limit = f"{asked} are asked for; take {asked} or fewer" if asked > 1 else "1 is asked for; take 1"
            raise ImpossibleGrant(what, limit)
        if requirements.msi and choice.count & (choice.count - 1):
            raise ImpossibleGrant(what, "MSI has 1, 2, 4, 8 or 16; take one of these")
        return [(next(one for one in with_messages if one.messages >= choice.count), choice.count)]

    # One alternative, whole or not at all

    def _try(self, requirements: IoResourceRequirementsList, one: IoResourceList, count: int | None) -> _Held:
        held = _Held()
        try:
            for descriptor in one.descriptors:
                if isinstance(descriptor.u, IoMemory):
                    held.fixed.append(self._range(descriptor, descriptor.u, held))
                elif isinstance(descriptor.u, IoDevicePrivate):
                    u = descriptor.u
                    held.fixed.append(private_descriptor(DevicePrivateResource(u.data0, u.data1, u.data2)))
            if count is None:
                self._line(requirements, next(d for d in one.descriptors if d.is_line), held)
            elif count:
                asking = [d for d in one.descriptors if d.messages and not d.is_alternative]
                (self._msi if requirements.msi else self._msix)(asking, count, held)
        except Exhausted:
            self._undo(held)
            raise
        return held

    def _range(self, descriptor: IoResourceDescriptor, u: IoMemory, held: _Held) -> CmPartialResourceDescriptor:
        start = self._address(descriptor, u, held)
        if u.bar is not None:
            held.bars[u.bar] = start
        return CmPartialResourceDescriptor(
            descriptor.type, descriptor.share_disposition, descriptor.flags, MemoryResource(start, u.length)
        )

    def _address(self, descriptor: IoResourceDescriptor, u: IoMemory, held: _Held) -> int:
        port = descriptor.type == CmResourceType.CmResourceTypePort
        size = u.size if u.size is not None else u.length
        if not size:
            return u.firmware or 0  # nobody knows how long it is, so nobody can move it
        if port:
            windows = [self.ports]
        elif u.maximum_address >> 32:
            # A 64-bit BAR goes above 4 GiB when it is prefetchable or does not fit below.
            high_first = bool(descriptor.flags & 0x4) or size >= 1 << 28
            windows = [self.memory64, self.memory32] if high_first else [self.memory32, self.memory64]
        else:
            windows = [self.memory32]
        for window in (self.ports,) if port else (self.memory32, self.memory64):
            if u.firmware and u.firmware % size == 0 and window.claim(u.firmware, size):
                held.ranges.append((window, u.firmware, size))
                return u.firmware
        alignment = max(size, 1) if u.size is not None else max(u.alignment, 1)
        for window in windows:
            start = window.allocate(size, alignment, u.minimum_address, u.maximum_address)
            if start is not None:
                held.ranges.append((window, start, size))
                return start
        what = "ports" if port else "bytes of memory"
        raise Exhausted(f"no window has {size:#x} {what} left for BAR {u.bar}")

    def _line(self, requirements: IoResourceRequirementsList, descriptor: IoResourceDescriptor, held: _Held) -> None:
        wish = descriptor.interrupt
        assert wish is not None
        gsi = gsi_of(wish, requirements.bus_number, requirements.slot_number)
        pin = self._pins.get(gsi)
        if pin is None:
            try:
                pin = self._pins[gsi] = _Pin(self.vectors.place(wish, 0))
            except Exhausted:
                raise Exhausted("not one interrupt vector for the line") from None
        pin.users += 1
        held.gsi, at = gsi, pin.placement
        held.line = LineGrant(gsi, at.vector, at.targets, at.lowest_priority)
        held.raw.append(line_descriptor(gsi, gsi, at.targets))
        held.translated.append(line_descriptor(held.line.irql, at.vector, at.targets))

    def _msix(self, asking: list[IoResourceDescriptor], count: int, held: _Held) -> None:
        place, placements = self.vectors.place, held.placements
        try:
            for message, descriptor in enumerate(asking[:count]):
                wish, share = descriptor.interrupt, descriptor.share_disposition
                assert wish is not None
                at = place(wish, message)
                placements.append(at)
                vector, targets = at.vector, at.targets
                held.messages.append(MessageGrant(message, vector, targets, at.lowest_priority))
                held.raw.append(message_raw(1, vector, targets, share))
                held.translated.append(message_translated(vector >> 4, vector, targets, share))
        except Exhausted:
            raise Exhausted(f"not enough interrupt vectors for {count} message{'s' if count > 1 else ''}") from None

    def _msi(self, asking: list[IoResourceDescriptor], count: int, held: _Held) -> None:
        descriptor, wish = asking[0], asking[0].interrupt
        assert wish is not None
        granted = 1 << min(count, MSI_LIMIT).bit_length() - 1
        try:
            at = self.vectors.place(wish, 0, granted)
        except Exhausted:
            many = f"{granted} message{'s' if granted > 1 else ''}"
            raise Exhausted(f"not enough consecutive interrupt vectors for {many}") from None
        held.placements.append(at)
        share = descriptor.share_disposition
        held.raw.append(message_raw(granted, at.vector, at.targets, share))
        held.translated.append(message_translated(at.vector >> 4, at.vector, at.targets, share))
        held.messages.extend(MessageGrant(i, at.vector + i, at.targets, at.lowest_priority) for i in range(granted))


def gsi_of(wish: IoInterrupt, bus: int, slot: int) -> int:
    """The I/O APIC pin of an Interrupt Pin: swizzled by the device number (PCI 3.0 §2.2.6), four pins for even and four for
    odd buses (model choice). A descriptor that names one pin gets that one."""
    if wish.minimum_vector == wish.maximum_vector and wish.minimum_vector <= GSI_LAST:
        return wish.minimum_vector
    return GSI_FIRST + 4 * (bus & 1) + (max(wish.pin, 1) - 1 + (slot & 0x1F)) % 4
