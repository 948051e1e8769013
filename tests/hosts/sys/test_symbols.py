"""Symbols of an image: from the PDB beside it or the DWARF inside, never another build's, and never in the way of a run."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dirql.hosts.sys.image import Image
from dirql.hosts.sys.symbols import Place, Symbols, load_symbols

SOURCE = """
static volatile int sink;
static inline __attribute__((always_inline)) int inner(int a) {
    sink += a;
    return a * 3; }
__attribute__((noinline)) int outer(int a) {
    int r = inner(a);
    return r + sink; }
long DriverEntry(void *a, void *b) { return outer((int)(long long)a); }
"""
IN_HEADER = '#line 1 "wdm.h"' + SOURCE.replace("__attribute__((noinline))", '\n#line 5 "nic.c"\n__attribute__((noinline))')


class Build:
    """A compiled driver, copied to where a test may spoil it."""

    def __init__(self, path: Path, folder: Path, *others: str) -> None:
        self.path = folder / path.name
        for name in (path.name, *others):
            (folder / name).write_bytes((path.parent / name).read_bytes())
        self.image = Image.from_bytes(self.path.read_bytes(), str(self.path))

    def symbols(self) -> Symbols:
        return load_symbols(self.image, self.path)


@pytest.fixture(scope="session")
def pe() -> ModuleType:
    """The module that builds images."""
    spec = spec_from_file_location("image_builder", Path(__file__).with_name("image_builder.py"))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def compiled(pe: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The driver with a PDB, another build of it, and one with DWARF."""
    folder = tmp_path_factory.mktemp("symbols")
    return {
        "nic": pe.compile_driver(folder, "nic", SOURCE, "-O1"),
        "other": pe.compile_driver(folder, "other", SOURCE + "int more;", "-O1"),
        "kit": pe.compile_driver(folder, "kit", IN_HEADER, "-O1"),
        "dwarf": pe.compile_driver(folder, "dwarf", SOURCE, "-O1", "-gdwarf"),
    }


def outer_at(image: Image) -> int:
    """The RVA of `outer`, which the image exports."""
    return next(export.rva for export in image.exports if export.name == "outer")


@pytest.mark.parametrize(("kind", "others"), [("nic", ("nic.pdb",)), ("dwarf", ())])
def test_an_address_has_function_file_and_line(
    compiled: dict[str, Path], tmp_path: Path, kind: str, others: tuple[str, ...]
) -> None:
    build = Build(compiled[kind], tmp_path, *others)
    symbols = build.symbols()
    start = outer_at(build.image)
    (place,) = symbols.at(start)
    assert (place.function, place.source, place.offset, place.inlined) == ("outer", f"{kind}.c:6", 0, False)
    assert symbols.words(start) == f"{kind}.sys!outer+0x0 ({kind}.c:6)"
    assert symbols.source == str(tmp_path / (others[0] if others else f"{kind}.sys")) and symbols.notes == ()


@pytest.mark.parametrize(("kind", "others"), [("nic", ("nic.pdb",)), ("dwarf", ())])
def test_inlined_code_is_told_with_the_function_around_it(
    compiled: dict[str, Path], tmp_path: Path, kind: str, others: tuple[str, ...]
) -> None:
    build = Build(compiled[kind], tmp_path, *others)
    symbols, start = build.symbols(), outer_at(build.image)
    rva, places = next((rva, p) for rva in range(start, start + 64) if len(p := symbols.at(rva)) == 2)
    assert [(p.function, p.line, p.inlined) for p in places] == [("inner", 4, True), ("outer", 7, False)]
    assert symbols.words(rva) == f"{kind}.sys!outer+{rva - start:#x} inner (inlined) ({kind}.c:4)"


def test_what_a_header_inlines_is_told_with_the_drivers_own_line(compiled: dict[str, Path], tmp_path: Path) -> None:
    build = Build(compiled["kit"], tmp_path, "kit.pdb")
    symbols, start = build.symbols(), outer_at(build.image)
    rva, (inner, _) = next((rva, p) for rva in range(start, start + 64) if len(p := symbols.at(rva)) == 2)
    assert (inner.function, inner.source) == ("inner", "wdm.h:3")
    assert symbols.words(rva) == f"kit.sys!outer+{rva - start:#x} inner (inlined) (nic.c:6)"


