"""Constants of the Windows resource structures, in their headers' spelling (wdm.h, wdfinterrupt.h).

Numbers marked [K] in the project's facts (resource types, share dispositions, options) are model choices.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = [
    "ALL_PROCESSOR_GROUPS", "CM_RESOURCE_INTERRUPT_ALLOW_RESERVED_IDT", "CM_RESOURCE_INTERRUPT_LATCHED",
    "CM_RESOURCE_INTERRUPT_LEVEL_LATCHED_BITS", "CM_RESOURCE_INTERRUPT_LEVEL_SENSITIVE",
    "CM_RESOURCE_INTERRUPT_MESSAGE", "CM_RESOURCE_INTERRUPT_MESSAGE_TOKEN", "CM_RESOURCE_INTERRUPT_POLICY_INCLUDED",
    "CM_RESOURCE_INTERRUPT_SECONDARY_INTERRUPT", "CM_RESOURCE_INTERRUPT_WAKE_HINT", "CM_RESOURCE_MEMORY_LARGE_40",
    "CM_RESOURCE_MEMORY_LARGE_48", "CM_RESOURCE_MEMORY_LARGE_64", "CM_RESOURCE_MEMORY_PREFETCHABLE",
    "CM_RESOURCE_MEMORY_READ_WRITE", "CM_RESOURCE_PORT_16_BIT_DECODE", "CM_RESOURCE_PORT_IO",
    "CM_RESOURCE_PORT_POSITIVE_DECODE", "IO_RESOURCE_ALTERNATIVE", "IO_RESOURCE_DEFAULT", "IO_RESOURCE_PREFERRED",
    "IO_RESOURCE_REQUIRED", "MSIX_LIMIT", "MSI_LIMIT", "CmResourceType", "CmShareDisposition", "InterfaceType",
    "IrqDevicePolicy", "IrqPriority",
]  # fmt: skip

# fmt: off
CM_RESOURCE_INTERRUPT_LEVEL_SENSITIVE:     Final = 0x00
CM_RESOURCE_INTERRUPT_LATCHED:             Final = 0x01
CM_RESOURCE_INTERRUPT_MESSAGE:             Final = 0x02
CM_RESOURCE_INTERRUPT_POLICY_INCLUDED:     Final = 0x04        # only in an IO_RESOURCE_DESCRIPTOR
CM_RESOURCE_INTERRUPT_ALLOW_RESERVED_IDT:  Final = 0x08
CM_RESOURCE_INTERRUPT_SECONDARY_INTERRUPT: Final = 0x10
CM_RESOURCE_INTERRUPT_WAKE_HINT:           Final = 0x20
CM_RESOURCE_INTERRUPT_LEVEL_LATCHED_BITS:  Final = 0x01
CM_RESOURCE_INTERRUPT_MESSAGE_TOKEN:       Final = 0xFFFF_FFFE

CM_RESOURCE_MEMORY_READ_WRITE:             Final = 0x000
CM_RESOURCE_MEMORY_PREFETCHABLE:           Final = 0x004
CM_RESOURCE_MEMORY_LARGE_40:               Final = 0x200       # Length is in units of 256 bytes
CM_RESOURCE_MEMORY_LARGE_48:               Final = 0x400       # … 64 KiB
CM_RESOURCE_MEMORY_LARGE_64:               Final = 0x800       # … 4 GiB
CM_RESOURCE_PORT_IO:                       Final = 0x01
CM_RESOURCE_PORT_16_BIT_DECODE:            Final = 0x10
CM_RESOURCE_PORT_POSITIVE_DECODE:          Final = 0x20

IO_RESOURCE_REQUIRED:                      Final = 0x00
IO_RESOURCE_PREFERRED:                     Final = 0x01
IO_RESOURCE_DEFAULT:                       Final = 0x02
IO_RESOURCE_ALTERNATIVE:                   Final = 0x08

ALL_PROCESSOR_GROUPS:                      Final = 0xFFFF
MSI_LIMIT:                                 Final = 16          # messages Windows gives a function; PCI allows 32
MSIX_LIMIT:                                Final = 2048        # Windows 8 and later; 910 before
# fmt: on


class CmResourceType(IntEnum):
    """What kind of resource a descriptor describes."""

    CmResourceTypeNull = 0
    CmResourceTypePort = 1
    CmResourceTypeInterrupt = 2
    CmResourceTypeMemory = 3
    CmResourceTypeDma = 4
    CmResourceTypeDeviceSpecific = 5
    CmResourceTypeBusNumber = 6
    CmResourceTypeMemoryLarge = 7
    CmResourceTypeConfigData = 0x80
    CmResourceTypeDevicePrivate = 0x81
    CmResourceTypePcCardConfig = 0x82
    CmResourceTypeMfCardConfig = 0x83
    CmResourceTypeConnection = 0x84


class CmShareDisposition(IntEnum):
    """Who may share a resource."""

    CmResourceShareUndetermined = 0
    CmResourceShareDeviceExclusive = 1
    CmResourceShareDriverExclusive = 2
    CmResourceShareShared = 3


class InterfaceType(IntEnum):
    """INTERFACE_TYPE: the kind of bus that a list belongs to."""

    InterfaceTypeUndefined = 0xFFFF_FFFF
    Internal = 0
    Isa = 1
    PCIBus = 5
    PNPBus = 15


class IrqDevicePolicy(IntEnum):
    """IRQ_DEVICE_POLICY: which processors an interrupt goes to."""

    IrqPolicyMachineDefault = 0
    IrqPolicyAllCloseProcessors = 1
    IrqPolicyOneCloseProcessor = 2
    IrqPolicyAllProcessorsInMachine = 3
    IrqPolicySpecifiedProcessors = 4
    IrqPolicySpreadMessagesAcrossAllProcessors = 5
    IrqPolicyAllProcessorsInMachineWhenSteered = 6


class IrqPriority(IntEnum):
    """IRQ_PRIORITY, numbered as WDF_INTERRUPT_PRIORITY."""

    IrqPriorityUndefined = 0
    IrqPriorityLow = 1
    IrqPriorityNormal = 2
    IrqPriorityHigh = 3
