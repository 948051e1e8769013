"""What cpuid tells a driver: the emulated processor's own answer, without a hypervisor (model choice).

The emulator says that one is there and has nothing to say in the leaves from 0x40000000 on, where a driver would look for it.
"""

from __future__ import annotations

from functools import cache

from dirql.hosts.sys.processor import run_alone

__all__ = ["cpuid"]

CPUID = b"\x0f\xa2"
FEATURES, HYPERVISOR = 1, 1 << 31  # the leaf, and its bit in ECX


@cache
def cpuid(leaf: int, subleaf: int) -> tuple[int, int, int, int]:
    """EAX, EBX, ECX and EDX."""
    eax, ebx, ecx, edx = run_alone(CPUID, leaf, subleaf)
    return eax, ebx, ecx & ~HYPERVISOR if leaf == FEATURES else ecx, edx
