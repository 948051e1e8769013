"""How a run ends early: a bugcheck with Windows' own code and parameters, or a hang that on a real machine says nothing.

Codes and parameters follow the debugger's bug check pages (facts §5.2, §5.3).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BUGCHECKS", "BugCheck", "Details", "Hang", "Stop"]

# fmt: off
BUGCHECKS = {
    0x08: "IRQL_NOT_DISPATCH_LEVEL",
    0x09: "IRQL_NOT_GREATER_OR_EQUAL",
    0x0A: "IRQL_NOT_LESS_OR_EQUAL",
    0x0C: "MAXIMUM_WAIT_OBJECTS_EXCEEDED",
    0x0F: "SPIN_LOCK_ALREADY_OWNED",
    0x10: "SPIN_LOCK_NOT_OWNED",
    0x12: "TRAP_CAUSE_UNKNOWN",
    0x18: "REFERENCE_BY_POINTER",
    0x1E: "KMODE_EXCEPTION_NOT_HANDLED",
    0x35: "NO_MORE_IRP_STACK_LOCATIONS",
    0x40: "TARGET_MDL_TOO_SMALL",
    0x44: "MULTIPLE_IRP_COMPLETE_REQUESTS",
    0x48: "CANCEL_STATE_IN_COMPLETED_IRP",
    0x4A: "IRQL_GT_ZERO_AT_SYSTEM_SERVICE",
    0x4E: "PFN_LIST_CORRUPT",
    0x50: "PAGE_FAULT_IN_NONPAGED_AREA",
    0x7E: "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED",
    0x7F: "UNEXPECTED_KERNEL_MODE_TRAP",
    0x9F: "DRIVER_POWER_STATE_FAILURE",
    0xB8: "ATTEMPTED_SWITCH_FROM_DPC",
    0xBE: "ATTEMPTED_WRITE_TO_READONLY_MEMORY",
    0xC1: "SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION",
    0xC2: "BAD_POOL_CALLER",
    0xC4: "DRIVER_VERIFIER_DETECTED_VIOLATION",
    0xC5: "DRIVER_CORRUPTED_EXPOOL",
    0xC6: "DRIVER_CAUGHT_MODIFYING_FREED_POOL",
    0xC7: "TIMER_OR_DPC_INVALID",
    0xC8: "IRQL_UNEXPECTED_VALUE",
    0xC9: "DRIVER_VERIFIER_IOMANAGER_VIOLATION",
    0xCC: "PAGE_FAULT_IN_FREED_SPECIAL_POOL",
    0xCD: "PAGE_FAULT_BEYOND_END_OF_ALLOCATION",
    0xD1: "DRIVER_IRQL_NOT_LESS_OR_EQUAL",
    0xD5: "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL",
    0xD6: "DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION",
    0xDA: "SYSTEM_PTE_MISUSE",
    0xE1: "WORKER_THREAD_RETURNED_AT_BAD_IRQL",
    0xE3: "RESOURCE_NOT_OWNED",
    0xE4: "WORKER_INVALID",
    0xE6: "DRIVER_VERIFIER_DMA_VIOLATION",
    0xFC: "ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY",
    0x101: "CLOCK_WATCHDOG_TIMEOUT",
    0x102: "DPC_WATCHDOG_TIMEOUT",
    0x10D: "WDF_VIOLATION",
    0x133: "DPC_WATCHDOG_VIOLATION",
    0x139: "KERNEL_SECURITY_CHECK_FAILURE",
    0x13B: "PASSIVE_INTERRUPT_ERROR",
}
# fmt: on


@dataclass(frozen=True)
class Details:
    """What a debugger would show of the processor that stopped: the instruction, the registers, and the calls from the innermost
    out, a place in each line or what lies between two of them."""

    instruction: str
    registers: dict[str, int]
    trace: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """For `run --json`."""
        return {"instruction": self.instruction, "registers": dict(self.registers), "trace": list(self.trace)}


class Stop(BaseException):
    """The machine stands still: nothing runs after this. No `except Exception` of a driver's gets in its way."""

    kind = "stop"
    why = ""
    details: Details | None = None  # where an image ran

    def locate(self, where: str) -> None:
        """Where in the driver it happened, once that is known."""
        self.why = f"{self.why} ({where})"

    def as_json(self) -> dict[str, object]:
        """For `run --json`."""
        return {"kind": self.kind, "text": str(self), **self._more()}

    def _more(self) -> dict[str, object]:
        return self.details.as_json() if self.details is not None else {}


class BugCheck(Stop):
    """What Windows would show on a blue screen: code, up to four parameters, and in words who did what."""

    kind = "bugcheck"

    def __init__(self, code: int, *parameters: int, why: str) -> None:
        self.code = code
        self.parameters = (*parameters, 0, 0, 0, 0)[:4]
        self.why = why
        self.name = BUGCHECKS.get(code, "UNKNOWN")
        super().__init__(code, *parameters)

    def __str__(self) -> str:
        values = ", ".join(f"{p:#x}" for p in self.parameters)
        return f"bugcheck {self.code:#x} {self.name} ({values}): {self.why}"

    def as_json(self) -> dict[str, object]:
        """For `run --json`."""
        return {"kind": self.kind, "code": self.code, "name": self.name, "parameters": list(self.parameters), "why": self.why,
                **self._more()}  # fmt: skip


class Hang(Stop):
    """A machine that goes on for ever without getting anywhere: a deadlock, an interrupt storm, a wait nobody ends."""

    kind = "hang"

    def __init__(self, rule: str, why: str) -> None:
        self.rule, self.why = rule, why
        super().__init__(rule, why)

    def __str__(self) -> str:
        return f"hang ({self.rule}): {self.why}"

    def as_json(self) -> dict[str, object]:
        """For `run --json`."""
        return {"kind": self.kind, "rule": self.rule, "why": self.why, **self._more()}
