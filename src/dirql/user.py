"""A handle of a user-mode program: read, write, DeviceIoControl, overlapped I/O, cancel, close.

    handle = system.open("{…}")          # a device interface, or "\\\\.\\Name"
    handle.write(b"abc")
    pending = handle.start_read(64)      # overlapped: nothing is waited for
    system.run()
    pending.result()

Called from outside, each lets the machine run as far as it needs; called on one of the machine's threads (in a workload that
`system.call` runs), it is that thread that waits. A request that fails raises a RequestError, the StatusError of its IRP. One of
STATUS_BUFFER_OVERFLOW is ERROR_MORE_DATA to a program, which has the bytes that had room: they are the error's `output`.

Limits: METHOD_NEITHER and devices with I/O of that kind are refused, as there are no addresses of a process; no file pointer,
the offset is an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from dirql import ntstatus
from dirql.errors import NotModelled, Unfinished, UsageError
from dirql.kernel.irp import Irp, MajorFunction, Method
from dirql.ntstatus import StatusError

if TYPE_CHECKING:
    from dirql.kernel.thread import Thread
    from dirql.wdf.file_object import OpenFile
    from dirql.wdf.framework import Framework
    from dirql.wdf.io_manager import IoManager

__all__ = ["Handle", "PendingIo", "RequestError"]

NO_PROCESS = "it passes addresses of a process, and dirql has none"
Settle = Callable[[Callable[[], bool]], None]  # lets the machine run until something holds, or it is at rest


class RequestError(StatusError):
    """A request failed; `output` is what came back with it."""

    def __init__(self, status: int, why: str, output: bytes) -> None:
        super().__init__(status, why)
        self.output = output


class Handle:
    """An open device. As a context manager it closes itself."""

    def __init__(self, io: IoManager, file: OpenFile, settle: Settle) -> None:
        self._io, self.file, self._settle = io, file, settle

    @classmethod
    def open(cls, io: IoManager, framework: Framework, name: str | UUID, settle: Settle) -> Handle:
        """CreateFile: `name` is a device interface's GUID, its link, or a symbolic link."""
        return cls(io, _on_a_thread(io, settle, lambda: io.open(framework, name), f"the open of {name}"), settle)

    def read(self, length: int, offset: int = 0) -> bytes:
        """ReadFile: up to `length` bytes."""
        return self.start_read(length, offset).result()

    def write(self, data: bytes, offset: int = 0) -> int:
        """WriteFile: how many bytes the driver took."""
        pending = self.start_write(data, offset)
        pending.result()
        return pending.information

    def ioctl(self, code: int, data: bytes = b"", output_length: int = 0) -> bytes:
        """DeviceIoControl: what comes back of `output_length` bytes. Of METHOD_IN_DIRECT the output buffer is sent too: see
        `start_ioctl`. RequestError if it failed, with `output`: of STATUS_BUFFER_OVERFLOW the bytes that had room."""
        return self.start_ioctl(code, data, output_length).result()

    def start_read(self, length: int, offset: int = 0) -> PendingIo:
        """The same, overlapped."""
        return self._start(Irp(self._io.kernel, MajorFunction.READ, output_length=length, offset=offset, **self._common("read")))

    def start_write(self, data: bytes, offset: int = 0) -> PendingIo:
        """The same, overlapped."""
        return self._start(Irp(self._io.kernel, MajorFunction.WRITE, input=data, offset=offset, **self._common("write")))

    def start_ioctl(self, code: int, data: bytes = b"", output_length: int = 0, *, direct_input: bytes = b"") -> PendingIo:
        """The same, overlapped. `direct_input` is what METHOD_IN_DIRECT's second buffer holds."""
        if code & 3 == Method.NEITHER:
            raise NotModelled(f"I/O control code {code:#x} is METHOD_NEITHER: {NO_PROCESS}; "
                              "define it with METHOD_BUFFERED, METHOD_IN_DIRECT or METHOD_OUT_DIRECT")  # fmt: skip
        return self._start(Irp(
            self._io.kernel, MajorFunction.DEVICE_CONTROL, input=data, output_length=output_length, io_control_code=code,
            direct_input=direct_input, **self._common(f"control {code:#x}"),
        ))  # fmt: skip

    def close(self) -> None:
        """CloseHandle: EvtFileCleanup now, EvtFileClose when the last request has ended. Once more does nothing."""
        _on_a_thread(self._io, self._settle, lambda: self._io.close(self.file), "the close")

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, irp: Irp) -> PendingIo:
        device = self.file.device
        if self.file.cleaned_up:
            raise UsageError(f"{irp.name}: the handle is closed; open the device again")
        if irp.method is None and device.io_type == "neither":
            raise NotModelled(f"{irp.name}: the I/O type is neither: {NO_PROCESS}; "
                              "set WdfDeviceIoBuffered or WdfDeviceIoDirect")  # fmt: skip
        irp.file = self.file
        if _outside(self._io):
            self._io.start(device, irp)
        else:
            self._io.send(device, irp)
        return PendingIo(self._io, irp, self._settle)

    def _common(self, what: str) -> dict[str, Any]:
        return {"file_object": self.file.framework_object, "name": f"{what} of {self.file.device.name}"}


