"""A user's program and a device: opening by name, reads, writes, controls, overlapped I/O, closing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from dirql import wdf
from dirql.device.models import MultiQueue
from dirql.errors import NotModelled, UsageError
from dirql.kernel.irp import Method, ctl_code
from dirql.system import System
from dirql.user import Handle

GUID = UUID("5f0f9a8a-6d0c-4d4e-9b63-3a7f0a1f2b3c")
ECHO = ctl_code(0x22, 0x800, Method.BUFFERED)
IN_DIRECT = ctl_code(0x22, 0x801, Method.IN_DIRECT)
OUT_DIRECT = ctl_code(0x22, 0x802, Method.OUT_DIRECT)
HOLD = ctl_code(0x22, 0x803, Method.BUFFERED)
NEITHER = ctl_code(0x22, 0x804, Method.NEITHER)


class World:
    """A device with an interface and a symbolic link; `log` is what its driver was asked."""

    def __init__(self, *, io_type: str = "buffered", files: bool = True, refuse: int = 0, exclusive: bool = False,
                 in_caller_context: bool = False, reference: str = "") -> None:  # fmt: skip
        log: list[Any] = []
        self.log, self.held = log, []
        held = self.held

        def create(device: Any, request: Any, file: Any) -> None:
            log.append(("create", file.get_file_name(), request.get_file_object() is file))
            request.complete(refuse)

        def before(device: Any, request: Any) -> None:
            log.append("caller")
            device.enqueue_request(request)

        def read(queue: Any, request: Any, length: int) -> None:
            buffer = request.retrieve_output_buffer()
            buffer[:3] = b"abc"
            request.complete_with_information(0, 3)

        def write(queue: Any, request: Any, length: int) -> None:
            log.append(bytes(request.retrieve_input_buffer()))
            request.complete_with_information(0, length)

        def control(queue: Any, request: Any, out: int, given: int, code: int) -> None:
            if code == HOLD:
                held.append(request)
                request.mark_cancelable(lambda one: one.complete(wdf.STATUS_CANCELLED))
                return
            if code == IN_DIRECT:
                log.append((bytes(request.retrieve_input_buffer()), bytes(request.retrieve_output_buffer())))
                request.complete_with_information(0, 0)
                return
            data = bytes(request.retrieve_input_buffer())
            request.retrieve_output_buffer()[: len(data)] = data[::-1]
            request.complete_with_information(0, len(data))

        class Echo(wdf.Driver):
            def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
                init.set_io_type(io_type)
                init.set_exclusive(exclusive)
                if files:
                    init.set_file_object_config(wdf.FileObjectConfig(
                        create, lambda file: log.append("close"), lambda file: log.append("cleanup"),
                    ))  # fmt: skip
                if in_caller_context:
                    init.set_io_in_caller_context_callback(before)
                device = wdf.Device.create(init)
                device.create_device_interface(GUID, reference)
                device.create_symbolic_link("\\DosDevices\\Echo")
                config = wdf.IoQueueConfig(
                    wdf.IoQueueDispatchType.Parallel, default_queue=True, evt_io_read=read, evt_io_write=write,
                    evt_io_device_control=control,
                )  # fmt: skip
                wdf.IoQueue.create(device, config)

        self.system = System(1, memory=1 << 21)
        self.card = self.system.plug(MultiQueue(1))
        self.system.load(Echo)
        assert self.system.start() == wdf.STATUS_SUCCESS

    def open(self, name: str | UUID = GUID) -> Handle:
        return self.system.open(name)


@pytest.mark.parametrize("name", [
    GUID, str(GUID), f"{{{GUID}}}", "\\\\.\\Echo", "\\DosDevices\\Echo", "\\??\\ECHO", "Echo",
    f"\\\\?\\PCI#VEN_1234&DEV_4D51&SUBSYS_11001AF4&REV_01#3&0&0&00#{{{GUID}}}",
])  # fmt: skip
def test_a_device_is_opened_by_any_of_its_names(name: Any) -> None:
    w = World()
    if str(name).startswith("\\\\?"):
        name = w.system.device(w.card).interfaces[0].link.replace("\\??", "\\\\?")
    w.open(name).close()
    assert w.log == [("create", "", True), "cleanup", "close"]


def test_what_is_opened_below_the_device_is_the_files_name() -> None:
    w = World(reference="port1")
    w.open()
    w.open("\\\\.\\Echo\\Some\\Thing")
    assert [name for _, name, _ in w.log] == ["\\port1", "\\Some\\Thing"]


@pytest.mark.parametrize("io_type", ["buffered", "direct"])
def test_bytes_go_both_ways(io_type: str) -> None:
    w = World(io_type=io_type)
    with w.open() as handle:
        assert handle.write(b"hello") == 5
        assert handle.read(64) == b"abc"
        assert handle.ioctl(ECHO, b"123", 16) == b"321"
        assert handle.ioctl(OUT_DIRECT, b"123", 16) == b"321"
        handle.start_ioctl(IN_DIRECT, b"code", direct_input=b"payload").result()
    assert w.log[1:] == [b"hello", (b"code", b"payload"), "cleanup", "close"]


def test_method_neither_is_refused_with_a_reason() -> None:
    w = World()
    with pytest.raises(NotModelled) as caught:
        w.open().ioctl(NEITHER, b"123")
    assert str(caught.value) == (
        "I/O control code 0x222013 is METHOD_NEITHER: it passes addresses of a process, and dirql has none; "
        "define it with METHOD_BUFFERED, METHOD_IN_DIRECT or METHOD_OUT_DIRECT"
    )


def test_a_device_with_io_of_neither_kind_is_not_read() -> None:
    w = World(io_type="neither")
    with pytest.raises(NotModelled, match=r"^read of MultiQueue: the I/O type is neither: it passes addresses of a process"):
        w.open().read(4)


def test_overlapped_io_is_completed_later_or_cancelled() -> None:
    w = World()
    handle = w.open()
    first, second = handle.start_ioctl(HOLD), handle.start_ioctl(HOLD)
    w.system.run()
    assert [first.done, second.done, first.status] == [False, False, wdf.STATUS_PENDING]
    w.system.call(lambda: (w.held[0].unmark_cancelable(), w.held[0].complete(wdf.STATUS_SUCCESS)))
    assert second.cancel() is True
    assert [first.result(), first.status, second.status] == [b"", wdf.STATUS_SUCCESS, wdf.STATUS_CANCELLED]
    with pytest.raises(wdf.StatusError, match="STATUS_CANCELLED"):
        second.result()
    assert second.cancel() is False


def test_a_read_that_nobody_completes_is_told_and_the_machine_goes_on() -> None:
    w = World()
    handle = w.open()
    with pytest.raises(UsageError) as caught:
        handle.ioctl(HOLD)
    assert str(caught.value).startswith(f"the control {HOLD:#x} of MultiQueue is not completed and nothing more happens; ")
    assert handle.read(4) == b"abc"


def test_a_workload_on_a_thread_of_the_machine_waits_there() -> None:
    w = World()

    def work() -> bytes:
        with w.system.open(GUID) as handle:
            return handle.read(4)

    assert w.system.call(work) == b"abc"
    assert w.log == [("create", "", True), "cleanup", "close"]


def test_close_comes_after_the_files_last_request_and_cleanup_at_once() -> None:
    w = World()
    handle = w.open()
    pending = handle.start_ioctl(HOLD)
    w.system.run()
    handle.close()
    assert w.log[1:] == ["cleanup"]
    pending.cancel()
    w.system.run()
    assert w.log[1:] == ["cleanup", "close"]
    with pytest.raises(UsageError, match="the handle is closed"):
        handle.read(1)


def test_a_create_that_the_driver_refuses_leaves_no_file() -> None:
    w = World(refuse=wdf.STATUS_ACCESS_DENIED)
    with pytest.raises(wdf.StatusError, match=r"^STATUS_ACCESS_DENIED \(0xc0000022\): MultiQueue refuses to be opened$"):
        w.open()
    assert (w.log, w.system.io.files) == ([("create", "", True)], [])


def test_an_exclusive_device_is_opened_once_at_a_time() -> None:
    w = World(exclusive=True)
    handle = w.open()
    with pytest.raises(wdf.StatusError, match="STATUS_ACCESS_DENIED"):
        w.open()
    handle.close()
    w.open()


def test_a_driver_without_file_objects_is_opened_all_the_same() -> None:
    w = World(files=False)
    with w.open() as handle:
        assert handle.read(4) == b"abc"
    assert w.log == []


def test_the_callers_context_comes_before_the_queue() -> None:
    w = World(in_caller_context=True)
    with w.open() as handle:
        assert handle.write(b"x") == 1
    assert w.log == [("create", "", True), "caller", b"x", "cleanup", "close"]


def test_names_that_nobody_has_are_told_with_those_there_are() -> None:
    w = World()
    with pytest.raises(wdf.StatusError) as caught:
        w.open("\\\\.\\Other")
    assert str(caught.value) == (
        f"STATUS_OBJECT_NAME_NOT_FOUND (0xc0000034): there is no \\\\.\\Other; there are {{{GUID}}}, echo"
    )


def test_an_interface_is_enabled_with_the_device_and_as_the_driver_says() -> None:
    w = World()
    device = w.system.device(w.card)
    w.system.call(lambda: device.set_device_interface_state(GUID, "", False))
    with pytest.raises(wdf.StatusError, match="is not enabled"):
        w.open()
    w.system.call(lambda: device.set_device_interface_state(GUID, "", True))
    w.open().close()
    w.system.remove(w.card)
    with pytest.raises(wdf.StatusError, match="no device has a name or an enabled interface"):
        w.open()


def test_a_name_is_taken_once() -> None:
    w = World()
    device = w.system.device(w.card)
    with pytest.raises(wdf.StatusError, match="STATUS_OBJECT_NAME_COLLISION"):
        w.system.call(lambda: device.create_symbolic_link("\\??\\echo"))
