"""What a driver leaves behind: mappings, objects, references, and requests that nobody completes."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf
from dirql.kernel.irp import Irp
from dirql.pnp.grant import GrantChoice

MANUAL = wdf.IoQueueConfig(wdf.IoQueueDispatchType.Manual, default_queue=True)


def told(w: Any) -> list[tuple[str, str, str]]:
    """(rule, level, sentence) of each finding."""
    return [(f.rule, f.level, f.sentence) for f in w.system.findings]


# Mappings.


@pytest.mark.parametrize("unmapped", [False, True])
def test_registers_that_are_never_unmapped_are_told_with_where_they_were_mapped(World: Any, unmapped: bool) -> None:
    w = World()
    kept: list[Any] = []
    w.during("PrepareHardware", lambda raw, translated: kept.append(w.kernel.mm_map_io_space(w.device.registers.start, 0x40)))
    w.during("ReleaseHardware", lambda translated: kept[0].unmap() if unmapped else None)
    w.started()
    w.system.remove(w.card)
    assert told(w) == []
    w.system.shut_down()
    sentence = f"0x40 bytes of registers at {kept[0].start:#x} were mapped and never unmapped"
    expected = [("mapping-leak", "error", f"{sentence}; call MmUnmapIoSpace in EvtDeviceReleaseHardware")]
    assert told(w) == ([] if unmapped else expected)
    assert unmapped or w.system.findings[0].where.rpartition(", ")[2].startswith("test_leaks.py:")


def test_each_start_that_maps_anew_leaves_one_mapping(World: Any) -> None:
    w = World()
    w.during("PrepareHardware", lambda raw, translated: w.kernel.mm_map_io_space(w.device.registers.start, 0x40) and None)
    w.started()
    w.system.rebalance(w.card, GrantChoice.one())
    w.system.shut_down()
    assert [(f.rule, f.count) for f in w.system.findings] == [("mapping-leak", 2)]


# Objects.


def buffers(w: Any, deleted: bool) -> None:
    """A common buffer is made in EvtDevicePrepareHardware, each time."""
    made: list[Any] = []

    def prepare(*_: Any) -> None:
        made.append(wdf.DmaEnabler.create(w.device, wdf.DmaEnablerConfig(wdf.DmaProfile.ScatterGather64, 4096)))
        wdf.CommonBuffer.create(made[-1], 64)

    w.during("PrepareHardware", prepare)
    w.during("ReleaseHardware", lambda translated: made.pop().delete() if deleted else None)


@pytest.mark.parametrize("deleted", [False, True])
def test_common_buffers_that_each_start_makes_and_none_deletes_are_told(World: Any, deleted: bool) -> None:
    w = World()
    buffers(w, deleted)
    w.started()
    assert told(w) == []
    w.system.rebalance(w.card, GrantChoice.one())
    sentence = "EvtDevicePrepareHardware of MultiQueue makes 1 WDFDMAENABLER, 1 WDFCOMMONBUFFER again"
    remedy = "and those of the last start are still there; delete them in EvtDeviceReleaseHardware"
    assert told(w) == ([] if deleted else [("object-leak", "warning", f"{sentence}, {remedy}")])


def test_an_object_that_is_made_once_and_kept_through_a_rebalance_is_no_leak(World: Any) -> None:
    w = World()
    made: list[Any] = []
    w.during("PrepareHardware", lambda *_: (made or made.append(wdf.SpinLock.create(w.device))) and None)
    w.started()
    w.system.rebalance(w.card, GrantChoice.one())
    w.system.shut_down()
    assert told(w) == []


def test_interrupts_and_what_belongs_to_them_go_with_each_stop(World: Any) -> None:
    w = World()
    w.during("PrepareHardware", lambda *_: [wdf.SpinLock.create(i) for i in w.device.interrupts] and None)
    w.started()
    w.system.rebalance(w.card, GrantChoice.one())
    w.system.shut_down()
    assert told(w) == []


@pytest.mark.parametrize("parent", [False, True])
def test_objects_without_a_parent_are_told_when_the_driver_goes(World: Any, parent: bool) -> None:
    w = World().started()
    for _ in range(2):
        w.call(lambda: wdf.Memory.create(w.device if parent else w.framework, 16))
    w.system.shut_down()
    made = "2 WDFMEMORY made after DriverEntry of Recorder with no parent but the driver are there until it is unloaded"
    sentence = f"{made}; set ParentObject to what each is for, or delete it"
    assert told(w) == ([] if parent else [("object-leak", "warning", sentence)])


@pytest.mark.parametrize("in_unload", [False, True])
def test_an_object_without_a_parent_that_is_deleted_is_no_leak(World: Any, in_unload: bool) -> None:
    w = World().started()
    memory = w.call(lambda: wdf.Memory.create(w.framework, 16))
    if in_unload:
        w.during("Unload", memory.delete)
    else:
        w.call(memory.delete)
    w.system.shut_down()
    assert told(w) == []


@pytest.mark.parametrize("given_back", [False, True])
def test_a_reference_that_is_never_given_back_is_told(World: Any, given_back: bool) -> None:
    w = World().started()
    memory = w.call(lambda: wdf.Memory.create(w.device, 16))

    def use() -> None:
        memory.reference()
        memory.delete()
        if given_back:
            memory.dereference()

    w.call(use)
    w.system.shut_down()
    sentence = f"WDFMEMORY {memory.name} is deleted and still referenced 1 time when the drivers are unloaded"
    assert told(w) == ([] if given_back else [("reference-leak", "error", f"{sentence}; call WdfObjectDereference")])


# Requests.


def with_request(World: Any, io_stop: Any = None) -> tuple[Any, Any]:
    """The driver has taken one request of its manual queue."""
    config = wdf.IoQueueConfig(wdf.IoQueueDispatchType.Manual, default_queue=True, evt_io_stop=io_stop)
    w = World(add=lambda w: wdf.IoQueue.create(w.device, config)).started()
    w.system.io.start(w.device, Irp.read(w.kernel, 4))
    w.system.run()
    return w, w.call(w.device.default_queue.retrieve_next_request)


def test_a_request_that_the_driver_sits_on_is_told_when_its_device_is_to_go(World: Any) -> None:
    w, request = with_request(World)
    w.system.remove(w.card)
    queue = w.device.default_queue.name
    sentence = f"{request.name} of {queue}, a read, was never completed, and EvtIoStop was not answered for it"
    remedy = "complete it, or answer with WdfRequestStopAcknowledge"
    assert told(w) == [("request-not-completed", "error", f"{sentence}; {remedy}")]
    assert w.system.stopped.rule == "stuck"


@pytest.mark.parametrize("answer", ["complete", "requeue"])
def test_a_request_that_is_answered_for_lets_its_device_go(World: Any, answer: str) -> None:
    def stop(queue: Any, request: Any, flags: int) -> None:
        if answer == "requeue":
            request.stop_acknowledge(True)
        else:
            request.complete(wdf.STATUS_CANCELLED)

    w, _ = with_request(World, stop)
    assert w.system.remove(w.card) == wdf.STATUS_SUCCESS
    w.system.shut_down()
    assert told(w) == []


def test_a_request_that_waits_with_the_driver_is_nothing_to_tell_while_its_device_stays(World: Any) -> None:
    w, _ = with_request(World)
    w.system.run()
    assert told(w) == []


def test_a_request_that_is_completed_twice_is_a_bugcheck(World: Any) -> None:
    w, request = with_request(World)
    w.call(request.complete)
    assert w.stop_code(request.complete)[:3] == (0x10D, 6, 2)


@pytest.mark.parametrize("use", ["reference", "delete"])
def test_an_object_that_is_used_after_it_was_freed_is_a_bugcheck(World: Any, use: str) -> None:
    w = World().started()
    memory = w.call(lambda: wdf.Memory.create(w.device, 16))
    w.call(memory.delete)
    assert w.stop_code(getattr(memory, use))[:2] == (0x10D, 5)
