"""`dirql` itself, and `dirql inspect`."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dirql.cli import run_command
from dirql.cli.output import colour

Run = Callable[..., tuple[int, str, str]]
COMMANDS = ["run", "explore", "replay", "rules", "resources", "inspect", "build", "check", "bench"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_a_sentence_an_example_and_the_exit_statuses(command: str, dirql: Run) -> None:
    status, out, _ = dirql(command, "--help")
    assert status == 0
    assert "Example" in out and f"    dirql {command} " in out + " "
    assert "  Exit status: 0 " in out
    assert max(map(len, out.split("\n"))) <= 80


def test_the_help_names_every_command(dirql: Run) -> None:
    out = dirql("--help")[1]
    assert [line.split()[0] for line in out.partition("Commands:\n")[2].splitlines()] == COMMANDS
    assert max(map(len, out.split("\n"))) <= 80


def test_no_command_is_bad_usage_and_shows_the_help(dirql: Run) -> None:
    assert dirql() == (2, dirql("--help")[1], "")


def test_the_version_is_one_line(dirql: Run) -> None:
    status, out, _ = dirql("--version")
    assert (status, out.count("\n"), out[:6]) == (0, 1, "dirql ")


def test_an_unknown_command_suggests_the_nearest(dirql: Run) -> None:
    assert dirql("rum") == (2, "", "dirql: No such command 'rum'. Did you mean 'run'? (see dirql --help)\n")


def test_an_interrupt_is_quiet_and_130(folder: Path, dirql: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_command, "one_grant", interrupted)
    assert dirql("run", "small.toml") == (130, "", "")


def test_a_bug_shows_its_traceback_and_says_so(folder: Path, dirql: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(run_command, "one_grant", broken)
    status, out, err = dirql("run", "small.toml")
    assert (status, out) == (70, "")
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith("dirql: this is a bug of dirql: report it with the lines above and the input that did it\n")


class Closed(io.StringIO):
    """A standard output that nobody reads any more."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def fileno(self) -> int:
        return self.descriptor


def test_a_broken_pipe_is_quiet_and_141(tmp_path: Path, examples: Path, dirql: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(sys, "stdout", Closed(file.fileno()))
        status, _, err = dirql("inspect", str(examples / "dumps" / "qemu-e1000e-nvme.txt"))
    assert (status, err) == (141, "")


def test_inspect_decodes_what_lspci_does(examples: Path, dirql: Run) -> None:
    dump = str(examples / "dumps" / "qemu-e1000e-nvme.txt")
    out = dirql("inspect", dump, "--function", "01:00.0")[1]
    assert out.startswith("01:00.0 Ethernet controller: 8086:10d3\n")
    assert "    Capabilities: [a0] MSI-X: Enable+ Count=5 Masked-\n" in out
    told = json.loads(dirql("inspect", dump, "--function", "01:00.0", "--json")[1])
    assert (told["function"], told["class"]) == ("8086:10d3", "020000")


def test_commands_that_read_a_dump_do_not_load_the_machine_of_a_run() -> None:
    code = "import sys, dirql.cli.app, dirql.cli.resources_of; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    assert not [name for name in loaded if name.startswith(("rich", "dirql.wdf", "dirql.system", "dirql.kernel"))]


@pytest.mark.parametrize(("terminal", "no_color", "term", "coloured"), [
    (True, "", "xterm", True), (True, "1", "xterm", False), (True, "", "dumb", False), (False, "", "xterm", False),
])  # fmt: skip
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, no_color: str, term: str, coloured: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", term)
    assert colour() is coloured