@pytest.mark.parametrize(
    ("rva", "words"),
    [
        (0x1004, "nic.sys+0x1004 (.text+0x4)"),
        (0x10, "nic.sys+0x10 (headers)"),
        (0x400000, "nic.sys+0x400000 (in no section)"),
        (-1, "nic.sys+-0x1 (in no section)"),
    ],
)
def test_without_symbols_an_address_is_told_by_section(compiled: dict[str, Path], tmp_path: Path, rva: int, words: str) -> None:
    symbols = Build(compiled["nic"], tmp_path).symbols()
    assert (symbols.at(rva), symbols.words(rva), symbols.source) == ((), words, "")
    assert symbols.notes == ("nic.sys has no symbols: there is no nic.pdb beside it; addresses are told by section",)


def test_what_lies_outside_of_the_image_has_no_symbols(compiled: dict[str, Path], tmp_path: Path) -> None:
    symbols = Build(compiled["nic"], tmp_path, "nic.pdb").symbols()
    assert [symbols.at(rva) for rva in (-1, 0x10, 0x400000, 1 << 64, 1 << 80)] == [()] * 5


def test_a_pdb_of_another_build_is_told_once_and_not_used(compiled: dict[str, Path], tmp_path: Path) -> None:
    build = Build(compiled["nic"], tmp_path)
    pdb = tmp_path / "nic.pdb"
    pdb.write_bytes((compiled["other"].parent / "other.pdb").read_bytes())
    other = Image.from_bytes(compiled["other"].read_bytes(), "other.sys").code_view
    mine = build.image.code_view
    assert mine is not None and other is not None
    symbols = build.symbols()
    has, wants = f"{other.guid}-{other.age:x}", f"{mine.guid}-{mine.age:x}"
    assert symbols.notes == (
        f"{pdb} is of another build: its GUID and age are {has}, nic.sys wants {wants}; build both at once",
    )
    assert symbols.at(outer_at(build.image)) == ()


def test_the_pdb_is_looked_for_beside_the_image_and_nowhere_else(pe: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "secret.pdb").write_bytes(b"x")
    (tmp_path / "in").mkdir()
    for name in (b"..\\secret.pdb", b"../secret.pdb", str(tmp_path / "secret.pdb").encode(), b"..", b"", b"a" * 900):
        data = pe.with_table(pe.DEBUG, pe.code_view(0x2000, name + b"\0"), size=28)
        path = tmp_path / "in" / "nic.sys"
        path.write_bytes(data)
        symbols = load_symbols(Image.from_bytes(data, "nic.sys"), path)
        assert symbols.source == "" and "damaged" not in "".join(symbols.notes)


def test_a_pdb_that_is_none_is_told_and_the_run_goes_on(compiled: dict[str, Path], tmp_path: Path) -> None:
    build = Build(compiled["nic"], tmp_path)
    (tmp_path / "nic.pdb").write_bytes(b"hello")
    assert build.symbols().notes == (f"{tmp_path / 'nic.pdb'} is damaged (unsupported object file format); build it again",)


def test_a_source_is_told_without_its_folder_whatever_the_separator() -> None:
    for file in ("C:\\src\\nic.c", "/src/nic.c", "nic.c"):
        assert Place("f", file, 3, 0).source == "nic.c:3"
    assert Place("f", "", 0, 0).source == "" and Place("f", "nic.c", 0, 0).source == ""


@settings(max_examples=24, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 90_000), st.binary(min_size=1, max_size=8)), min_size=1, max_size=12),
    st.integers(0, 200_000),
)
def test_whatever_is_done_to_a_pdb_the_run_goes_on(
    compiled: dict[str, Path], tmp_path: Path, damage: list[tuple[int, bytes]], length: int
) -> None:
    build = Build(compiled["nic"], tmp_path, "nic.pdb")
    data = bytearray((tmp_path / "nic.pdb").read_bytes())
    for place, value in damage:
        data[place % len(data) : place % len(data) + len(value)] = value
    (tmp_path / "nic.pdb").write_bytes(data[:length])
    symbols = build.symbols()
    assert all("\n" not in line for line in (*symbols.notes, *(symbols.words(rva) for rva in range(0x1000, 0x1080, 5))))
