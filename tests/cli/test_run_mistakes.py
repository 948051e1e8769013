"""`dirql run` of drivers with the mistakes that Python lets pass: one line, the driver's own file and line, status 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

CREATED, CREATE = "small.py:12 in evt_device_prepare_hardware: small.py", "WdfInterruptCreate"
REFUSED, TOO_MANY = "does not take that", "too many positional arguments"
MISSING = f"{REFUSED}: missing a required argument: 'first'"
FOUR = "(dpc, device, first, second)"
ARGUMENTS = "; give it the arguments that docs/c-python.md lists for the callback\n"


@pytest.mark.parametrize(("old", "new", "error"), [
    ("def isr(self, interrupt, message_id)", "def isr(self)",
     f"{CREATED}:17: {CREATE}: EvtInterruptIsr is called with (interrupt, message_id), and Card.isr() {REFUSED}: {TOO_MANY}\n"),
    ("def dpc(self, interrupt, device)", "def dpc(self, dpc, device, first, second)",
     f"{CREATED}:21: {CREATE}: EvtInterruptDpc is called with (interrupt, device), and Card.dpc{FOUR} {MISSING}\n"),
    ("def evt_device_release_hardware(self, translated)", "def evt_device_release_hardware(self)",
     "FILE:14: Card.evt_device_release_hardware() takes 1 positional argument but 2 were given" + ARGUMENTS),
    ("def evt_driver_device_add(self, init)", "def evt_driver_device_add(self)",
     "FILE:26: Driver.evt_driver_device_add() takes 1 positional argument but 2 were given" + ARGUMENTS),
    ("        self.regs.unmap()", "        return 'fine'",
     "small.py:14: EvtDeviceReleaseHardware returned 'fine'; return an NTSTATUS, or nothing for STATUS_SUCCESS\n"),
    ("    return 1 // 0", "    raise SystemExit(0)", "FILE:43: stumble() calls sys.exit(0); a driver returns or fails\n"),
    ("class NoCallbacks", "raise SystemExit(3)\n\n\nclass NoCallbacks",
     'small.py:30: leaves with sys.exit(3); put what is not for dirql under if __name__ == "__main__":\n'),
    ("class NoCallbacks", "x = '\0'\n\n\nclass NoCallbacks",
     "small.py: syntax error: source code string cannot contain null bytes; correct it\n"),
    ("class NoCallbacks", "x = (\n\n\nclass NoCallbacks", "FILE:30: syntax error: '(' was never closed; correct it\n"),
])  # fmt: skip
def test_a_mistake_is_one_line_that_names_the_place(folder: Path, dirql: Run, old: str, new: str, error: str) -> None:
    text = (folder / "small.py").read_text()
    assert old in text
    (folder / "small.py").write_text(text.replace(old, new))
    scenario = (folder / "small.toml").read_text()
    (folder / "small.toml").write_text(scenario.replace("small.py:fire", "small.py:stumble") if "stumble" in error else scenario)
    status, _, err = dirql("run", "small.toml")
    assert (status, err) == (2, "dirql: " + error.replace("FILE", str(folder / "small.py")))


def test_a_type_error_of_the_drivers_own_code_is_a_bugcheck(folder: Path, dirql: Run) -> None:
    (folder / "small.py").write_text((folder / "small.py").read_text().replace("        pass\n", "        self.isr()\n", 1))
    status, out, err = dirql("run", "small.toml")
    assert (status, err) == (1, "")
    assert "  KMODE_EXCEPTION_NOT_HANDLED (1e), arguments 0x0, 0x0, 0x0, 0x0\n  TypeError: Card.isr() missing 2 required" in out


def test_a_driver_that_leaves_with_sys_exit_is_a_bugcheck(folder: Path, dirql: Run) -> None:
    text = (folder / "small.py").read_text()
    (folder / "small.py").write_text(text.replace("        interrupt.queue_dpc_for_isr()", "        raise SystemExit(0)"))
    status, out, err = dirql("run", "small.toml")
    assert (status, err) == (1, "")
    assert "  SystemExit: 0 (small.py:18 in isr)\n" in out


def test_a_seed_beyond_64_bits_is_refused(folder: Path, dirql: Run) -> None:
    status, _, err = dirql("run", "small.toml", "--seed", "-1")
    assert (status, err) == (2, "dirql: --seed -1: a seed is 0 to 0xffffffffffffffff; give another one\n")


def test_no_processors_are_refused_and_not_taken_for_the_default(dirql: Run) -> None:
    dump = Path(__file__).parents[2] / "examples" / "dumps" / "qemu-e1000e-nvme.txt"
    status, _, err = dirql("resources", str(dump), "--cpus", "0")
    assert (status, err) == (2, "dirql: --cpus 0: one group holds 1 to 64, and several are not modelled yet; give 1 to 64\n")
