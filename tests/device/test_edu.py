"""QEMU's teaching device, by its register description."""

from __future__ import annotations

from math import factorial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.device.models.edu import BUFFER, Edu
from dirql.scenario.dump_choice import functions_of

ONES = 0xFFFF_FFFF


def test_the_identification_is_1_0_ed(plug: Any) -> None:
    rig = plug(Edu())
    assert (rig.get("identification"), rig.device.bar_size(0)) == (0x0100_00ED, 1 << 20)
    assert rig.device.config_read(0, 4) == 0x11E8_1234


@pytest.mark.parametrize("value", [0, 1, 0x1234_5678, ONES])
def test_the_liveness_check_answers_the_complement(plug: Any, value: int) -> None:
    rig = plug(Edu())
    rig.put("liveness", value)
    assert rig.get("liveness") == value ^ ONES


@pytest.mark.parametrize("n", [0, 1, 5, 12, 13, 33, 34, 35, ONES])
def test_the_factorial_replaces_its_argument_when_it_is_done(plug: Any, n: int) -> None:
    rig = plug(Edu())
    rig.put("factorial", n)
    assert rig.get("status") == 1
    rig.run()
    assert (rig.get("status"), rig.get("factorial")) == (0, factorial(min(n, 40)) & ONES)


def test_a_busy_factorial_unit_ignores_another_argument(plug: Any) -> None:
    rig = plug(Edu())
    rig.put("factorial", 5)
    rig.put("factorial", 6)
    rig.run()
    assert rig.get("factorial") == 120


def test_the_computing_bit_is_read_only(plug: Any) -> None:
    rig = plug(Edu())
    rig.put("status", ONES)
    assert rig.get("status") == 0x80


@pytest.mark.parametrize("asked", [False, True])
def test_a_factorial_interrupts_only_when_asked_to(plug: Any, asked: bool) -> None:
    rig = plug(Edu())
    rig.enable_msi()
    rig.put("status", 0x80 * asked)
    rig.put("factorial", 3)
    rig.run()
    assert (rig.get("interrupt"), rig.take("message")) == (int(asked), [0] * asked)


def test_the_line_is_up_until_every_reason_is_acknowledged(plug: Any) -> None:
    rig = plug(Edu(msi=False))
    rig.put("raised", 0x5)
    rig.put("raised", 0x8)
    assert (rig.get("interrupt"), rig.get("raised"), rig.take("line")) == (0xD, 0, [True])
    rig.put("acknowledge", 0x5)
    assert (rig.get("interrupt"), rig.take("line")) == (0x8, [])
    assert rig.device.unserved() == ["interrupt status 0x8 not acknowledged"]
    rig.put("acknowledge", 0x8)
    assert (rig.take("line"), rig.device.unserved()) == ([False], [])


def test_every_raise_is_a_message_of_its_own(plug: Any) -> None:
    rig = plug(Edu())
    rig.enable_msi()
    rig.put("raised", 1)
    rig.put("raised", 1)
    assert (rig.take("message"), rig.take("line")) == ([0, 0], [])


def transfer(rig: Any, source: int, destination: int, count: int, command: int) -> None:
    for name, value in (("source", source), ("destination", destination), ("count", count), ("command", command)):
        rig.put(name, value)
    assert rig.get("command") == command
    rig.run()
    assert rig.get("command") == command & ~1


def test_dma_carries_bytes_to_the_buffer_and_back(plug: Any) -> None:
    rig = plug(Edu())
    rig.enable_msi()
    rig.host.ram[0x1000:0x1004] = b"dirq"
    transfer(rig, 0x1000, BUFFER + 4092, 4, 0b001)
    assert rig.take("message") == []
    transfer(rig, BUFFER + 4092, 0x2000, 4, 0b111)
    assert rig.host.posted == [("dma", 0x2000, b"dirq"), ("message", 0)]
    assert rig.get("interrupt") == 0x100


