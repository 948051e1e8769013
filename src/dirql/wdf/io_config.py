"""WDF_IO_QUEUE_CONFIG, WDF_REQUEST_PARAMETERS and the enumerations around them (wdfio.h, wdfrequest.h)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

from dirql.wdf.interrupt_config import TriState

if TYPE_CHECKING:
    from dirql.wdf.io_queue import IoQueue
    from dirql.wdf.request import Request

__all__ = [
    "UNLIMITED_REQUESTS", "IoQueueConfig", "IoQueueDispatchType", "IoQueueState", "RequestParameters", "RequestStopActionFlags",
    "RequestType",
]  # fmt: skip

UNLIMITED_REQUESTS = 0xFFFF_FFFF  # NumberOfPresentedRequests of WDF_IO_QUEUE_CONFIG_INIT for a parallel queue


class IoQueueDispatchType(IntEnum):
    """WDF_IO_QUEUE_DISPATCH_TYPE."""

    Invalid = 0
    Sequential = 1
    Parallel = 2
    Manual = 3


class RequestType(IntEnum):
    """WDF_REQUEST_TYPE: IRP major function codes, those that queues get here; creates only where that is configured."""

    Create = 0x00
    Read = 0x03
    Write = 0x04
    DeviceControl = 0x0E
    DeviceControlInternal = 0x0F


class IoQueueState(IntFlag):
    """WDF_IO_QUEUE_STATE."""

    AcceptRequests = 0x01
    DispatchRequests = 0x02
    NoRequests = 0x04
    DriverNoRequests = 0x08
    PnpHeld = 0x10


class RequestStopActionFlags(IntFlag):
    """WDF_REQUEST_STOP_ACTION_FLAGS."""

    Suspend = 0x0000_0001
    Purge = 0x0000_0002
    RequestCancelable = 0x1000_0000


@dataclass(frozen=True)
class IoQueueConfig:
    """WDF_IO_QUEUE_CONFIG. What WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE sets besides is `default_queue`."""

    dispatch_type: int
    power_managed: int = TriState.WdfUseDefault
    allow_zero_length_requests: bool = False
    default_queue: bool = False
    evt_io_default: Callable[[IoQueue, Request], None] | None = None
    evt_io_read: Callable[[IoQueue, Request, int], None] | None = None
    evt_io_write: Callable[[IoQueue, Request, int], None] | None = None
    evt_io_device_control: Callable[[IoQueue, Request, int, int, int], None] | None = None
    evt_io_internal_device_control: Callable[[IoQueue, Request, int, int, int], None] | None = None
    evt_io_stop: Callable[[IoQueue, Request, RequestStopActionFlags], None] | None = None
    evt_io_resume: Callable[[IoQueue, Request], None] | None = None
    evt_io_canceled_on_queue: Callable[[IoQueue, Request], None] | None = None
    number_of_presented_requests: int = UNLIMITED_REQUESTS

    @property
    def has_handler(self) -> bool:
        """True if any request can be presented."""
        own = (self.evt_io_read, self.evt_io_write, self.evt_io_device_control, self.evt_io_internal_device_control)
        return self.evt_io_default is not None or any(callback is not None for callback in own)

    def handles(self, type_: RequestType) -> bool:
        """True if requests of `type_` can be presented."""
        own = {
            RequestType.Read: self.evt_io_read,
            RequestType.Write: self.evt_io_write,
            RequestType.DeviceControl: self.evt_io_device_control,
            RequestType.DeviceControlInternal: self.evt_io_internal_device_control,
        }.get(type_)
        return own is not None or self.evt_io_default is not None


@dataclass(frozen=True)
class RequestParameters:
    """WDF_REQUEST_PARAMETERS: `length` and `device_offset` of a read or write, the other three of a device control."""

    type: RequestType
    length: int = 0
    device_offset: int = 0
    output_buffer_length: int = 0
    input_buffer_length: int = 0
    io_control_code: int = 0
