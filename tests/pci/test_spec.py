from __future__ import annotations

import pytest

from dirql.pci import spec
from dirql.pci.capabilities import MsiCapability, capability_block, msi_capability
from dirql.pci.header import Type0Header


def test_every_capability_id_has_a_name():
    assert set(spec.CAPABILITY_NAMES) == set(spec.CapabilityId)
    assert set(spec.EXTENDED_CAPABILITY_NAMES) == set(spec.ExtendedCapabilityId)


@pytest.mark.parametrize(
    ("call", "number", "name"),
    [
        (spec.capability_name, 0x11, "MSI-X"),
        (spec.capability_name, 0x77, "Capability 0x77"),
        (spec.extended_capability_name, 0x10, "Single Root I/O Virtualization"),
        (spec.extended_capability_name, 0x777, "Extended capability 0x0777"),
        (spec.class_name, 0x020000, "Ethernet controller"),
        (spec.class_name, 0x123456, "Class 1234"),
    ],
)
def test_a_number_is_named_or_shown(call, number, name):
    assert call(number) == name


@pytest.mark.parametrize(("vectors", "size"), [(1, 8), (63, 8), (64, 8), (65, 16), (128, 16), (2047, 256), (2048, 256)])
def test_a_pba_has_a_bit_per_vector_in_whole_qwords(vectors, size):
    assert spec.pba_size(vectors) == size


def test_the_type_0_header_stands_where_the_standard_puts_it():
    places = {name: placement.offset for name, placement in Type0Header.placements.items()}
    assert places == {
        "vendor": 0x00, "device": 0x02, "command": 0x04, "status": 0x06, "revision": 0x08, "class_code": 0x09,
        "cache_line_size": 0x0C, "latency_timer": 0x0D, "header_type": 0x0E, "bist": 0x0F, "bars": 0x10, "cardbus_cis": 0x28,
        "subsystem_vendor": 0x2C, "subsystem": 0x2E, "expansion_rom": 0x30, "capabilities_pointer": 0x34,
        "interrupt_line": 0x3C, "interrupt_pin": 0x3D, "min_gnt": 0x3E, "max_lat": 0x3F,
    }  # fmt: skip


def test_the_same_form_of_msi_is_the_same_block():
    form = {"address64": True, "per_vector_mask": True, "extended_data": False}
    assert msi_capability(4, **form) is msi_capability(4, **form)
    assert issubclass(msi_capability(4, **form), MsiCapability)


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_capability_cut_short_is_still_recognised(cut):
    for number in (0x01, 0x05, 0x10, 0x11):
        kind = capability_block(bytes((number,)) + bytes(cut - 1), 0)
        assert kind is not None
        assert kind.id == number
