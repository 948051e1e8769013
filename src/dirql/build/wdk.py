"""Where a WDK keeps its headers: Include/10.0.N.0 with km and shared in it, and wdf/kmdf/1.N beside that version or inside it.

Found from the kit's folder, from its Include, from one version of it, and where km and shared lie without a version. Any other
directory is an include directory as it is.

Limits: the newest version is taken where there are several; file names must have the case that the sources write.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from dirql.build.errors import BuildError

__all__ = ["include_directories"]

VERSION = re.compile(r"\d+(\.\d+)+")
NEEDS_WDF = re.compile(rb'#\s*include\s*[<"]wdf\.h[>"]')
SHAPE = "give the WDK's Include/10.0.NNNNN.0"


def include_directories(given: Sequence[Path], minor: str, sources: Sequence[Path]) -> list[Path]:
    """What the compiler is told of each `--headers`; KMDF 1.`minor` is among it, or a source that includes wdf.h is refused."""
    found: list[Path] = []
    kits: list[Path] = []
    for one in given:
        if not one.is_dir():
            raise BuildError(f"--headers {one}: no such directory; {SHAPE}")
        root = _root(one)
        if root is None:
            found.append(_plain(one))
            continue
        kits.append(root)
        parts = [root / "km", root / "shared", root / "km/crt", *(place / f"1.{minor}" for place in _frameworks(root))]
        found += [part for part in parts if part.is_dir()]
    if kits and not any((one / "wdf.h").is_file() for one in found):
        _need_no_framework(given, minor, kits, sources)
    return found


def _root(given: Path) -> Path | None:
    """The directory that has km in it; None where there is none."""
    for one in (given, given / "Include", given / "include"):
        if (one / "km").is_dir():
            return one
        versions = [inside for inside in sorted(one.glob("*")) if VERSION.fullmatch(inside.name) and (inside / "km").is_dir()]
        if versions:
            return max(versions, key=lambda inside: [int(part) for part in inside.name.split(".")])
    return None


def _frameworks(root: Path) -> list[Path]:
    """Where the versions of KMDF may be."""
    return [place / part for place in (root, root.parent) for part in ("wdf/kmdf", "kmdf")]


def _plain(given: Path) -> Path:
    if not any(given.glob("*.h")) and not any(given.glob("*/*.h")):
        raise BuildError(f"--headers {given}: no km, no 10.0.NNNNN.0 and no header in it; {SHAPE}")
    return given


def _need_no_framework(given: Sequence[Path], minor: str, kits: Sequence[Path], sources: Sequence[Path]) -> None:
    source = next((one for one in sources if NEEDS_WDF.search(one.read_bytes())), None)
    if source is None:
        return
    there = {one.name for root in kits for place in _frameworks(root) for one in place.glob("1.*") if (one / "wdf.h").is_file()}
    listed = ", ".join(sorted(there, key=lambda name: [int(part) if part.isdigit() else 0 for part in name.split(".")]))
    remedy = f"it has {listed}: choose with -D KMDF_VERSION_MINOR=N" if there else "it has no KMDF at all: give the whole WDK"
    words = ", ".join(map(str, given))
    raise BuildError(f"--headers {words}: {source.name} includes wdf.h, and no wdf/kmdf/1.{minor}/wdf.h is there; {remedy}")
