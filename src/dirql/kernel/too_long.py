"""ISRs and DPCs that take too long: the guidance of 25 µs and 100 µs, and the DPC watchdog (facts §4.1, §5.2).

Time is the processor's virtual time from entry to return, with what interrupted it, as the watchdog counts it. Where a chooser
interleaves, a processor may stand still for as long as the chooser likes: nothing is measured then.
Limits: the watchdog looks when the routine returns. Its sum over all of the time at DISPATCH_LEVEL (0x133 with parameter 1 = 1,
after minutes) and the clock watchdog (0x101) have no model of their own: a processor that goes on for 60 s of virtual time ends
the run as `stuck` before either would look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql.kernel.stop import BugCheck

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["DPC_LIMIT", "ISR_LIMIT", "dpc_took", "isr_took"]

ISR_LIMIT, DPC_LIMIT = 25_000, 100_000  # ns
TICK = 15_625_000  # ns
ALLOTMENT = 0x500  # ticks of one DPC or ISR, 20 s (model choice: the page's example)


def isr_took(kernel: Kernel, name: str, ns: int) -> None:
    """A service routine returned after more than `ISR_LIMIT`."""
    _took(kernel, "isr-too-long", f"the ISR of {name}", ns, "25 µs; leave the work to its DPC")


def dpc_took(kernel: Kernel, name: str, ns: int) -> None:
    """A DPC routine returned after more than `DPC_LIMIT`."""
    _took(kernel, "dpc-too-long", f"the DPC {name}", ns, "100 µs; leave the work to a work item, or queue the DPC again")


def _took(kernel: Kernel, rule: str, who: str, ns: int, limit: str) -> None:
    machine = kernel.machine
    if machine.chooser.interleaves:
        return
    sentence = kernel.too_long.setdefault(who, f"{who} took {ns / 1000:,.1f} µs, more than {limit}")
    machine.note_finding(rule, sentence, f"cpu{machine.cpu.index}, {who}")
    ticks = ns // TICK
    if ticks > ALLOTMENT:
        why = f"{who} took {ns / 1e9:,.1f} s, more than the {ALLOTMENT:#x} ticks of a DPC"
        raise BugCheck(0x133, 0, ticks, ALLOTMENT, why=why)
