"""What a function asks for and what it is granted: INF files, requirement lists, the arbiter, CM lists and pci.sys' part."""

from dirql.pnp.arbiter import Arbiter
from dirql.pnp.bus import BusDevice, PciBus
from dirql.pnp.description import describe, table
from dirql.pnp.filters import Access, InterruptPolicy, IoResList, IoResReqList, Stamped, stamp
from dirql.pnp.grant import Grant, GrantChoice, LineGrant, MessageGrant
from dirql.pnp.identifiers import function_name, hardware_ids
from dirql.pnp.inf import Inf, Install
from dirql.pnp.interfaces import (
    GUID_BUS_INTERFACE_STANDARD,
    GUID_MSIX_TABLE_CONFIG_INTERFACE,
    PCI_WHICHSPACE_CONFIG,
    BusInterfaceStandard,
    MsixTableConfig,
)
from dirql.pnp.interrupt_management import InterruptManagement
from dirql.pnp.io_resources import (
    IoInterrupt,
    IoMemory,
    IoResourceDescriptor,
    IoResourceList,
    IoResourceRequirementsList,
)
from dirql.pnp.requirements import BarInfo, discover_bars, query_resource_requirements, requirement_notes
from dirql.pnp.resources import CmPartialResourceDescriptor, CmResourceList

__all__ = [
    "GUID_BUS_INTERFACE_STANDARD", "GUID_MSIX_TABLE_CONFIG_INTERFACE", "PCI_WHICHSPACE_CONFIG", "Access", "Arbiter",
    "BarInfo", "BusDevice", "BusInterfaceStandard", "CmPartialResourceDescriptor", "CmResourceList", "Grant",
    "GrantChoice", "Inf", "Install", "InterruptManagement", "InterruptPolicy", "IoInterrupt", "IoMemory", "IoResList",
    "IoResReqList", "IoResourceDescriptor", "IoResourceList", "IoResourceRequirementsList", "LineGrant", "MessageGrant",
    "MsixTableConfig", "PciBus", "Stamped", "describe", "discover_bars", "function_name", "hardware_ids",
    "query_resource_requirements", "requirement_notes", "stamp", "table",
]  # fmt: skip
