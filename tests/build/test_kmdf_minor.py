"""dirql's wdf.h refuses what is no version that it declares."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql.build.toolchain import Toolchain
from dirql.build.wdf_headers import callbacks_header, functions_header

REFUSED = 'error: "KMDF_VERSION_MINOR must be 9 to 35; leave it out for 33"'


@pytest.mark.parametrize(("minor", "refused"), [(8, True), (9, False), (33, False), (35, False), (36, True), (99, True)])
def test_a_kmdf_version_that_is_not_declared_is_an_error_of_its_own(tmp_path: Path, minor: int, refused: bool) -> None:
    (tmp_path / "wdf_callbacks.h").write_text(callbacks_header(), "utf-8")
    (tmp_path / "wdf_functions.h").write_text(functions_header(), "utf-8")
    (tmp_path / "a.c").write_text("#include <ntddk.h>\n#include <wdf.h>\n", "utf-8")
    done = Toolchain().compile("a.c", tmp_path / "a.obj", tmp_path, tmp_path, [f"KMDF_VERSION_MINOR={minor}"])
    assert (REFUSED in done.text, done.ok) == (refused, not refused)
