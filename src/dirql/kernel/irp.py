"""I/O request packets, and the two ends of one: whoever asked, and whoever completes (IRP, wdm.h).

The system buffer of buffered I/O and the user's pages of direct I/O lie in the machine's RAM, on scattered pages, so that
devices reach them by DMA.
Limits: read, write and the two kinds of device control; one stack location; METHOD_NEITHER has no user address space.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from dirql import ntstatus
from dirql.kernel.mdl import Buffer, Mdl
from dirql.kernel.stop import BugCheck
from dirql.kernel.wait import Event

if TYPE_CHECKING:
    from dirql.kernel.kernel import Kernel

__all__ = ["Irp", "IrpView", "MajorFunction", "Method", "ctl_code"]


class MajorFunction(IntEnum):
    """IRP_MJ_…."""

    CREATE = 0x00
    READ = 0x03
    WRITE = 0x04
    DEVICE_CONTROL = 0x0E
    INTERNAL_DEVICE_CONTROL = 0x0F


class Method(IntEnum):
    """Bits 1:0 of an I/O control code: METHOD_…."""

    BUFFERED = 0
    IN_DIRECT = 1
    OUT_DIRECT = 2
    NEITHER = 3


def ctl_code(device_type: int, function: int, method: Method, access: int = 0) -> int:
    """CTL_CODE."""
    return device_type << 16 | access << 14 | function << 2 | method


class IrpView(Protocol):
    """The structure that a driver sees of an IRP, kept by whoever runs the driver."""

    def cancelled(self) -> None:
        """IRP.Cancel is TRUE from now on."""

    def completed(self) -> None:
        """The IRP belongs to nobody any more."""


class Irp:
    """IRP. `input` goes to the driver, up to `output_length` bytes come back; `cancel_routine` is IoSetCancelRoutine's.

    `direct_input` is what the output buffer of METHOD_IN_DIRECT holds when it is sent.
    """

    def __init__(
        self, kernel: Kernel, major: MajorFunction, *, input: bytes = b"", output_length: int = 0, offset: int = 0,
        io_control_code: int = 0, file_object: Any = None, user_mode: bool = True, name: str = "", direct_input: bytes = b"",
    ) -> None:  # fmt: skip
        self.kernel = kernel
        self.major = MajorFunction(major)
        self.name = name or self.major.name.lower().replace("_", " ")
        self.input, self.output_length = bytes(input), max(output_length, len(direct_input))
        self.direct_input = bytes(direct_input)
        self.offset, self.io_control_code = offset, io_control_code
        self.file_object, self.user_mode = file_object, user_mode
        self.file: Any = None  # the open that it was sent through, whether the driver sees file objects or not
        self.status = ntstatus.STATUS_PENDING
        self.information = 0
        self.output = b""
        self.cancelled = False
        self.cancel_routine: Callable[[], None] | None = None
        self.done = Event(kernel, name=f"the completion of {self.name}")
        self.view: IrpView | None = None
        self._system: Buffer | None = None
        self._user: Buffer | None = None

    @classmethod
    def read(cls, kernel: Kernel, length: int, offset: int = 0, name: str = "") -> Irp:
        """IRP_MJ_READ."""
        return cls(kernel, MajorFunction.READ, output_length=length, offset=offset, name=name)

    @classmethod
    def write(cls, kernel: Kernel, data: bytes, offset: int = 0, name: str = "") -> Irp:
        """IRP_MJ_WRITE."""
        return cls(kernel, MajorFunction.WRITE, input=data, offset=offset, name=name)

    @classmethod
    def device_control(
        cls,
        kernel: Kernel,
        io_control_code: int,
        data: bytes = b"",
        output_length: int = 0,
        name: str = "",
        *,
        internal: bool = False,
    ) -> Irp:
        """IRP_MJ_DEVICE_CONTROL or IRP_MJ_INTERNAL_DEVICE_CONTROL."""
        major = MajorFunction.INTERNAL_DEVICE_CONTROL if internal else MajorFunction.DEVICE_CONTROL
        return cls(kernel, major, input=data, output_length=output_length, io_control_code=io_control_code, name=name)

    @property
    def method(self) -> Method | None:
        """How a device control passes its buffers; None for reads and writes, where the device chose."""
        control = self.major in (MajorFunction.DEVICE_CONTROL, MajorFunction.INTERNAL_DEVICE_CONTROL)
        return Method(self.io_control_code & 3) if control else None

    def build(self, io_type: str) -> None:
        """Allocate what the I/O manager would: `io_type` ("buffered", "direct", "neither") holds for reads and writes."""
        method = self.method
        memory = self.kernel.machine.memory
        if method is None:
            length = self.output_length if self.major == MajorFunction.READ else len(self.input)
            if length and io_type != "neither":
                buffer = Buffer.allocate(memory, length, pool=io_type == "buffered")
                buffer[: len(self.input)] = self.input
                if io_type == "direct":
                    self._user = buffer
                else:
                    self._system = buffer
        elif method == Method.BUFFERED:
            if length := max(len(self.input), self.output_length):
                self._system = Buffer.allocate(memory, length, pool=True)
                self._system[: len(self.input)] = self.input
        elif method != Method.NEITHER:
            if self.input:
                self._system = Buffer.allocate(memory, len(self.input), pool=True)
                self._system[:] = self.input
            if self.output_length:
                self._user = Buffer.allocate(memory, self.output_length)
                self._user[: len(self.direct_input)] = self.direct_input

    @property
    def system_buffer(self) -> Buffer | None:
        """AssociatedIrp.SystemBuffer: of buffered I/O, and the input of METHOD_IN_DIRECT and METHOD_OUT_DIRECT."""
        return self._system

    @property
    def user_pages(self) -> Mdl | None:
        """MdlAddress: of direct I/O."""
        return self._user.mdl if self._user is not None else None

    @property
    def input_buffer(self) -> Buffer | None:
        """What the driver reads from; None for a read, a length of zero and METHOD_NEITHER."""
        if self.major == MajorFunction.WRITE:
            return self._user or self._system
        if self.major == MajorFunction.READ or not self.input or self._system is None:
            return None
        return Buffer(_part(self._system, len(self.input)))

    @property
    def output_buffer(self) -> Buffer | None:
        """What the driver writes to; None for a write, a length of zero and METHOD_NEITHER."""
        if self.major == MajorFunction.WRITE or not self.output_length:
            return None
        buffer = self._user or self._system
        return None if buffer is None else Buffer(_part(buffer, self.output_length))

    def complete(self, status: int, information: int) -> None:
        """IoCompleteRequest: what is due goes back to the user. Bugcheck 0x48 while a cancel routine is set."""
        if self.cancel_routine is not None:
            raise BugCheck(0x48, why=f"{self.name} is completed while it is cancelable; call WdfRequestUnmarkCancelable first")
        self.status, self.information = status, information
        buffer = self.output_buffer
        if buffer is not None and status >> 30 != 3:  # NT_ERROR copies nothing back
            self.output = buffer.mdl.read(0, min(information, len(buffer)))
        if self.view is not None:
            self.view.completed()
            self.view = None
        for held in (self._system, self._user):
            if held is not None:
                held.free()
        self._system = self._user = None
        self.done.state = True
        self.done.signal()

    def cancel(self) -> bool:
        """IoCancelIrp: True if there was a cancel routine, which has run when this returns."""
        self.cancelled = True
        if self.view is not None:
            self.view.cancelled()
        routine, self.cancel_routine = self.cancel_routine, None
        if routine is None:
            return False
        routine()
        return True

    def __repr__(self) -> str:
        return f"<IRP {self.name}>"


def _part(buffer: Buffer, length: int) -> Mdl:
    mdl = buffer.mdl
    return Mdl(mdl.memory, mdl.pages, mdl.byte_offset, length, mdl.allocated)
