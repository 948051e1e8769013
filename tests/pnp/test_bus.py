"""What pci.sys programs at START, connect, power transitions and STOP, read back from the function."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dirql.ntstatus import STATUS_DEVICE_CONFIGURATION_ERROR, STATUS_INVALID_PARAMETER, STATUS_SUCCESS, StatusError
from dirql.pci import BarSpec, Endpoint, Message
from dirql.pnp import (
    GUID_BUS_INTERFACE_STANDARD,
    GUID_MSIX_TABLE_CONFIG_INTERFACE,
    PCI_WHICHSPACE_CONFIG,
    Arbiter,
    BusDevice,
    BusInterfaceStandard,
    GrantChoice,
    InterruptManagement,
    MsixTableConfig,
    PciBus,
    function_name,
    hardware_ids,
    query_resource_requirements,
)
from dirql.pnp.config import capabilities

Make = Callable[..., Endpoint]
Compose = Callable[[int, int, bool], Message]
MSI, MSIX, PM = 5, 0x11, 1


class World:
    """A function on a bus of a machine with four processors, started under an INF that opts in."""

    def __init__(self, function: Endpoint, compose: Compose, choice: GrantChoice | None = None, *, start: bool = True) -> None:
        self.function, self.arbiter = function, Arbiter(4)
        self.device = PciBus(compose).attach(function)
        self.requirements = query_resource_requirements(function, InterruptManagement(msi_supported=True))
        self.grant = self.arbiter.grant(self.requirements, choice=choice)
        if start:
            self.device.start(self.grant)

    def command(self) -> int:
        return self.function.config_read(4, 2)

    def control(self, capability: int) -> int:
        return self.function.config_read(capabilities(self.function)[capability] + 2, 2)

    def entry(self, index: int) -> tuple[int, int, int]:
        """(address, data, vector control) of a table entry."""
        low, high, data, control = (self.function.bar_read(4, index * 16 + at, 4) for at in (0, 4, 8, 12))
        return high << 32 | low, data, control

    def masks(self) -> str:
        """A letter per entry: M masked, o open."""
        assert self.device.table is not None
        return "".join("oM"[self.entry(i)[2] & 1] for i in range(self.device.table.entries))

    def config(self) -> MsixTableConfig:
        interface = self.device.query_interface(GUID_MSIX_TABLE_CONFIG_INTERFACE)
        assert isinstance(interface, MsixTableConfig)
        return interface


def test_start_programs_every_entry_masked_and_enables_msix(endpoint: Make, compose: Compose) -> None:
    world = World(endpoint(vectors=3), compose)
    assert [world.entry(i) for i in range(3)] == [(0x5_FEE0_1000, 0x51 + i, 1) for i in range(3)]
    assert world.control(MSIX) == 0x8002
    assert world.command() == 0x0406  # memory, bus master, Interrupt Disable


@pytest.mark.parametrize(("granted", "data"), [(1, [0x51] * 4), (2, [0x51, 0x52, 0x51, 0x51]), (4, [0x51, 0x52, 0x53, 0x54])])
def test_entries_beyond_the_grant_raise_message_0(endpoint: Make, compose: Compose, granted: int, data: list[int]) -> None:
    world = World(endpoint(vectors=4), compose, GrantChoice.messages(granted))
    assert [world.entry(i)[1] for i in range(4)] == data


def test_connecting_a_message_unmasks_its_entries_and_disconnecting_masks_them(endpoint: Make, compose: Compose) -> None:
    world = World(endpoint(vectors=4), compose, GrantChoice.messages(2))
    masks = [world.masks()]
    for step, message in (("connected", 1), ("connected", 0), ("disconnected", 1), ("disconnected", 0)):
        getattr(world.device, step)(message)
        masks.append(world.masks())
    assert masks == ["MMMM", "MoMM", "oooo", "oMoo", "MMMM"]


def test_bars_are_programmed_and_decoded(endpoint: Make, compose: Compose) -> None:
    bars = {0: BarSpec(0x1000), 1: BarSpec(0x20, "io"), 2: BarSpec(0x4000, "memory64", prefetchable=True)}
    world = World(endpoint(bars=bars, pin=1), compose)
    assert [world.function.config_read(at, 4) for at in range(0x10, 0x20, 4)] == [0xE0000000, 0x1001, 0x0000000C, 0x80]
    assert world.command() == 0x0007


def test_stop_silences_the_function_and_a_second_start_takes_another_grant(endpoint: Make, compose: Compose) -> None:
    world = World(endpoint(vectors=4), compose)
    world.device.connected(0)
    world.device.stop()
    assert (world.command(), world.control(MSIX) & 0xC000, world.device.grant) == (0, 0, None)
    world.arbiter.release(world.grant)
    world.device.start(world.arbiter.grant(world.requirements, choice=GrantChoice.one()))
    assert ([world.entry(i)[1] for i in range(4)], world.masks()) == ([0x51] * 4, "MMMM")
    world.device.stop()
    world.device.stop()
    assert world.command() == 0


def test_power_down_and_up_restores_config_and_table(endpoint: Make, compose: Compose) -> None:
    world = World(endpoint(vectors=4), compose)
    world.function.config_write(0x3C, 1, 0x42)
    world.device.connected(2)
    before = [world.function.config_read(at, 4) for at in range(0, 0x100, 4)], [world.entry(i) for i in range(4)]
    pmcsr = capabilities(world.function)[PM] + 4
    world.device.set_power(3)
    assert (world.function.config_read(pmcsr, 2) & 3, world.command() & 7) == (3, 0)
    world.device.disconnected(2)
    world.device.connected(2)
    world.device.set_power(0)
    assert ([world.function.config_read(at, 4) for at in range(0, 0x100, 4)], [world.entry(i) for i in range(4)]) == before


def test_connections_made_in_dx_are_programmed_at_d0(endpoint: Make, compose: Compose) -> None:
    world = World(endpoint(vectors=2), compose)
    world.device.connected(0)
    world.device.set_power(3)
    world.device.disconnected(0)
    world.device.connected(1)
    world.device.set_power(0)
    assert world.masks() == "Mo"


def test_a_function_stopped_in_dx_starts_again(endpoint: Make, compose: Compose) -> None:
    world = World(endpoint(vectors=2), compose)
    world.device.set_power(3)
    world.device.stop()
    world.device.start(world.grant)
    assert (world.masks(), world.device.power, world.command()) == ("MM", 0, 0x0406)


def test_msi_is_enabled_by_the_first_connect_and_disabled_after_the_last(endpoint: Make, compose: Compose) -> None:
    world = World(endpoint(messages=4), compose)
    at = capabilities(world.function)[MSI]
    assert [world.function.config_read(at + o, 4) for o in (4, 8)] == [0xFEE01000, 5]
    assert world.function.config_read(at + 12, 2) == 0x54
    enables = [world.control(MSI)]
    for step, message in (("connected", 3), ("connected", 0), ("disconnected", 3), ("disconnected", 0)):
        getattr(world.device, step)(message)
        enables.append(world.control(MSI))
    assert [control & 0x71 for control in enables] == [0x20, 0x21, 0x21, 0x21, 0x20]


@pytest.mark.parametrize("address64", [False, True])
def test_msi_masks_single_messages_where_the_function_can(endpoint: Make, compose: Compose, address64: bool) -> None:
    world = World(endpoint(messages=4, per_vector_mask=True, address64=address64), lambda t, v, lowest: Message(0xFEE01000, v))
    at = capabilities(world.function)[MSI] + (0x10 if address64 else 0x0C)
    masks = [world.function.config_read(at, 4)]
    for message in (1, 3):
        world.device.connected(message)
        masks.append(world.function.config_read(at, 4))
    assert masks == [0b1111, 0b1101, 0b0101]


def test_a_line_leaves_the_message_registers_alone(endpoint: Make, compose: Compose) -> None:
    world = World(endpoint(vectors=2), compose, GrantChoice.line())
    assert (world.command(), world.control(MSIX) & 0xC000, world.device.table) == (0x0006, 0, None)
    assert world.device.query_interface(GUID_MSIX_TABLE_CONFIG_INTERFACE) is None


def test_set_table_entry_aims_and_keeps_the_mask_state(endpoint: Make, compose: Compose) -> None:
    world = World(endpoint(vectors=4), compose, GrantChoice.messages(2))
    world.device.connected(1)
    config = world.config()
    assert config.set_table_entry(3, 1) == STATUS_SUCCESS
    assert ([world.entry(i)[1] for i in range(4)], world.masks()) == ([0x51, 0x52, 0x51, 0x52], "MoMo")
    assert config.set_table_entry(3, 0) == STATUS_SUCCESS
    assert world.masks() == "MoMM"


def test_an_entry_that_the_driver_masked_stays_masked_when_its_message_is_connected(endpoint: Make, compose: Compose) -> None:
    world = World(endpoint(vectors=2), compose)
    config = world.config()
    masks = []
    for step in (
        lambda: config.mask_table_entry(0), lambda: world.device.connected(0), lambda: config.unmask_table_entry(0),
        lambda: config.unmask_table_entry(1), lambda: world.device.connected(1),
    ):  # fmt: skip
        step()
        masks.append(world.masks())
    assert masks == ["MM", "MM", "oM", "oM", "oo"]


@pytest.mark.parametrize("entry", [-1, 4, 2048])
def test_a_bad_entry_is_an_invalid_parameter(endpoint: Make, compose: Compose, entry: int) -> None:
    config = World(endpoint(vectors=4), compose).config()
    statuses = (config.set_table_entry(entry, 0), config.mask_table_entry(entry), config.unmask_table_entry(entry))
    assert (statuses, config.get_table_entry(entry)) == ((STATUS_INVALID_PARAMETER,) * 3, None)


@pytest.mark.parametrize("message", [-1, 2, 4])
def test_a_message_that_was_not_granted_is_an_invalid_parameter(endpoint: Make, compose: Compose, message: int) -> None:
    config = World(endpoint(vectors=4), compose, GrantChoice.messages(2)).config()
    assert config.set_table_entry(0, message) == STATUS_INVALID_PARAMETER


def test_the_table_interface_tells_entries_and_size_until_stop(endpoint: Make, compose: Compose) -> None:
    world = World(endpoint(vectors=4), compose, GrantChoice.messages(2))
    config = world.config()
    config.mask_table_entry(1)
    assert ([config.get_table_entry(i) for i in range(4)], config.get_table_size()) == (
        [(0, False), (1, True), (0, False), (0, False)], 4,
    )  # fmt: skip
    world.device.stop()
    assert (config.get_table_size(), config.mask_table_entry(0), config.get_table_entry(0)) == (0, STATUS_INVALID_PARAMETER, None)


def standard(device: BusDevice) -> BusInterfaceStandard:
    interface = device.query_interface(GUID_BUS_INTERFACE_STANDARD)
    assert isinstance(interface, BusInterfaceStandard)
    return interface


def test_the_bus_interface_reads_and_writes_configuration_space(endpoint: Make, compose: Compose) -> None:
    bus = standard(World(endpoint(), compose).device)
    assert bus.get_bus_data(PCI_WHICHSPACE_CONFIG, 0, 4).hex() == "34120400"
    assert bus.get_bus_data(PCI_WHICHSPACE_CONFIG, 1, 9).hex() == "120400" + "060010000100"
    assert bus.set_bus_data(PCI_WHICHSPACE_CONFIG, 0x3C, b"\x42") == 1
    assert bus.get_bus_data(PCI_WHICHSPACE_CONFIG, 0x3C, 2).hex() == "4201"


@pytest.mark.parametrize(
    ("space", "offset", "length", "moved"), [(0, 0xFFE, 8, 2), (0, 0x1000, 1, 0), (0x52696350, 0, 4, 0), (0, -1, 4, 0)]
)
def test_the_bus_interface_moves_no_byte_past_the_space(
    endpoint: Make, compose: Compose, space: int, offset: int, length: int, moved: int
) -> None:
    bus = standard(World(endpoint(), compose).device)
    assert len(bus.get_bus_data(space, offset, length)) == moved
    assert bus.set_bus_data(space, offset, bytes(length)) == moved


def test_a_removed_function_is_not_touched_any_more(endpoint: Make, compose: Compose) -> None:
    world = World(endpoint(vectors=2), compose)
    world.device.connected(0)
    world.device.surprise_removed()
    world.device.disconnected(0)
    world.device.remove()
    assert [world.entry(i)[2] for i in range(2)] == [0, 1]
    assert world.device.bus.devices == []


@pytest.mark.parametrize(
    ("asked", "real", "text"),
    [
        ({"vectors": 2}, {"messages": 2}, "card has no MSI-X; grant it MSI or a line"),
        ({"messages": 2}, {"vectors": 2}, "card has no MSI; grant it MSI-X or a line"),
        ({"messages": 8}, {"messages": 2}, "card: 8 MSI messages are granted, and it can send 2"),
    ],
)
def test_a_grant_that_the_function_cannot_use_fails_the_start(
    endpoint: Make, compose: Compose, asked: dict[str, int], real: dict[str, int], text: str
) -> None:
    grant = World(endpoint(**asked), compose, start=False).grant
    function = endpoint(**real)
    device = PciBus(compose).attach(function)
    with pytest.raises(StatusError, match=f"{text}$") as failed:
        device.start(grant)
    assert (failed.value.status, device.grant, function.config_read(4, 2)) == (STATUS_DEVICE_CONFIGURATION_ERROR, None, 0)


def test_2048_entries_over_one_message_are_programmed(endpoint: Make, compose: Compose) -> None:
    world = World(endpoint(vectors=2048), compose, GrantChoice.one())
    world.device.connected(0)
    assert [world.entry(i) for i in (0, 1, 2047)] == [(0x5_FEE0_1000, 0x51, 0)] * 3


def test_a_function_is_matched_by_its_identifiers(endpoint: Make) -> None:
    function = endpoint()
    assert function_name(function) == "1234:0004"
    assert hardware_ids(function) == (
        r"PCI\VEN_1234&DEV_0004&SUBSYS_11001AF4&REV_01", r"PCI\VEN_1234&DEV_0004&SUBSYS_11001AF4",
        r"PCI\VEN_1234&DEV_0004&CC_020000", r"PCI\VEN_1234&DEV_0004&CC_0200", r"PCI\VEN_1234&DEV_0004&REV_01",
        r"PCI\VEN_1234&DEV_0004", r"PCI\VEN_1234&CC_020000", r"PCI\VEN_1234&CC_0200", r"PCI\VEN_1234",
        r"PCI\CC_020000", r"PCI\CC_0200",
    )  # fmt: skip
