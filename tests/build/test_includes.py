"""What is built again because a file changed that a source includes from elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dirql.build import BuildError, build_driver, input_files
from dirql.build.includes import MOST_BYTES

SOURCE = """
#include <ntddk.h>
#include "../common/a.h"
DRIVER_INITIALIZE DriverEntry;
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(DriverObject);
    UNREFERENCED_PARAMETER(RegistryPath);
    return STATUS;
}
"""


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A driver in `card`, which includes ../common/a.h, which includes inner/b.h beside itself."""
    for name, text in {
        "card/card.c": SOURCE, "common/a.h": '#pragma once\n#include "inner/b.h"\n',
        "common/inner/b.h": "#define STATUS STATUS_SUCCESS\n",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path / "card"


def names(directory: Path) -> list[str]:
    """Its input files, from where it stands."""
    return [Path(os.path.relpath(path, directory)).as_posix() for path in input_files(directory)]


def test_an_image_is_built_again_when_an_included_file_of_another_folder_changed(card: Path) -> None:
    first, again = build_driver(card), build_driver(card)
    (card.parent / "common/inner/b.h").write_text("#define STATUS STATUS_UNSUCCESSFUL\n", "utf-8")
    assert (first.fresh, again.fresh, build_driver(card).fresh) == (True, False, True)


def test_what_is_included_is_followed_once_in_the_order_in_which_it_is_met(card: Path) -> None:
    assert names(card) == ["card.c", "../common/a.h", "../common/inner/b.h"]


@pytest.mark.parametrize(
    ("line", "more"),
    [
        (b'#include "../c.h"', ["../common/c.h"]), (b' #\tinclude"..\\c.h" // c', ["../common/c.h"]),
        (b'#include "sub/d.h"', ["sub/d.h"]),  # from the driver's folder
        (b'#include "../a.h"', []), (b'#include "../../card/card.c"', []),  # known
        (b'#include "none.h"', []), (b"#include <../c.h>", []), (b"#include NAME", []), (b'#include "."', []),
        (b'#include "' + 300 * b"x" + b'"', []), (b'#include "a\0b.h"', []), (b'#include "\xff.h"', []),
        (b'#include "/dev/zero"', []),
    ],
)  # fmt: skip
def test_a_file_that_is_there_and_was_not_met_is_followed(card: Path, line: bytes, more: list[str]) -> None:
    (card / "sub").mkdir()
    for one in (card / "sub/d.h", card.parent / "common/c.h"):
        one.touch()
    (card.parent / "common/inner/b.h").write_bytes(line)
    assert names(card)[3:] == more


def test_more_than_a_driver_includes_is_refused(card: Path) -> None:
    with (card.parent / "common/inner/b.h").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(BuildError) as refused:
        input_files(card)
    limit = "its sources include more with quotes than 1000 files of 0x4000000 bytes; include less"
    assert str(refused.value) == f"{card}: {limit}"
