"""Import libraries for what a driver links to, made from exports.txt at build time; zig's lists add the names it lacks."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from dirql.build.toolchain import Toolchain

__all__ = ["exports", "make_import_libraries"]


def exports() -> dict[str, tuple[str, ...]]:
    """System file → names it exports."""
    found: dict[str, list[str]] = {}
    here: list[str] = []
    for line in files("dirql.build").joinpath("exports.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            here = found.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            here += line.split()
    return {name: tuple(names) for name, names in found.items()}


def make_import_libraries(tools: Toolchain, directory: Path) -> list[str]:
    """The libraries' names in `directory`, in the order in which the linker is to search them."""
    made = []
    for system_file, names in exports().items():
        stem = Path(system_file).stem.lower()
        definitions = directory / f"{stem}.def"
        definitions.write_text("\n".join(["EXPORTS", *names, ""]), "ascii")
        tools.import_library(system_file, definitions, directory / f"{stem}.lib")
        made.append(f"{stem}.lib")
    for system_file in ("ntoskrnl.exe", "HAL.dll"):
        stem = Path(system_file).stem.lower()
        if tools.definitions(stem).exists():
            tools.import_library(system_file, tools.definitions(stem), directory / f"{stem}-zig.lib")
            made.append(f"{stem}-zig.lib")
    return made
