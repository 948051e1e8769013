"""Queues and requests: what a driver's callbacks are called with, and what its calls do to a user's request."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import ntstatus
from dirql.hosts.sys.nt_structs import IO_STACK_LOCATION, IRP, MDL
from dirql.hosts.sys.wdf_structs import WDF_IO_QUEUE_CONFIG, WDF_REQUEST_PARAMETERS
from dirql.kernel.irp import Irp, Method, ctl_code
from dirql.kernel.stop import BugCheck

SEQUENTIAL, PARALLEL, MANUAL = 1, 2, 3
CODES = {method: ctl_code(0x22, 0x800, method) for method in Method}
SUCCESS = ntstatus.STATUS_SUCCESS


def queue(wdf: Any, type_: int = SEQUENTIAL, *, default: bool = True, size: int = 0x60, **callbacks: int) -> int:
    """A default queue."""
    config = wdf.struct(WDF_IO_QUEUE_CONFIG, size, DispatchType=type_, PowerManaged=2, DefaultQueue=default, **callbacks)
    WDF_IO_QUEUE_CONFIG(wdf.guest.space, config).Settings.Parallel.NumberOfPresentedRequests = 0xFFFF_FFFF
    return int(wdf.create("WdfIoQueueCreate", wdf.device, config, 0))


def complete(wdf: Any, status: int = SUCCESS, information: int = 0) -> Any:
    """What a handler does that only completes."""
    return lambda _, request, *rest: wdf.inside("WdfRequestCompleteWithInformation", request, status, information)


@pytest.mark.parametrize("size", [0x50, 0x58, 0x60])
@pytest.mark.parametrize(
    ("field", "count", "irp", "arguments"),
    [("EvtIoRead", 3, lambda k: Irp.read(k, 0x30), (0x30,)), ("EvtIoWrite", 3, lambda k: Irp.write(k, b"12345"), (5,)),
     ("EvtIoDeviceControl", 5, lambda k: Irp.device_control(k, CODES[Method.BUFFERED], b"123", 8), (8, 3, 0x222000)),
     ("EvtIoInternalDeviceControl", 5, lambda k: Irp.device_control(k, 7, b"", 8, internal=True), (8, 0, 7)),
     ("EvtIoDefault", 2, lambda k: Irp.read(k, 4), ())],
)  # fmt: skip
def test_a_request_reaches_its_callback(
    wdf: Any, field: str, count: int, irp: Any, arguments: tuple[int, ...], size: int
) -> None:
    made = queue(wdf, size=size, **{field: wdf.logs(field, count, complete(wdf))})
    sent = wdf.send(irp(wdf.kernel))
    assert sent.status == SUCCESS and wdf.log[0][:2] == (field, made) and wdf.log[0][3:] == arguments


def test_a_queue_configuration_of_another_size_is_refused(wdf: Any) -> None:
    config = wdf.struct(WDF_IO_QUEUE_CONFIG, 0x5C, DispatchType=SEQUENTIAL)
    assert wdf.call("WdfIoQueueCreate", wdf.device, config, 0, wdf.out()) == ntstatus.STATUS_INFO_LENGTH_MISMATCH


def test_what_a_driver_writes_into_the_output_buffer_reaches_the_user(wdf: Any) -> None:
    buffer, length = wdf.out(), wdf.out()

    def read(_: int, request: int, asked: int) -> int:
        status = wdf.inside("WdfRequestRetrieveOutputBuffer", request, 4, buffer, length)
        wdf.log.append((status, wdf.value(length), asked))
        wdf.guest.space.write(wdf.value(buffer), b"data")
        return int(wdf.inside("WdfRequestCompleteWithInformation", request, SUCCESS, 4))

    queue(wdf, EvtIoRead=wdf.callback(read, 3))
    assert wdf.send(Irp.read(wdf.kernel, 0x2000)).output == b"data"
    assert wdf.log == [(SUCCESS, 0x2000, 0x2000)]
    with pytest.raises(BugCheck, match=r"bytes into a buffer of request\d+ of 0x2000 bytes at 0x\w+, which was freed"):
        wdf.read(wdf.value(buffer), 1)


@pytest.mark.parametrize("method", [Method.BUFFERED, Method.IN_DIRECT, Method.OUT_DIRECT])
def test_a_control_has_its_input_and_its_output_where_the_method_says(wdf: Any, method: Method) -> None:
    places = {name: wdf.out() for name in ("Input", "Output")}

    def control(_: int, request: int, *rest: int) -> int:
        for name, place in places.items():
            assert wdf.inside(f"WdfRequestRetrieve{name}Buffer", request, 1, place, 0) == SUCCESS
        wdf.log.append(wdf.read(wdf.value(places["Input"]), 5))
        wdf.guest.space.write(wdf.value(places["Output"]), b"answer")
        return int(wdf.inside("WdfRequestCompleteWithInformation", request, SUCCESS, 6))

    queue(wdf, EvtIoDeviceControl=wdf.callback(control, 5))
    sent = wdf.send(Irp.device_control(wdf.kernel, CODES[method], b"asked", 16))
    assert wdf.log == [b"asked"] and sent.output == b"answer"
    assert sent.status == SUCCESS
    assert (wdf.value(places["Input"]) == wdf.value(places["Output"])) == (method == Method.BUFFERED)


@pytest.mark.parametrize(
    ("name", "status"),
    [("WdfRequestRetrieveInputBuffer", ntstatus.STATUS_INVALID_DEVICE_REQUEST),
     ("WdfRequestRetrieveOutputBuffer", ntstatus.STATUS_BUFFER_TOO_SMALL),
     ("WdfRequestRetrieveUnsafeUserOutputBuffer", ntstatus.STATUS_INVALID_DEVICE_REQUEST),
     ("WdfRequestRetrieveUnsafeUserInputBuffer", ntstatus.STATUS_INVALID_DEVICE_REQUEST)],
)  # fmt: skip
def test_a_buffer_that_is_not_there_is_refused(wdf: Any, name: str, status: int) -> None:
    def read(_: int, request: int, length: int) -> int:
        wdf.log.append(wdf.inside(name, request, 0x20, wdf.out(), 0))
        return int(wdf.inside("WdfRequestComplete", request, SUCCESS))

    queue(wdf, EvtIoRead=wdf.callback(read, 3))
    wdf.send(Irp.read(wdf.kernel, 16))
    assert wdf.log == [status]


def test_memory_objects_and_mdls_of_a_request_describe_the_same_bytes(direct: Any) -> None:
    wdf, memory, mdl, buffer = direct, direct.out(), direct.out(), direct.out()

    def write(_: int, request: int, length: int) -> int:
        assert wdf.inside("WdfRequestRetrieveInputMemory", request, memory) == SUCCESS
        assert wdf.inside("WdfRequestRetrieveInputWdmMdl", request, mdl) == SUCCESS
        assert wdf.inside("WdfRequestRetrieveInputBuffer", request, 0, buffer, 0) == SUCCESS
        view = MDL(wdf.guest.space, wdf.value(mdl))
        wdf.log.append(wdf.inside("WdfMemoryGetBuffer", wdf.value(memory), 0) == wdf.value(buffer) == view.MappedSystemVa)
        wdf.log.append((view.MdlFlags, view.ByteCount, view.Size, view.StartVa + view.ByteOffset == view.MappedSystemVa))
        frames = [wdf.value(view.address + MDL.size + 8 * i) << 12 for i in range(2)]
        wdf.log.append([wdf.system.machine.memory.read(page, 4) for page in frames])
        return int(wdf.inside("WdfRequestComplete", request, SUCCESS))

    queue(wdf, EvtIoWrite=wdf.callback(write, 3))
    wdf.send(Irp.write(wdf.kernel, b"abcd".ljust(4096, b".") + b"efgh"))
    assert wdf.log == [True, (3, 4100, MDL.size + 16, True), [b"abcd", b"efgh"]]


@pytest.mark.parametrize(
    ("irp", "field", "values"),
    [(lambda k: Irp.read(k, 0x30, 0x1_0000_0000), "Read", {"Length": 0x30, "DeviceOffset": 0x1_0000_0000}),
     (lambda k: Irp.write(k, b"123", 9), "Write", {"Length": 3, "DeviceOffset": 9}),
     (lambda k: Irp.device_control(k, CODES[Method.IN_DIRECT], b"12", 7), "DeviceIoControl",
      {"OutputBufferLength": 7, "InputBufferLength": 2, "IoControlCode": 0x222001, "Type3InputBuffer": 0})],
)  # fmt: skip
def test_the_parameters_of_a_request_are_filled_in(wdf: Any, irp: Any, field: str, values: dict[str, int]) -> None:
    sent = irp(wdf.kernel)

    def default(_: int, request: int) -> int:
        for size in (0x28, 0x30):
            view = WDF_REQUEST_PARAMETERS(wdf.guest.space, wdf.struct(WDF_REQUEST_PARAMETERS, size))
            wdf.inside("WdfRequestGetParameters", request, view.address)
            given = getattr(view.Parameters, field)
            wdf.log.append((view.Size, view.Type, {name: getattr(given, name) for name in values}))
        return int(wdf.inside("WdfRequestComplete", request, SUCCESS))

    queue(wdf, EvtIoDefault=wdf.callback(default, 2))
    wdf.send(sent)
    assert wdf.log == [(0x28, sent.major, values), (0x30, 0, dict.fromkeys(values, 0))]


def test_the_irp_of_a_request_shows_what_it_asks_for_and_that_it_is_cancelled(direct: Any) -> None:
    wdf, code = direct, CODES[Method.OUT_DIRECT]
    made = queue(wdf, MANUAL)
    sent = wdf.send(Irp.device_control(wdf.kernel, code, b"in", 32))
    out = wdf.out()
    assert wdf.call("WdfIoQueueRetrieveNextRequest", made, out) == SUCCESS
    address = wdf.call("WdfRequestWdmGetIrp", wdf.value(out))
    irp = IRP(wdf.guest.space, address)
    location = IO_STACK_LOCATION(wdf.guest.space, irp.Tail.Overlay.CurrentStackLocation)
    assert (irp.Type, irp.RequestorMode, irp.Cancel, irp.CurrentLocation, irp.StackCount) == (6, 1, 0, 2, 2)
    assert wdf.read(irp.AssociatedIrp.SystemBuffer, 2) == b"in" and MDL(wdf.guest.space, irp.MdlAddress).ByteCount == 32
    control = location.Parameters.DeviceIoControl
    assert (location.MajorFunction, control.OutputBufferLength, control.InputBufferLength) == (0xE, 32, 2)
    assert control.IoControlCode == code and wdf.call("WdfRequestWdmGetIrp", wdf.value(out)) == address
    sent.cancel()
    assert irp.Cancel == 1 and wdf.call("WdfRequestIsCanceled", wdf.value(out)) == 1
    wdf.call("WdfRequestComplete", wdf.value(out), ntstatus.STATUS_CANCELLED)
    with pytest.raises(BugCheck, match=r"into the IRP device control of .*, which was freed"):
        wdf.read(irp.address, 1)


def test_a_request_that_is_marked_cancelable_is_cancelled_by_the_drivers_callback(wdf: Any) -> None:
    made, out = queue(wdf, MANUAL), wdf.out()
    cancel = wdf.logs("cancel", 1, lambda request: wdf.inside("WdfRequestComplete", request, ntstatus.STATUS_CANCELLED))
    sent = wdf.send(Irp.read(wdf.kernel, 8))
    wdf.call("WdfIoQueueRetrieveNextRequest", made, out)
    request = wdf.value(out)
    assert wdf.call("WdfRequestMarkCancelableEx", request, cancel) == SUCCESS
    assert wdf.call("WdfRequestUnmarkCancelable", request) == SUCCESS
    wdf.call("WdfRequestMarkCancelable", request, cancel)
    wdf.system.call(sent.cancel)
    assert wdf.log == [("cancel", request)] and sent.status == ntstatus.STATUS_CANCELLED


def test_a_manual_queue_gives_what_the_driver_asks_for(wdf: Any) -> None:
    made, out, counts = queue(wdf, MANUAL), wdf.out(), (wdf.out(), wdf.out())
    for length in (1, 2, 3):
        wdf.send(Irp.read(wdf.kernel, length))
    assert wdf.call("WdfIoQueueFindRequest", made, 0, 0, 0, out) == SUCCESS
    first = wdf.value(out)
    parameters = wdf.struct(WDF_REQUEST_PARAMETERS)
    assert wdf.call("WdfIoQueueFindRequest", made, first, 0, parameters, out) == SUCCESS
    second = wdf.value(out)
    assert WDF_REQUEST_PARAMETERS(wdf.guest.space, parameters).Parameters.Read.Length == 2
    assert wdf.call("WdfIoQueueRetrieveFoundRequest", made, second, out) == SUCCESS and wdf.value(out) == second
    assert wdf.call("WdfIoQueueGetState", made, *counts) == 3 and [wdf.value(at, 4) for at in counts] == [2, 1]
    assert wdf.call("WdfRequestGetIoQueue", second) == made and wdf.call("WdfIoQueueGetDevice", made) == wdf.device
    for _ in range(2):
        assert wdf.call("WdfIoQueueRetrieveNextRequest", made, out) == SUCCESS
    assert wdf.call("WdfIoQueueRetrieveNextRequest", made, out) == ntstatus.STATUS_NO_MORE_ENTRIES and wdf.value(out) == 0


@pytest.mark.parametrize(
    ("name", "state"), [("Stop", 0x1D), ("Purge", 0x1E), ("Drain", 0x1E), ("StopAndPurge", 0x1D)]
)  # fmt: skip
def test_a_queue_tells_when_it_is_at_rest(wdf: Any, name: str, state: int) -> None:
    made = queue(wdf, EvtIoDefault=wdf.callback(complete(wdf), 2))
    wdf.call(f"WdfIoQueue{name}", made, wdf.logs(name, 2), 77)
    wdf.call(f"WdfIoQueue{name}Synchronously", made)
    assert wdf.log == [(name, made, 77)] and wdf.call("WdfIoQueueGetState", made, 0, 0) | 0x10 == state
    wdf.call("WdfIoQueueStart", made)
    assert wdf.call("WdfIoQueueGetState", made, 0, 0) & 3 == 3


def test_a_ready_manual_queue_tells_and_a_request_goes_to_another_queue_and_back(wdf: Any) -> None:
    first, out = queue(wdf, MANUAL), wdf.out()
    second = queue(wdf, MANUAL, default=False)
    assert wdf.call("WdfIoQueueReadyNotify", first, wdf.logs("ready", 2), 5) == SUCCESS
    wdf.send(Irp.read(wdf.kernel, 4))
    assert wdf.log == [("ready", first, 5)]
    wdf.call("WdfIoQueueRetrieveNextRequest", first, out)
    request = wdf.value(out)
    assert wdf.call("WdfRequestForwardToIoQueue", request, second) == SUCCESS
    assert wdf.call("WdfIoQueueRetrieveNextRequest", second, out) == SUCCESS and wdf.value(out) == request
    assert wdf.call("WdfRequestRequeue", request) == SUCCESS and wdf.call("WdfIoQueueGetState", second, 0, 0) & 4 == 0


def test_stopping_a_device_asks_for_its_requests_and_takes_the_answer(wdf: Any) -> None:
    stop = wdf.logs("stop", 3, lambda _, request, flags: wdf.inside("WdfRequestStopAcknowledge", request, 0))
    made = queue(wdf, MANUAL, EvtIoStop=stop, EvtIoResume=wdf.logs("resume", 2))
    instance, out = wdf.object(made), wdf.out()
    instance.power_managed = instance.powered = True
    wdf.send(Irp.read(wdf.kernel, 4))
    wdf.call("WdfIoQueueRetrieveNextRequest", made, out)
    wdf.system.call(instance.power_stop)
    wdf.system.call(instance.power_start)
    assert wdf.log == [("stop", made, wdf.value(out), 1), ("resume", made, wdf.value(out))]


@pytest.mark.parametrize(
    ("name", "value"),
    [("WdfRequestGetFileObject", 0), ("WdfRequestGetRequestorMode", 1), ("WdfRequestIsFrom32BitProcess", 0),
     ("WdfRequestIsReserved", 0), ("WdfRequestGetRequestorProcessId", 4), ("WdfRequestGetInformation", 3),
     ("WdfRequestGetStatus", ntstatus.STATUS_PENDING)],
)  # fmt: skip
def test_a_request_says_what_it_is(wdf: Any, name: str, value: int) -> None:
    made, out = queue(wdf, MANUAL), wdf.out()
    wdf.send(Irp.read(wdf.kernel, 4))
    wdf.call("WdfIoQueueRetrieveNextRequest", made, out)
    wdf.call("WdfRequestSetInformation", wdf.value(out), 3)
    assert wdf.call(name, wdf.value(out)) == value


def test_a_request_that_is_completed_twice_is_a_bugcheck(wdf: Any) -> None:
    made, out = queue(wdf, MANUAL), wdf.out()
    sent = wdf.send(Irp.read(wdf.kernel, 4))
    wdf.call("WdfIoQueueRetrieveNextRequest", made, out)
    wdf.call("WdfRequestCompleteWithPriorityBoost", wdf.value(out), SUCCESS, 2)
    assert sent.status == SUCCESS
    with pytest.raises(BugCheck, match=r"bugcheck 0x10d WDF_VIOLATION \(0x5"):
        wdf.call("WdfRequestComplete", wdf.value(out), SUCCESS)


def test_a_driver_that_writes_past_a_system_buffer_is_caught(wdf: Any) -> None:
    out, buffer, made = wdf.out(), wdf.out(), queue(wdf, MANUAL)
    wdf.send(Irp.read(wdf.kernel, 32))
    wdf.call("WdfIoQueueRetrieveNextRequest", made, out)
    assert wdf.call("WdfRequestRetrieveOutputBuffer", wdf.value(out), 0, buffer, 0) == SUCCESS
    with pytest.raises(BugCheck, match=r"bugcheck 0xcd .*0x0 bytes past the end of a buffer of request\d+ of 0x20 bytes"):
        wdf.read(wdf.value(buffer) + 32, 1)


@pytest.mark.parametrize("handle", [0, 8, 0xFFFF_E000_0000_0008, 0x1234_5678])
def test_what_is_no_handle_is_told_with_its_value(wdf: Any, handle: int) -> None:
    with pytest.raises(BugCheck) as caught:
        wdf.call("WdfRequestComplete", handle, SUCCESS)
    text = str(caught.value)
    assert text.startswith("bugcheck 0x10d WDF_VIOLATION (0x5, ") and "WdfRequestComplete was given" in text


@pytest.mark.parametrize(("which", "length"), [("Input", 3), ("Output", 8)])
@pytest.mark.parametrize(("past", "caught"), [(0, False), (1, True)])
def test_a_system_buffer_is_as_long_as_the_longer_of_input_and_output(
    wdf: Any, which: str, length: int, past: int, caught: bool
) -> None:
    out, buffer, made = wdf.out(), wdf.out(), queue(wdf, MANUAL)
    wdf.send(Irp.device_control(wdf.kernel, CODES[Method.BUFFERED], b"123", 8))
    wdf.call("WdfIoQueueRetrieveNextRequest", made, out)
    assert wdf.call(f"WdfRequestRetrieve{which}Buffer", wdf.value(out), length, buffer, 0) == SUCCESS
    wdf.guest.space.write(wdf.value(buffer) + 7 + past, b"!")
    if caught:
        with pytest.raises(BugCheck, match=r"of 0x8 bytes at 0x\w+ is freed, and 0x\w+, 0x0 bytes past its end"):
            wdf.call("WdfRequestComplete", wdf.value(out), SUCCESS)
    else:
        wdf.call("WdfRequestComplete", wdf.value(out), SUCCESS)


@pytest.mark.parametrize(
    ("irp", "field", "length", "offset"),
    [(lambda k: Irp.read(k, 9, 0x1_0000_0002), "Read", 9, 0x1_0000_0002), (lambda k: Irp.write(k, b"1234", 7), "Write", 4, 7)],
)  # fmt: skip
def test_the_stack_location_of_a_read_or_write_says_how_much_and_where(
    wdf: Any, irp: Any, field: str, length: int, offset: int
) -> None:
    made, out = queue(wdf, MANUAL), wdf.out()
    sent = wdf.send(irp(wdf.kernel))
    wdf.call("WdfIoQueueRetrieveNextRequest", made, out)
    view = IRP(wdf.guest.space, wdf.call("WdfRequestWdmGetIrp", wdf.value(out)))
    location = IO_STACK_LOCATION(wdf.guest.space, view.Tail.Overlay.CurrentStackLocation)
    given = getattr(location.Parameters, field)
    assert (location.MajorFunction, given.Length, given.ByteOffset.QuadPart) == (sent.major, length, offset)
    assert view.MdlAddress == 0 and view.AssociatedIrp.SystemBuffer


def test_a_queue_that_is_stopped_gives_no_request(wdf: Any) -> None:
    made, out = queue(wdf, MANUAL), wdf.out()
    wdf.send(Irp.read(wdf.kernel, 4))
    wdf.call("WdfIoQueueStop", made, 0, 0)
    assert wdf.call("WdfIoQueueRetrieveNextRequest", made, out) == ntstatus.STATUS_WDF_PAUSED and wdf.value(out) == 0
