"""The reduction leaves out orders, and no outcome; what it says is exhausted is."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql.explore import DepthFirst, Plan, root_of
from dirql.scenario.values import Scenario

EXAMPLES = Path(__file__).parents[2] / "examples" / "explore"
DRIVER = '''
from dirql import wdf

class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.x = self.y = self.log = 0
        self.lock = wdf.SpinLock.create(self)
        for one_raw, one in zip(raw, translated):
            if one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)

    def isr(self, interrupt, message_id):
        {isr}
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        {dpc}

class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

def state(system, card):
    device = system.device(card)
    return device.x, device.y, device.log
'''
SCENARIO = """
[machine]
cpus = 2
[device]
model = "{model}:Jobs"
options = {{ jobs = 2, gap = 100 }}
[driver]
python = "driver.py:Driver"
inf = "{inf}"
"""


def ends(plan: Plan, search: DepthFirst) -> set[str]:
    """Every end that the search comes to; it must come to its own."""
    root, _ = root_of(plan)
    found = set()
    while (tactic := search.next()) is not None:
        outcome = root.play(tactic)
        search.learn(outcome)
        found.add(outcome.state)
    assert search.exhausted
    return found


@pytest.mark.parametrize(
    ("isr", "dpc"),
    [
        ("pass", "self.x += 1"),
        ("self.log = self.log * 3 + 1", "self.lock.acquire(); self.x = self.log; self.lock.release()"),
        ("self.y += 2 if self.x else 0", "self.x += 1"),
    ],
)
def test_the_reduction_comes_to_every_end_that_all_orders_come_to(tmp_path: Path, isr: str, dpc: str) -> None:
    (tmp_path / "driver.py").write_text(DRIVER.format(isr=isr, dpc=dpc))
    text = SCENARIO.format(model=(EXAMPLES / "jobs.py").as_posix(), inf=(EXAMPLES / "jobs.inf").as_posix())
    scenario = Scenario.parse(text, base=tmp_path)
    every = ends(Plan(scenario, "work", outcome="driver.py:state"), DepthFirst(1_000_000))
    assert ends(Plan(scenario, "work", outcome="driver.py:state", reduce=True), DepthFirst()) == every


def test_two_messages_on_two_processors_are_exhausted(tmp_path: Path) -> None:
    plan = Plan(Scenario.load(EXAMPLES / "mended.toml"), reduce=True)
    search = DepthFirst()
    ends(plan, search)
    assert search.bound == "every order of steps that depend on each other"
