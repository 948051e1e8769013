"""`dirql build`: a directory of C and C++ to a `.sys` and its PDB, the same bytes from the same sources.

The image is named after the directory. It carries a stamp with a digest of everything it was made from: what has no stamp
was not built here and is never overwritten; what has the right one is not built again.

Limits: no resources (.rc), no sources in subdirectories; a header of `--headers` that changes is not noticed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from dirql.build.errors import BuildError, CompileError
from dirql.build.imports import make_import_libraries
from dirql.build.includes import MOST_BYTES, MOST_FILES, included
from dirql.build.toolchain import CXX_SUFFIXES, Toolchain
from dirql.build.wdf_headers import callbacks_header, functions_header
from dirql.build.wdk import include_directories

__all__ = ["Built", "build_driver", "input_files"]

SUFFIXES = CXX_SUFFIXES | {".c"}
HEADERS = frozenset({".h", ".hpp", ".inc"})
STAMP, STAMP_NAME = b"dirql build ", b"DirqlBuildStamp"
NEEDS_WDF = b"WdfDriverGlobals"
NEWEST = "33"
OWN = Path(str(files("dirql.build")))
DEFINE = re.compile(r"[A-Za-z_]\w*(=.*)?")


@dataclass(frozen=True)
class Built:
    """An image and its PDB; `diagnostics` are the compiler's warnings, `fresh` says that it was made just now."""

    image: Path
    pdb: Path
    diagnostics: str
    fresh: bool


def build_driver(
    directory: Path, out: Path | None = None, *, headers: Sequence[Path] = (), defines: Sequence[str] = ()
) -> Built:
    """Compile and link what is in `directory`; nothing is done if the image there is made from just this."""
    sources, others = _inputs(directory)
    for one in defines:
        if not DEFINE.fullmatch(one):
            raise BuildError(f"-D {one}: not NAME or NAME=VALUE; write it as for a C compiler")
    tools = Toolchain()
    if headers and not any(one.startswith("KMDF_VERSION_MINOR=") for one in defines):
        defines = [*defines, "KMDF_VERSION_MAJOR=1", f"KMDF_VERSION_MINOR={NEWEST}"]  # a WDK's own wdf.h has no default
    minor = next((one.partition("=")[2] for one in defines if one.startswith("KMDF_VERSION_MINOR=")), NEWEST)
    wdk = include_directories(headers, minor, [*sources, *others])
    name = directory.resolve().name
    out = directory if out is None else out
    image, pdb = out / f"{name}.sys", out / f"{name}.pdb"
    _refuse_to_replace(image, pdb)
    inputs = [*sources, *others]
    digest = _digest([*inputs, *included(inputs, directory)], [tools.version, name, *defines, *map(str, wdk)])
    if pdb.exists() and image.exists() and STAMP + digest.encode() in image.read_bytes():
        return Built(image, pdb, "", fresh=False)
    _make(out)
    with tempfile.TemporaryDirectory(prefix="dirql-build-") as work:
        said = _Build(tools, directory, Path(work), name).run(sources, digest, defines, wdk)
        for made in (pdb, image):  # the image last: it is the one that is believed
            _move(Path(work, made.name), made)
    return Built(image, pdb, said, fresh=True)


def input_files(directory: Path) -> list[Path]:
    """What an image of `directory` is made from, but for the system's headers."""
    sources, others = _inputs(directory)
    inputs = [*sources, *others]
    return [*inputs, *included(inputs, directory)]


def _inputs(directory: Path) -> tuple[list[Path], list[Path]]:
    """Sources, and the headers beside them."""
    try:
        inside = sorted(one for one in directory.iterdir() if one.is_file())
    except OSError as problem:
        raise BuildError(f"{directory}: {problem.strerror}; give the directory that holds the driver's .c files") from None
    sources = [one for one in inside if one.suffix.lower() in SUFFIXES]
    if not sources:
        raise BuildError(f"{directory}: no .c, .cc, .cpp or .cxx file in it; give the directory that holds the driver's sources")
    taken = sources + [one for one in inside if one.suffix.lower() in HEADERS]
    size = sum(one.stat().st_size for one in taken)
    if len(taken) > MOST_FILES or size > MOST_BYTES:
        limit = f"the limit is {MOST_FILES} of {MOST_BYTES:#x}; give one driver's"
        raise BuildError(f"{directory}: {len(taken)} files of {size:#x} bytes; {limit}")
    return sources, taken[len(sources) :]


