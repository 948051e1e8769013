"""`dirql check` of an image that imports by ordinal: listed by it, and not modelled."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import typer

from dirql.cli.check_command import check


def test_an_import_by_ordinal_is_listed_as_stub_takes_it_and_is_not_modelled(
    pe: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pe.imports(0x2000, {"ntoskrnl.exe": ["DbgPrint", 7], "NDIS.SYS": [12]})
    (tmp_path / "nic.sys").write_bytes(pe.with_table(pe.IMPORT, table))
    with pytest.raises(typer.Exit) as end:
        check(str(tmp_path / "nic.sys"))
    assert end.value.exit_code == 1
    assert "\nnot modelled:\n  ntoskrnl!#7\n  ndis.sys!#12\n" in capsys.readouterr().out
