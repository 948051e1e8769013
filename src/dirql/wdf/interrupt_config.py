"""What a driver says of an interrupt and what the framework tells it: WDF_INTERRUPT_CONFIG, _INFO, _EXTENDED_POLICY
(wdfinterrupt.h of KMDF 1.33; facts §2.1, §2.6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dirql.pnp.resources import CmPartialResourceDescriptor
    from dirql.wdf.interrupt import Interrupt
    from dirql.wdf.lock import SpinLock, WaitLock

__all__ = [
    "CONFIG_SIZES", "InterruptConfig", "InterruptExtendedPolicy", "InterruptInfo", "InterruptPolicy", "InterruptPriority",
    "TriState",
]  # fmt: skip

CONFIG_SIZES = (0x38, 0x60, 0x68)  # 1.9; 1.11 (the beta form has the same size on x64); 1.13 and later


class TriState(IntEnum):
    """WDF_TRI_STATE."""

    WdfFalse = 0
    WdfTrue = 1
    WdfUseDefault = 2


class InterruptPolicy(IntEnum):
    """WDF_INTERRUPT_POLICY: the numbers of IRQ_DEVICE_POLICY."""

    MachineDefault = 0
    AllCloseProcessors = 1
    OneCloseProcessor = 2
    AllProcessorsInMachine = 3
    SpecifiedProcessors = 4
    SpreadMessagesAcrossAllProcessors = 5


class InterruptPriority(IntEnum):
    """WDF_INTERRUPT_PRIORITY."""

    Undefined = 0
    Low = 1
    Normal = 2
    High = 3


@dataclass
class InterruptConfig:
    """WDF_INTERRUPT_CONFIG after its INIT. `size` is what the driver was compiled with.

    `serves` is dirql's own: what the driver says this interrupt is for, in words, for the report.
    """

    evt_interrupt_isr: Callable[[Interrupt, int], bool] | None
    evt_interrupt_dpc: Callable[[Interrupt, Any], None] | None = None
    evt_interrupt_enable: Callable[[Interrupt, Any], int | None] | None = None
    evt_interrupt_disable: Callable[[Interrupt, Any], int | None] | None = None
    evt_interrupt_work_item: Callable[[Interrupt, Any], None] | None = None
    spin_lock: SpinLock | None = None
    share_vector: TriState = TriState.WdfUseDefault
    floating_save: bool = False
    automatic_serialization: bool = False
    interrupt_raw: CmPartialResourceDescriptor | None = None
    interrupt_translated: CmPartialResourceDescriptor | None = None
    wait_lock: WaitLock | None = None
    passive_handling: bool = False
    report_inactive_on_power_down: TriState = TriState.WdfUseDefault
    can_wake_device: bool = False
    size: int = 0x68
    serves: str = ""

    def merged(self) -> InterruptConfig:
        """What the framework works with, a copy: beyond `size` its INIT defaults hold, whatever the driver wrote there."""
        if self.size == 0x38:
            return replace(
                self, evt_interrupt_work_item=None, interrupt_raw=None, interrupt_translated=None, wait_lock=None,
                passive_handling=False, report_inactive_on_power_down=TriState.WdfUseDefault, can_wake_device=False,
            )  # fmt: skip
        return replace(self, can_wake_device=self.can_wake_device and self.size == 0x68)


@dataclass
class InterruptInfo:
    """WDF_INTERRUPT_INFO. An object without a resource has vector 0."""

    message_number: int = 0
    vector: int = 0
    irql: int = 0
    mode: int = 0
    polarity: int = 0
    message_signaled: bool = False
    share_disposition: int = 0
    target_processor_set: int = 0
    group: int = 0
    size: int = 0x40


@dataclass
class InterruptExtendedPolicy:
    """WDF_INTERRUPT_EXTENDED_POLICY after its INIT, which leaves the priority Undefined: a value that is then refused."""

    policy: int = InterruptPolicy.MachineDefault
    priority: int = InterruptPriority.Undefined
    mask: int = 0
    group: int = 0
    reserved: tuple[int, int, int] = (0, 0, 0)
    size: int = 0x20

    @property
    def wrong(self) -> str:
        """What the framework drops it for; empty when it is well."""
        if self.size != 0x20:
            return f"Size {self.size:#x} is not 0x20"
        if not 0 <= self.policy <= 5:
            return f"policy {self.policy} is not 0 to 5"
        if not 1 <= self.priority <= 3:
            return f"priority {self.priority} is not 1 to 3 (WdfIrqPriorityUndefined, which INIT leaves, is refused)"
        return "a Reserved word of GroupAffinity is not 0" if any(self.reserved) else ""
