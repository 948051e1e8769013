"""How much of an image is looked at: counted, since a time says nothing about another machine; and images that are damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from struct import pack
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dirql.check import check_image
from dirql.check.binding import find_bindings
from dirql.check.code import Code
from dirql.check.flow import MOST_STEPS
from dirql.check.image_check import Search
from dirql.hosts.sys.image import Image, ImageError

# push rsi; mov rsi, rcx; test ecx, ecx; je (over the call); LOAD; mov rcx, [rsp + 0x20]; CALL; arithmetic …; pop rsi; ret
HEAD, LOAD, CALL = b"\x56\x48\x89\xce\x85\xc9\x74\x12", b"\x48\x8b\x05", b"\x48\x8b\x4c\x24\x20\xff\x90"
TAIL = b"\x8b\x44\x24\x10\x39\xc8\x74\x02\x31\xc0\x89\xc2\x48\x63\xc2\x0f\xb6\xc0" * 8 + b"\x5e\xc3\xcc\xcc"


def large(pe: ModuleType, size: int) -> tuple[Image, int]:
    """`size` bytes of functions that call the framework once each; and how many there are."""
    code, table = bytearray(), b""
    count = 0
    while len(code) < size:
        at = 0x4000 + len(code)
        one = HEAD + LOAD + pack("<i", 0x2050 - (at + len(HEAD) + 7)) + CALL + pack("<i", 8 * (count % 400)) + TAIL
        table += pack("<3I", at, at + len(one), 0x3000)
        code += one
        count += 1
    info = pack("<I4xQIIIIQQ", 0x30, pe.BASE + 0x2030, 1, 33, 0, 458, pe.BASE + 0x2050, 0) + "KmdfLibrary\0".encode("utf-16-le")
    sections = [
        ("entry", b"\xc3" * 16, pe.R | pe.X), (".data", info.ljust(0x100, b"\0"), pe.R | pe.W), (".xdata", b"\1\0\0\0", pe.R),
        (".text", bytes(code) + table, pe.R | pe.X),
    ]  # fmt: skip
    return Image.from_bytes(pe.build(sections, {pe.EXCEPTION: (0x4000 + len(code), len(table))}), "large.sys"), count


def test_of_a_large_driver_little_more_is_decoded_than_what_stands_around_its_calls(pe: ModuleType) -> None:
    image, count = large(pe, 500_000)
    code = Code(image)
    search = Search(code, find_bindings(code)[0])
    search.run()
    assert sum(map(len, search.wanted.used.values())) == count
    assert search.wanted.unresolved == {}
    assert search.flow.steps <= 4 * count
    assert code.decoded <= 30 * count < 500_000 // 4


def test_code_without_an_end_is_followed_to_a_limit(pe: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_STEPS <= 2_000_000
    monkeypatch.setattr("dirql.check.flow.MOST_STEPS", 100)
    found = check_image(large(pe, 50_000)[0])
    assert found.unresolved[0][1] == "more than 100 instructions were followed up to here"
    assert len(found.unresolved) <= 100


@pytest.fixture(scope="session")
def image(compiled: Callable[..., Path]) -> bytes:
    """A driver to damage."""
    return compiled("KMDF_VERSION_MINOR=11").read_bytes()


@given(st.data())
@settings(max_examples=60)
def test_a_damaged_image_is_checked_or_refused(image: bytes, data: st.DataObject) -> None:
    damaged = bytearray(image)
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, len(damaged) - 8))
        value = data.draw(st.one_of(st.integers(0, 255), st.sampled_from([0xFFFFFFFF, 0x80000000, 0x1000, 0x30, 0x50])))
        damaged[at : at + 4] = pack("<I", value) if value > 255 else bytes([value]) + damaged[at + 1 : at + 4]
    try:
        check_image(Image.from_bytes(bytes(damaged), "nic.sys")).as_json()
    except ImageError as problem:
        assert "\n" not in str(problem)
