"""Files that hold configuration space: what is read from them, and what is said about those that are damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dirql.errors import InputError, UsageError
from dirql.pci.dumps import BarRegister, Dump, bar_registers, load
from dirql.pci.inspect import decode

EXAMPLES = Path(__file__).parents[2] / "examples" / "dumps"
AGAIN = "take it again, as root: lspci -xxxx"


def config(size: int = 256, *, bars: tuple[int, ...] = (0xFEBF0000,)) -> bytes:
    """A function of the test's own without capabilities; byte i past the header is i."""
    image = bytearray(i & 0xFF for i in range(size))
    image[:0x40] = bytes(0x40)
    image[0:4] = (0x0001_1234).to_bytes(4, "little")
    image[0x0A:0x0C] = b"\x00\x02"
    for index, bar in enumerate(bars):
        image[0x10 + 4 * index : 0x14 + 4 * index] = bar.to_bytes(4, "little")
    return bytes(image)


def rows(image: bytes) -> list[str]:
    return [f"{at:02x}: {image[at : at + 16].hex(' ')}" for at in range(0, len(image), 16)]


def listing(image: bytes, address: str = "01:00.0") -> str:
    return "\n".join([f"{address} Ethernet controller: Device 1234:0001", *rows(image)]) + "\n"


def saved(folder: Path, content: str | bytes, name: str = "card.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("size", [64, 256, 4096])
def test_lspci_text_gives_the_bytes_that_were_printed(tmp_path: Path, size: int) -> None:
    (dump,) = load(saved(tmp_path, listing(config(size))))
    assert (dump.address, dump.config, dump.rows[:2]) == ("0000:01:00.0", config(size), (2, 3))


@pytest.mark.parametrize("size", [64, 256, 4096])
def test_a_raw_file_is_configuration_space_itself(tmp_path: Path, size: int) -> None:
    (dump,) = load(saved(tmp_path, config(size), "card.bin"))
    assert (dump.address, dump.config, dump.bar_sizes, dump.rows) == ("0000:00:00.0", config(size), {}, ())


def test_a_raw_file_of_ones_is_not_taken_for_utf_16(tmp_path: Path) -> None:
    (dump,) = load(saved(tmp_path, b"\xff" * 256))
    assert dump.config == b"\xff" * 256


@pytest.mark.parametrize("address, whole", [
    ("01:00.0", "0000:01:00.0"), ("0002:3f:1f.7", "0002:3f:1f.7"), ("10000:e1:00.0", "10000:e1:00.0"),
    ("AB:0C.1", "0000:ab:0c.1"),
])  # fmt: skip
def test_an_address_may_carry_a_domain(tmp_path: Path, address: str, whole: str) -> None:
    (dump,) = load(saved(tmp_path, listing(config(), address)))
    assert dump.address == whole


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_may_come_from_any_system(tmp_path: Path, newline: str, encoding: str) -> None:
    path = saved(tmp_path, listing(config()).replace("\n", newline).encode(encoding))
    assert load(path)[0].config == config()


def test_lspci_text_of_4096_characters_is_still_text(tmp_path: Path) -> None:
    text = listing(config())
    (dump,) = load(saved(tmp_path, text + "\n" * (4096 - len(text))))
    assert dump.config == config()


def test_functions_keep_the_order_of_the_file(tmp_path: Path) -> None:
    text = "\n".join(listing(config(256, bars=(n << 12,)), f"00:{n:02x}.0") for n in range(1, 9))
    dumps = load(saved(tmp_path, text))
    assert [(d.address, d.config[0x11]) for d in dumps] == [(f"0000:00:{n:02x}.0", n << 4) for n in range(1, 9)]


def test_sizes_come_from_the_lines_of_verbose_output(tmp_path: Path) -> None:
    head, *bytes_ = listing(config(bars=(0xFEBF0000, 0xC001, 0xFE00000C, 0))).splitlines()
    prose = ["\tRegion 0: Memory at febf0000 (32-bit, non-prefetchable) [size=64K]",
             "\tI/O ports at c000 [size=32]",
             "\tMemory at fe000000 (64-bit, prefetchable) [disabled] [size=16M]",
             "\tExpansion ROM at fe400000 [disabled] [size=256K]",
             "\tCapabilities: [160] Single Root I/O Virtualization (SR-IOV)",
             "\t\tRegion 3: Memory at 00000000d2840000 (64-bit, non-prefetchable) [size=4K]"]  # fmt: skip
    (dump,) = load(saved(tmp_path, "\n".join([head, *prose, *bytes_])))
    assert dump.bar_sizes == {0: 0x10000, 1: 32, 2: 16 << 20}


def test_sysfs_tells_address_and_sizes(tmp_path: Path) -> None:
    folder = tmp_path / "0000:03:00.1"
    folder.mkdir()
    saved(folder, config(), "config")
    lines = ["0xfebf0000 0xfebfffff 0x40200", *["0x0 0x0 0x0"] * 2, "0xc000 0xc01f 0x40101", *["0x0 0x0 0x0"] * 9, ""]
    saved(folder, "\n".join(lines), "resource")
    from_folder, from_file = load(folder)[0], load(folder / "config")[0]
    assert (from_folder.address, from_folder.bar_sizes) == ("0000:03:00.1", {0: 0x10000, 3: 0x20})
    assert from_folder == from_file


@pytest.mark.parametrize("line, problem", [
    ("0x1000 0x1fff", "'0x1000 0x1fff' is not three hexadecimal numbers"),
    ("0x1000 0x1ffe 0x200", "0x1000 to 0x1ffe is 0xfff bytes, no power of two of 4 or more"),
    ("0x1000 0xfff 0x200", "0x1000 to 0xfff is 0x0 bytes, no power of two of 4 or more"),
])  # fmt: skip
def test_a_damaged_resource_file_is_refused(tmp_path: Path, line: str, problem: str) -> None:
    saved(tmp_path, config(), "config")
    path = saved(tmp_path, f"0x0 0x0 0x0\n{line}\n", "resource")
    with pytest.raises(InputError) as caught:
        load(tmp_path / "config")
    assert str(caught.value) == f"{path}:2: {problem}; each line is: start end flags, as in sysfs"


def damaged(edit: str) -> tuple[str, str]:
    """A text with one thing wrong, and what must be said about it after the file's name."""
    lines = listing(config()).splitlines()
    match edit:
        case "cut after a row":
            del lines[9:]
            return "\n".join(lines), f"9: 0000:01:00.0 is cut at offset 0x80; whole is 0x40, 0x100 or 0x1000 bytes; {AGAIN}"
        case "cut inside a row":
            lines[9:] = [lines[9][:18]]
            return "\n".join(lines), f"10: the row at offset 0x80 of 0000:01:00.0 holds 5 bytes, not 16; {AGAIN}"
        case "cut inside a byte":
            lines[9:] = [lines[9][:17]]
            return "\n".join(lines), f"10: '8' at offset 0x84 of 0000:01:00.0 is no byte (two hex digits); {AGAIN}"
        case "a row is missing":
            del lines[4]
            return "\n".join(lines), f"5: offset 0x40 of 0000:01:00.0 is out of place: 0x30 comes next; {AGAIN}"
        case "a row comes twice":
            lines.insert(3, lines[3])
            return "\n".join(lines), f"5: offset 0x20 of 0000:01:00.0 is out of place: 0x30 comes next; {AGAIN}"
        case "a bad digit":
            lines[2] = lines[2].replace("fe", "fg")
            return "\n".join(lines), f"3: 'fg' at offset 0x13 of 0000:01:00.0 is no byte (two hex digits); {AGAIN}"
        case "no address":
            del lines[0]
            return "\n".join(lines), ("1: offset 0x0 comes before any function's address; "
                                      "each function starts with a line such as 01:00.0 Ethernet controller")  # fmt: skip
        case "an address only":
            return lines[0] + "\n", f"1: 0000:01:00.0 comes without configuration bytes; {AGAIN}"
        case "too much":
            more = [*lines[:1], *rows(bytes(4096)), "1000: " + "00 " * 16]
            limit = "configuration space ends at 0x1000"
            return "\n".join(more), f"258: offset 0x1000 of 0000:01:00.0 is out of place: {limit}; {AGAIN}"
        case "a device that cannot be":
            return "01:20.0 Ethernet controller\n", f"1: device 0x20 in 01:20.0 is above 0x1f; {AGAIN}"
        case "a function that cannot be":
            return "01:00.8 Ethernet controller\n", f"1: function 0x8 in 01:00.8 is above 7; {AGAIN}"
        case "a size that cannot be":
            lines.insert(1, "\tRegion 0: Memory at febf0000 (32-bit, non-prefetchable) [size=48K]")
            return "\n".join(lines), f"2: size 0xc000 of a BAR of 0000:01:00.0 is no power of two; {AGAIN}"
    raise AssertionError(edit)


@pytest.mark.parametrize("edit", [
    "cut after a row", "cut inside a row", "cut inside a byte", "a row is missing", "a row comes twice", "a bad digit",
    "no address", "an address only", "too much", "a device that cannot be", "a function that cannot be", "a size that cannot be",
])  # fmt: skip
def test_damaged_text_is_refused_at_its_line(tmp_path: Path, edit: str) -> None:
    text, expected = damaged(edit)
    path = saved(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load(path)
    assert str(caught.value) == f"{path}:{expected}"


@pytest.mark.parametrize("content, problem", [
    (b"", "is 0 bytes long; raw configuration space is 64, 256 or 4096 bytes; or give the text of lspci -xxxx"),
    (bytes(100), "is 100 bytes long; raw configuration space is 64, 256 or 4096 bytes; or give the text of lspci -xxxx"),
    (b"hello\n", "holds no PCI function; give the text of lspci -xxxx, or a raw file of 64, 256 or 4096 bytes"),
])  # fmt: skip
def test_what_is_no_dump_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(InputError) as caught:
        load(path)
    assert str(caught.value) == f"{path}: {problem}"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path / "none.txt")
    assert str(caught.value) == f"{tmp_path / 'none.txt'}: No such file or directory; name a file that can be read"


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long"
    with path.open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(InputError) as caught:
        load(path)
    assert str(caught.value) == f"{path}: is longer than 0x1000000 bytes; a dump of one machine is smaller; cut it into parts"


@pytest.mark.parametrize("bars, found", [
    ((0xFEBF0000,), [BarRegister(0, "memory32", 0xFEBF0000, False)]),
    ((0xFEBF0008,), [BarRegister(0, "memory32", 0xFEBF0000, True)]),
    ((0x0000000C, 0x80), [BarRegister(0, "memory64", 0x80_0000_0000, True)]),
    ((0x00000004, 0), [BarRegister(0, "memory64", 0, False)]),
    ((0, 0xC001), [BarRegister(1, "io", 0xC000, False)]),
    ((0, 0, 0, 0, 0, 0xF0000004), [BarRegister(5, "memory32", 0xF0000000, False)]),
    ((0, 0, 0, 0, 0, 0), []),
])  # fmt: skip
def test_bars_are_read_from_their_registers(bars: tuple[int, ...], found: list[BarRegister]) -> None:
    assert list(bar_registers(config(64, bars=bars))) == found


@pytest.mark.parametrize("sizes, problem", [
    ({6: 0x1000}, "BAR 6 does not exist: a function has BAR 0 to 5"),
    ({0: 0x1800}, "size 0x1800 of BAR 0 must be a power of two, 0x10 or more"),
    ({0: 0}, "size 0x0 of BAR 0 must be a power of two, 0x10 or more"),
    ({1: 2}, "size 0x2 of BAR 1 must be a power of two, 0x4 or more"),
])  # fmt: skip
def test_a_size_that_no_bar_can_have_is_refused(sizes: dict[int, int], problem: str) -> None:
    dump = Dump("card", "0000:01:00.0", config(bars=(0xFEBF0000, 0xC001)))
    with pytest.raises(UsageError) as caught:
        dump.sized(sizes)
    assert str(caught.value) == problem


def test_sizes_that_somebody_tells_win() -> None:
    dump = Dump("card", "0000:01:00.0", config(), {0: 0x1000, 1: 0x10}).sized({0: 0x2000})
    assert dump.bar_sizes == {0: 0x2000, 1: 0x10}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.txt")), ids=lambda p: p.stem)
def test_every_dump_of_the_repository_is_read(path: Path) -> None:
    dumps = load(path)
    assert {"0000:01:00.0", "0000:02:00.0", "0000:03:00.0"} <= {dump.address for dump in dumps}


def survives(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        for dump in load(path):
            decode(dump)
    except InputError as error:
        assert "\n" not in str(error)
        assert str(error).startswith(str(path))


@given(content=st.binary(max_size=300) | st.binary(min_size=64, max_size=64) | st.binary(min_size=256, max_size=256))
@example(content=b"\xff\xfe")
@example(content=b"\xff\xfe01:00.0 ")
def test_any_bytes_give_dumps_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    survives(tmp_path_factory.getbasetemp() / "any_bytes", content)


LINES = st.one_of(
    st.sampled_from([*listing(config()).splitlines(), "01:00.0 x", "00: " + "ff " * 16, ""]),
    st.just("\tRegion 0: Memory at 0 (x) [size=4K]"),
    st.text(alphabet="0123456789abcdef:. \t\rRegion[]=K", max_size=60),
)


@settings(max_examples=25)
@given(lines=st.lists(LINES, max_size=20))
def test_any_lines_give_dumps_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    survives(tmp_path_factory.getbasetemp() / "any_lines", "\n".join(lines).encode())


@settings(max_examples=25)
@given(edits=st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=8), capable=st.booleans())
def test_any_change_of_a_dump_gives_a_view_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, int]], capable: bool
) -> None:
    image = bytearray(load(EXAMPLES / "qemu-e1000e-nvme.txt")[0].config)
    for at, value in edits:
        image[at] = value
    image[6] = image[6] & ~0x10 | capable << 4
    survives(tmp_path_factory.getbasetemp() / "any_change", bytes(image))
