"""NTSTATUS values by their header names, and the exception that carries one (ntstatus.h; wdfstatus.h of KMDF 1.33).

A routine that returns NTSTATUS in C returns a plain int here, or raises `StatusError` where Python reads better.

Limits: the values that the modelled routines use; `name_of` prints any other one in hex.
"""

from __future__ import annotations

from typing import Final

from dirql.errors import DirqlError

# fmt: off
STATUS_SUCCESS:                           Final = 0x0000_0000
STATUS_ABANDONED_WAIT_0:                  Final = 0x0000_0080
STATUS_USER_APC:                          Final = 0x0000_00C0
STATUS_ALERTED:                           Final = 0x0000_0101
STATUS_TIMEOUT:                           Final = 0x0000_0102
STATUS_PENDING:                           Final = 0x0000_0103
STATUS_OBJECT_NAME_EXISTS:                Final = 0x4000_0000
STATUS_BUFFER_OVERFLOW:                   Final = 0x8000_0005
STATUS_DEVICE_BUSY:                       Final = 0x8000_0011
STATUS_NO_MORE_ENTRIES:                   Final = 0x8000_001A
STATUS_UNSUCCESSFUL:                      Final = 0xC000_0001
STATUS_NOT_IMPLEMENTED:                   Final = 0xC000_0002
STATUS_INFO_LENGTH_MISMATCH:              Final = 0xC000_0004
STATUS_INVALID_HANDLE:                    Final = 0xC000_0008
STATUS_INVALID_PARAMETER:                 Final = 0xC000_000D
STATUS_NO_SUCH_DEVICE:                    Final = 0xC000_000E
STATUS_INVALID_DEVICE_REQUEST:            Final = 0xC000_0010
STATUS_MORE_PROCESSING_REQUIRED:          Final = 0xC000_0016
STATUS_NO_MEMORY:                         Final = 0xC000_0017
STATUS_CONFLICTING_ADDRESSES:             Final = 0xC000_0018
STATUS_ACCESS_DENIED:                     Final = 0xC000_0022
STATUS_BUFFER_TOO_SMALL:                  Final = 0xC000_0023
STATUS_OBJECT_TYPE_MISMATCH:              Final = 0xC000_0024
STATUS_OBJECT_NAME_NOT_FOUND:             Final = 0xC000_0034
STATUS_OBJECT_NAME_COLLISION:             Final = 0xC000_0035
STATUS_MUTANT_NOT_OWNED:                  Final = 0xC000_0046
STATUS_SEMAPHORE_LIMIT_EXCEEDED:          Final = 0xC000_0047
STATUS_DELETE_PENDING:                    Final = 0xC000_0056
STATUS_REVISION_MISMATCH:                 Final = 0xC000_0059
STATUS_INTEGER_OVERFLOW:                  Final = 0xC000_0095
STATUS_INSUFFICIENT_RESOURCES:            Final = 0xC000_009A
STATUS_DEVICE_DATA_ERROR:                 Final = 0xC000_009C
STATUS_DEVICE_NOT_CONNECTED:              Final = 0xC000_009D
STATUS_DEVICE_POWER_FAILURE:              Final = 0xC000_009E
STATUS_DEVICE_NOT_READY:                  Final = 0xC000_00A3
STATUS_IO_TIMEOUT:                        Final = 0xC000_00B5
STATUS_NOT_SUPPORTED:                     Final = 0xC000_00BB
STATUS_DEVICE_DOES_NOT_EXIST:             Final = 0xC000_00C0
STATUS_INVALID_PARAMETER_1:               Final = 0xC000_00EF
STATUS_INVALID_PARAMETER_2:               Final = 0xC000_00F0
STATUS_INVALID_PARAMETER_3:               Final = 0xC000_00F1
STATUS_INVALID_PARAMETER_4:               Final = 0xC000_00F2
STATUS_INVALID_PARAMETER_5:               Final = 0xC000_00F3
STATUS_INVALID_PARAMETER_6:               Final = 0xC000_00F4
STATUS_INVALID_PARAMETER_7:               Final = 0xC000_00F5
STATUS_INVALID_PARAMETER_8:               Final = 0xC000_00F6
STATUS_INVALID_PARAMETER_9:               Final = 0xC000_00F7
STATUS_INVALID_PARAMETER_10:              Final = 0xC000_00F8
STATUS_NAME_TOO_LONG:                     Final = 0xC000_0106
STATUS_CANCELLED:                         Final = 0xC000_0120
STATUS_CANNOT_DELETE:                     Final = 0xC000_0121
STATUS_DEVICE_CONFIGURATION_ERROR:        Final = 0xC000_0182
STATUS_DRIVER_INTERNAL_ERROR:             Final = 0xC000_0183
STATUS_INVALID_DEVICE_STATE:              Final = 0xC000_0184
STATUS_IO_DEVICE_ERROR:                   Final = 0xC000_0185
STATUS_INVALID_BUFFER_SIZE:               Final = 0xC000_0206
STATUS_NOT_FOUND:                         Final = 0xC000_0225
STATUS_DEVICE_REMOVED:                    Final = 0xC000_02B6
STATUS_FAILED_DRIVER_ENTRY:               Final = 0xC000_0365
STATUS_POWER_STATE_INVALID:               Final = 0xC000_02D3
# Model choice: PAUSED, BUSY, TOO_MANY_TRANSFERS, TOO_FRAGMENTED, NO_CALLBACK were not checked against wdfstatus.h.
STATUS_WDF_PAUSED:                        Final = 0xC020_0203
STATUS_WDF_BUSY:                          Final = 0xC020_0204
STATUS_WDF_TOO_MANY_TRANSFERS:            Final = 0xC020_0206
STATUS_WDF_TOO_FRAGMENTED:                Final = 0xC020_020A
STATUS_WDF_NO_CALLBACK:                   Final = 0xC020_020B
STATUS_WDF_OBJECT_ATTRIBUTES_INVALID:     Final = 0xC020_0209
STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL:  Final = 0xC020_020C
STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED: Final = 0xC020_020F
STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID: Final = 0xC020_0210
STATUS_WDF_EXECUTION_LEVEL_INVALID:       Final = 0xC020_0211
STATUS_WDF_PARENT_NOT_SPECIFIED:          Final = 0xC020_0212
# fmt: on

