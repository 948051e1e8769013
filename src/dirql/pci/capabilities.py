"""Capability structures as register blocks: power management, MSI, MSI-X, PCI Express (PCIe 6.0 §7.5.2, §7.5.3, §7.7).

Bytes 0 and 1 of every block are the list's (id, next pointer); `ConfigSpace.add` fills them.

Limits: PME messages are never sent; slot and root registers of the PCI Express capability read zero (an endpoint has none).
"""

from __future__ import annotations

from functools import cache
from types import new_class
from typing import Any, ClassVar

from dirql.layout import RO, RW, RW1C, WO, Block, Half, Register, Word, at
from dirql.pci.header import ReadOnlyByte, ReadOnlyHalf, ReadOnlyWord
from dirql.pci.spec import CapabilityId

__all__ = [
    "Capability", "CapabilityHeader", "DeviceCapabilities", "DeviceCapabilities2", "DeviceControl", "DeviceControl2",
    "DeviceStatus", "ExpressCapabilities", "ExpressCapability", "FlrDeviceControl", "FlrExpressCapability", "LinkCapabilities",
    "LinkCapabilities2", "LinkControl", "LinkControl2", "LinkStatus", "MessageAddress", "MsiCapability", "MsiControl",
    "MsiExtendedControl", "MsixCapability", "MsixControl", "PowerManagementCapabilities", "PowerManagementCapability",
    "PowerManagementControl", "TableLocation", "capability_block", "msi_capability",
]  # fmt: skip


# fmt: off
class CapabilityHeader(Register, width=16):
    """Id and next pointer: a link of the capability list (§7.5.1.1.11)."""

    id   = RO[7:0]
    next = RO[15:8]


class Capability(Block, size=2):
    """Any capability: the link, then whatever the id means."""

    id: ClassVar[CapabilityId] = CapabilityId.NULL
    survives_flr: ClassVar[tuple[tuple[str, int], ...]] = ()    # (register, bits) that a function level reset leaves alone

    header = at(0x00, CapabilityHeader)


def _bits(register: type[Register], *fields: str) -> int:
    return sum(register.fields[name].mask for name in fields)


class PowerManagementCapabilities(Register, width=16):
    """What the function can do (§7.5.2.1)."""

    version                         = RO[2:0](reset=3)
    pme_clock                       = RO[3]
    immediate_readiness_on_d0       = RO[4]
    device_specific_initialization  = RO[5]
    aux_current                     = RO[8:6]
    d1_support                      = RO[9]
    d2_support                      = RO[10]
    pme_support                     = RO[15:11](reset=0b01001)     # from D0 and from D3hot


class PowerManagementControl(Register, width=16):
    """PMCSR: the power state and PME (§7.5.2.2)."""

    power_state   = RW[1:0]
    no_soft_reset = RO[3]
    pme_enable    = RW[8]
    data_select   = RO[12:9]
    data_scale    = RO[14:13]
    pme_status    = RW1C[15]


class PowerManagementCapability(Capability, size=8):
    """Power management (§7.5.2)."""

    id = CapabilityId.POWER_MANAGEMENT
    survives_flr = (("control", _bits(PowerManagementControl, "pme_enable", "pme_status")),)

    capabilities = at(0x02, PowerManagementCapabilities)
    control      = at(0x04, PowerManagementControl)
    bridge       = at(0x06, ReadOnlyByte)
    data         = at(0x07, ReadOnlyByte)


class MsiControl(Register, width=16):
    """Message Control of MSI (§7.7.1.2)."""

    enable                   = RW[0]
    multiple_message_capable = RO[3:1]        # log2 of the messages asked for
    multiple_message_enable  = RW[6:4]        # log2 of the messages granted
    address64                = RO[7]
    per_vector_mask          = RO[8]
    extended_data_capable    = RO[9]
    extended_data_enable     = RO[10]


class MsiExtendedControl(MsiControl, width=16):
    """Message Control of an MSI capability that can send 32 bits of data."""

    extended_data_enable = RW[10]


class MessageAddress(Register, width=32):
    """Lower address of a message; it is a DWORD write, so bits 1:0 read 0."""

    dword = RW[31:2]


class MsiCapability(Capability, size=4):
    """MSI in any of its forms; `msi_capability` makes the form (§7.7.1)."""

    id = CapabilityId.MSI

    control = at(0x02, MsiControl)


class MsixControl(Register, width=16):
    """Message Control of MSI-X (§7.7.2.2)."""

    table_size    = RO[10:0]        # N - 1
    function_mask = RW[14]
    enable        = RW[15]


