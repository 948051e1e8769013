"""A driver image as a value: what the file says is what the value says, and where it is laid out."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from struct import pack, unpack_from
from types import ModuleType
from uuid import UUID

import pytest

from dirql.errors import UsageError
from dirql.hosts.sys.image import Directory, Export, Image, ImageError, Import

HIGH = 0xFFFFF80012340000
SOURCE = """
__declspec(dllimport) unsigned long DbgPrint(const char *, ...);
const char *words[] = {"none", "one", "two"};
long init(long value);
__attribute__((section("PAGE"))) long paged(long value) { return value + 1; }
__attribute__((section("INIT"))) long init(long value) { return paged(value) * 2; }
long DriverEntry(void *driver, void *path) { DbgPrint("%s %p", words[(long long)driver % 3], path); return init(3); }
"""


@pytest.fixture(scope="session")
def pe() -> ModuleType:
    """The module that builds images."""
    spec = spec_from_file_location("image_builder", Path(__file__).with_name("image_builder.py"))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def compiled(pe: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """A driver from the compiler."""
    path: Path = pe.compile_driver(tmp_path_factory.mktemp("driver"), "small", SOURCE, "-O1")
    return Image.from_bytes(path.read_bytes(), "small.sys")


def test_the_headers_tell_where_the_image_wants_to_lie_and_where_it_begins(pe: ModuleType) -> None:
    image = Image.from_bytes(pe.build(entry=0x1004), "C:/drivers/nic.sys")
    assert (image.preferred_base, image.size, image.entry, image.subsystem) == (pe.BASE, 0x2000, 0x1004, 1)
    assert (image.name, image.notes, image.fixed) == ("nic.sys", (), False)
    assert repr(image) == "<Image nic.sys size=0x2000 entry=0x1004 0 imports>"


@pytest.mark.parametrize(
    ("name", "flags", "text"),
    [
        (".text", "RX", "<Section .text rva=0x2000 size=0x3 r-x> kept resident"),
        (".data", "RW", "<Section .data rva=0x2000 size=0x3 rw-> kept resident"),
        ("PAGE", "RX", "<Section PAGE rva=0x2000 size=0x3 r-x> kept pageable"),
        ("PAGEdata", "RW", "<Section PAGEdata rva=0x2000 size=0x3 rw-> kept pageable"),
        ("INIT", "RX", "<Section INIT rva=0x2000 size=0x3 r-x> discarded resident"),
        (".reloc", "RD", "<Section .reloc rva=0x2000 size=0x3 r--> discarded resident"),
    ],
)
def test_a_section_has_its_rights_and_says_whether_it_stays(pe: ModuleType, name: str, flags: str, text: str) -> None:
    bits = {"R": pe.R, "W": pe.W, "X": pe.X, "D": pe.DISCARDABLE}
    image = Image.from_bytes(pe.build([pe.CODE, (name, b"abc", sum(bits[f] for f in flags))]), "nic.sys")
    section = image.sections[1]
    stays = "discarded" if section.discardable else "kept"
    assert f"{section!r} {stays} {'pageable' if section.pageable else 'resident'}" == text
    assert image.section_at(0x2002) is section and image.section_at(0x2003) is None and image.section_at(0) is None


def test_imports_are_by_name_and_by_ordinal_each_with_its_slot(pe: ModuleType) -> None:
    table = pe.imports(0x2000, {"ntoskrnl.exe": ["KeInsertQueueDpc", 17], "HAL.dll": ["KeStallExecutionProcessor"]})
    image = Image.from_bytes(pe.with_table(pe.IMPORT, table), "nic.sys")
    assert image.imports == (
        Import("ntoskrnl.exe", "KeInsertQueueDpc", None, 0x203C),
        Import("ntoskrnl.exe", None, 17, 0x2044),
        Import("HAL.dll", "KeStallExecutionProcessor", None, 0x2054),
    )
    names = ["ntoskrnl.exe!KeInsertQueueDpc", "ntoskrnl.exe!#17", "HAL.dll!KeStallExecutionProcessor"]
    assert [str(i) for i in image.imports] == names


def test_exports_have_name_ordinal_and_place(pe: ModuleType) -> None:
    table = pe.exports(0x2000, {"DllInitialize": 0x1000, "Helper": 0x1008}, base=5)
    image = Image.from_bytes(pe.with_table(pe.EXPORT, table), "nic.sys")
    assert image.exports == (Export("DllInitialize", 5, 0x1000), Export("Helper", 6, 0x1008))


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (0, 0x11223344_55667788, 0x11223344_55667788),
        (1, 0x00000000_00004000, 0x00000000_00000777),
        (2, 0x00000000_00001111, 0x00000000_00007111),
        (3, 0xFFFFFFFF_40001000, 0xFFFFFFFF_07777000),
        (10, 0x00000001_40001000, 0xFFFFF801_07777000),
    ],
)
def test_a_relocation_moves_what_its_type_says(pe: ModuleType, kind: int, before: int, after: int) -> None:
    table = pe.block(0x3000, (kind, 8), (0, 0))
    sections = [pe.CODE, (".reloc", table, pe.R), (".data", bytes(8) + pack("<Q", before), pe.R | pe.W)]
    image = Image.from_bytes(pe.build(sections, {pe.RELOCATION: (0x2000, len(table))}), "nic.sys")
    assert unpack_from("<Q", image.laid_out(0xFFFFF80107776000), 0x3008)[0] == after
    assert unpack_from("<Q", image.laid_out(pe.BASE), 0x3008)[0] == before


def test_a_high_half_is_rounded_by_the_low_half_beside_it(pe: ModuleType) -> None:
    table = pe.block(0x3000, (4, 0), (-1, 0x9000))
    sections = [pe.CODE, (".reloc", table, pe.R), (".data", pack("<H", 0x4001), pe.R)]
    image = Image.from_bytes(pe.build(sections, {pe.RELOCATION: (0x2000, len(table))}), "nic.sys")
    assert unpack_from("<H", image.laid_out(pe.BASE + 0x1F000), 0x3000)[0] == (0x40010000 - 0x7000 + 0x1F000 + 0x8000) >> 16


def test_an_image_without_relocations_lies_where_it_was_linked_for_or_nowhere(pe: ModuleType) -> None:
    image = Image.from_bytes(pe.build(flags=0x2023), "nic.sys")
    assert image.laid_out(pe.BASE)[0x1000] == 0xC3
    with pytest.raises(ImageError) as caught:
        image.laid_out(HIGH)
    assert str(caught.value) == (
        "nic.sys: has no relocations (RELOCS_STRIPPED) and lies at 0x140000000 only, not at 0xfffff80012340000; "
        "link with /DYNAMICBASE and without /FIXED"
    )


@pytest.mark.parametrize("base", [0x123, -0x1000, (1 << 64) - 0x1000])
def test_a_base_that_no_image_can_have_is_refused(pe: ModuleType, base: int) -> None:
    image = Image.from_bytes(pe.build(), "nic.sys")
    with pytest.raises(UsageError) as caught:
        image.laid_out(base)
    assert str(caught.value) == f"nic.sys cannot lie at {base:#x}: it wants a multiple of 0x1000 with 0x2000 bytes behind it"


def test_the_security_cookie_gets_a_value_of_its_own_that_is_always_the_same(pe: ModuleType) -> None:
    default = 0x2B992DDFA232
    config = bytearray(pack("<I", 112).ljust(112, b"\0") + pack("<Q", default))
    config[88:96] = pack("<Q", pe.BASE + 0x2000 + 112)
    data = pe.with_table(pe.LOAD_CONFIG, bytes(config), size=112, flags=pe.R | pe.W)
    image, again = Image.from_bytes(data, "nic.sys"), Image.from_bytes(data, "other.sys")
    (value,) = unpack_from("<Q", image.laid_out(HIGH), 0x2070)
    assert image.security_cookie == 0x2070
    assert value == image.cookie == again.cookie
    assert 0 < value < 1 << 48 and value != default


def test_a_security_cookie_that_the_driver_set_itself_stays(pe: ModuleType) -> None:
    config = bytearray(pack("<I", 112).ljust(112, b"\0") + pack("<Q", 0x1234))
    config[88:96] = pack("<Q", pe.BASE + 0x2000 + 112)
    image = Image.from_bytes(pe.with_table(pe.LOAD_CONFIG, bytes(config), size=112), "nic.sys")
    assert unpack_from("<Q", image.laid_out(pe.BASE), 0x2070)[0] == 0x1234


@pytest.mark.parametrize("size", [4, 88, 95])
def test_a_load_configuration_too_short_for_a_cookie_has_none(pe: ModuleType, size: int) -> None:
    assert Image.from_bytes(pe.with_table(pe.LOAD_CONFIG, pack("<I", size) + bytes(112)), "nic.sys").security_cookie is None


def test_the_version_resource_tells_numbers_and_strings(pe: ModuleType) -> None:
    strings = {"FileVersion": "10.2 (beta)", "ProductName": "Nic"}
    table = pe.version(0x2000, (10, 2, 300, 4), strings)
    version = Image.from_bytes(pe.with_table(pe.RESOURCE, table), "nic.sys").version
    assert version is not None
    assert (str(version), version.product, version.strings) == ("10.2.300.4", (10, 2, 300, 4), strings)


def test_the_codeview_record_names_the_pdb(pe: ModuleType) -> None:
    found = Image.from_bytes(pe.with_table(pe.DEBUG, pe.code_view(0x2000, b"C:\\out\\nic.pdb\0"), size=28), "nic.sys").code_view
    assert found is not None
    assert (found.pdb, found.guid, found.age) == ("C:\\out\\nic.pdb", UUID("03020100-0504-0706-0809-0a0b0c0d0e0f"), 3)


@pytest.mark.parametrize(
    ("directory", "damage", "note"),
    [
        (2, pack("<2I4H2I", 0, 0, 0, 0, 0, 1, 16, 24), "RVA 0x2000: level 0 of the resource tree leads to 0x18"),
        (2, pack("<2I4H", 0, 0, 0, 0, 9000, 1), "RVA 0x2000: a resource directory has 9001 entries; 4096 are read"),
        (2, pack("<2I4H2I", 0, 0, 0, 0, 0, 1, 16, 1 << 31), "RVA 0x2000: level 2 of the resource tree leads to 0x80000000"),
        (6, pack("<IIHHIIII", 0, 0, 0, 0, 2, 64, 0x2FFF, 0),
         "RVA 0x2fff: the CodeView record of 0x40 bytes lies outside of the image, which ends at 0x3000"),
    ],
    ids=["no subdirectory", "too many entries", "too deep", "outside"],
)  # fmt: skip
def test_a_damaged_version_or_codeview_record_is_noted_and_the_driver_runs(
    pe: ModuleType, directory: int, damage: bytes, note: str
) -> None:
    image = Image.from_bytes(pe.with_table(directory, damage), "nic.sys")
    assert (image.version, image.code_view, image.notes) == (None, None, (note,))


def test_what_a_kernel_driver_does_not_get_is_noted(pe: ModuleType) -> None:
    image = Image.from_bytes(pe.build(directories={pe.TLS: (0x1000, 40), 13: (0x1000, 32)}, subsystem=2), "nic.sys")
    assert image.tls == Directory(0x1000, 40)
    assert image.notes == (
        "subsystem is 2 and not 1 (native)",
        "has thread-local storage, which a kernel-mode driver does not get",
        "has delay imports, which dirql does not resolve",
    )


def test_what_the_file_does_not_hold_of_a_section_reads_zero(pe: ModuleType) -> None:
    data = bytearray(pe.build([pe.CODE, (".data", b"\xaa" * 0x200, pe.R | pe.W)]))
    data[pe.TABLE + 40 + 8 : pe.TABLE + 40 + 12] = pack("<I", 0x1000)
    pages = Image.from_bytes(bytes(data), "nic.sys").laid_out(pe.BASE)
    assert pages[0x2000:0x3000] == b"\xaa" * 0x200 + bytes(0xE00)


def test_a_compiled_driver_is_read_whole(compiled: Image) -> None:
    sections = {section.name: section for section in compiled.sections}
    assert [str(i) for i in compiled.imports] == ["ntoskrnl.exe!DbgPrint"]
    assert sections["PAGE"].pageable and sections["INIT"].discardable and sections[".text"].executable
    assert compiled.code_view is not None and compiled.code_view.pdb.endswith("small.pdb")
    assert compiled.exceptions is not None and compiled.exceptions.size >= 12 and not compiled.notes


def test_a_compiled_drivers_pointers_move_with_it(compiled: Image) -> None:
    pages = compiled.laid_out(HIGH)
    words = [unpack_from("<Q", pages, r.rva)[0] - HIGH for r in compiled.relocations]
    assert sorted(bytes(pages[w : pages.index(0, w)]) for w in words) == [b"none", b"one", b"two"]