_VALUES = {name: value for name, value in sorted(globals().items()) if name.startswith("STATUS_")}
_NAMES = {value: name for name, value in _VALUES.items()}

__all__ = [
    "STATUS_ABANDONED_WAIT_0", "STATUS_ACCESS_DENIED", "STATUS_ALERTED", "STATUS_BUFFER_OVERFLOW",
    "STATUS_BUFFER_TOO_SMALL", "STATUS_CANCELLED", "STATUS_CANNOT_DELETE", "STATUS_CONFLICTING_ADDRESSES",
    "STATUS_DELETE_PENDING", "STATUS_DEVICE_BUSY", "STATUS_DEVICE_CONFIGURATION_ERROR", "STATUS_DEVICE_DATA_ERROR",
    "STATUS_DEVICE_DOES_NOT_EXIST", "STATUS_DEVICE_NOT_CONNECTED", "STATUS_DEVICE_NOT_READY",
    "STATUS_DEVICE_POWER_FAILURE", "STATUS_DEVICE_REMOVED", "STATUS_DRIVER_INTERNAL_ERROR", "STATUS_FAILED_DRIVER_ENTRY",
    "STATUS_INFO_LENGTH_MISMATCH",
    "STATUS_INSUFFICIENT_RESOURCES", "STATUS_INTEGER_OVERFLOW", "STATUS_INVALID_BUFFER_SIZE",
    "STATUS_INVALID_DEVICE_REQUEST", "STATUS_INVALID_DEVICE_STATE", "STATUS_INVALID_HANDLE", "STATUS_INVALID_PARAMETER",
    "STATUS_INVALID_PARAMETER_1", "STATUS_INVALID_PARAMETER_2", "STATUS_INVALID_PARAMETER_3",
    "STATUS_INVALID_PARAMETER_4", "STATUS_INVALID_PARAMETER_5", "STATUS_INVALID_PARAMETER_6",
    "STATUS_INVALID_PARAMETER_7", "STATUS_INVALID_PARAMETER_8", "STATUS_INVALID_PARAMETER_9",
    "STATUS_INVALID_PARAMETER_10", "STATUS_IO_DEVICE_ERROR", "STATUS_IO_TIMEOUT", "STATUS_MORE_PROCESSING_REQUIRED",
    "STATUS_MUTANT_NOT_OWNED", "STATUS_NAME_TOO_LONG", "STATUS_NOT_FOUND", "STATUS_NOT_IMPLEMENTED", "STATUS_NOT_SUPPORTED",
    "STATUS_NO_MEMORY",
    "STATUS_NO_MORE_ENTRIES", "STATUS_NO_SUCH_DEVICE", "STATUS_OBJECT_NAME_COLLISION", "STATUS_OBJECT_NAME_EXISTS",
    "STATUS_OBJECT_NAME_NOT_FOUND",
    "STATUS_OBJECT_TYPE_MISMATCH", "STATUS_PENDING", "STATUS_POWER_STATE_INVALID", "STATUS_REVISION_MISMATCH",
    "STATUS_SEMAPHORE_LIMIT_EXCEEDED", "STATUS_SUCCESS", "STATUS_TIMEOUT", "STATUS_UNSUCCESSFUL", "STATUS_USER_APC",
    "STATUS_WDF_BUSY", "STATUS_WDF_EXECUTION_LEVEL_INVALID", "STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL", "STATUS_WDF_NO_CALLBACK",
    "STATUS_WDF_OBJECT_ATTRIBUTES_INVALID", "STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED",
    "STATUS_WDF_PARENT_NOT_SPECIFIED", "STATUS_WDF_PAUSED", "STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID",
    "STATUS_WDF_TOO_FRAGMENTED", "STATUS_WDF_TOO_MANY_TRANSFERS", "StatusError", "name_of", "nt_success",
]  # fmt: skip


def name_of(status: int) -> str:
    """The header name, or the value in hex where this file has none."""
    return _NAMES.get(status & 0xFFFF_FFFF, f"{status & 0xFFFF_FFFF:#010x}")


def nt_success(status: int) -> bool:
    """NT_SUCCESS: true for success and informational codes, false for warnings and errors."""
    return not status & 0x8000_0000


class StatusError(DirqlError):
    """A routine that returns NTSTATUS in C failed; `status` is what it would have returned."""

    def __init__(self, status: int, why: str = "") -> None:
        self.status, self.why = status & 0xFFFF_FFFF, why
        name, value = name_of(status), f"{self.status:#010x}"
        super().__init__((name if name == value else f"{name} ({value})") + (f": {why}" if why else ""))