def _refuse_to_replace(image: Path, pdb: Path) -> None:
    for one, mark in ((image, STAMP), (pdb, STAMP_NAME)):
        if one.exists() and (not one.is_file() or mark not in one.read_bytes()):
            raise BuildError(f"{one}: was not built by dirql and is not overwritten; move it away, or build elsewhere with --out")


def _digest(inputs: Sequence[Path], words: Sequence[str]) -> str:
    """Of the sources, of what dirql adds to them, and of the choices made."""
    total = hashlib.sha256()
    for word in [*words, callbacks_header(), functions_header(), (OWN / "exports.txt").read_text("utf-8")]:
        total.update(f"{len(word)}:{word}".encode())
    package = [*sorted(OWN.glob("*.c")), *sorted(OWN.glob("*.py")), *sorted((OWN / "include").glob("*.h"))]
    for path in [*inputs, *package]:
        content = path.read_bytes()
        total.update(f"{path.name}:{len(content)}:".encode() + content)
    return total.hexdigest()[:32]


@dataclass(frozen=True)
class _Build:
    """One run of compiler and linker in `work`."""

    tools: Toolchain
    directory: Path
    work: Path
    name: str

    def run(self, sources: Sequence[Path], digest: str, defines: Sequence[str], wdk: Sequence[Path]) -> str:
        """Image and PDB into `work`; returns the warnings."""
        generated = self.work / "include"
        generated.mkdir()
        (generated / "wdf_callbacks.h").write_text(callbacks_header(), "utf-8")
        (generated / "wdf_functions.h").write_text(functions_header(), "utf-8")
        objects, said = self._compile(sources, generated, defines, wdk)
        framework = any(NEEDS_WDF in (self.work / one).read_bytes() for one in objects)
        part, entry = ("entry_kmdf.c", "FxDriverEntry") if framework else ("entry_wdm.c", "GsDriverEntry")
        versions = [one for one in defines if one.startswith("KMDF_")]
        for own in (part, "support.c"):
            objects.append(f"dirql-{own}.obj")
            told = [f'DIRQL_BUILD_STAMP="{digest}"', *versions]
            result = self.tools.compile(own, self.work / objects[-1], OWN, generated, told)
            if not result.ok:
                asked = ", ".join(versions) or "no defines"
                raise CompileError(f"{self.directory}: dirql's {own} did not compile with {asked}; see above", result.text)
        linked = self.tools.link([*objects, *make_import_libraries(self.tools, self.work)], entry, self.name, self.work)
        if not linked.ok:
            raise CompileError(f"{self.directory}: the driver did not link; see above", said + linked.text)
        return said + linked.text

    def _compile(
        self, sources: Sequence[Path], generated: Path, defines: Sequence[str], wdk: Sequence[Path]
    ) -> tuple[list[str], str]:
        """All of them, so that one run tells every mistake."""
        objects: list[str] = []
        failed, said = [], ""
        for number, source in enumerate(sources):
            objects.append(f"{number:03}-{source.name}.obj")
            result = self.tools.compile(source.name, self.work / objects[-1], self.directory, generated, defines, wdk)
            said += result.text
            if not result.ok:
                failed.append(source.name)
        if failed:
            many = f"{len(failed)} of {len(sources)} files"
            raise CompileError(f"{self.directory}: {', '.join(failed)} did not compile ({many}); see above", said)
        return objects, said


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise BuildError(f"--out {out}: {problem.strerror}; give a directory that can be written") from None


def _move(source: Path, target: Path) -> None:
    """Whole or not at all, also from another file system."""
    beside = target.with_name(f"{target.name}.{os.getpid()}.new")
    try:
        shutil.copyfile(source, beside)
        os.replace(beside, target)
    except OSError as problem:
        raise BuildError(f"{target}: {problem.strerror}; build elsewhere with --out") from None
