"""Which descriptor feeds which interrupt object, and what it tells (facts §1.7, §2.4, §3.4)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql import wdf
from dirql.pnp.grant import GrantChoice
from dirql.pnp.resources import line_descriptor, memory_descriptor, message_raw, message_translated
from dirql.wdf.pnp_state import PnpStateMachine


def matched(counts: list[int], objects: int) -> list[int | None]:
    """Which descriptor each object gets; a count of 0 is a line, 1 a single message, more one MSI descriptor; -1 is memory."""
    got: list[int | None] = [None] * objects

    def interrupt(index: int) -> Any:
        return SimpleNamespace(
            reset_resources=lambda: None, assign_resources=lambda raw, translated: got.__setitem__(index, translated.u.vector)
        )

    raw, translated = [], []
    for place, count in enumerate(counts):
        if count < 0:
            raw.append(memory_descriptor(0x1000, 0x1000))
            translated.append(memory_descriptor(0x1000, 0x1000))
        elif count:
            raw.append(message_raw(count, 0, 1, 1))
            translated.append(message_translated(5, place, 1, 1))
        else:
            raw.append(line_descriptor(16, 16, 1))
            translated.append(line_descriptor(5, place, 1))
    device = SimpleNamespace(interrupts=[interrupt(i) for i in range(objects)], framework=SimpleNamespace(note=lambda what: None))
    machine = PnpStateMachine.__new__(PnpStateMachine)
    machine.device = device
    machine._match_interrupts(raw, translated)
    return got


@pytest.mark.parametrize(
    ("counts", "objects", "got"),
    [
        ([1, 1, 1], 3, [0, 1, 2]),
        ([1, 1, 1], 2, [0, 1]),
        ([1], 3, [0, None, None]),
        ([-1, 1, -1, 1], 2, [1, 3]),
        ([0], 2, [0, None]),
        ([4], 4, [0, 0, 0, 0]),
        ([4], 6, [0, 0, 0, 0, None, None]),
        ([4], 2, [0, 0]),
        ([], 2, [None, None]),
        ([1, 1], 0, []),
        ([2, 1], 5, [0, 0, None, 1, None]),  # the quirk: one object is skipped
        ([2, 1], 2, [1, 0]),  # the quirk: the list was exhausted, the walk begins again
        ([2, 2], 4, [0, 0, None, 1]),
        ([2, 1], 3, [0, 0, None]),  # one past the last is the third, and behind that there is none
    ],
)
def test_descriptors_are_matched_to_objects_as_the_source_does_it(counts: list[int], objects: int, got: Any) -> None:
    assert matched(counts, objects) == got


@given(st.lists(st.sampled_from([-1, 0, 1]), max_size=12), st.integers(0, 8))
def test_single_descriptors_and_objects_pair_up_in_order(counts: list[int], objects: int) -> None:
    interrupts = [place for place, count in enumerate(counts) if count >= 0]
    assert matched(counts, objects) == [*interrupts, *[None] * objects][:objects]


@pytest.mark.parametrize("in_add", [0, 3])
def test_info_tells_what_the_translated_descriptor_says(World: Any, in_add: int) -> None:
    w = World(in_add=in_add, in_prepare=not in_add).started()
    grant = w.system.node(w.card).grant
    for interrupt, message in zip(w.interrupts, grant.messages, strict=True):
        info = w.call(interrupt.get_info)
        assert info == wdf.InterruptInfo(
            message_number=message.message, vector=message.vector, irql=message.irql, mode=1, polarity=0, message_signaled=True,
            share_disposition=info.share_disposition, target_processor_set=message.targets, group=0, size=0x40,
        )  # fmt: skip


@pytest.mark.parametrize("in_add", [0, 5])
def test_a_line_feeds_the_first_object_and_the_others_are_never_connected(World: Any, in_add: int) -> None:
    w = World(in_add=in_add, in_prepare=not in_add).started(GrantChoice.line())
    infos = [w.call(i.get_info) for i in w.interrupts]
    assert [bool(i.vector) for i in infos] == [True, *[False] * (len(infos) - 1)]
    assert (infos[0].message_signaled, infos[0].mode, infos[0].share_disposition) == (False, 0, 3)
    assert [i.wdm for i in w.interrupts[1:]] == [None] * (len(infos) - 1)


def test_of_objects_without_a_resource_no_callback_is_ever_called(World: Any) -> None:
    w = World(in_add=5, in_prepare=False)
    w.start(GrantChoice.one())
    w.system.shut_down()
    assert [e for e in w.log if isinstance(e, tuple)] == [("Enable", 0), ("Disable", 0)]


def msi(World: Any, **world: Any) -> Any:
    from dirql.device.models import MultiQueue

    w = World(**world)
    w.system.machine.ports.clear()
    w.card = w.system.plug(MultiQueue(3, msix=False))
    return w


@pytest.mark.parametrize("in_add", [0, 4])
def test_one_msi_descriptor_feeds_as_many_objects_as_it_has_messages(World: Any, in_add: int) -> None:
    w = msi(World, in_add=in_add, in_prepare=not in_add, most=4).started()
    infos = [w.call(i.get_info) for i in w.interrupts]
    first = infos[0].vector
    assert [i.vector for i in infos] == [first, first + 1, first + 2, first + 3]
    assert len({i.raw is w.interrupts[0].raw for i in w.interrupts}) == 1
    assert len({i.target_processor_set for i in infos}) == 1
    for message in (2, 0, 3, 1):
        w.card.msi.fire(message)
        w.system.run()
    assert [e[1] for e in w.log if e[0] == "Isr"] == [2, 0, 3, 1]


def test_the_message_id_is_the_creation_index_not_the_message(World: Any) -> None:
    w = World(in_prepare=False)
    w.during("PrepareHardware", lambda raw, translated: [w.create(*p) for p in reversed(w.pairs(raw, translated))] and None)
    w.started()
    for entry in (0, 1, 2):
        w.fire(entry)
    assert [e[1] for e in w.log if e[0] == "Isr"] == [2, 1, 0]


def test_objects_of_device_add_come_first_and_those_of_prepare_hardware_count_on(World: Any) -> None:
    w = World(in_add=2, in_prepare=False)
    w.during("PrepareHardware", lambda raw, translated: w.create(*w.pairs(raw, translated)[2]) and None)
    w.started()
    assert [i.message_number for i in w.interrupts] == [0, 1, 2]
    grant = w.system.node(w.card).grant
    assert [(i.info.vector, i.info.target_processor_set) for i in w.interrupts] == [(m.vector, m.targets) for m in grant.messages]


def test_an_exclusive_message_that_two_objects_claim_cannot_be_connected_twice(World: Any) -> None:
    w = World(in_add=1, most=1)
    assert w.start() == wdf.STATUS_DEVICE_POWER_FAILURE
    assert w.log[-4:] == [("Disable", 0), "D0Exit", "ReleaseHardware", "Cleanup"]


def test_message_numbers_are_used_again_after_release_hardware(World: Any) -> None:
    w = World().started()
    old = list(w.interrupts)
    w.interrupts.clear()
    w.system.rebalance(w.card, GrantChoice.all())
    assert [i.message_number for i in w.interrupts] == [0, 1, 2]
    assert all(i.destroyed for i in old)
    assert not {*old} & {*w.interrupts}


def test_objects_of_device_add_keep_their_number_and_lose_everything_else_at_stop(World: Any) -> None:
    w = World(in_add=3, in_prepare=False).started()
    seen: list[Any] = []
    w.during("PrepareHardware", lambda *_: seen.append([i.get_info() for i in w.interrupts]))
    w.during("ReleaseHardware", lambda *_: seen.append([i.get_info() for i in w.interrupts]))
    w.during("RemoveAdded", lambda *_: seen.append([i.get_info() for i in w.interrupts]))
    w.system.rebalance(w.card, GrantChoice.one())
    released, stopped, prepared = seen
    assert all(i.vector for i in released)
    assert stopped == [wdf.InterruptInfo(message_number=n) for n in range(3)]
    assert [bool(i.vector) for i in prepared] == [True, False, False]
    assert [i.message_number for i in prepared] == [0, 1, 2]


def test_on_removal_resources_are_revoked_after_self_managed_io_was_flushed(World: Any) -> None:
    w = World(in_add=1, in_prepare=False).started()
    seen: dict[str, bool] = {}
    for name in ("ReleaseHardware", "SmIoFlush", "SmIoCleanup"):
        w.during(name, lambda *_, name=name: seen.__setitem__(name, bool(w.interrupts[0].get_info().vector)))
    w.system.shut_down()
    assert seen == {"ReleaseHardware": True, "SmIoFlush": True, "SmIoCleanup": False}


# Synchronise IRQL (§3.4).


def spread(World: Any, levels: list[int], shared: list[int], **world: Any) -> list[int]:
    """Synchronise IRQLs of interrupts with these levels, of which some share a driver's spin lock."""

    def add(w: Any) -> None:
        lock = wdf.SpinLock.create(w.device)
        for number in range(len(levels)):
            w.create(spin_lock=lock if number in shared else None)

    w = World(queues=max(len(levels) - 1, 1), in_prepare=False, add=add, **world)

    def prepare(*_: Any) -> None:
        for interrupt, level in zip(w.interrupts, levels, strict=True):
            interrupt.info.irql, interrupt.info.vector = level, level << 4

    w.during("PrepareHardware", prepare)
    w.during("D0Entry", lambda _: wdf.STATUS_UNSUCCESSFUL)
    seen: list[int] = []
    w.during("ReleaseHardware", lambda _: seen.extend(i.synchronize_irql for i in w.interrupts))
    w.start()
    return seen


