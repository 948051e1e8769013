"""What a scenario does once its drivers and models are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql.errors import InputError
from dirql.report import Report
from dirql.scenario import Scenario
from dirql.scenario.play import Play, run

DRIVER = '''
from dirql import wdf


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeInterrupt:
                config = wdf.InterruptConfig(self.isr, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)

    def isr(self, interrupt, message_id):
        return True


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)


def fire(card):
    card.msix.fire(1)


def fire_on(system, card):
    card.msix.fire(2)


def stumble(card):
    return 1 // 0


def three(a, b, c):
    pass


class NoModel:
    pass
'''
INF = r"""
[Version]
Signature = "$WINDOWS NT$"
[Manufacturer]
Cards = Cards,NTamd64
[Cards.NTamd64]
"a card" = Card, PCI\VEN_1234
[Card.NT]
[Card.NT.HW]
AddReg = Card.Interrupts
[Card.Interrupts]
HKR, "Interrupt Management\MessageSignaledInterruptProperties", MSISupported, 0x00010001, 1
"""
DRIVEN = '[driver]\npython = "small.py:Driver"\ninf = "small.inf"\n'
OPTIONS = "queues, msix, msi, completion_ns, completion_slack, moderation, reset_wipes_table, name"
MQUEUE = '[device]\nmodel = "mqueue"\n' + DRIVEN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With small.py and small.inf in it."""
    (tmp_path / "small.py").write_text(DRIVER)
    (tmp_path / "small.inf").write_text(INF)
    return tmp_path


def played(folder: Path, text: str) -> list[Report]:
    """The reports of all devices."""
    return Play(Scenario.parse(text, source="s.toml", base=folder)).run()


def sent(report: Report) -> dict[int, int]:
    """Of each entry that sent something."""
    return {row.entry: row.sent for row in report.messages if row.sent}


@pytest.mark.parametrize(("call", "entries"), [("small.py:fire", {1: 1}), ("small.py:fire_on", {2: 1})])
def test_a_workload_is_called_with_the_card_or_with_system_and_card(folder: Path, call: str, entries: dict[int, int]) -> None:
    report = run(Scenario.parse(f'{MQUEUE}[workload]\ncall = "{call}"\n', base=folder))
    assert sent(report) == entries


def test_a_step_calls_after_the_workload(folder: Path) -> None:
    steps = '[workload]\ncall = "small.py:fire"\n[[step]]\nrun_ns = 5_000\n[[step]]\ncall = "small.py:fire_on"\n'
    assert sent(played(folder, MQUEUE + steps)[0]) == {1: 1, 2: 1}


def test_without_a_workload_the_model_exercises_itself(folder: Path) -> None:
    (report,) = played(folder, MQUEUE)
    assert len([one for one in report.unserved if one.startswith("queue ")]) == 0  # no queue was enabled: nothing was completed
    assert report.status == 0


@pytest.mark.parametrize(("grant", "kind", "granted"), [
    ("", "msi-x", 9), ("messages = 3", "msi-x", 3), ("one = true", "msi-x", 1), ("line = true", "line", 1),
    ("reserve = { all = 144, 0 = 143 }", "msi-x", 1), ("reserve = { all = 139 }", "msi-x", 9),
])  # fmt: skip
def test_the_grant_is_what_the_scenario_says(folder: Path, grant: str, kind: str, granted: int) -> None:
    (report,) = played(folder, f"{MQUEUE}[machine]\ncpus = 2\n[grant]\n{grant}\n[[step]]\nrun = true\n")
    assert (report.kind, report.granted, report.synthetic) == (kind, granted, granted == 3)


def test_the_card_is_rebalanced_and_then_pulled_out(folder: Path) -> None:
    steps = "[[step]]\nrebalance = { messages = 2 }\n[[step]]\nsurprise_remove = true\n"
    (report,) = played(folder, MQUEUE + steps)
    assert (report.granted, report.status) == (2, 0)
    assert [name for name, _ in report.callbacks].count("EvtDevicePrepareHardware") == 2


def test_steps_say_which_of_several_devices(folder: Path) -> None:
    two = '[[device]]\nmodel = "mqueue"\nname = "a"\n[[device]]\nmodel = "mqueue"\nname = "b"\n'
    a, b = played(folder, two + DRIVEN + '[[step]]\ncall = "small.py:fire"\ndevice = "b"\n')
    assert (a.device, sent(a), b.device, sent(b)) == ("a", {}, "b", {1: 1})


