"""Interrupts, DPCs, timers and work items (facts §2.1)."""

from __future__ import annotations

from dirql.hosts.sys import nt_structs as nt_structs  # its structures are members here
from dirql.hosts.sys.structs import Struct

__all__ = [
    "WDF_DPC_CONFIG", "WDF_INTERRUPT_CONFIG", "WDF_INTERRUPT_EXTENDED_POLICY", "WDF_INTERRUPT_INFO", "WDF_TIMER_CONFIG",
    "WDF_WORKITEM_CONFIG",
]  # fmt: skip


class WDF_INTERRUPT_CONFIG(Struct):
    """For WdfInterruptCreate; 0x38 bytes up to KMDF 1.9, 0x60 for 1.11."""

    c = """
        ULONG Size; PVOID SpinLock; ENUM ShareVector; BOOLEAN FloatingSave; BOOLEAN AutomaticSerialization;
        PVOID EvtInterruptIsr; PVOID EvtInterruptDpc; PVOID EvtInterruptEnable; PVOID EvtInterruptDisable;
        PVOID EvtInterruptWorkItem; CM_PARTIAL_RESOURCE_DESCRIPTOR *InterruptRaw;
        CM_PARTIAL_RESOURCE_DESCRIPTOR *InterruptTranslated; PVOID WaitLock;
        BOOLEAN PassiveHandling; ENUM ReportInactiveOnPowerDown; BOOLEAN CanWakeDevice;
    """


class WDF_INTERRUPT_INFO(Struct):
    """For WdfInterruptGetInfo; up to KMDF 1.7 without Group."""

    c = """
        ULONG Size; ULONG64 Reserved1; KAFFINITY TargetProcessorSet; ULONG Reserved2; ULONG MessageNumber; ULONG Vector;
        KIRQL Irql; ENUM Mode; ENUM Polarity; BOOLEAN MessageSignaled; UCHAR ShareDisposition; USHORT POINTER_ALIGNMENT Group;
    """


class WDF_INTERRUPT_EXTENDED_POLICY(Struct):
    """For WdfInterruptSetExtendedPolicy."""

    c = "ULONG Size; ENUM Policy; ENUM Priority; GROUP_AFFINITY TargetProcessorSetAndGroup;"


class WDF_DPC_CONFIG(Struct):
    """For WdfDpcCreate."""

    c = "ULONG Size; PVOID EvtDpcFunc; BOOLEAN AutomaticSerialization;"


class WDF_TIMER_CONFIG(Struct):
    """For WdfTimerCreate; the last two came with later versions."""

    c = """
        ULONG Size; PVOID EvtTimerFunc; ULONG Period; BOOLEAN AutomaticSerialization; ULONG TolerableDelay;
        BOOLEAN POINTER_ALIGNMENT UseHighResolutionTimer;
    """


class WDF_WORKITEM_CONFIG(Struct):
    """For WdfWorkItemCreate."""

    c = "ULONG Size; PVOID EvtWorkItemFunc; BOOLEAN AutomaticSerialization;"
