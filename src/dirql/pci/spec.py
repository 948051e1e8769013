"""Constants of the PCI and PCI Express standards, apart from anyone's behaviour (PCIe 6.0 §7, PCI Code and ID Assignment 1.15).

Limits: the classes, capabilities and extended capabilities that endpoints with interrupts commonly show; any other id has no
name and is still carried.
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import Final

__all__ = [
    "ALL_ONES", "BAR_COUNT", "BAR_OFFSET", "CAPABILITY_NAMES", "CLASS_NAMES", "CONFIG_SIZE", "CONVENTIONAL_SIZE", "EXTENDED_BASE",
    "EXTENDED_CAPABILITY_NAMES", "HEADER_SIZE", "MSIX_ENTRY_SIZE", "MSIX_MAX_VECTORS", "MSI_MAX_MESSAGES", "PIN_NAMES",
    "CapabilityId", "ExtendedCapabilityId", "PowerState", "capability_name", "class_name", "extended_capability_name", "pba_size",
]  # fmt: skip

HEADER_SIZE: Final = 0x40
CONVENTIONAL_SIZE: Final = 0x100
EXTENDED_BASE: Final = 0x100
CONFIG_SIZE: Final = 0x1000
BAR_OFFSET: Final = 0x10
BAR_COUNT: Final = 6
MSI_MAX_MESSAGES: Final = 32
MSIX_MAX_VECTORS: Final = 2048
MSIX_ENTRY_SIZE: Final = 16
ALL_ONES: Final = MappingProxyType({1: 0xFF, 2: 0xFFFF, 4: 0xFFFF_FFFF, 8: 0xFFFF_FFFF_FFFF_FFFF})
PIN_NAMES: Final = ("none", "INTA", "INTB", "INTC", "INTD")


def pba_size(vectors: int) -> int:
    """Bytes of a Pending Bit Array: one bit per vector, packed into whole QWORDs (PCIe 6.0 §7.7.2.8)."""
    return (vectors + 63) // 64 * 8


class PowerState(IntEnum):
    """The PowerState field of the Power Management Control/Status register."""

    D0 = 0
    D1 = 1
    D2 = 2
    D3HOT = 3


class CapabilityId(IntEnum):
    """Ids of the list that starts at the Capabilities Pointer (offset 34h)."""

    NULL = 0x00
    POWER_MANAGEMENT = 0x01
    AGP = 0x02
    VITAL_PRODUCT_DATA = 0x03
    SLOT_IDENTIFICATION = 0x04
    MSI = 0x05
    COMPACT_PCI_HOT_SWAP = 0x06
    PCI_X = 0x07
    HYPERTRANSPORT = 0x08
    VENDOR_SPECIFIC = 0x09
    DEBUG_PORT = 0x0A
    COMPACT_PCI_CONTROL = 0x0B
    HOT_PLUG = 0x0C
    BRIDGE_SUBSYSTEM = 0x0D
    AGP_8X = 0x0E
    SECURE_DEVICE = 0x0F
    PCI_EXPRESS = 0x10
    MSI_X = 0x11
    SATA = 0x12
    ADVANCED_FEATURES = 0x13
    ENHANCED_ALLOCATION = 0x14
    FLATTENING_PORTAL_BRIDGE = 0x15


class ExtendedCapabilityId(IntEnum):
    """Ids of the list that starts at offset 100h."""

    NULL = 0x0000
    ADVANCED_ERROR_REPORTING = 0x0001
    VIRTUAL_CHANNEL = 0x0002
    DEVICE_SERIAL_NUMBER = 0x0003
    POWER_BUDGETING = 0x0004
    VIRTUAL_CHANNEL_MFVC = 0x0009
    VENDOR_SPECIFIC = 0x000B
    ACCESS_CONTROL_SERVICES = 0x000D
    ALTERNATIVE_ROUTING_ID = 0x000E
    ADDRESS_TRANSLATION_SERVICES = 0x000F
    SINGLE_ROOT_IO_VIRTUALIZATION = 0x0010
    MULTICAST = 0x0012
    PAGE_REQUEST = 0x0013
    RESIZABLE_BAR = 0x0015
    DYNAMIC_POWER_ALLOCATION = 0x0016
    TPH_REQUESTER = 0x0017
    LATENCY_TOLERANCE_REPORTING = 0x0018
    SECONDARY_PCI_EXPRESS = 0x0019
    PROCESS_ADDRESS_SPACE_ID = 0x001B
    DOWNSTREAM_PORT_CONTAINMENT = 0x001D
    L1_PM_SUBSTATES = 0x001E
    PRECISION_TIME_MEASUREMENT = 0x001F
    DESIGNATED_VENDOR_SPECIFIC = 0x0023
    VF_RESIZABLE_BAR = 0x0024
    DATA_LINK_FEATURE = 0x0025
    PHYSICAL_LAYER_16GT = 0x0026
    LANE_MARGINING = 0x0027
    PHYSICAL_LAYER_32GT = 0x002A
    DATA_OBJECT_EXCHANGE = 0x002E


# fmt: off
CAPABILITY_NAMES: Final = MappingProxyType({
    CapabilityId.NULL:                     "Null",
    CapabilityId.POWER_MANAGEMENT:         "Power Management",
    CapabilityId.AGP:                      "AGP",
    CapabilityId.VITAL_PRODUCT_DATA:       "Vital Product Data",
    CapabilityId.SLOT_IDENTIFICATION:      "Slot ID",
    CapabilityId.MSI:                      "MSI",
    CapabilityId.COMPACT_PCI_HOT_SWAP:     "CompactPCI hot-swap",
    CapabilityId.PCI_X:                    "PCI-X",
    CapabilityId.HYPERTRANSPORT:           "HyperTransport",
    CapabilityId.VENDOR_SPECIFIC:          "Vendor Specific",
    CapabilityId.DEBUG_PORT:               "Debug port",
    CapabilityId.COMPACT_PCI_CONTROL:      "CompactPCI central resource control",
    CapabilityId.HOT_PLUG:                 "Hot-plug",
    CapabilityId.BRIDGE_SUBSYSTEM:         "Subsystem",
    CapabilityId.AGP_8X:                   "AGP3",
    CapabilityId.SECURE_DEVICE:            "Secure device",
    CapabilityId.PCI_EXPRESS:              "PCI Express",
    CapabilityId.MSI_X:                    "MSI-X",
    CapabilityId.SATA:                     "SATA HBA",
    CapabilityId.ADVANCED_FEATURES:        "PCI Advanced Features",
    CapabilityId.ENHANCED_ALLOCATION:      "Enhanced Allocation",
    CapabilityId.FLATTENING_PORTAL_BRIDGE: "Flattening Portal Bridge",
})

EXTENDED_CAPABILITY_NAMES: Final = MappingProxyType({
    ExtendedCapabilityId.NULL:                          "Null",
    ExtendedCapabilityId.ADVANCED_ERROR_REPORTING:      "Advanced Error Reporting",
    ExtendedCapabilityId.VIRTUAL_CHANNEL:               "Virtual Channel",
    ExtendedCapabilityId.DEVICE_SERIAL_NUMBER:          "Device Serial Number",
    ExtendedCapabilityId.POWER_BUDGETING:               "Power Budgeting",
    ExtendedCapabilityId.VIRTUAL_CHANNEL_MFVC:          "Virtual Channel",
    ExtendedCapabilityId.VENDOR_SPECIFIC:               "Vendor Specific Information",
    ExtendedCapabilityId.ACCESS_CONTROL_SERVICES:       "Access Control Services",
    ExtendedCapabilityId.ALTERNATIVE_ROUTING_ID:        "Alternative Routing-ID Interpretation",
    ExtendedCapabilityId.ADDRESS_TRANSLATION_SERVICES:  "Address Translation Service",
    ExtendedCapabilityId.SINGLE_ROOT_IO_VIRTUALIZATION: "Single Root I/O Virtualization",
    ExtendedCapabilityId.MULTICAST:                     "Multicast",
    ExtendedCapabilityId.PAGE_REQUEST:                  "Page Request Interface",
    ExtendedCapabilityId.RESIZABLE_BAR:                 "Physical Resizable BAR",
    ExtendedCapabilityId.DYNAMIC_POWER_ALLOCATION:      "Dynamic Power Allocation",
    ExtendedCapabilityId.TPH_REQUESTER:                 "Transaction Processing Hints",
    ExtendedCapabilityId.LATENCY_TOLERANCE_REPORTING:   "Latency Tolerance Reporting",
    ExtendedCapabilityId.SECONDARY_PCI_EXPRESS:         "Secondary PCI Express",
    ExtendedCapabilityId.PROCESS_ADDRESS_SPACE_ID:      "Process Address Space ID",
    ExtendedCapabilityId.DOWNSTREAM_PORT_CONTAINMENT:   "Downstream Port Containment",
    ExtendedCapabilityId.L1_PM_SUBSTATES:               "L1 PM Substates",
    ExtendedCapabilityId.PRECISION_TIME_MEASUREMENT:    "Precision Time Measurement",
    ExtendedCapabilityId.DESIGNATED_VENDOR_SPECIFIC:    "Designated Vendor-Specific",
    ExtendedCapabilityId.VF_RESIZABLE_BAR:              "Virtual Resizable BAR",
    ExtendedCapabilityId.DATA_LINK_FEATURE:             "Data Link Feature",
    ExtendedCapabilityId.PHYSICAL_LAYER_16GT:           "Physical Layer 16.0 GT/s",
    ExtendedCapabilityId.LANE_MARGINING:                "Lane Margining at the Receiver",
    ExtendedCapabilityId.PHYSICAL_LAYER_32GT:           "Physical Layer 32.0 GT/s",
    ExtendedCapabilityId.DATA_OBJECT_EXCHANGE:          "Data Object Exchange",
})

CLASS_NAMES: Final = MappingProxyType({
    0x0000: "Non-VGA unclassified device", 0x0100: "SCSI storage controller",        0x0101: "IDE interface",
    0x0104: "RAID bus controller",         0x0106: "SATA controller",                0x0107: "Serial Attached SCSI controller",
    0x0108: "Non-Volatile memory controller",                                        0x0180: "Mass storage controller",
    0x0200: "Ethernet controller",         0x0280: "Network controller",             0x0300: "VGA compatible controller",
    0x0302: "3D controller",               0x0380: "Display controller",             0x0401: "Multimedia audio controller",
    0x0403: "Audio device",                0x0480: "Multimedia controller",          0x0500: "RAM memory",
    0x0580: "Memory controller",           0x0600: "Host bridge",                    0x0601: "ISA bridge",
    0x0604: "PCI bridge",                  0x0680: "Bridge",                         0x0700: "Serial controller",
    0x0780: "Communication controller",    0x0880: "System peripheral",              0x0C03: "USB controller",
    0x0C05: "SMBus",                       0x0D80: "Wireless controller",            0x1080: "Encryption controller",
    0x1180: "Signal processing controller",                                          0x1200: "Processing accelerators",
    0xFF00: "Unassigned class",
})
# fmt: on


def capability_name(number: int) -> str:
    """The standard's name of a capability id, or its number where it has none."""
    return {int(k): v for k, v in CAPABILITY_NAMES.items()}.get(number, f"Capability {number:#04x}")


def extended_capability_name(number: int) -> str:
    """The standard's name of an extended capability id, or its number where it has none."""
    return {int(k): v for k, v in EXTENDED_CAPABILITY_NAMES.items()}.get(number, f"Extended capability {number:#06x}")


def class_name(class_code: int) -> str:
    """The name of a 24-bit class code's base class and sub-class, or their number."""
    return CLASS_NAMES.get(class_code >> 8, f"Class {class_code >> 8:04x}")
