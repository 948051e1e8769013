"""The type 0 configuration space header (PCIe 6.0 §7.5.1).

Limits: the expansion ROM BAR reads zero (no ROM); BIST, MIN_GNT, MAX_LAT and the latency timer read zero as PCIe asks.
"""

from __future__ import annotations

from dirql.layout import RO, RW, RW1C, Block, Byte, Register, at
from dirql.pci.spec import BAR_COUNT, BAR_OFFSET, HEADER_SIZE

__all__ = [
    "ClassCode", "Command", "HeaderType", "InterruptPin", "IoBar", "MemoryBar", "ReadOnlyByte", "ReadOnlyHalf", "ReadOnlyWord",
    "Status", "Type0Header",
]  # fmt: skip


class ReadOnlyByte(Register, width=8):
    """Eight bits that only hardware sets."""

    bits = RO[7:0]


class ReadOnlyHalf(Register, width=16):
    """Sixteen bits that only hardware sets."""

    bits = RO[15:0]


class ReadOnlyWord(Register, width=32):
    """32 bits that only hardware sets."""

    bits = RO[31:0]


# fmt: off
class Command(Register, width=16):
    """What the function may do on the bus (§7.5.1.1.3)."""

    io_space                    = RW[0]
    memory_space                = RW[1]
    bus_master                  = RW[2]
    special_cycle_enable        = RO[3]
    memory_write_and_invalidate = RO[4]
    vga_palette_snoop           = RO[5]
    parity_error_response       = RW[6]
    idsel_stepping              = RO[7]
    serr_enable                 = RW[8]
    fast_back_to_back_enable    = RO[9]
    interrupt_disable           = RW[10]


class Status(Register, width=16):
    """What happened on the bus; software clears the error bits by writing ones (§7.5.1.1.4)."""

    immediate_readiness      = RO[0]
    interrupt_status         = RO[3]
    capabilities_list        = RO[4]
    capable_66mhz            = RO[5]
    fast_back_to_back        = RO[7]
    master_data_parity_error = RW1C[8]
    devsel_timing            = RO[10:9]
    signaled_target_abort    = RW1C[11]
    received_target_abort    = RW1C[12]
    received_master_abort    = RW1C[13]
    signaled_system_error    = RW1C[14]
    detected_parity_error    = RW1C[15]


class ClassCode(Register, width=24):
    """Base class, sub-class and programming interface (§7.5.1.1.6)."""

    interface  = RO[7:0]
    sub_class  = RO[15:8]
    base_class = RO[23:16]


class HeaderType(Register, width=8):
    """Layout of the header and whether the device has several functions (§7.5.1.1.9)."""

    layout         = RO[6:0]
    multi_function = RO[7]


class InterruptPin(Register, width=8):
    """0: the function never uses INTx; 1 to 4: INTA to INTD (§7.5.1.1.13)."""

    pin = RO[7:0]


class MemoryBar(Register, width=32):
    """Lower or only DWORD of a memory BAR; the BAR's size takes low address bits away (§7.5.1.2.1)."""

    io           = RO[0]
    locatable    = RO[2:1]       # 0: anywhere below 4 GiB, 2: anywhere in 64 bits
    prefetchable = RO[3]
    address      = RW[31:4]


class IoBar(Register, width=32):
    """An I/O BAR; the BAR's size takes low address bits away (§7.5.1.2.1)."""

    io       = RO[0](reset=1)
    reserved = RO[1]
    address  = RW[31:2]


class Type0Header(Block, size=HEADER_SIZE):
    """The header of every function that is not a bridge (§7.5.1.2)."""

    vendor               = at(0x00, ReadOnlyHalf)
    device               = at(0x02, ReadOnlyHalf)
    command              = at(0x04, Command)
    status               = at(0x06, Status)
    revision             = at(0x08, ReadOnlyByte)
    class_code           = at(0x09, ClassCode)
    cache_line_size      = at(0x0C, Byte)
    latency_timer        = at(0x0D, ReadOnlyByte)
    header_type          = at(0x0E, HeaderType)
    bist                 = at(0x0F, ReadOnlyByte)
    bars                 = at(BAR_OFFSET, ReadOnlyWord, count=BAR_COUNT)     # writable where a BarSpec says so
    cardbus_cis          = at(0x28, ReadOnlyWord)
    subsystem_vendor     = at(0x2C, ReadOnlyHalf)
    subsystem            = at(0x2E, ReadOnlyHalf)
    expansion_rom        = at(0x30, ReadOnlyWord)
    capabilities_pointer = at(0x34, ReadOnlyByte)
    interrupt_line       = at(0x3C, Byte)
    interrupt_pin        = at(0x3D, InterruptPin)
    min_gnt              = at(0x3E, ReadOnlyByte)
    max_lat              = at(0x3F, ReadOnlyByte)
# fmt: on
