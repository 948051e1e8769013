"""The multi-queue card, by its data sheet."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.device.models.mqueue import BAD_DOORBELL, BAD_QUEUE, ENTRY, MultiQueue
from dirql.errors import UsageError

NONE = 0xFFFF


@pytest.mark.parametrize("queues", [1, 2, 8, 31, 32, 64, 2047])
def test_the_card_tells_its_queues_and_has_a_vector_more(plug: Any, queues: int) -> None:
    rig = plug(MultiQueue(queues))
    assert rig.get("capability") == queues | (queues + 1) << 16
    assert rig.device.config_read(rig.find(0x11) + 2, 2) == queues
    assert rig.get("queue.vector", queues - 1) == NONE


@pytest.mark.parametrize("queues", [0, 2048])
def test_a_card_with_a_number_of_queues_it_is_not_built_with_is_refused(queues: int) -> None:
    with pytest.raises(UsageError) as caught:
        MultiQueue(queues)
    assert str(caught.value) == f"MultiQueue(queues={queues}): the card is built with 1 to 2047 queues"


def test_the_identification_is_mq_revision_1(plug: Any) -> None:
    rig = plug(MultiQueue())
    assert rig.get("identification") == 0x4D51_0001


@pytest.mark.parametrize(("msix", "msi"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_hidden_capability_is_gone(plug: Any, msix: bool, msi: bool) -> None:
    rig = plug(MultiQueue(msix=msix, msi=msi))
    assert (bool(rig.find(0x11)), bool(rig.find(0x05))) == (msix, msi)
    assert (rig.device.msix is not None, rig.device.msi is not None) == (msix, msi)
    assert rig.device.bar_size(4) == (0x1000 if msix else 0)


def test_a_completion_is_written_before_its_message(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue(completion_ns=700))
    rig.enable_msix()
    drive(rig)
    rig.device.submit(3)
    rig.run()
    assert rig.host.time == 700
    assert rig.host.posted == [("dma", 0x4000, ENTRY.pack(0, 0, 3, 0, 1)), ("message", 3)]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_phase_flips_at_each_wrap(plug: Any, drive: Any, size: int) -> None:
    rig = plug(MultiQueue())
    driver = drive(rig, size)
    for turn in range(5):
        rig.device.submit(0, size)
        rig.run()
        phases = [data[12] for _, data in rig.take("dma")]
        assert phases == [~turn & 1] * size
        assert [entry[0] for entry in driver.consume(0)] == [size * turn + i for i in range(size)]


def test_completions_wait_in_the_card_while_the_ring_is_full(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue())
    rig.enable_msix()
    driver = drive(rig, 4)
    rig.device.submit(2, 7)
    rig.run()
    assert (rig.get("queue.tail", 2), rig.get("queue.waiting", 2)) == (4, 3)
    assert rig.device.unserved() == ["queue 2: 4 completions unconsumed", "queue 2: 3 completions waiting for room"]
    assert [e[1] for e in driver.consume(2, 1)] == [0]
    assert (rig.get("queue.tail", 2), rig.get("queue.waiting", 2)) == (5, 2)
    assert [e[1] for e in driver.consume(2)] == [1, 2, 3, 4]
    assert [e[1] for e in driver.consume(2)] == [5, 6]
    assert rig.device.unserved() == []


def test_room_made_by_the_doorbell_raises_an_event_of_its_own(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue())
    rig.enable_msix()
    driver = drive(rig, 1)
    rig.device.submit(2, 2)
    rig.run()
    assert rig.take("message") == [2]
    rig.put("vector.arm", 2, 1)
    driver.consume(2)
    assert rig.take("message") == [2]


@pytest.mark.parametrize("value", [1, 5, 0xFFFF_FFFF])
def test_a_doorbell_past_the_tail_is_an_error_and_changes_nothing(plug: Any, drive: Any, value: int) -> None:
    rig = plug(MultiQueue())
    drive(rig)
    rig.put("queue.doorbell", 5, value)
    assert rig.get("queue.doorbell", 5) == 0
    assert rig.get("error") == 1 << 31 | 5 << 16 | BAD_DOORBELL
    assert rig.device.unserved() == ["admin: error 0x0101 not acknowledged"]


@pytest.mark.parametrize(("queues", "queue"), [(8, 3), (1, 1)])
def test_a_queue_without_size_or_that_is_not_there_does_not_enable(plug: Any, queues: int, queue: int) -> None:
    rig = plug(MultiQueue(queues))
    rig.put("queue.control", queue, 1)
    assert rig.get("queue.control", queue) == 0
    assert rig.get("error") & 0xFFFF == BAD_QUEUE


@pytest.mark.parametrize("vector", [0, 8, 9, 0x100, 0xFFFE, NONE])
def test_a_vector_out_of_range_reads_back_none(plug: Any, vector: int) -> None:
    rig = plug(MultiQueue())
    rig.put("queue.vector", 6, vector)
    rig.put("admin_vector", vector)
    assert rig.get("queue.vector", 6) == rig.get("admin_vector") == (vector if vector < 9 else NONE)


def test_the_report_learns_which_vector_serves_what(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue(4))
    assert rig.device.served_by() == {}
    drive(rig, vectors=2)
    assert rig.device.served_by() == {0: ["queue 0", "queue 2", "admin"], 1: ["queue 1", "queue 3"]}


@pytest.mark.parametrize("vectors", [9, 3, 2, 1])
def test_every_source_arrives_on_whatever_number_of_messages(plug: Any, drive: Any, vectors: int) -> None:
    rig = plug(MultiQueue())
    rig.enable_msix()
    drive(rig, vectors=vectors)
    for queue in range(8):
        rig.put("vector.arm", queue % vectors, 1)
        rig.device.submit(queue)
        rig.run()
    rig.put("vector.arm", 8 % vectors, 1)
    rig.device.fail(7)
    assert rig.take("message") == [source % vectors for source in range(9)]


def test_a_queue_without_a_vector_sends_nothing(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue())
    rig.enable_msix()
    drive(rig)
    rig.put("queue.vector", 0, NONE)
    rig.device.submit(0)
    rig.run()
    assert rig.take("message") == []
    assert rig.get("status", 0) == 1


def test_a_vector_that_was_never_armed_is_silent(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue())
    rig.enable_msix()
    drive(rig)
    rig.put("vector.arm", 1, 0)
    rig.device.submit(1)
    rig.run()
    assert rig.take("message") == []


def test_a_vector_that_fired_is_quiet_until_it_is_armed_again(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue())
    rig.enable_msix()
    drive(rig, 16)
    rig.device.submit(1, 3)
    rig.run()
    assert rig.take("message") == [1]
    assert rig.get("vector.arm", 1) == 0
    rig.put("vector.arm", 1, 1)
    rig.device.submit(1)
    rig.run()
    assert rig.take("message") == [1]


def test_arming_does_not_signal_again_what_came_in_between(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue())
    rig.enable_msix()
    driver = drive(rig)
    rig.device.submit(1)
    rig.run()
    driver.consume(1)
    rig.device.submit(1)  # between the last look at the ring and arming
    rig.run()
    rig.put("vector.arm", 1, 1)
    assert rig.take("message") == [1]
    assert rig.device.unserved() == ["queue 1: 1 completion unconsumed"]


def test_arming_with_check_signals_a_cause_that_stands(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue())
    rig.enable_msix()
    drive(rig)
    rig.device.submit(1)
    rig.run()
    rig.put("vector.cause", 1, 1)
    rig.put("vector.arm", 1, 3)
    assert rig.take("message") == [1]  # the first alone: its cause was cleared
    rig.put("vector.arm", 1, 0)
    rig.device.submit(1)
    rig.run()
    rig.put("vector.arm", 1, 3)
    assert rig.take("message") == [1]
    assert rig.get("vector.arm", 1) == 0


@pytest.mark.parametrize(("stimulus", "vector", "cause"), [("submit", 4, 1), ("fail", 8, 2)])
def test_the_cause_says_why_and_is_cleared_by_ones(plug: Any, drive: Any, stimulus: str, vector: int, cause: int) -> None:
    rig = plug(MultiQueue())
    drive(rig)
    getattr(rig.device, stimulus)(4)
    rig.run()
    assert rig.get("vector.cause", vector) == cause
    rig.put("vector.cause", vector, 3 ^ cause)
    assert rig.get("vector.cause", vector) == cause
    rig.put("vector.cause", vector, cause)
    assert rig.get("vector.cause", vector) == 0


def test_clearing_the_cause_takes_a_latched_message_back(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue())
    rig.enable_msix(masked=(2,))
    drive(rig)
    rig.device.submit(2)
    rig.run()
    assert rig.device.fates[2].latched == 1
    rig.put("vector.cause", 2, 1)
    rig.unmask(2)
    assert (rig.device.fates[2].withdrawn, rig.take("message")) == (1, [])


def test_a_message_latched_while_masked_is_sent_on_unmask(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue())
    rig.enable_msix(masked=(2,))
    drive(rig)
    rig.device.submit(2, 3)
    rig.run()
    assert rig.take("message") == []
    rig.unmask(2)
    assert rig.take("message") == [2]


def test_moderation_holds_a_message_back_until_the_interval_is_over(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue(completion_ns=0))
    rig.enable_msix()
    drive(rig, 16)
    rig.put("vector.moderation", 0, 10_000)
    rig.device.submit(0)
    rig.run(100)
    rig.put("vector.arm", 0, 1)
    for _ in range(3):
        rig.device.submit(0)
    rig.run(9_999)
    assert rig.take("message") == [0]
    rig.run(10_000)
    assert rig.take("message") == [0]
    rig.put("vector.arm", 0, 1)
    rig.run()
    assert rig.take("message") == []


def test_a_message_held_back_goes_with_its_cause(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue(completion_ns=0, moderation=10_000))
    rig.enable_msix()
    drive(rig, 16)
    rig.device.submit(0)
    rig.run(100)
    rig.put("vector.arm", 0, 1)
    rig.device.submit(0)
    rig.run(200)
    rig.put("vector.cause", 0, 1)
    rig.run()
    assert rig.take("message") == [0]


@pytest.mark.parametrize("granted", [1, 2, 4, 8, 16])
def test_with_fewer_msi_messages_the_vector_is_taken_modulo_the_grant(plug: Any, drive: Any, granted: int) -> None:
    rig = plug(MultiQueue(32, msix=False))
    rig.enable_msi(granted)
    drive(rig)
    for queue in range(32):
        rig.device.submit(queue)
    rig.run()
    assert rig.take("message") == [queue % granted for queue in range(32)]


def test_the_line_follows_status_and_mask(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue(40, msix=False, msi=False))
    drive(rig)
    rig.device.submit(1)
    rig.device.submit(35)
    rig.run()
    assert rig.take("line") == []
    rig.put("mask_set", 0, 0b10)
    assert rig.take("line") == [True]
    rig.put("mask_set", 1, 0b1000)
    rig.put("mask_clear", 0, 0b10)
    assert rig.take("line") == []
    assert (rig.get("mask_set", 0), rig.get("mask_set", 1)) == (0, 0b1000)
    rig.put("status", 1, 0b1000)
    assert rig.take("line") == [False]
    assert (rig.get("status", 0), rig.get("status", 1)) == (0b10, 0)


def test_the_line_stays_up_until_its_last_source_is_acknowledged(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue(msix=False, msi=False))
    drive(rig)
    rig.put("mask_set", 0, 0xFFFF_FFFF)
    assert rig.get("mask_set", 0) == 0x1FF
    rig.device.submit(0)
    rig.device.fail()
    rig.run()
    rig.put("status", 0, 0x001)
    assert rig.take("line") == [True]
    rig.put("status", 0, 0x100)
    assert rig.take("line") == [False]


def test_the_line_is_silent_while_messages_are_enabled(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue())
    rig.enable_msix()
    drive(rig)
    rig.put("mask_set", 0, 1)
    rig.device.submit(0)
    rig.run()
    assert (rig.take("line"), rig.take("message")) == ([], [0])


def test_an_error_is_reported_until_it_is_acknowledged(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue())
    rig.enable_msix()
    drive(rig)
    rig.device.fail(0x42, queue=3)
    rig.device.fail(0x43)
    assert rig.take("message") == [8]
    assert rig.get("error") == 0xC003_0042
    assert rig.device.unserved() == ["admin: error 0x0042 not acknowledged, more were lost behind it"]
    rig.put("error", 1 << 30)
    assert rig.get("error") == 0xC003_0042
    rig.put("error", 1 << 31)
    assert (rig.get("error"), rig.device.unserved()) == (0, [])


@pytest.mark.parametrize("kind", ["soft", "flr", "conventional"])
def test_any_reset_puts_rings_causes_and_vectors_back(plug: Any, drive: Any, kind: str) -> None:
    rig = plug(MultiQueue())
    rig.enable_msix()
    drive(rig)
    rig.put("mask_set", 0, 0x1FF)
    rig.device.submit(1, 9)
    rig.device.fail()
    rig.run()
    rig.device.submit(1)  # on its way when the reset comes
    reset(rig, kind)
    rig.take("message")
    rig.run()
    assert rig.device.unserved() == []
    assert rig.device.served_by() == {}
    names = ("queue.control", "queue.tail", "queue.waiting", "vector.cause", "vector.arm", "mask_set", "status")
    assert [rig.get(name, 1) for name in names] == [0] * 7
    assert (rig.get("queue.vector", 1), rig.get("error")) == (NONE, 0)
    assert rig.take("message") == []


def reset(rig: Any, kind: str) -> None:
    if kind == "soft":
        rig.put("control", 1)
        assert rig.get("control") == 0
    elif kind == "flr":
        at = rig.find(0x10) + 8
        rig.device.config_write(at, 2, rig.device.config_read(at, 2) | 0x8000)
        rig.power_up()
    else:
        rig.device.reset()
        rig.power_up()


@pytest.mark.parametrize("wipes", [False, True])
def test_a_soft_reset_keeps_configuration_space_and_may_lose_the_table(plug: Any, drive: Any, wipes: bool) -> None:
    rig = plug(MultiQueue(reset_wipes_table=wipes))
    rig.enable_msix()
    rig.put("control", 1)
    assert rig.device.interrupt_signal.messages == 9
    drive(rig)
    rig.device.submit(0)
    rig.run()
    assert rig.take("message") == ([] if wipes else [0])
    assert rig.device.fates[0].latched == int(wipes)


def test_a_soft_reset_takes_latched_messages_back_and_the_line_down(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue())
    rig.enable_msix(masked=(1,))
    drive(rig)
    rig.put("mask_set", 0, 2)
    rig.device.submit(1)
    rig.run()
    assert (rig.device.msix.pending(1), rig.device.intx.asserted) == (True, True)
    rig.put("control", 1)
    assert (rig.device.msix.pending(1), rig.device.intx.asserted) == (False, False)


def test_what_arrives_at_a_disabled_queue_is_dropped_and_noted(plug: Any) -> None:
    rig = plug(MultiQueue())
    rig.device.submit(1)
    rig.run()
    assert rig.host.notes == [("completion dropped: the queue was disabled", {"queue": 1, "tag": 0})]
    assert rig.device.unserved() == []


def test_disabling_drops_what_was_left_and_notes_it(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue())
    drive(rig, 2)
    rig.device.submit(1, 3)
    rig.run()
    rig.put("queue.control", 1, 0)
    assert rig.host.notes == [("completions dropped: the queue was disabled", {"queue": 1, "count": 3})]
    assert (rig.get("queue.tail", 1), rig.get("queue.waiting", 1)) == (0, 0)


def test_outside_d0_the_card_drops_what_arrives(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue())
    drive(rig)
    rig.device.submit(1)
    rig.device.config_write(rig.find(0x01) + 4, 2, 3)
    rig.run()
    assert ("completion dropped: the card was not in D0", {"queue": 1, "tag": 0}) in rig.host.notes


def test_the_default_workload_reaches_every_queue(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue())
    driver = drive(rig, 64)
    rig.device.exercise()
    rig.run()
    assert [len(driver.consume(queue)) for queue in range(8)] == [10] * 8


@pytest.mark.parametrize("call", ["submit", "fail"])
def test_a_stimulus_for_a_queue_that_is_not_there_is_refused(plug: Any, call: str) -> None:
    rig = plug(MultiQueue())
    with pytest.raises(UsageError) as caught:
        getattr(rig.device, call)(queue=8)
    assert str(caught.value) == f"MultiQueue.{call}(queue=8): the card has queues 0 to 7"


def test_2047_queues_have_a_vector_each(plug: Any, drive: Any) -> None:
    rig = plug(MultiQueue(2047))
    rig.enable_msix()
    for queue in (0, 63, 64, 2046):
        rig.put("queue.ring_size", queue, 4)
        rig.put("queue.vector", queue, queue + 1)
        rig.put("queue.control", queue, 1)
        rig.put("vector.arm", queue + 1, 1)
        rig.device.submit(queue)
    rig.run()
    assert rig.take("message") == [1, 64, 65, 2047]


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["submit", "consume", "arm", "clear", "run"]), st.integers(0, 2), st.integers(1, 6)), max_size=40
)


@given(actions=ACTIONS, size=st.integers(1, 5), moderation=st.sampled_from([0, 1_500]))
def test_whatever_the_order_every_completion_is_consumed_in_the_ring_or_waiting(
    plug: Any, drive: Any, actions: list[tuple[str, int, int]], size: int, moderation: int
) -> None:
    rig = plug(MultiQueue(3, moderation=moderation))
    rig.enable_msix()
    driver = drive(rig, size)
    submitted, consumed = [0] * 3, [0] * 3
    for action, queue, amount in actions:
        if action == "submit":
            rig.device.submit(queue, amount)
            submitted[queue] += amount
        elif action == "consume":
            consumed[queue] += len(driver.consume(queue, amount))
        elif action == "arm":
            rig.put("vector.arm", queue, 1 | amount & 2)
        elif action == "clear":
            rig.put("vector.cause", queue, 3)
        else:
            rig.run(rig.host.time + 400 * amount)
    rig.run()
    for queue in range(3):
        in_ring, waiting = len(driver.entries(queue)), rig.get("queue.waiting", queue)
        assert submitted[queue] == consumed[queue] + in_ring + waiting
        assert rig.get("queue.tail", queue) == consumed[queue] + in_ring
        assert not waiting or in_ring == size
    assert all(fate.balanced for fate in rig.device.fates)


@given(st.data())
def test_no_register_access_makes_the_card_raise(plug: Any, data: st.DataObject) -> None:
    rig = plug(MultiQueue(3))
    rig.enable_msix()
    end = rig.place("queue.waiting", 2)[0] + 8
    accesses = st.tuples(
        st.sampled_from([1, 2, 4, 8]),
        st.one_of(st.integers(*ends) for ends in ((0, 0x20), (0xF8, 0x310), (0x1000, 0x1040), (0x9000, end), (0, 0xFFFF))),
        st.one_of(st.none(), st.integers(0, (1 << 64) - 1)),
    )
    for size, offset, value in data.draw(st.lists(accesses, max_size=12)):
        if value is None:
            assert 0 <= rig.device.bar_read(0, offset, size) < 1 << 8 * size
        else:
            rig.device.bar_write(0, offset, size, value & ((1 << 8 * size) - 1))
        rig.device.submit(offset % 3)
    rig.run()
    assert all(fate.balanced for fate in rig.device.fates)
