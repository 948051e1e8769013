"""A bus driver image: children that it describes in its own structures, and their PDOs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dirql import ntstatus, wdf
from dirql.hosts.sys.abi import ROUTINES
from dirql.hosts.sys.address_space import Area
from dirql.hosts.sys.strings import unicode_string
from dirql.hosts.sys.wdf_structs import WDF_CHILD_LIST_CONFIG, WDF_CHILD_LIST_ITERATOR, WDF_CHILD_RETRIEVE_INFO

NO_SUCH_DEVICE = ntstatus.STATUS_NO_SUCH_DEVICE


class Bus:
    """A device with a default child list. Its identification descriptions are (size, number), its address ones (size, slot)."""

    def __init__(self, world: Any, *, compare: bool = False) -> None:
        self.world, self.guest, self.space = world, world.guest, world.guest.space
        self.log: list[Any] = []
        self.pdos: dict[int, int] = {}
        outer = self

        def same(list_: int, one: int, other: int) -> int:
            return int(outer.number(one + 4) % 100 == outer.number(other + 4) % 100)

        class Image(wdf.Driver):
            def evt_driver_device_add(self, init: wdf.DeviceInit) -> int:
                handle = outer.guest.handle(init)
                config = WDF_CHILD_LIST_CONFIG.new(
                    Size=WDF_CHILD_LIST_CONFIG.size, IdentificationDescriptionSize=8, AddressDescriptionSize=8,
                    EvtChildListCreateDevice=world.function(outer.create, 3),
                    EvtChildListIdentificationDescriptionCompare=world.function(same, 3) if compare else 0,
                )  # fmt: skip
                outer("WdfFdoInitSetDefaultChildListConfig", handle, outer.data(bytes(config)), 0)
                out = outer.data(bytes(8))
                status = outer("WdfDeviceCreate", outer.data(handle.to_bytes(8, "little")), 0, out)
                outer.handle = outer.number(out, 8)
                return status

        self.handle = 0
        world.system.load(Image)
        assert world.system.start() == wdf.STATUS_SUCCESS
        self.list = self("WdfFdoGetDefaultChildList", self.handle)

    def create(self, list_: int, identification: int, init: int) -> int:
        number = self.number(identification + 4)
        self.log.append(("create", number))
        for name, text in (("AssignDeviceID", "BUS\\Child"), ("AssignInstanceID", str(number)), ("AddHardwareID", "BUS\\Child"),
                           ("AddCompatibleID", "BUS\\Any"), ("AssignContainerID", f"{{{UUID(int=1)}}}")):  # fmt: skip
            assert self(f"WdfPdoInit{name}", init, self.text(text)) == 0
        assert self("WdfPdoInitAddDeviceText", init, self.text("A child"), self.text("here"), 0x409) == 0
        self("WdfPdoInitSetDefaultLocale", init, 0x409)
        out = self.data(bytes(8))
        status = self("WdfDeviceCreate", self.data(init.to_bytes(8, "little")), 0, out)
        self.pdos[number] = self.number(out, 8)
        return status

    def __call__(self, name: str, *arguments: int) -> int:
        machine = self.world.system.machine
        if machine.cpu is machine.nobody:
            return int(self.world.routine(f"wdf!{name}", 0, *arguments))
        return int(self.guest.call(self.guest.stubs.address(f"wdf!{name}", ROUTINES[f"wdf!{name}"]), 0, *arguments))

    def data(self, data: bytes) -> int:
        region = self.space.allocate(Area.BUFFER, max(len(data), 8), "test data")
        self.space.write(region.start, data)
        return int(region.start)

    def text(self, value: str) -> int:
        return int(unicode_string(self.space, value, "test text").address)

    def number(self, address: int, size: int = 4) -> int:
        return int.from_bytes(self.space.read(address, size), "little")

    def child(self, number: int, size: int = 8) -> int:
        """A description, as the driver writes it."""
        return self.data(size.to_bytes(4, "little") + number.to_bytes(4, "little"))

    def report(self, number: int, slot: int | None = None) -> int:
        """A child is there."""
        place = self.child(slot) if slot is not None else 0
        status = self("WdfChildListAddOrUpdateChildDescriptionAsPresent", self.list, self.child(number), place)
        self.world.system.run()
        return status


def test_a_reported_child_gets_its_device_with_the_drivers_description(world: Any) -> None:
    b = Bus(world)
    assert b.report(7, 3) == 0
    device = b.guest.objects[b.pdos[7]]
    assert (b.log, device.name, device.pdo.compatible_ids) == ([("create", 7)], "BUS\\Child\\7", ["BUS\\Any"])
    assert b("WdfPdoGetParent", b.pdos[7]) == b.handle
    to = b.child(0)
    assert b("WdfPdoRetrieveIdentificationDescription", b.pdos[7], to) == 0
    assert b.number(to + 4) == 7
    assert b("WdfPdoRetrieveAddressDescription", b.pdos[7], to) == 0
    assert b.number(to + 4) == 3
    assert b("WdfPdoUpdateAddressDescription", b.pdos[7], b.child(9)) == 0
    assert b("WdfChildListRetrieveAddressDescription", b.list, b.child(7), to) == 0
    assert b.number(to + 4) == 9


def test_descriptions_are_compared_by_bytes_or_by_the_drivers_function(world: Any) -> None:
    b = Bus(world, compare=True)
    assert (b.report(7), b.report(107)) == (0, ntstatus.STATUS_OBJECT_NAME_EXISTS)
    assert b.log == [("create", 7)]


def test_a_description_of_another_size_is_refused(world: Any) -> None:
    b = Bus(world)
    name = "WdfChildListAddOrUpdateChildDescriptionAsPresent"
    assert b(name, b.list, b.child(1, size=12), 0) == ntstatus.STATUS_INVALID_PARAMETER


def test_a_missing_child_is_removed(world: Any) -> None:
    b = Bus(world)
    b.report(1)
    device = b.guest.objects[b.pdos[1]]
    assert b("WdfChildListUpdateChildDescriptionAsMissing", b.list, b.child(1)) == 0
    world.system.run()
    assert device.destroyed
    assert b("WdfChildListUpdateChildDescriptionAsMissing", b.list, b.child(1)) == NO_SUCH_DEVICE


def test_the_children_are_walked_with_an_iterator(world: Any) -> None:
    b = Bus(world)
    b.report(1, 10)
    b.report(2, 20)
    iterator = b.data(bytes(WDF_CHILD_LIST_ITERATOR.new(Size=WDF_CHILD_LIST_ITERATOR.size, Flags=1)))
    to, place, out = b.child(0), b.child(0), b.data(bytes(8))
    info = b.data(bytes(WDF_CHILD_RETRIEVE_INFO.new(Size=WDF_CHILD_RETRIEVE_INFO.size, IdentificationDescription=to,
                                                    AddressDescription=place)))  # fmt: skip
    b("WdfChildListBeginIteration", b.list, iterator)
    seen = []
    while (status := b("WdfChildListRetrieveNextDevice", b.list, iterator, out, info)) == 0:
        seen.append((b.number(to + 4), b.number(place + 4), b.number(out, 8) == b.pdos[b.number(to + 4)]))
    b("WdfChildListEndIteration", b.list, iterator)
    assert (seen, status) == ([(1, 10, True), (2, 20, True)], ntstatus.STATUS_NO_MORE_ENTRIES)
    assert WDF_CHILD_RETRIEVE_INFO(b.space, info).Status == 1


def test_a_scan_and_a_look_for_one_child(world: Any) -> None:
    b = Bus(world)
    b.report(1)
    b.report(2, 5)
    b("WdfChildListBeginScan", b.list)
    b("WdfChildListAddOrUpdateChildDescriptionAsPresent", b.list, b.child(2), 0)
    b("WdfChildListEndScan", b.list)
    world.system.run()
    info = b.data(bytes(WDF_CHILD_RETRIEVE_INFO.new(Size=WDF_CHILD_RETRIEVE_INFO.size, IdentificationDescription=b.child(2))))
    gone = b.data(bytes(WDF_CHILD_RETRIEVE_INFO.new(Size=WDF_CHILD_RETRIEVE_INFO.size, IdentificationDescription=b.child(1))))
    assert (b("WdfChildListRetrievePdo", b.list, info), b("WdfChildListRetrievePdo", b.list, gone)) == (b.pdos[2], 0)
    assert WDF_CHILD_RETRIEVE_INFO(b.space, gone).Status == 3
    b("WdfChildListUpdateAllChildDescriptionsAsPresent", b.list)
    assert b("WdfChildListRequestChildEject", b.list, b.child(2)) & 0xFF == 0
    assert b("WdfChildListGetDevice", b.list) == b.handle


def test_static_children_are_the_drivers_own(world: Any) -> None:
    b = Bus(world)
    made = []
    for number in (1, 2):
        init = b("WdfPdoInitAllocate", b.handle)
        assert b.create(0, b.child(number), init) == 0
        made.append(b.pdos[number])
        assert b("WdfFdoAddStaticChild", b.handle, made[-1]) == 0
    b("WdfFdoLockStaticChildListForIteration", b.handle)
    assert b("WdfFdoRetrieveNextStaticChild", b.handle, 0, 7) == made[0]
    assert b("WdfFdoRetrieveNextStaticChild", b.handle, made[0], 7) == made[1]
    assert b("WdfFdoRetrieveNextStaticChild", b.handle, made[1], 7) == 0
    b("WdfFdoUnlockStaticChildListFromIteration", b.handle)
    assert b("WdfPdoMarkMissing", made[0]) == 0
    b("WdfPdoRequestEject", made[1])
    world.system.run()
    assert b("WdfFdoRetrieveNextStaticChild", b.handle, 0, 7) == made[1]


def test_an_init_that_the_driver_allocated_is_its_to_free(world: Any) -> None:
    b = Bus(world)
    init = b("WdfPdoInitAllocate", b.handle)
    assert b("WdfPdoInitAssignRawDevice", init, b.data(UUID(int=3).bytes_le)) == 0
    b("WdfPdoInitAllowForwardingRequestToParent", init)
    b("WdfDeviceInitFree", init)
    assert b.guest.objects[init].freed
