"""Resources, interrupts and the interfaces of the PCI bus driver (wdm.h with NT_PROCESSOR_GROUPS; x64).

The CM descriptors are packed to four bytes, the IO descriptors are not.
"""

from __future__ import annotations

from dirql.hosts.sys.nt_structs import base as base  # its structures are members here
from dirql.hosts.sys.structs import Struct

__all__ = [
    "BUS_INTERFACE_STANDARD", "CM_FULL_RESOURCE_DESCRIPTOR", "CM_PARTIAL_RESOURCE_DESCRIPTOR", "CM_PARTIAL_RESOURCE_LIST",
    "CM_RESOURCE_LIST", "INTERFACE", "IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS",
    "IO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS", "IO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS",
    "IO_CONNECT_INTERRUPT_PARAMETERS", "IO_DISCONNECT_INTERRUPT_PARAMETERS", "IO_INTERRUPT_MESSAGE_INFO",
    "IO_INTERRUPT_MESSAGE_INFO_ENTRY", "IO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS", "IO_RESOURCE_DESCRIPTOR",
    "IO_RESOURCE_LIST", "IO_RESOURCE_REQUIREMENTS_LIST", "PCI_MSIX_TABLE_CONFIG_INTERFACE",
]  # fmt: skip


class CM_PARTIAL_RESOURCE_DESCRIPTOR(Struct, pack=4):
    """One resource of a device."""

    c = """
        UCHAR Type; UCHAR ShareDisposition; USHORT Flags;
        union {
            struct { PHYSICAL_ADDRESS Start; ULONG Length; } Generic;
            struct { PHYSICAL_ADDRESS Start; ULONG Length; } Port;
            struct { USHORT Level; USHORT Group; ULONG Vector; KAFFINITY Affinity; } Interrupt;
            struct {
                union {
                    struct { USHORT Group; USHORT MessageCount; ULONG Vector; KAFFINITY Affinity; } Raw;
                    struct { USHORT Level; USHORT Group; ULONG Vector; KAFFINITY Affinity; } Translated;
                };
            } MessageInterrupt;
            struct { PHYSICAL_ADDRESS Start; ULONG Length; } Memory;
            struct { ULONG Channel; ULONG Port; ULONG Reserved1; } Dma;
            struct {
                ULONG Channel; ULONG RequestLine; UCHAR TransferWidth; UCHAR Reserved1; UCHAR Reserved2; UCHAR Reserved3;
            } DmaV3;
            struct { ULONG Data[3]; } DevicePrivate;
            struct { ULONG Start; ULONG Length; ULONG Reserved; } BusNumber;
            struct { ULONG DataSize; ULONG Reserved1; ULONG Reserved2; } DeviceSpecificData;
            struct { PHYSICAL_ADDRESS Start; ULONG Length40; } Memory40;
            struct { PHYSICAL_ADDRESS Start; ULONG Length48; } Memory48;
            struct { PHYSICAL_ADDRESS Start; ULONG Length64; } Memory64;
            struct {
                UCHAR Class; UCHAR Type; UCHAR Reserved1; UCHAR Reserved2; ULONG IdLowPart; ULONG IdHighPart;
            } Connection;
        } u;
    """


class CM_PARTIAL_RESOURCE_LIST(Struct):
    """The resources of one bus, one after another."""

    c = "USHORT Version; USHORT Revision; ULONG Count; CM_PARTIAL_RESOURCE_DESCRIPTOR PartialDescriptors[ANYSIZE_ARRAY];"


class CM_FULL_RESOURCE_DESCRIPTOR(Struct):
    """The resources of one bus, and which."""

    c = "ENUM InterfaceType; ULONG BusNumber; CM_PARTIAL_RESOURCE_LIST PartialResourceList;"


class CM_RESOURCE_LIST(Struct):
    """The resources of a device; PCI functions have one full descriptor."""

    c = "ULONG Count; CM_FULL_RESOURCE_DESCRIPTOR List[ANYSIZE_ARRAY];"


class IO_RESOURCE_DESCRIPTOR(Struct):
    """One resource that a device could use."""

    c = """
        UCHAR Option; UCHAR Type; UCHAR ShareDisposition; UCHAR Spare1; USHORT Flags; USHORT Spare2;
        union {
            struct { ULONG Length; ULONG Alignment; PHYSICAL_ADDRESS MinimumAddress; PHYSICAL_ADDRESS MaximumAddress; } Port;
            struct { ULONG Length; ULONG Alignment; PHYSICAL_ADDRESS MinimumAddress; PHYSICAL_ADDRESS MaximumAddress; } Memory;
            struct {
                ULONG MinimumVector; ULONG MaximumVector;
                USHORT AffinityPolicy; USHORT Group; ENUM PriorityPolicy; KAFFINITY TargetedProcessors;
            } Interrupt;
            struct { ULONG MinimumChannel; ULONG MaximumChannel; } Dma;
            struct { ULONG RequestLine; ULONG Reserved; ULONG Channel; ULONG TransferWidth; } DmaV3;
            struct { ULONG Length; ULONG Alignment; PHYSICAL_ADDRESS MinimumAddress; PHYSICAL_ADDRESS MaximumAddress; } Generic;
            struct { ULONG Data[3]; } DevicePrivate;
            struct { ULONG Length; ULONG MinBusNumber; ULONG MaxBusNumber; ULONG Reserved; } BusNumber;
            struct { ULONG Priority; ULONG Reserved1; ULONG Reserved2; } ConfigData;
            struct {
                ULONG Length40; ULONG Alignment40; PHYSICAL_ADDRESS MinimumAddress; PHYSICAL_ADDRESS MaximumAddress;
            } Memory40;
            struct {
                ULONG Length48; ULONG Alignment48; PHYSICAL_ADDRESS MinimumAddress; PHYSICAL_ADDRESS MaximumAddress;
            } Memory48;
            struct {
                ULONG Length64; ULONG Alignment64; PHYSICAL_ADDRESS MinimumAddress; PHYSICAL_ADDRESS MaximumAddress;
            } Memory64;
        } u;
    """


