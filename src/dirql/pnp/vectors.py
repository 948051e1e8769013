"""Which interrupt vectors of which processors are free, and which a device gets (model choice throughout: Windows does not
document the order in which it hands out vectors, nor the processor it takes by default).

A vector of the device range is free or taken on each processor by itself. Normal and undefined priority take the lowest free
vector from 0x51 up to 0xAF, then what is left below, then 0xB0 to 0xBF; low priority starts at 0x31, high at 0xB0. A vector
whose low four bits are 0 is as good as any other. IRQL is the vector's upper four bits.

Limits: one processor group; no vector is moved once granted; steering needs no policy of its own.
"""

from __future__ import annotations

from dirql.errors import UsageError
from dirql.machine.apic import DEVICE_VECTORS
from dirql.pnp.constants import IrqDevicePolicy, IrqPriority
from dirql.pnp.io_resources import IoInterrupt

__all__ = ["CPUS_LIMIT", "DEVICE_VECTORS", "Exhausted", "Placement", "VectorSpace", "irql_of"]

CPUS_LIMIT = 64


def _bits(vectors: range) -> int:
    return sum(1 << vector for vector in vectors)


_ALL = _bits(DEVICE_VECTORS)
# fmt: off
_LOW    = [_bits(range(0x31, 0x51)), _bits(range(0x30, 0x31)), _bits(range(0x51, 0xC0))]
_NORMAL = [_bits(range(0x51, 0xB0)), _bits(range(0x30, 0x51)), _bits(range(0xB0, 0xC0))]
_HIGH   = [_bits(range(0xB0, 0xC0)), _bits(range(0x51, 0xB0)), _bits(range(0x30, 0x51))]
# fmt: on
_ORDER = {IrqPriority.IrqPriorityLow: _LOW, IrqPriority.IrqPriorityHigh: _HIGH}


class Exhausted(Exception):
    """No vector is left where one is wanted; inside pnp only."""


class Placement:
    """A granted vector (the first of `count`) and its processors."""

    __slots__ = ("count", "lowest_priority", "targets", "vector")

    def __init__(self, vector: int, targets: int, count: int) -> None:
        self.vector, self.targets, self.count = vector, targets, count
        self.lowest_priority = targets & (targets - 1) != 0


def irql_of(vector: int) -> int:
    """DIRQL of a vector: its priority class."""
    return vector >> 4


class VectorSpace:
    """The free device vectors of each processor."""

    def __init__(self, cpus: int) -> None:
        if not 1 <= cpus <= CPUS_LIMIT:
            raise UsageError(f"{cpus} processors cannot be modelled; 1 to {CPUS_LIMIT} can, for more need processor groups")
        self.cpus = cpus
        self.free = [_ALL] * cpus
        self._reserved = [0] * cpus

    def checkpoint(self) -> list[int]:
        """What `restore` takes back to."""
        return list(self.free)

    def restore(self, checkpoint: list[int]) -> None:
        """Undoes every placement since."""
        self.free = checkpoint

    def left(self, cpu: int) -> int:
        """Free vectors of a processor."""
        return self.free[cpu].bit_count()

    def reserve(self, cpu: int, count: int) -> None:
        """Takes `count` vectors of a processor away, the last that a device of normal priority would get first."""
        if not 0 <= cpu < self.cpus:
            raise UsageError(f"there is no processor {cpu}; there are {self.cpus}, 0 to {self.cpus - 1}")
        if not 0 <= count <= self.left(cpu):
            raise UsageError(f"processor {cpu} cannot lose {count} vectors; {self.left(cpu)} are free")
        for mask in reversed(_NORMAL):
            while count and self.free[cpu] & mask:
                self.free[cpu] ^= 1 << (self.free[cpu] & mask).bit_length() - 1
                count -= 1

    def place(self, wish: IoInterrupt, message: int, count: int = 1) -> Placement:
        """Vectors for message `message`: `count` consecutive ones, the first aligned to `count` (MSI).

        Who: MachineDefault the lowest-numbered processor that has them free; OneClose the one with most free vectors;
        AllClose and AllProcessorsInMachine all of them; Specified the targeted ones that exist; Spread message i on
        processor i modulo their number, or the next that has one. A set of several takes a vector free on all of them.
        """
        order = _ORDER.get(IrqPriority(wish.priority_policy) if wish.priority_policy in range(4) else IrqPriority(0), _NORMAL)
        everybody = (1 << self.cpus) - 1
        match wish.affinity_policy:
            case (
                IrqDevicePolicy.IrqPolicyAllCloseProcessors
                | IrqDevicePolicy.IrqPolicyAllProcessorsInMachine
                | IrqDevicePolicy.IrqPolicyAllProcessorsInMachineWhenSteered
            ):
                return self._take(everybody, count, order)
            case IrqDevicePolicy.IrqPolicySpecifiedProcessors:
                return self._take(wish.targeted_processors & everybody, count, order)
            case IrqDevicePolicy.IrqPolicyOneCloseProcessor:
                counts = [free.bit_count() for free in self.free]
                candidates = sorted(range(self.cpus), key=lambda cpu: -counts[cpu]) if count > 1 else [counts.index(max(counts))]
            case IrqDevicePolicy.IrqPolicySpreadMessagesAcrossAllProcessors:
                candidates = [(message + i) % self.cpus for i in range(self.cpus)]
            case _:
                candidates = list(range(self.cpus))
        for cpu in candidates:
            vector = _lowest(self.free[cpu], count, order)
            if vector is not None:
                self.free[cpu] &= ~_run(vector, count)
                return Placement(vector, 1 << cpu, count)
        raise Exhausted

    def release(self, placement: Placement) -> None:
        """The vectors are free again."""
        for cpu in _indexes(placement.targets):
            self.free[cpu] |= _run(placement.vector, placement.count)

    def _take(self, targets: int, count: int, order: list[int]) -> Placement:
        indexes = _indexes(targets)
        common = _ALL
        for cpu in indexes:
            common &= self.free[cpu]
        vector = _lowest(common, count, order) if indexes else None
        if vector is None:
            raise Exhausted
        taken = ~_run(vector, count)
        for cpu in indexes:
            self.free[cpu] &= taken
        return Placement(vector, targets, count)


def _indexes(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


def _run(vector: int, count: int) -> int:
    return ((1 << count) - 1) << vector


def _lowest(free: int, count: int, order: list[int]) -> int | None:
    """The first vector of `count` free consecutive ones, aligned to `count`; the order is that of the first one."""
    usable = free
    if count > 1:
        usable = sum(1 << v for v in range(0, 256, count) if free & (run := _run(v, count)) == run)
    for mask in order:
        found = usable & mask
        if found:
            return (found & -found).bit_length() - 1
    return None
