"""Images that are damaged or made to harm, put into a guest: loaded within their own pages, or refused in one line."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from struct import pack
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.image import Image, ImageError
from dirql.hosts.sys.load import declare_routines
from dirql.hosts.sys.loader import discard_init, load_image
from dirql.hosts.sys.page_table import Rights
from dirql.machine.memory import PAGE_SIZE
from dirql.system import System

CODE = b"\x0f\x01\xf9\x0f\xc7\xf0\x44\x0f\x22\xc0\xf4\xcd\x29\xfa\xe6\x80\xc3" * 8  # what is trapped at load: rdtscp, rdrand, …


@pytest.fixture(scope="session")
def whole() -> bytes:
    """A file to damage: what is trapped, in code that stays, is pageable and is discarded; every table that the loader reads."""
    spec = spec_from_file_location("image_builder", Path(__file__).with_name("image_builder.py"))
    assert spec is not None and spec.loader is not None
    pe: ModuleType = module_from_spec(spec)
    spec.loader.exec_module(pe)
    functions = b"".join(pack("<III", at, at + 0x11, 0x2000) for at in range(0x1000, 0x1080, 0x11))
    tables = {
        pe.IMPORT: pe.imports(0x4000, {"ntoskrnl.exe": ["DbgPrint", 7, "KdDebuggerEnabled", "NoSuchName"], "ndis.sys": [1]}),
        pe.RELOCATION: pe.block(0x1000, (10, 0), (3, 8), (0, 0)),
        pe.EXCEPTION: functions,
        pe.LOAD_CONFIG: pack("<I", 112) + bytes(84) + pack("<Q", pe.BASE + 0x7008) + bytes(16),
    }
    places = {index: (0x4000 + 0x1000 * number, len(table)) for number, (index, table) in enumerate(tables.items())}
    code = [(".text", CODE, pe.R | pe.X), ("PAGE", CODE, pe.R | pe.X), ("INIT", CODE, pe.R | pe.W | pe.X | pe.DISCARDABLE)]
    data: bytes = pe.build([*code, *((f"s{index}", table, pe.R | pe.W) for index, table in tables.items())], places)
    return data


def guest() -> Guest:
    """With 2 MiB of RAM."""
    declare_routines()
    system = System(1, memory=2 << 20)
    return Guest(system.kernel, system.framework)


def load(data: bytes, into: Guest) -> None:
    """Load it as the driver's host does; ImageError says in one line why not."""
    image = Image.from_bytes(data, "nic.sys")
    loaded = load_image(into, image)
    rights = [into.pages.translate(loaded.base + at, Rights.READ) for at in range(0, image.size, PAGE_SIZE)]
    assert None not in rights
    discard_init(into, loaded)
    covered, blocks = loaded.coverage([(loaded.entry, 1)])
    assert 0 <= covered <= blocks


def test_the_file_to_damage_is_loaded_and_its_code_is_trapped(whole: bytes) -> None:
    load(whole, guest())


@settings(max_examples=15)
@given(draw=st.data())
def test_whatever_is_done_to_an_image_it_is_loaded_or_refused(whole: bytes, draw: Any) -> None:
    data = bytearray(whole)
    places = st.one_of(st.integers(0x40, 0x2FF), st.integers(0, len(data) - 1))
    words = st.sampled_from([0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x1000, 0x2000]).map(lambda word: pack("<I", word))
    for place, value in draw.draw(st.lists(st.tuples(places, st.one_of(words, st.binary(min_size=1, max_size=8))), max_size=6)):
        data[place : place + len(value)] = value
    try:
        load(bytes(data), guest())
    except ImageError as refused:
        assert "\n" not in str(refused) and str(refused).startswith("nic.sys:")