class IO_RESOURCE_LIST(Struct):
    """One alternative: all of its descriptors together."""

    c = "USHORT Version; USHORT Revision; ULONG Count; IO_RESOURCE_DESCRIPTOR Descriptors[ANYSIZE_ARRAY];"


class IO_RESOURCE_REQUIREMENTS_LIST(Struct):
    """The alternatives of a device."""

    c = """
        ULONG ListSize; ENUM InterfaceType; ULONG BusNumber; ULONG SlotNumber; ULONG Reserved[3]; ULONG AlternativeLists;
        IO_RESOURCE_LIST List[ANYSIZE_ARRAY];
    """


class IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS(Struct):
    """An interrupt by its vector; Group is only there for version CONNECT_FULLY_SPECIFIED_GROUP."""

    c = """
        PVOID PhysicalDeviceObject; PVOID *InterruptObject; PVOID ServiceRoutine; PVOID ServiceContext; KSPIN_LOCK *SpinLock;
        KIRQL SynchronizeIrql; BOOLEAN FloatingSave; BOOLEAN ShareVector; ULONG Vector; KIRQL Irql;
        ENUM InterruptMode; KAFFINITY ProcessorEnableMask; USHORT Group;
    """


class IO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS(Struct):
    """The line of a device, whichever it has."""

    c = """
        PVOID PhysicalDeviceObject; PVOID *InterruptObject; PVOID ServiceRoutine; PVOID ServiceContext; KSPIN_LOCK *SpinLock;
        KIRQL SynchronizeIrql; BOOLEAN FloatingSave;
    """


class IO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS(Struct):
    """All messages of a device, or its line if it has none."""

    c = """
        PVOID PhysicalDeviceObject;
        union { PVOID *Generic; PVOID *InterruptMessageTable; PVOID *InterruptObject; } ConnectionContext;
        PVOID MessageServiceRoutine; PVOID ServiceContext; KSPIN_LOCK *SpinLock;
        KIRQL SynchronizeIrql; BOOLEAN FloatingSave; PVOID FallBackServiceRoutine;
    """


class IO_CONNECT_INTERRUPT_PARAMETERS(Struct):
    """What IoConnectInterruptEx takes; a driver may write past none of it that its version does not have."""

    c = """
        ULONG Version;
        union {
            IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS FullySpecified;
            IO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS LineBased;
            IO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS MessageBased;
        };
    """


class IO_DISCONNECT_INTERRUPT_PARAMETERS(Struct):
    """What IoDisconnectInterruptEx takes."""

    c = "ULONG Version; union { PVOID Generic; PVOID InterruptObject; PVOID InterruptMessageTable; } ConnectionContext;"


class IO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS(Struct):
    """What IoReportInterruptActive and IoReportInterruptInactive take."""

    c = "ULONG Version; union { PVOID Generic; PVOID InterruptObject; PVOID InterruptMessageTable; } ConnectionContext;"


class IO_INTERRUPT_MESSAGE_INFO_ENTRY(Struct):
    """One message that was connected."""

    c = """
        PHYSICAL_ADDRESS MessageAddress; KAFFINITY TargetProcessorSet; PVOID InterruptObject;
        ULONG MessageData; ULONG Vector; KIRQL Irql; ENUM Mode; ENUM Polarity;
    """


class IO_INTERRUPT_MESSAGE_INFO(Struct):
    """The messages that IoConnectInterruptEx connected."""

    c = "KIRQL UnifiedIrql; ULONG MessageCount; IO_INTERRUPT_MESSAGE_INFO_ENTRY MessageInfo[ANYSIZE_ARRAY];"


class INTERFACE(Struct):
    """The head of every interface that one driver gives another."""

    c = "USHORT Size; USHORT Version; PVOID Context; PVOID InterfaceReference; PVOID InterfaceDereference;"


class BUS_INTERFACE_STANDARD(Struct):
    """GUID_BUS_INTERFACE_STANDARD: configuration space."""

    c = """
        USHORT Size; USHORT Version; PVOID Context; PVOID InterfaceReference; PVOID InterfaceDereference;
        PVOID TranslateBusAddress; PVOID GetDmaAdapter; PVOID SetBusData; PVOID GetBusData;
    """


class PCI_MSIX_TABLE_CONFIG_INTERFACE(Struct):
    """GUID_PCI_MSIX_TABLE_CONFIG_INTERFACE: the MSI-X table."""

    c = """
        USHORT Size; USHORT Version; PVOID Context; PVOID InterfaceReference; PVOID InterfaceDereference;
        PVOID SetTableEntry; PVOID MaskTableEntry; PVOID UnmaskTableEntry; PVOID GetTableEntry; PVOID GetTableSize;
    """
