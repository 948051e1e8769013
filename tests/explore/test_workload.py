"""A workload is a program: what it does not expect fails a schedule, and in the usual order the program itself is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql.errors import InputError
from dirql.explore import Explorer, Failure, Natural, PctSearch, Plan, RandomSearch, root_of
from dirql.scenario.values import Scenario

HERE = Path(__file__).parents[2] / "examples" / "explore"
CARDS = Path(__file__).parents[1] / "corpus" / "cards"
GUID = "6d0b8f3a-52c1-4e9e-9b1d-0e44e5d11e81"
DRIVER = f"""
from uuid import UUID
from dirql import wdf

class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.done = wdf.Event(self.kernel, wdf.EventType.SynchronizationEvent, name="done")
        self.gone = False
        for one_raw, one in zip(raw, translated):
            if one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.done.set()

    def evt_device_d0_exit(self, target_state):
        self.kernel.ke_flush_queued_dpcs()

    def evt_device_surprise_removal(self):
        {{removal}}

    def control(self, queue, request, output_length, input_length, code):
        if not self.gone:
            self.kernel.ke_wait_for_single_object(self.done)
        request.complete(wdf.STATUS_DEVICE_REMOVED if self.gone else wdf.STATUS_SUCCESS)

class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        card = Card.create(init)
        card.create_device_interface(UUID("{GUID}"))
        sequential, passive = wdf.IoQueueDispatchType.Sequential, wdf.ExecutionLevel.Passive
        config = wdf.IoQueueConfig(sequential, default_queue=True, evt_io_device_control=card.control)
        wdf.IoQueue.create(card, config, wdf.ObjectAttributes(execution_level=passive))
"""
PROGRAM = f"""
from uuid import UUID

def work(system, card):
    with system.open(UUID("{GUID}")) as handle:
        card.after(1_000, lambda: card.msix.fire(0))
        handle.ioctl(0x222000)

def check(system, card):
    card.exercise()
    system.run()
    assert not card.unserved(), "jobs are left"

def typo(system, card):
    card.exercize()
"""


def plan(folder: Path, call: str, *, driver: str, removal: str = "pass", faults: tuple[str, ...] = ()) -> Plan:
    (folder / "program.py").write_text(PROGRAM, "utf-8")
    (folder / "driver.py").write_text(DRIVER.format(removal=removal), "utf-8")
    scenario = f"""
[machine]
cpus = 2
[device]
model = "{(CARDS / "jobs.py").as_posix()}:Jobs"
[driver]
python = "{driver}"
inf = "{(CARDS / "card.inf").as_posix()}"
[workload]
call = "program.py:{call}"
"""
    begin = "start" if faults else "work"
    return Plan(Scenario.parse(scenario, source="s.toml", base=folder), begin, faults=faults)


def explored(plan: Plan, most: int = 20) -> dict[tuple[str, str], Failure]:
    explorer = Explorer(plan, root_of(plan)[0], PctSearch(0, 3))
    explorer.run(most)
    return {failure.key: failure for _, outcome in explorer.found.values() for failure in outcome.failures}


def test_an_assertion_that_fails_in_another_order_fails_the_schedule(tmp_path: Path) -> None:
    failures = explored(plan(tmp_path, "check", driver=(HERE / "flag.py").as_posix() + ":Driver"))
    assert ("workload", f"{tmp_path / 'program.py'}:12") in failures
    failure = failures["workload", f"{tmp_path / 'program.py'}:12"]
    assert failure.sentence == "AssertionError: jobs are left"


def test_a_mistake_in_the_program_is_its_writers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"program\.py:15: AttributeError: 'Jobs' object has no attribute 'exercize'"):
        root_of(plan(tmp_path, "typo", driver="driver.py:Driver"))


@pytest.mark.parametrize(("removal", "found"), [
    ("pass", True), ("self.gone = True; self.done.set()", False),
])  # fmt: skip
def test_a_request_that_waits_for_a_card_that_is_gone_is_never_completed(tmp_path: Path, removal: str, found: bool) -> None:
    failures = explored(plan(tmp_path, "work", driver="driver.py:Driver", removal=removal, faults=("remove",)), 30)
    assert ("request-not-completed" in {rule for rule, _ in failures}) is found
    assert found or not failures


def test_errors_that_a_program_is_told_of_a_card_that_is_gone_are_none_of_the_drivers(tmp_path: Path) -> None:
    mended = plan(tmp_path, "work", driver="driver.py:Driver", removal="self.gone = True; self.done.set()", faults=("remove",))
    root, _ = root_of(mended)
    explorer = Explorer(mended, root, RandomSearch(0))
    taken: set[str] = set()
    explorer.heard = lambda outcome: taken.update(one.ids[one.taken] for one in outcome.decisions)
    explorer.run(20)
    assert any(id.startswith("fault:remove") for id in taken) and not explorer.found and not root.play(Natural()).failures