@pytest.mark.parametrize(
    ("levels", "shared", "expected"),
    [
        ([5, 7, 6], [], [5, 7, 6]),
        ([5, 7, 6], [0], [5, 7, 6]),
        ([5, 7, 6], [0, 1], [7, 7, 6]),
        ([5, 7, 9], [0, 1, 2], [9, 9, 9]),
        ([5, 0, 9], [0, 1], [5, 0, 9]),
        ([0, 0, 0], [0, 1], [0, 0, 0]),
    ],
)
def test_a_shared_spin_lock_lifts_all_its_interrupts_to_the_highest_level(
    World: Any, levels: list[int], shared: list[int], expected: list[int]
) -> None:
    assert spread(World, levels, shared) == expected


def test_a_passive_level_interrupt_is_synchronised_at_passive_level(World: Any) -> None:
    w = World(passive_handling=True).started()
    assert [(i.synchronize_irql, i.info.irql) for i in w.interrupts] == [(0, 0)] * 3


def test_the_synchronise_irql_is_passive_until_prepare_hardware_has_returned(World: Any) -> None:
    w = World()
    seen: list[int] = []
    w.during("PrepareHardware", lambda *_: seen.extend(i.synchronize_irql for i in w.interrupts))
    w.during("D0Entry", lambda *_: seen.extend(i.synchronize_irql for i in w.interrupts))
    w.start()
    assert seen == [0, 0, 0, 5, 5, 5]


# Resource lists.


def test_a_resource_list_hands_out_the_same_descriptor_each_time_and_none_past_the_end(World: Any) -> None:
    w = World()
    seen: list[Any] = []

    def prepare(raw: Any, translated: Any) -> None:
        count = translated.get_count()
        seen.append(all(translated.get_descriptor(i) is translated.get_descriptor(i) for i in range(count)))
        seen.append((translated.get_descriptor(count), translated.get_descriptor(-1)))
        seen.append(count == raw.get_count() == len(raw))

    w.during("PrepareHardware", prepare)
    w.start()
    assert seen == [True, (None, None), True]


def test_what_remove_added_resources_takes_away_is_there_again_in_prepare_hardware(World: Any) -> None:
    w = World()
    counts: list[int] = []

    def remove(raw: Any, translated: Any) -> None:
        counts.append(translated.get_count())
        translated.remove(0)
        counts.append(translated.get_count())

    w.during("RemoveAdded", remove)
    w.during("PrepareHardware", lambda raw, translated: counts.append(translated.get_count()))
    w.start()
    assert counts == [counts[0], counts[0] - 1, counts[0]]