@pytest.mark.parametrize(("start", "count"), [(BUFFER - 1, 1), (BUFFER + 4095, 2), (0, 4), (BUFFER, 1 << 63)])
def test_a_transfer_that_leaves_the_buffer_is_not_done_and_noted(plug: Any, start: int, count: int) -> None:
    rig = plug(Edu())
    transfer(rig, start, 0x2000, count, 0b011)
    assert rig.host.posted == []
    detail = {"start": start, "count": count, "buffer": BUFFER, "size": 4096}
    assert rig.host.notes == [("DMA outside the device's buffer", detail)]


def test_an_address_beyond_28_bits_is_clamped_and_noted(plug: Any) -> None:
    rig = plug(Edu())
    transfer(rig, BUFFER, 0x1_0000_2000, 2, 0b011)
    assert rig.take("dma") == [(0x2000, b"\0\0")]
    assert rig.host.notes == [("DMA address beyond the mask", {"address": 0x1_0000_2000, "mask": 0x0FFF_FFFF})]


@pytest.mark.parametrize(("offset", "size", "answered"), [
    (0x00, 4, True), (0x00, 1, False), (0x00, 2, False), (0x00, 8, False), (0x04, 8, False), (0x0C, 4, False),
    (0x80, 4, True), (0x80, 8, True), (0x84, 4, True), (0x80, 2, False), (0xA0, 4, False), (0xFFFF8, 8, False),
])  # fmt: skip
def test_only_accesses_of_the_documented_widths_are_answered(plug: Any, offset: int, size: int, answered: bool) -> None:
    rig = plug(Edu())
    value = rig.device.bar_read(0, offset, size)
    assert (value != (1 << 8 * size) - 1) is answered
    assert bool(rig.host.notes) is not answered


def test_a_reset_stops_the_units_and_clears_the_buffer(plug: Any) -> None:
    rig = plug(Edu())
    rig.device.buffer[:4] = b"dirq"
    rig.put("status", 0x80)
    rig.put("factorial", 5)
    rig.put("raised", 1)
    rig.device.reset()
    rig.power_up()
    rig.run()
    assert (rig.get("status"), rig.get("factorial"), rig.get("interrupt"), rig.device.buffer[:4]) == (0, 0, 0, bytes(4))
    assert rig.take("line") == [True, False]


@given(st.lists(st.tuples(
    st.sampled_from([1, 2, 4, 8]), st.one_of(st.integers(0, 0xA8), st.integers(0, (1 << 20) - 1)),
    st.one_of(st.none(), st.integers(0, 0x200), st.integers(0, (1 << 64) - 1)),
), max_size=20))  # fmt: skip
def test_no_register_access_makes_edu_raise(plug: Any, accesses: list[tuple[int, int, int | None]]) -> None:
    rig = plug(Edu())
    rig.enable_msi()
    for size, offset, value in accesses:
        if value is None:
            assert 0 <= rig.device.bar_read(0, offset, size) < 1 << 8 * size
        else:
            rig.device.bar_write(0, offset, size, value & ((1 << 8 * size) - 1))
    rig.run()
    assert all(fate.balanced for fate in rig.device.fates)


def test_both_units_share_the_one_message(plug: Any) -> None:
    rig = plug(Edu())
    assert rig.device.served_by() == {0: ["factorial", "DMA"]}


DUMP = Path(__file__).parents[2] / "examples" / "dumps" / "qemu-e1000e-nvme.txt"
SET_BY_SOFTWARE = {
    0x04: (2, 0x0103, "Command: decoding, SERR#"),
    0x10: (4, 0xFDE0_0000, "BAR 0: where it was put"),
    0x3C: (1, 0x0B, "Interrupt Line: what the firmware wrote"),
}  # offset → (bytes, value, why it differs from the reset value)


def test_configuration_space_is_that_of_qemus_device_but_for_what_software_wrote() -> None:
    (dump,) = functions_of(str(DUMP), "03:00.0")
    edu = Edu()
    excepted = {at + byte for at, (size, _, _) in SET_BY_SOFTWARE.items() for byte in range(size)}
    assert {at for at, byte in enumerate(dump.config) if edu.config_read(at, 1) != byte} <= excepted
    for at, (size, value, _) in SET_BY_SOFTWARE.items():
        edu.config_write(at, size, value)
    assert bytes(edu.config_read(at, 1) for at in range(len(dump.config))) == dump.config
