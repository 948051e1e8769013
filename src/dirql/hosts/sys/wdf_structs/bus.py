"""Children of a bus driver, and WMI."""

from __future__ import annotations

from dirql.hosts.sys import nt_structs as nt_structs  # its structures are members here
from dirql.hosts.sys.structs import Struct

__all__ = [
    "WDF_CHILD_ADDRESS_DESCRIPTION_HEADER", "WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER", "WDF_CHILD_LIST_CONFIG",
    "WDF_CHILD_LIST_ITERATOR", "WDF_CHILD_RETRIEVE_INFO", "WDF_WMI_INSTANCE_CONFIG", "WDF_WMI_PROVIDER_CONFIG",
]  # fmt: skip


class WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER(Struct):
    """The head of a driver's own description of a child."""

    c = "ULONG IdentificationDescriptionSize;"


class WDF_CHILD_ADDRESS_DESCRIPTION_HEADER(Struct):
    """The head of a driver's own description of a child's place."""

    c = "ULONG AddressDescriptionSize;"


class WDF_CHILD_LIST_CONFIG(Struct):
    """For WdfChildListCreate."""

    c = """
        ULONG Size; ULONG IdentificationDescriptionSize; ULONG AddressDescriptionSize; PVOID EvtChildListCreateDevice;
        PVOID EvtChildListScanForChildren; PVOID EvtChildListIdentificationDescriptionCopy;
        PVOID EvtChildListIdentificationDescriptionDuplicate; PVOID EvtChildListIdentificationDescriptionCleanup;
        PVOID EvtChildListIdentificationDescriptionCompare; PVOID EvtChildListAddressDescriptionCopy;
        PVOID EvtChildListAddressDescriptionDuplicate; PVOID EvtChildListAddressDescriptionCleanup;
        PVOID EvtChildListDeviceReenumerated;
    """


class WDF_CHILD_LIST_ITERATOR(Struct):
    """For WdfChildListBeginIteration."""

    c = "ULONG Size; ULONG Flags; PVOID Reserved[4];"


class WDF_CHILD_RETRIEVE_INFO(Struct):
    """For WdfChildListRetrieveNextDevice."""

    c = """
        ULONG Size; WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER *IdentificationDescription;
        WDF_CHILD_ADDRESS_DESCRIPTION_HEADER *AddressDescription; ENUM Status;
        PVOID EvtChildListIdentificationDescriptionCompare;
    """


class WDF_WMI_PROVIDER_CONFIG(Struct):
    """For WdfWmiProviderCreate."""

    c = "ULONG Size; GUID Guid; ULONG Flags; ULONG MinInstanceBufferSize; PVOID EvtWmiProviderFunctionControl;"


class WDF_WMI_INSTANCE_CONFIG(Struct):
    """For WdfWmiInstanceCreate."""

    c = """
        ULONG Size; PVOID Provider; WDF_WMI_PROVIDER_CONFIG *ProviderConfig; BOOLEAN UseContextForQuery; BOOLEAN Register;
        PVOID EvtWmiInstanceQueryInstance; PVOID EvtWmiInstanceSetInstance; PVOID EvtWmiInstanceSetItem;
        PVOID EvtWmiInstanceExecuteMethod;
    """
