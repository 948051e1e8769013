"""The register map of the multi-queue card; what each register does is in `mqueue`'s data sheet.

Limits: a card with one queue decodes the registers of a second one, which does nothing.
"""

from __future__ import annotations

from functools import cache

from dirql.layout import RO, RW, RW1C, RW1S, WO, Block, Half, Register, Word, at

__all__ = [
    "ARM", "CAUSE", "MASK", "MODERATION", "MOST_QUEUES", "NO_VECTOR", "QUEUES", "STATUS", "VECTORS", "QueueRegisters",
    "register_map",
]  # fmt: skip

MOST_QUEUES = 2047  # and one admin source: the 2,048 vectors of a full MSI-X table
NO_VECTOR = 0xFFFF
STATUS, MASK, STATUS_WORDS = 0x100, 0x200, 64  # a bit for each of 2,048 sources
VECTORS, QUEUES = 0x1000, 0x9000
CAUSE, ARM, MODERATION = 0x0, 0x4, 0x8


# fmt: off
class Identification(Register, width=32):
    """Tells the card and its revision."""

    revision = RO[15:0](reset=1)
    card     = RO[31:16](reset=0x4D51)  # "MQ"


class Control(Register, width=32):
    """Card control."""

    reset = WO[0]                       # clears itself


class Capability(Register, width=32):
    """What this card has."""

    queues  = RO[11:0]
    vectors = RO[27:16]


class Error(Register, width=32):
    """The error that the admin source reports; writing one to `valid` acknowledges it and those lost behind it."""

    code  = RO[15:0]
    queue = RO[26:16]                   # the queue at fault, where the code names one
    lost  = RO[30]                      # more errors came before this one was acknowledged
    valid = RW1C[31]


class Status(Register, width=32):
    """Interrupt status, one bit per source."""

    sources = RW1C[31:0]


class MaskSet(Register, width=32):
    """Interrupt mask, one bit per source: ones enable."""

    sources = RW1S[31:0]


class MaskClear(Register, width=32):
    """Takes sources out of the interrupt mask: ones disable."""

    sources = WO[31:0]


class Cause(Register, width=32):
    """Why a vector fired, or would have; hardware sets, the driver clears by writing ones."""

    completion = RW1C[0]
    admin      = RW1C[1]


class Arm(Register, width=32):
    """Whether a vector may send; the card clears `armed` when it sends."""

    armed = RW[0]
    check = WO[1]                       # with `armed`: send at once if a cause is set


class BaseLow(Register, width=32):
    """Bits 31 to 4 of the ring's physical address."""

    address = RW[31:4]


class RingSize(Register, width=32):
    """Entries in the ring."""

    entries = RW[15:0]


class QueueControl(Register, width=32):
    """Queue control."""

    enable = RW[0]


class Count(Register, width=32):
    """A free-running count."""

    count = RO[31:0]


class QueueRegisters(Block, size=0x20):
    """One queue."""

    base_low  = at(0x00, BaseLow)
    base_high = at(0x04, Word)
    ring_size = at(0x08, RingSize)
    vector    = at(0x0C, Half, reset=NO_VECTOR)
    control   = at(0x10, QueueControl)
    doorbell  = at(0x14, Word)
    tail      = at(0x18, Count)
    waiting   = at(0x1C, Count)

# fmt: on


@cache
def register_map(queues: int, interval: int = 0) -> type[Block]:
    """The registers of a card with `queues` queues, whose vectors moderate by `interval` ns after reset."""

    # fmt: off
    class VectorRegisters(Block, size=0x10):
        """One interrupt vector."""

        cause      = at(CAUSE, Cause)
        arm        = at(ARM, Arm)
        moderation = at(MODERATION, Word, reset=interval)

    class MultiQueueRegisters(Block, size=QUEUES + max(queues, 2) * QueueRegisters.size):
        """BAR 0 of the card."""

        identification = at(0x000, Identification)
        control        = at(0x004, Control)
        capability     = at(0x008, Capability, reset=queues | (queues + 1) << 16)
        error          = at(0x010, Error)
        admin_vector   = at(0x014, Half, reset=NO_VECTOR)
        status         = at(STATUS, Status, count=STATUS_WORDS)
        mask_set       = at(MASK, MaskSet, count=STATUS_WORDS)
        mask_clear     = at(0x300, MaskClear, count=STATUS_WORDS)
        vector         = at(VECTORS, VectorRegisters, count=queues + 1)
        queue          = at(QUEUES, QueueRegisters, count=max(queues, 2))

    # fmt: on
    return MultiQueueRegisters
