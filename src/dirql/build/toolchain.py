"""The C compiler and linker of the ziglang package (clang and lld), run as a child process; the only place that knows it.

Everything that decides the bytes of an object is an argument given here, so that the same sources give the same image.

Limits: x64 only; `headers` are compiled against the MSVC ABI as they expect, and dirql's tests have no WDK to try them with.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from dirql.build.errors import BuildError

__all__ = ["CXX_SUFFIXES", "Result", "Toolchain"]

CXX_SUFFIXES = frozenset({".cc", ".cpp", ".cxx"})
COMMON = [
    "-c", "-O2", "-g", "-gcodeview", "-fms-extensions", "-fomit-frame-pointer", "-fstack-protector-strong",
    "-Xclang", "-gno-codeview-command-line", "-fno-strict-aliasing", "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-Wno-date-time",
    "-D_AMD64_", "-DAMD64", "-D_WIN64", "-DNTDDI_VERSION=0x0A000010",
    "-DNT_PROCESSOR_GROUPS=1", "-DPOOL_NX_OPTIN=1", "-DDBG=0",
    "-Xclang", "-fasync-exceptions",  # __try guards loads and stores too, not only calls
]  # fmt: skip
CXX = ["-std=c++20", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-nostdinc++"]
GNU = ["-target", "x86_64-windows-gnu", "-Xclang", "-fno-auto-import"]
MSVC = ["-target", "x86_64-windows-msvc", "-nostdinc", "-fms-compatibility", "-fms-compatibility-version=19.38"]
LINK = [
    "/nologo", "/machine:x64", "/driver", "/subsystem:native", "/nodefaultlib", "/debug", "/Brepro", "/opt:ref,noicf",
    "/errorlimit:0", "/base:0x140000000", "/section:INIT,ERD", "/merge:.kmdfclassbind=.data", "/merge:.kmdftypeinit=.data",
    "/merge:.CRT=.rdata",
]  # fmt: skip


@dataclass(frozen=True)
class Result:
    """How a run of the compiler or linker ended, and what it said."""

    ok: bool
    text: str


class Toolchain:
    """ziglang's clang and lld."""

    def __init__(self) -> None:
        spec = find_spec("ziglang")
        if spec is None or spec.origin is None:
            raise BuildError("dirql build needs ziglang, which holds the compiler: pip install dirql[build]")
        self.home = Path(spec.origin).parent

    @cached_property
    def version(self) -> str:
        """zig's own."""
        return self._run(["version"], Path.cwd()).text.strip()

    @property
    def headers(self) -> Path:
        """Windows headers, those of the DDK in `ddk`."""
        return self.home / "lib/libc/include/any-windows-any"

    def definitions(self, name: str) -> Path:
        """zig's list of what a system file exports."""
        return self.home / f"lib/libc/mingw/lib64/{name}.def"

    def compile(
        self,
        source: str,
        output: Path,
        directory: Path,
        generated: Path,
        defines: Sequence[str] = (),
        headers: Sequence[Path] = (),
    ) -> Result:
        """One file of `directory` to an object; `headers` are a WDK's, tried before dirql's and zig's."""
        cxx = Path(source).suffix.lower() in CXX_SUFFIXES
        own = Path(str(files("dirql.build").joinpath("include")))
        if headers:
            target = [*MSVC, *_system(*headers, self.home / "lib/include")]
        else:
            target = [*GNU, *_system(generated, own, self.headers / "ddk")]
        places = {generated: "/dirql/include", own: "/dirql/include", self.home: "/zig"}  # no path of this machine in the PDB
        maps = [f"-ffile-prefix-map={place}={name}" for place, name in places.items()]
        maps.append(f"-ffile-compilation-dir={'/dirql' if directory == own.parent else '.'}")
        named = ["-Xclang", f"-object-file-name={output.name}"]  # in the debug information; zig's own is a random one
        kind = ["c++", *COMMON, *CXX] if cxx else ["cc", *COMMON]
        return self._run([*kind, *target, *maps, *named, *(f"-D{one}" for one in defines), source, "-o", str(output)], directory)

    def import_library(self, system_file: str, definitions: Path, output: Path) -> None:
        """An import library from a .def file."""
        made = self._run(
            ["dlltool", "-m", "i386:x86-64", "-D", system_file, "-d", str(definitions), "-l", str(output)], output.parent
        )
        if not made.ok:
            raise BuildError(f"{system_file}: zig dlltool made no import library: {made.text}")

    def link(self, objects: Sequence[str], entry: str, name: str, directory: Path) -> Result:
        """Objects and libraries of `directory`, by relative names as they end up in the PDB, to `name`.sys and `name`.pdb."""
        output = [f"/out:{name}.sys", f"/pdb:{name}.pdb", f"/pdbaltpath:{name}.pdb", f"/pdbsourcepath:{name}", f"/entry:{entry}"]
        return self._run(["lld-link", *LINK, *output, *objects], directory)

    def _run(self, arguments: Sequence[str], directory: Path) -> Result:
        command = [sys.executable, "-m", "ziglang", *arguments]
        ended = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return Result(ended.returncode == 0, (ended.stderr + ended.stdout).decode("utf-8", "replace"))


def _system(*directories: Path) -> list[str]:
    return [word for one in directories for word in ("-isystem", str(one))]
