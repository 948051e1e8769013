"""Rules of a device: its registers, its power, the registers that are the bus driver's."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf
from dirql.pci.spec import CapabilityId
from dirql.pnp import GUID_BUS_INTERFACE_STANDARD, GUID_MSIX_TABLE_CONFIG_INTERFACE, PCI_WHICHSPACE_CONFIG

MS = 1_000_000
IDLE = wdf.S0IdleSettings(idle_timeout=10)
COMMAND, TABLE_BAR = 0x04, 4
MASKED = 1


def told(w: Any, rule: str) -> list[tuple[str, str]]:
    """(level, sentence) of each finding of that rule."""
    return [(f.level, f.sentence) for f in w.system.findings if f.rule == rule]


def read(w: Any) -> Any:
    return w.device.registers.read_register_ulong(0)


# Registers of a device that cannot answer.


def asleep(World: Any, **world: Any) -> Any:
    """Started, and in D3 since."""
    w = World(idle=IDLE, **world).started()
    w.call(lambda: w.device.stop_idle(True))
    w.kernel.dispatcher.create(lambda _: w.device.resume_idle(), None, "user")
    w.system.run(for_ns=12 * MS)
    assert w.device.power.state == wdf.PowerDeviceState.D3
    return w


def test_a_register_that_is_read_in_d3_is_a_finding(World: Any) -> None:
    w = asleep(World)
    assert w.call(read, w) == w.call(read, w) == 0xFFFF_FFFF
    state = "which is in D3: reads give all ones, writes are lost"
    remedy = "touch it between EvtDeviceD0Entry and EvtDeviceD0Exit"
    assert told(w, "access-in-dx") == [("error", f"access of 4 bytes to BAR0+0x0 of MultiQueue, {state}; {remedy}")]
    assert [f.rule for f in w.system.findings] == ["access-in-dx"]


@pytest.mark.parametrize("callback", ["D0Entry", "PostInterruptsEnabled", ("Enable", 0), ("Disable", 0), "D0Exit"])
def test_registers_may_be_touched_from_d0_entry_to_d0_exit(World: Any, callback: Any) -> None:
    w = asleep(World)
    w.during(callback, lambda *_: read(w) and None)
    w.call(lambda: w.device.stop_idle(True))
    w.system.remove(w.card)
    assert w.findings == []


def test_a_device_that_is_awake_again_may_be_touched_again(World: Any) -> None:
    w = asleep(World)
    w.call(read, w)
    w.call(lambda: w.device.stop_idle(True))
    assert w.call(read, w) != 0xFFFF_FFFF
    assert [f.count for f in w.system.findings] == [1]


@pytest.mark.parametrize("write", [False, True])
def test_an_access_with_memory_decoding_off_is_a_finding(World: Any, write: bool) -> None:
    w = World().started()
    bus = w.call(lambda: w.device.query_for_interface(GUID_BUS_INTERFACE_STANDARD))
    w.call(lambda: bus.set_bus_data(PCI_WHICHSPACE_CONFIG, COMMAND, b"\4\4"))
    w.call(lambda: w.device.registers.write_register_ulong(0, 0) if write else read(w))
    state = "whose Command register has memory decoding off: reads give all ones, writes are lost"
    sentence = f"access of 4 bytes to BAR0+0x0 of MultiQueue, {state}; a reset or a stop did that"
    assert told(w, "access-without-decoding") == [("error", sentence)]


def test_an_address_that_no_bar_has_is_a_finding_once(World: Any) -> None:
    w = World().started()
    nowhere = w.call(lambda: w.kernel.mm_map_io_space(0x1000_0000, 16))
    for _ in range(3):
        assert w.call(lambda: nowhere.read_register_ulong(0)) == 0xFFFF_FFFF
    where = "access of 4 bytes at physical address 0x10000000, where no BAR is"
    assert w.findings == [
        ("access-without-decoding", f"{where}: reads give all ones, writes are lost; a reset clears the BARs")
    ]  # fmt: skip


@pytest.mark.parametrize("surprise", [False, True])
def test_a_register_that_is_touched_after_release_hardware_is_a_finding(World: Any, surprise: bool) -> None:
    w = World()
    kept: list[Any] = []
    w.during("PrepareHardware", lambda raw, translated: kept.append(w.kernel.mm_map_io_space(w.device.registers.start, 16)))
    w.during("SmIoFlush", lambda: kept[0].read_register_ulong(0) and None)
    w.started()
    (w.system.surprise_remove if surprise else w.system.remove)(w.card)
    said = "access of 4 bytes to BAR0+0x0 of MultiQueue after EvtDeviceReleaseHardware"
    assert told(w, "access-after-release") == [("error", f"{said}; unmap there what PrepareHardware mapped")]


def test_a_driver_that_reads_a_card_pulled_out_before_it_is_told_is_not_to_blame(World: Any) -> None:
    w = World().started()
    w.system.node(w.card).port.remove()
    assert w.call(read, w) == 0xFFFF_FFFF
    assert w.findings == []


@pytest.mark.parametrize("callback", [("Disable", 0), "D0Exit"])
def test_what_a_driver_switches_off_in_any_case_may_be_gone(World: Any, callback: Any) -> None:
    w = World()
    w.during(callback, lambda *_: read(w) and None)
    w.started()
    w.system.surprise_remove(w.card)
    assert w.findings == []


@pytest.mark.parametrize("callback", ["SurpriseRemoval", "ReleaseHardware"])
def test_a_driver_that_reads_a_card_of_which_it_knows_that_it_is_gone_is_advised(World: Any, callback: Any) -> None:
    w = World()
    w.during(callback, lambda *_: read(w) and None)
    w.started()
    w.system.surprise_remove(w.card)
    state = "which was pulled out: reads give all ones, writes are lost; keep in EvtDeviceSurpriseRemoval that it is gone"
    assert told(w, "access-after-removal") == [("advice", f"access of 4 bytes to BAR0+0x0 of MultiQueue, {state}")]


# Message registers.


def mapped_table(w: Any) -> Any:
    return w.call(lambda: w.kernel.mm_map_io_space(w.system.node(w.card).grant.bars[TABLE_BAR], 0x1000))


@pytest.mark.parametrize(("offset", "what"), [(0x0C, "MSI-X table"), (0x2C, "MSI-X table"), (0x800, "MSI-X Pending Bit Array")])
def test_a_driver_that_writes_the_table_is_told_whose_it_is(World: Any, offset: int, what: str) -> None:
    w = World().started()
    table = mapped_table(w)
    w.call(lambda: table.write_register_ulong(offset, MASKED))
    said = f"write of 4 bytes to the {what} of MultiQueue, BAR4+{offset:#x}: that is the bus driver's"
    routines = "SetTableEntry, MaskTableEntry or UnmaskTableEntry of GUID_MSIX_TABLE_CONFIG_INTERFACE"
    assert told(w, "table-written-by-driver") == [("error", f"{said}; use {routines}")]


def test_each_write_to_the_table_counts_also_after_a_read(World: Any) -> None:
    w = World().started()
    table = mapped_table(w)
    w.call(lambda: [table.read_register_ulong(0x0C), *(table.write_register_ulong(0x0C, MASKED) for _ in range(3))])
    assert [(f.rule, f.count) for f in w.system.findings] == [("table-written-by-driver", 3)]


def test_reading_the_table_and_writing_beside_it_are_no_mistakes(World: Any) -> None:
    w = World().started()
    table = mapped_table(w)
    w.call(lambda: [table.read_register_ulong(0x0C), table.write_register_ulong(0x100, 1), table.read_register_ulong(0x800)])
    assert w.findings == []


def test_the_bus_drivers_own_interface_is_the_way(World: Any) -> None:
    w = World().started()
    config = w.call(lambda: w.device.query_for_interface(GUID_MSIX_TABLE_CONFIG_INTERFACE))
    w.call(lambda: [config.mask_table_entry(0), config.set_table_entry(0, 1), config.unmask_table_entry(0)])
    assert w.findings == []


@pytest.mark.parametrize("changed", [False, True])
def test_a_message_capability_is_not_a_drivers_to_change(World: Any, changed: bool) -> None:
    w = World().started()
    at = next(link.offset for link in w.card.endpoint.config.capabilities() if link.id == CapabilityId.MSI_X)
    control = w.card.config_read(at + 2, 2) ^ (0x4000 if changed else 0)
    bus = w.call(lambda: w.device.query_for_interface(GUID_BUS_INTERFACE_STANDARD))
    w.call(lambda: bus.set_bus_data(PCI_WHICHSPACE_CONFIG, at + 2, control.to_bytes(2, "little")))
    said = f"SetBusData writes {control:#x} to {at + 2:#x}, which is the MSI-X capability of MultiQueue"
    how = "ask for other messages by the INF, or by GUID_MSIX_TABLE_CONFIG_INTERFACE"
    expected = [("error", f"{said}: that is the bus driver's; {how}")] if changed else []
    assert told(w, "table-written-by-driver") == expected


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        ("reset", "MSI-X Enable is 0"),
        ("mask", "table entry 1 is masked"),
        ("address", "table entry 1 holds the message 0x12340000, "),
    ],
)
def test_a_reset_that_costs_a_message_is_told(World: Any, damage: str, lost: str) -> None:
    w = World().started()
    if damage == "reset":
        w.card.endpoint.function_level_reset()
    elif damage == "mask":
        w.card.bar_write(TABLE_BAR, 0x1C, 4, MASKED)
    else:
        w.card.bar_write(TABLE_BAR, 0x10, 4, 0x1234_0000)
    assert w.findings == []
    w.fire(1)
    ((level, sentence),) = told(w, "table-lost")
    said = f"MultiQueue lost what the bus driver programmed, and a message with it: {lost}"
    assert level == "error" and sentence.startswith(said)
    remedy = "leave a reset that clears these registers to the bus driver (GUID_DEVICE_RESET_INTERFACE_STANDARD)"
    assert sentence.endswith(f"; {remedy}")


def test_a_reset_that_costs_no_message_is_not_told(World: Any) -> None:
    w = World().started()
    w.card.endpoint.function_level_reset()
    w.system.remove(w.card)
    assert w.findings == []


@pytest.mark.parametrize("masked", [False, True])
def test_a_message_held_back_by_the_drivers_own_mask_is_not_lost(World: Any, masked: bool) -> None:
    w = World().started()
    config = w.call(lambda: w.device.query_for_interface(GUID_MSIX_TABLE_CONFIG_INTERFACE))
    w.call(lambda: config.mask_table_entry(1) if masked else 0)
    w.fire(1, 1)
    w.system.remove(w.card)
    assert w.findings == []
