"""A request that ends with STATUS_BUFFER_OVERFLOW fails with ERROR_MORE_DATA, and the program has what had room."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf
from dirql.device.models import MultiQueue
from dirql.kernel.irp import Method, ctl_code
from dirql.system import System
from dirql.user import Handle, RequestError

CODE = ctl_code(0x22, 0x800, Method.BUFFERED)


def opened(status: int) -> Handle:
    """A device whose driver has more to tell than there is room for, and ends every request with `status`."""

    def tell(queue: Any, request: Any, *_: Any) -> None:
        request.retrieve_output_buffer()[:4] = b"more"
        request.complete_with_information(status, 4)

    class Talker(wdf.Driver):
        def evt_driver_device_add(self, init: wdf.DeviceInit) -> None:
            device = wdf.Device.create(init)
            device.create_symbolic_link("\\DosDevices\\Talker")
            wdf.IoQueue.create(device, wdf.IoQueueConfig(
                wdf.IoQueueDispatchType.Parallel, default_queue=True, evt_io_read=tell, evt_io_device_control=tell,
            ))  # fmt: skip

    system = System(1, memory=1 << 21)
    system.plug(MultiQueue(1))
    system.load(Talker)
    assert system.start() == wdf.STATUS_SUCCESS
    return system.open("\\\\.\\Talker")


@pytest.mark.parametrize(("status", "output"), [(wdf.STATUS_BUFFER_OVERFLOW, b"more"), (wdf.STATUS_BUFFER_TOO_SMALL, b"")])
def test_the_error_has_the_bytes_that_the_program_has(status: int, output: bytes) -> None:
    handle = opened(status)
    for request in (lambda: handle.ioctl(CODE, b"", 4), lambda: handle.read(4), handle.start_read(4).result):
        with pytest.raises(RequestError) as failed:
            request()
        assert (failed.value.status, failed.value.output) == (status, output)


def test_what_the_error_says_is_the_status_and_the_request() -> None:
    with pytest.raises(wdf.StatusError) as failed:
        opened(wdf.STATUS_BUFFER_OVERFLOW).ioctl(CODE, b"", 4)
    assert str(failed.value) == "STATUS_BUFFER_OVERFLOW (0x80000005): control 0x222000 of MultiQueue"