class PendingIo:
    """A request that was sent and not waited for: OVERLAPPED."""

    def __init__(self, io: IoManager, irp: Irp, settle: Settle) -> None:
        self._io, self.irp, self._settle = io, irp, settle

    @property
    def done(self) -> bool:
        """True once it is completed."""
        return self.irp.status != ntstatus.STATUS_PENDING

    @property
    def status(self) -> int:
        """STATUS_PENDING, or how it ended."""
        return self.irp.status

    @property
    def information(self) -> int:
        """How many bytes were moved."""
        return self.irp.information

    def result(self) -> bytes:
        """GetOverlappedResult, waiting: what came back (nothing for a write). RequestError with the IRP's status if it failed;
        what came back with STATUS_BUFFER_OVERFLOW is its `output`."""
        irp = self.irp
        if not self.done and _outside(self._io):
            self._settle(lambda: self.done)
        elif not self.done:
            self._io.kernel.ke_wait_for_single_object(irp.done)
        if (watch := self._io.kernel.machine.watch) is not None:
            watch.acquire(irp.done)
        if not self.done:
            raise Unfinished(f"the {irp.name} is not completed and nothing more happens; start it overlapped, make what it waits "
                             "for happen, or cancel() it")  # fmt: skip
        if not ntstatus.nt_success(irp.status):
            raise RequestError(irp.status, irp.name, irp.output)
        return irp.output

    def cancel(self) -> bool:
        """CancelIoEx: False if the driver made it not cancelable, or it has ended. It ends by the driver's completing it."""
        return not self.done and bool(_on_a_thread(self._io, self._settle, self.irp.cancel, f"the cancel of the {self.irp.name}"))


def _outside(io: IoManager) -> bool:
    machine = io.kernel.machine
    return machine.cpu is machine.nobody


def _on_a_thread(io: IoManager, settle: Settle, routine: Callable[[], Any], name: str) -> Any:
    """`routine()` here if this is one of the machine's threads, else on a new one, with the machine running."""
    if not _outside(io):
        return routine()
    failed: list[StatusError] = []

    def enter() -> Any:
        try:
            return routine()
        except StatusError as error:
            failed.append(error)
            return None

    thread: Thread = io.thread(enter, name)
    settle(lambda: thread.finished)
    if (watch := io.kernel.machine.watch) is not None:
        watch.acquire(thread)
    if not thread.finished:
        raise UsageError(f"{name} does not come to an end: {'; '.join(io.kernel.stuck_threads())}")
    if failed:
        raise failed[0]
    return thread.result
