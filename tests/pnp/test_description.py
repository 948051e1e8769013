"""The words and the JSON of a grant."""

from __future__ import annotations

import json
from collections.abc import Callable

from dirql.pci import BarSpec, Endpoint
from dirql.pnp import Arbiter, GrantChoice, InterruptManagement, describe, query_resource_requirements, table

Make = Callable[..., Endpoint]
MESSAGES = InterruptManagement(msi_supported=True)


def test_json_tells_both_descriptors_and_their_bytes(endpoint: Make) -> None:
    grant = Arbiter(4).grant(query_resource_requirements(endpoint(messages=2), MESSAGES))
    told = json.loads(json.dumps(describe("1234:0004", grant)))
    assert told == {
        "function": "1234:0004", "kind": "msi", "asked": 2, "granted": 2, "synthetic": False, "why": None,
        "descriptors": [
            {"type": "memory", "share": "device-exclusive", "flags": 0, "raw": {"start": 0xE0000000, "length": 0x1000},
             "translated": {"start": 0xE0000000, "length": 0x1000},
             "raw_hex": "03010000000000e0000000000010000000000000", "translated_hex": "03010000000000e0000000000010000000000000"},
            {"type": "interrupt", "share": "device-exclusive", "flags": 3,
             "raw": {"message_count": 2, "vector": 0x52, "affinity": 1, "group": 0},
             "translated": {"level": 5, "vector": 0x52, "affinity": 1, "group": 0},
             "raw_hex": "0201030000000200520000000100000000000000", "translated_hex": "0201030005000000520000000100000000000000"},
        ],
    }  # fmt: skip


def test_json_has_null_where_nothing_tells_the_length(endpoint: Make) -> None:
    function = endpoint(pin=0)
    function.config_write(0x10, 4, 0xE0800000)
    grant = Arbiter(1).grant(query_resource_requirements(function, sizes={0: None}))
    (memory,) = describe("1234:0004", grant)["descriptors"]
    assert (memory["raw"], memory["raw_hex"], memory["translated_hex"]) == ({"start": 0xE0800000, "length": None}, None, None)


def test_the_table_reads_like_a_device_manager(endpoint: Make) -> None:
    bars = {0: BarSpec(0x1000), 1: BarSpec(0x20, "io")}
    grant = Arbiter(4).grant(query_resource_requirements(endpoint(bars=bars)))
    assert table("1234:0004", grant).splitlines() == [
        "1234:0004: line, 1 of 1 granted",
        "   0  memory          0xe0000000, 0x1000 bytes",
        "                      03010000000000e0000000000010000000000000",
        "   1  device-private",
        "                      8101000001000000000000000000000000000000",
        "   2  port            0x1000, 0x20 bytes",
        "                      0101310000100000000000002000000000000000",
        "   3  interrupt       line GSI 16, level, shared",
        "                      vector 0x51, IRQL 5, affinity 0x1",
        "                      raw        0203000010000000100000000100000000000000",
        "                      translated 0203000005000000510000000100000000000000",
    ]


def test_a_synthetic_grant_says_so(endpoint: Make) -> None:
    grant = Arbiter(4).grant(query_resource_requirements(endpoint(vectors=9), MESSAGES), choice=GrantChoice.messages(3))
    first, *rest = table("1234:0004", grant).splitlines()
    assert first == "1234:0004: MSI-X, 3 of 9 granted, synthetic: Windows would not grant this count"
    assert all(len(line) <= 80 for line in rest)


def test_a_fallback_says_why(endpoint: Make) -> None:
    arbiter = Arbiter(1)
    arbiter.reserve(0, 142)
    grant = arbiter.grant(query_resource_requirements(endpoint(vectors=9), MESSAGES))
    assert table("1234:0004", grant).splitlines()[:2] == [
        "1234:0004: MSI-X, 1 of 9 granted", "  because: not enough interrupt vectors for 9 messages",
    ]  # fmt: skip
    assert describe("1234:0004", grant)["why"] == "not enough interrupt vectors for 9 messages"
