"""What leaves a driver's function other than by its return: an exception that its handlers are asked about, and the unwinding
of the stack down to one of them (Windows "Structured Exception Handling").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dirql.kernel.stop import BugCheck

if TYPE_CHECKING:
    from dirql.hosts.sys.processor import Activation
    from dirql.hosts.sys.unwind import Frame

__all__ = ["CONTINUABLE", "NONCONTINUABLE", "Landing", "Raised", "access_violation"]

CONTINUABLE, NONCONTINUABLE = 0, 1  # EXCEPTION_NONCONTINUABLE
STATUS_ACCESS_VIOLATION = 0xC0000005
KMODE_EXCEPTION_NOT_HANDLED = 0x1E
KINDS = {1: 0, 2: 1, 4: 8}  # ExceptionInformation[0] of an access violation, by the right that was missing


class Raised(BugCheck):
    """An exception that a handler of the driver's may take; it is the bugcheck 0x1E that it says where nobody asks one.

    `address` 0 stands for the place that the driver's code stopped at, -1 for where the routine that raised comes back to;
    `record` is the driver's own EXCEPTION_RECORD.
    """

    def __init__(
        self, status: int, address: int = 0, information: tuple[int, ...] = (), *, why: str, flags: int = CONTINUABLE,
        record: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(KMODE_EXCEPTION_NOT_HANDLED, status, address, *(*information, 0, 0)[:2], why=why)
        self.status, self.address, self.information = status, address, information
        self.flags, self.record = flags, record


def access_violation(access: int, address: int, rip: int, why: str) -> Raised:
    """STATUS_ACCESS_VIOLATION; `access` as in `Rights`."""
    return Raised(STATUS_ACCESS_VIOLATION, rip, (KINDS[access], address), why=why)


@dataclass(eq=False)
class Landing(BaseException):
    """The stack is unwound: `activation` goes on with the registers of `frame` and `rax`. No `except Exception` stops it."""

    activation: Activation
    frame: Frame
    rax: int