@pytest.mark.parametrize(("text", "error"), [
    ('[device]\nmodel = "mqueue"\n[device.options]\nqeues = 3\n' + DRIVEN,
     f"s.toml:4: [device.options] qeues = 3: mqueue has no such option; it has {OPTIONS}"),
    ('[device]\nmodel = "mqueue"\noptions = { queues = 0 }\n' + DRIVEN,
     "s.toml:1: [device.options]: MultiQueue(queues=0): the card is built with 1 to 2047 queues; correct [device.options]"),
    ('[device]\nmodel = "mqueue"\noptions = { queues = "8" }\n' + DRIVEN,
     "s.toml:3: [device.options] queues = '8': mqueue wants another type; write a whole number"),
    ('[device]\nmodel = "mqueue"\noptions = { msix = "no" }\n' + DRIVEN,
     "s.toml:3: [device.options] msix = 'no': mqueue wants another type; write true or false"),
    ('[device]\nmodel = "mqueue"\noptions = { name = 3 }\n' + DRIVEN,
     "s.toml:3: [device.options] name = 3: mqueue wants another type; write a text in quotes"),
    ('[device]\nmodel = "small.py:NoModel"\n' + DRIVEN,
     "s.toml:1: [device] model = 'small.py:NoModel': that is no dirql.device.Device; name a model's class"),
    ('[[device]]\nmodel = "edu"\n[[device]]\nmodel = "edu"\n' + DRIVEN,
     "s.toml:3: a second device is named 'Edu'; give one of them a name = …"),
    ('[device]\nmodel = "edu"\n', 's.toml: there is no driver; [driver] python = "driver.py:Class" names one'),
    (MQUEUE + '[workload]\ncall = "small.py:three"\n',
     "s.toml:7: [workload] call = 'small.py:three': it takes 3 arguments; it is called with (card), or (system, card)"),
    (MQUEUE + '[workload]\ncall = "small.py:stumble"\n',
     "DIR/small.py:30: ZeroDivisionError: integer division or modulo by zero"),
    (MQUEUE + '[workload]\ncall = "small.py:absent"\n',
     "s.toml:7: [workload] call = 'small.py:absent': DIR/small.py: there is no 'absent'; it defines Card, Driver, NoModel"),
    (MQUEUE + "[[step]]\nsubmit = 8\n", "s.toml:7: [[step]] submit = 8: MultiQueue.submit(queue=8): the card has queues 0 to 7"),
    (MQUEUE + "[[step]]\nsubmit = { queue = 1.5 }\n",
     "s.toml:7: [step.submit] queue = 1.5: submit wants another type; write a whole number"),
    (MQUEUE + "[[step]]\nsubmit = { queue = 1, count = 99999 }\n",
     "s.toml:7: [step.submit]: MultiQueue.submit(count=99999): work arrives in pieces of 1 to 65536; submit again for more"),
    (MQUEUE + "[[step]]\nsubmit = { q = 8 }\n", "s.toml:7: [step.submit] q = 8: submit has no such option; it has queue, count"),
    (MQUEUE + "[[step]]\nremove = true\n[[step]]\nremove = true\n",
     "s.toml:9: [[step]] remove = true: MultiQueue was removed by a step before; drop this step"),
    (MQUEUE + "[grant]\nreserve = { 0 = 145 }\n",
     "s.toml:7: [grant.reserve] 0 = 145: processor 0 cannot lose 145 vectors; 144 are free; reserve fewer"),
    (MQUEUE + "[grant]\nmessages = 99\n", "s.toml:7: [grant] messages = 99: 9 are asked for; take 9 or fewer"),
    ('[device]\nmodel = "edu"\n' + DRIVEN + "[grant]\nmessages = 2\n",
     "s.toml:7: [grant] messages = 2: 1 is asked for; take 1"),
    (MQUEUE.replace('"mqueue"', '"mqueue"\noptions = { msix = false }') + "[grant]\nmessages = 3\n",
     "s.toml:8: [grant] messages = 3: MSI has 1, 2, 4, 8 or 16; take one of these"),
    (MQUEUE + "[[step]]\nrebalance = { messages = 99 }\n",
     "s.toml:7: [step.rebalance]: 99 messages cannot be granted: 9 are asked for; take 9 or fewer"),
    ('[device]\ndump = "no.txt"\n' + DRIVEN, "DIR/no.txt: No such file or directory; name a file that can be read"),
])  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(folder: Path, text: str, error: str) -> None:
    with pytest.raises(InputError) as problem:
        played(folder, text)
    assert str(problem.value) == error.replace("DIR", str(folder))


def test_a_dump_is_a_device_that_a_driver_starts_on(folder: Path) -> None:
    dump = Path(__file__).parent.parent.parent / "examples" / "dumps" / "qemu-e1000e-nvme.txt"
    (folder / "small.inf").write_text(INF.replace("VEN_1234", "VEN_8086"))
    (report,) = played(folder, f'[device]\ndump = "{dump}"\nfunction = "01:00.0"\n{DRIVEN}')
    assert (report.function, report.kind, report.granted, report.status) == ("8086:10d3", "msi-x", 5, 0)


def test_more_memory_than_there_is_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("mmap.mmap", refuse)
    with pytest.raises(InputError) as problem:
        played(folder, MQUEUE + "[machine]\nmemory = 0x10000000\n")
    assert str(problem.value) == (
        "s.toml:7: [machine] memory = 0x10000000: Cannot allocate memory; ask for fewer bytes than this machine has"
    )


MODEL = """
from dirql.device import Device, Msix

class Card(Device, vendor=0x1234, device=0x4D51):
    msix = Msix(vectors=1, table=(2, 0x000), pba=(2, 0x800))
"""


@pytest.mark.parametrize(("body", "error"), [
    ("    def __init__(self):\n        self.lost = 0\n",
     "s.toml:1: card.py: Card.__init__ leaves out Device's; call super().__init__(name=name) first"),
    ("    def unserved(self):\n        return 1 // 0\n",
     "DIR/card.py:7: ZeroDivisionError: integer division or modulo by zero"),
])  # fmt: skip
def test_a_models_mistake_is_named_with_its_line(folder: Path, body: str, error: str) -> None:
    (folder / "card.py").write_text(MODEL.lstrip("\n") + "\n" + body)
    with pytest.raises(InputError) as problem:
        played(folder, '[device]\nmodel = "card.py"\n' + DRIVEN)
    assert str(problem.value) == error.replace("DIR", str(folder))