class TableLocation(Register, width=32):
    """In which BAR, and where in it, the table or the Pending Bit Array lies (§7.7.2.3, §7.7.2.4)."""

    bir   = RO[2:0]
    qword = RO[31:3]

    @property
    def offset(self) -> int:
        """Byte offset in the BAR."""
        return self.qword << 3


class MsixCapability(Capability, size=12):
    """MSI-X (§7.7.2)."""

    id = CapabilityId.MSI_X

    control = at(0x02, MsixControl)
    table   = at(0x04, TableLocation)
    pba     = at(0x08, TableLocation)


class ExpressCapabilities(Register, width=16):
    """PCI Express Capabilities register (§7.5.3.2)."""

    version                  = RO[3:0](reset=2)
    type                     = RO[7:4]
    slot_implemented         = RO[8]
    interrupt_message_number = RO[13:9]


class DeviceCapabilities(Register, width=32):
    """Device Capabilities (§7.5.3.3)."""

    max_payload_supported      = RO[2:0](reset=1)       # 256 bytes
    phantom_functions          = RO[4:3]
    extended_tag_supported     = RO[5](reset=1)
    l0s_acceptable_latency     = RO[8:6]
    l1_acceptable_latency      = RO[11:9]
    role_based_error_reporting = RO[15](reset=1)
    slot_power_limit_value     = RO[25:18]
    slot_power_limit_scale     = RO[27:26]
    flr                        = RO[28]


class DeviceControl(Register, width=16):
    """Device Control of a function that cannot do a function level reset (§7.5.3.4)."""

    correctable_error_reporting   = RW[0]
    non_fatal_error_reporting     = RW[1]
    fatal_error_reporting         = RW[2]
    unsupported_request_reporting = RW[3]
    relaxed_ordering              = RW[4](reset=1)
    max_payload_size              = RW[7:5]
    extended_tag                  = RW[8](reset=1)
    phantom_functions             = RO[9]
    aux_power_pm                  = RO[10]
    no_snoop                      = RW[11](reset=1)
    max_read_request_size         = RW[14:12](reset=2)  # 512 bytes
    initiate_flr                  = RO[15]


class FlrDeviceControl(DeviceControl, width=16):
    """Device Control of a function that can do a function level reset; bit 15 always reads 0."""

    initiate_flr = WO[15]


class DeviceStatus(Register, width=16):
    """Device Status (§7.5.3.5)."""

    correctable_error_detected   = RW1C[0]
    non_fatal_error_detected     = RW1C[1]
    fatal_error_detected         = RW1C[2]
    unsupported_request_detected = RW1C[3]
    aux_power_detected           = RO[4]
    transactions_pending         = RO[5]


class LinkCapabilities(Register, width=32):
    """Link Capabilities (§7.5.3.6)."""

    max_link_speed        = RO[3:0](reset=3)            # 8 GT/s
    max_link_width        = RO[9:4](reset=4)
    aspm_support          = RO[11:10]
    l0s_exit_latency      = RO[14:12]
    l1_exit_latency       = RO[17:15]
    clock_pm              = RO[18]
    surprise_down         = RO[19]
    dll_link_active       = RO[20]
    bandwidth_notify      = RO[21]
    aspm_optionality      = RO[22](reset=1)
    port_number           = RO[31:24]


class LinkControl(Register, width=16):
    """Link Control (§7.5.3.7)."""

    aspm_control             = RW[1:0]
    read_completion_boundary = RW[3]
    link_disable             = RO[4]
    retrain_link             = RO[5]
    common_clock             = RW[6]
    extended_synch           = RW[7]
    clock_pm                 = RO[8]
    autonomous_width_disable = RO[9]


class LinkStatus(Register, width=16):
    """Link Status (§7.5.3.8)."""

    link_speed    = RO[3:0](reset=3)
    link_width    = RO[9:4](reset=4)
    link_training = RO[11]
    slot_clock    = RO[12](reset=1)


class DeviceCapabilities2(Register, width=32):
    """Device Capabilities 2 (§7.5.3.15)."""

    completion_timeout_ranges  = RO[3:0]
    completion_timeout_disable = RO[4](reset=1)
    supported                  = RO[31:5]


class DeviceControl2(Register, width=16):
    """Device Control 2 (§7.5.3.16)."""

    completion_timeout         = RO[3:0]
    completion_timeout_disable = RW[4]
    other                      = RO[15:5]


