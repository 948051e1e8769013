"""What things cost in virtual time: one table, replaceable by the user.

Sources: "measured" rows condense published measurements (pcie-bench data of Neugebauer et al., SIGCOMM 2018; pcie-lat;
herjulf/mmio_test); "model choice" rows are plausible figures that nobody measured for us. Virtual time is a model.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Costs"]


@dataclass(frozen=True)
class Costs:
    """Nanoseconds each."""

    # fmt: off
    register_read: int   = 800     # measured: 0.4–1.6 µs round trip of an uncached 4-byte read
    register_write: int  = 100     # measured: what a posted write occupies the processor
    config_access: int   = 1_000   # model choice: a non-posted configuration cycle
    posted_flight: int   = 300     # measured halves of the round trip: a posted write on its way down
    dma_flight: int      = 300     # the same on the way up
    message_flight: int  = 300     # the same: a message is a posted write
    interrupt_entry: int = 500     # model choice: vector accepted until the first instruction of the ISR
    interrupt_exit: int  = 200     # model choice: EOI and return
    dpc_dispatch: int    = 300     # model choice: from the DISPATCH request to the DPC routine
    routine: int         = 10      # model choice: any kernel or framework routine
    thread_switch: int   = 1_500   # model choice
    clock_tick: int      = 15_625_000  # documented default period of the clock interrupt
    lead: int            = 10_000  # how far one processor runs ahead of another before the scheduler looks again
    # fmt: on
