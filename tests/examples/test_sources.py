"""[driver] source and defines: what an image is built from, with which macros, and where it goes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dirql.errors import InputError
from dirql.scenario.play import Play
from dirql.scenario.values import Scenario

EXAMPLES = Path(__file__).parents[2] / "examples"
SCENARIO = """
[device]
model = "mqueue"
[driver]
source = "plain"
inf = "{inf}"
{more}
"""
NOT_TEXTS = 'it has the wrong type; write an array of texts: defines = ["NAME", "NAME=VALUE"]'
PLAIN = """
#include <ntddk.h>
#include <wdf.h>
DRIVER_INITIALIZE DriverEntry;
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;
    WDF_DRIVER_CONFIG_INIT(&config, WDF_NO_EVENT_CALLBACK);
#ifdef REFUSE
    return STATUS_NOT_SUPPORTED;
#else
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
#endif
}
"""


def plain(tmp_path: Path, more: str = "") -> Scenario:
    folder = tmp_path / "plain"
    folder.mkdir(exist_ok=True)
    (folder / "plain.c").write_text(PLAIN, "utf-8")
    shutil.copy(EXAMPLES / "mqueue" / "mqueue.inf", tmp_path)
    return Scenario.parse(SCENARIO.format(inf="mqueue.inf", more=more), base=tmp_path)


def test_a_variant_with_macros_is_built_in_a_folder_of_its_own(tmp_path: Path) -> None:
    Play(plain(tmp_path))
    before = (tmp_path / "plain" / "plain.sys").read_bytes()
    play = Play(plain(tmp_path, 'defines = ["REFUSE"]'))
    assert play.start() == 0xC0000365 and play.system.node(play.cards[0].function).driver == "plain.sys"
    assert (tmp_path / "plain" / "plain.sys").read_bytes() == before
    (variant,) = (tmp_path / "plain" / "out").glob("*/plain.sys")
    assert variant.read_bytes() != before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('defines = "REFUSE"', f"<scenario>:7: [driver] defines = 'REFUSE': {NOT_TEXTS}"),
        ("defines = [1]", f"<scenario>:7: [driver] defines = […]: {NOT_TEXTS}"),
        ('defines = ["1X"]', "<scenario>:7: [driver] defines = […]: '1X' is no macro; write NAME or NAME=VALUE"),
    ],
)
def test_macros_that_are_none_are_refused_with_their_line(more: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        plain(tmp_path, more)
    assert str(caught.value) == message


def test_macros_without_sources_are_refused() -> None:
    text = '[device]\nmodel = "mqueue"\n[driver]\nimage = "a.sys"\ndefines = ["X"]\n'
    with pytest.raises(InputError) as caught:
        Scenario.parse(text)
    message = "<scenario>:5: [driver] defines = […]: it has no meaning without source; it belongs to source = …"
    assert str(caught.value) == message