class LinkCapabilities2(Register, width=32):
    """Link Capabilities 2 (§7.5.3.18)."""

    supported_speeds = RO[7:1](reset=0b111)
    other            = RO[31:9]


class LinkControl2(Register, width=16):
    """Link Control 2 (§7.5.3.19)."""

    target_link_speed = RW[3:0](reset=3)
    other             = RO[15:4]


class ExpressCapability(Capability, size=0x3C):
    """PCI Express, version 2 (§7.5.3)."""

    id = CapabilityId.PCI_EXPRESS
    # What belongs to the link and not to the function (§6.6.2).
    survives_flr = (("device_control", _bits(DeviceControl, "max_payload_size")), ("link_control", LinkControl.mask("stores")))

    capabilities         = at(0x02, ExpressCapabilities)
    device_capabilities  = at(0x04, DeviceCapabilities)
    device_control       = at(0x08, DeviceControl)
    device_status        = at(0x0A, DeviceStatus)
    link_capabilities    = at(0x0C, LinkCapabilities)
    link_control         = at(0x10, LinkControl)
    link_status          = at(0x12, LinkStatus)
    slot_and_root        = at(0x14, ReadOnlyWord, count=4)
    device_capabilities2 = at(0x24, DeviceCapabilities2)
    device_control2      = at(0x28, DeviceControl2)
    device_status2       = at(0x2A, ReadOnlyHalf)
    link_capabilities2   = at(0x2C, LinkCapabilities2)
    link_control2        = at(0x30, LinkControl2)
    link_status2         = at(0x32, ReadOnlyHalf)
    slot2                = at(0x34, ReadOnlyWord, count=2)
# fmt: on


class FlrExpressCapability(ExpressCapability, size=0x3C):
    """PCI Express, version 2, of a function that can do a function level reset (§6.6.2)."""

    device_control = at(0x08, FlrDeviceControl)


@cache
def _bit_each(messages: int, *, writable: bool) -> type[Register]:
    """A bit per message that the function implements; the rest of the DWORD is reserved (§7.7.1.7, §7.7.1.8)."""
    name = f"{'Mask' if writable else 'Pending'}Bits{messages}"
    bits = RW[messages - 1 : 0] if writable else RO[messages - 1 : 0]
    return new_class(name, (Register,), {"width": 32}, lambda body: body.update(bits=bits))


@cache
def msi_capability(messages: int, *, address64: bool, per_vector_mask: bool, extended_data: bool) -> type[MsiCapability]:
    """The form of MSI with these options; `messages` is a power of two up to 32 (§7.7.1.1)."""
    offset = 0x04
    parts: dict[str, Any] = {"__doc__": f"MSI for {messages} messages.", "__module__": __name__}
    if extended_data:
        parts["control"] = at(0x02, MsiExtendedControl)
    for name, kind, present in (
        ("address", MessageAddress, True),
        ("upper_address", Word, address64),
        ("data", Half, True),
        ("extended_data", Half if extended_data else ReadOnlyHalf, extended_data or per_vector_mask),
        ("mask", _bit_each(messages, writable=True), per_vector_mask),
        ("pending", _bit_each(messages, writable=False), per_vector_mask),
    ):
        if present:
            parts[name] = at(offset, kind)
            offset += kind.size
    form = f"{64 if address64 else 32}{'Mask' if per_vector_mask else ''}{'Extended' if extended_data else ''}"
    made = new_class(f"MsiCapability{form}x{messages}", (MsiCapability,), {"size": offset}, lambda body: body.update(parts))
    assert issubclass(made, MsiCapability)
    return made


def capability_block(raw: bytes | bytearray, offset: int) -> type[Capability] | None:
    """The block that describes the capability at `offset` of these configuration bytes; None where no block does."""
    number = raw[offset]
    if number == CapabilityId.MSI:
        control = MsiControl(bytearray(raw[offset + 2 : offset + 4].ljust(2, b"\0")), 0)
        capable = min(control.multiple_message_capable, 5)  # 6 and 7 are reserved encodings
        return msi_capability(1 << capable, address64=bool(control.address64), per_vector_mask=bool(control.per_vector_mask),
                              extended_data=bool(control.extended_data_capable))  # fmt: skip
    if number == CapabilityId.PCI_EXPRESS:
        flr = DeviceCapabilities(bytearray(raw[offset + 4 : offset + 8].ljust(4, b"\0")), 0).flr
        return FlrExpressCapability if flr else ExpressCapability
    return {int(kind.id): kind for kind in (PowerManagementCapability, MsixCapability)}.get(number)
