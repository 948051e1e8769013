"""Failures as choices: what a driver does wrong only when one of them happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql.explore import DepthFirst, Explorer, Plan, root_of
from dirql.scenario.values import Scenario

CARDS = Path(__file__).parents[1] / "corpus" / "cards"
DRIVER = """
from dirql import wdf

class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers = None
        for one_raw, one in zip(raw, translated):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)

    def evt_device_d0_exit(self, target_state):
        {exit}

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.registers.write_register_ulong(0x10, 0xFFFFFFFF)
        self.timer.start(500_000)

    def look_again(self, timer):
        self.registers.read_register_ulong(0x20)

class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        card = Card.create(init)
        card.timer = wdf.Timer.create(card, wdf.TimerConfig(card.look_again))
"""
SCENARIO = f"""
[machine]
cpus = 1
[device]
model = "{(CARDS / "jobs.py").as_posix()}:Jobs"
options = {{ jobs = 1 }}
[driver]
python = "driver.py:Driver"
inf = "{(CARDS / "card.inf").as_posix()}"
"""


@pytest.mark.parametrize(("exit", "found"), [("pass", {"access-in-dx"}), ("self.timer.stop(True)", set())])
def test_a_timer_that_runs_on_while_the_system_sleeps_accesses_the_card_in_dx(tmp_path: Path, exit: str, found: set[str]) -> None:
    (tmp_path / "driver.py").write_text(DRIVER.format(exit=exit), "utf-8")
    (tmp_path / "s.toml").write_text(SCENARIO, "utf-8")
    plan = Plan(Scenario.load(tmp_path / "s.toml"), "work", faults=("power",))
    search = DepthFirst(1)
    explorer = Explorer(plan, root_of(plan)[0], search, check_every=0)
    explorer.run(25)
    assert {rule for rule, _ in explorer.found} == found
