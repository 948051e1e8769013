"""A folder with a small driver, its INF and a scenario, and `dirql` as a function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from dirql.cli.app import main

DRIVER = '''
from dirql import wdf


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and not hasattr(self, "regs"):
                self.regs = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.type == wdf.CmResourceType.CmResourceTypeInterrupt:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)

    def evt_device_release_hardware(self, translated):
        self.regs.unmap()

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        pass


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)


class NoCallbacks(wdf.Driver):
    pass


def fire(card):
    card.msix.fire(1)


def fire_on(system, card):
    card.msix.fire(2)


def stumble(card):
    return 1 // 0


def three(a, b, c):
    pass
'''
INF = r"""
[Version]
Signature = "$WINDOWS NT$"
[Manufacturer]
Cards = Cards,NTamd64
[Cards.NTamd64]
"a card" = Card, PCI\VEN_1234&DEV_4D51, PCI\VEN_8086&DEV_10C9
[Card.NT]
[Card.NT.HW]
AddReg = Card.Interrupts
[Card.Interrupts]
HKR, "Interrupt Management\MessageSignaledInterruptProperties", MSISupported, 0x00010001, 1
"""
SCENARIO = """
[machine]
cpus = 2
[device]
model = "mqueue"
[driver]
python = "small.py:Driver"
inf = "small.inf"
[workload]
call = "small.py:fire"
"""


class Ended(NamedTuple):
    """How a command line ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: small.py, small.inf, small.toml."""
    (tmp_path / "small.py").write_text(DRIVER)
    (tmp_path / "small.inf").write_text(INF)
    (tmp_path / "small.toml").write_text(SCENARIO)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def dirql(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """`dirql("run", "small.toml")`."""

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(arguments)
        said = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Ended(end.value.code, said.out, said.err)

    return run


@pytest.fixture
def examples() -> Path:
    """The repository's examples."""
    return Path(__file__).parent.parent.parent / "examples"
