"""PCI Express functions: configuration space, BARs, MSI, MSI-X, INTx, and the seam to the machine that drives them."""

from dirql.pci.bar import Bars, BarSpec, BarTarget
from dirql.pci.config import BrokenChain, ConfigSpace, Link, walk, walk_extended
from dirql.pci.describe import ExtendedCapability, Identity, MsiSpec, MsixSpec, OpaqueCapability
from dirql.pci.endpoint import Endpoint, InterruptMode
from dirql.pci.function import Cancel, Fate, Function, Host, Message
from dirql.pci.intx import Intx
from dirql.pci.msi import Msi
from dirql.pci.msix import Msix

__all__ = [
    "BarSpec", "BarTarget", "Bars", "BrokenChain", "Cancel", "ConfigSpace", "Endpoint", "ExtendedCapability", "Fate", "Function",
    "Host", "Identity", "InterruptMode", "Intx", "Link", "Message", "Msi", "MsiSpec", "Msix", "MsixSpec", "OpaqueCapability",
    "walk", "walk_extended",
]  # fmt: skip
