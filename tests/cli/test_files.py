"""Names of files that are none: one line and status 2, at once, for every command that reads a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

Run = Callable[..., tuple[int, str, str]]
READABLE = "name a file that can be read"
FIFO = f"is a FIFO that nobody writes to; {READABLE}"
FOLDER = "is a folder without a config file in it; name a dump, or a device's folder of sysfs"
LONG = "/dev/zero: is longer than 0x1000000 bytes; a dump of one machine is smaller; cut it into parts"
LENGTH = "is 5000 bytes long; raw configuration space is 64, 256 or 4096 bytes; or give the text of lspci -xxxx"
MISSING = "No such file or directory"


@pytest.fixture
def odd(folder: Path) -> Path:
    """A folder with a folder, a FIFO and a binary file in it."""
    (folder / "folder").mkdir()
    os.mkfifo(folder / "fifo")
    os.mkfifo(folder / "fifo.toml")
    (folder / "binary").write_bytes(bytes(range(250)) * 20)
    return folder


@pytest.mark.parametrize("command", ["inspect", "resources"])
@pytest.mark.parametrize(("name", "error"), [
    ("", "'': is no name of a file; name a dump: the text of lspci -xxxx, or a raw file"),
    ("folder", f"folder: {FOLDER}"), ("fifo", f"fifo: {FIFO}"), ("/dev/zero", LONG), ("binary", f"binary: {LENGTH}"),
    ("none", f"none: {MISSING}; {READABLE}"), ("a\0b", f"'a\\x00b': embedded null byte; {READABLE}"),
])  # fmt: skip
def test_a_dump_that_is_none_is_refused(odd: Path, dirql: Run, command: str, name: str, error: str) -> None:
    assert dirql(command, name) == (2, "", f"dirql: {error}\n")


@pytest.mark.parametrize(("arguments", "error"), [
    (["run", "fifo.toml"], "fifo.toml: is a FIFO that nobody writes to; name a scenario file that can be read"),
    (["run", "small.toml", "--inf", "fifo"], "DIR/fifo: is a FIFO that nobody writes to; name a readable INF file"),
    (["run", "small.toml", "--inf", "folder"], "DIR/folder: Is a directory; name a readable INF file"),
    (["run", "small.py:Driver", "--device", "fifo"], f"DIR/fifo: {FIFO}"),
])  # fmt: skip
def test_other_files_that_are_none_are_refused(odd: Path, dirql: Run, arguments: list[str], error: str) -> None:
    assert dirql(*arguments) == (2, "", f"dirql: {error}\n".replace("DIR", str(odd)))


def test_a_file_without_the_right_to_read_is_refused(folder: Path, dirql: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert dirql("inspect", "small.toml") == (2, "", f"dirql: small.toml: Permission denied; {READABLE}\n")


def test_a_pipe_that_somebody_writes_to_is_read(odd: Path, examples: Path, dirql: Run) -> None:
    dump = examples / "dumps" / "qemu-e1000e-nvme.txt"
    reader, writer = os.pipe()
    Thread(target=lambda: [os.write(writer, dump.read_bytes()), os.close(writer)]).start()
    assert dirql("inspect", f"/dev/fd/{reader}") == dirql("inspect", str(dump))
    os.close(reader)


def test_a_terminal_gets_the_same_words_in_colour(
    examples: Path, dirql: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = str(examples / "dumps" / "qemu-e1000e-nvme.txt")
    for command, output in (("inspect", "inspect_command"), ("resources", "resources_command")):
        plain = dirql(command, dump)[1]
        monkeypatch.setattr(f"dirql.cli.{output}.colour", lambda: True)
        coloured = dirql(command, dump)[1]
        assert "\x1b" not in plain
        assert coloured.startswith("\x1b[1m")
        for code in ("\x1b[0m", "\x1b[1m", "\x1b[2m"):
            coloured = coloured.replace(code, "")
        assert coloured == plain
