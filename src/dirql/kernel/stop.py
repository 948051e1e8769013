"""How a run ends early: a bugcheck with Windows' own code and parameters, or a hang that on a real machine says nothing.

Codes and parameters follow the debugger's bug check pages (facts §5.2, §5.3).
"""

from __future__ import annotations

__all__ = ["BUGCHECKS", "BugCheck", "Hang", "Stop"]

# fmt: off
BUGCHECKS = {
    0x0A: "IRQL_NOT_LESS_OR_EQUAL",
    0x09: "IRQL_NOT_GREATER_OR_EQUAL",
    0x0F: "SPIN_LOCK_ALREADY_OWNED",
    0x10: "SPIN_LOCK_NOT_OWNED",
    0x1E: "KMODE_EXCEPTION_NOT_HANDLED",
    0x48: "CANCEL_STATE_IN_COMPLETED_IRP",
    0x50: "PAGE_FAULT_IN_NONPAGED_AREA",
    0xB8: "ATTEMPTED_SWITCH_FROM_DPC",
    0xC7: "TIMER_OR_DPC_INVALID",
    0xC8: "IRQL_UNEXPECTED_VALUE",
    0xD1: "DRIVER_IRQL_NOT_LESS_OR_EQUAL",
    0x10D: "WDF_VIOLATION",
    0x133: "DPC_WATCHDOG_VIOLATION",
    0x13B: "PASSIVE_INTERRUPT_ERROR",
}
# fmt: on


class Stop(BaseException):
    """The machine stands still: nothing runs after this. No `except Exception` of a driver's gets in its way."""

    kind = "stop"
    why = ""

    def locate(self, where: str) -> None:
        """Where in the driver it happened, once that is known."""
        self.why = f"{self.why} ({where})"

    def as_json(self) -> dict[str, object]:
        """For `run --json`."""
        return {"kind": self.kind, "text": str(self)}


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
        return {"kind": self.kind, "code": self.code, "name": self.name, "parameters": list(self.parameters), "why": self.why}


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
        return {"kind": self.kind, "rule": self.rule, "why": self.why}
