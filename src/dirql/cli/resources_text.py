"""The text of `dirql resources`: descriptors in words, and as the bytes of CM_PARTIAL_RESOURCE_DESCRIPTOR; 80 columns."""

from __future__ import annotations

import textwrap
from typing import Any

from dirql.cli.resources_of import Resources
from dirql.pnp.constants import CM_RESOURCE_INTERRUPT_LATCHED, CM_RESOURCE_INTERRUPT_MESSAGE, CM_RESOURCE_MEMORY_PREFETCHABLE

__all__ = ["HINT", "text"]

KINDS = {"msi-x": "MSI-X", "msi": "MSI", "line": "line", "none": "no interrupt"}
# What makes Windows ask for messages; a line that ends in a backslash goes on in the next one.
HINT = r"""
[YourDevice.NT.HW]
AddReg = YourDevice.Interrupts

[YourDevice.Interrupts]
HKR, "Interrupt Management",, 0x00000010
HKR, "Interrupt Management\MessageSignaledInterruptProperties",, 0x00000010
HKR, "Interrupt Management\MessageSignaledInterruptProperties", \
     MSISupported, 0x00010001, 1
"""


def text(resources: Resources) -> str:
    """Headline, descriptors, why it is not more, and what of the dump has no part in it."""
    told = resources.as_json()
    out = [f"{told['function']} at {told['address']}: {_granted(told)}"]
    out += _wrapped(f"because: {told['why']}") if told["why"] else []
    if told["synthetic"]:
        out += _wrapped("synthetic: Windows grants all messages, one, or the line; this count was forced")
    for index, descriptor in enumerate(told["descriptors"]):
        out += _descriptor(index, descriptor)
    for note in resources.notes:
        out += ["", *textwrap.wrap(f"note: {note}", 80, subsequent_indent="      ")]
    if resources.no_inf and resources.offered:
        many = f"the {resources.offered} {resources.offers} message{'s' if resources.offered > 1 else ''}"
        why = f"No INF sets MSISupported for this function, so Windows does not ask for {many} that it has. To ask:"
        out += ["", *textwrap.wrap(why, 80), *(f"  {line}".rstrip() for line in HINT.rstrip().split("\n"))]
    out += ["", *resources.left_out] if resources.left_out else []
    return "\n".join(out)


def _granted(told: dict[str, Any]) -> str:
    kind, granted, asked = KINDS[told["kind"]], told["granted"], told["asked"]
    match told["kind"]:
        case "none":
            return kind
        case "line":
            return "a line" + (f", instead of the {asked} messages asked for" if asked > 1 else "")
        case _:
            return f"{kind}, {granted} of {asked} message{'s' if asked != 1 else ''} granted"


def _wrapped(words: str) -> list[str]:
    return textwrap.wrap(words, 80, initial_indent="  ", subsequent_indent="    ")


def _descriptor(index: int, told: dict[str, Any]) -> list[str]:
    raw, translated = told["raw"], told["translated"]
    out = [f"{index:4}  {told['type']}: {_what(told)}"]
    raw_hex, translated_hex = told["raw_hex"], told["translated_hex"]
    if told["type"] == "interrupt":
        out.append(f"      raw         {raw_hex}  {_raw_words(raw)}")
        out.append(f"      translated  {translated_hex}  IRQL {translated['level']}")
    elif raw_hex is not None and raw_hex == translated_hex:
        out.append(f"      both        {raw_hex}")
    elif raw_hex is not None:
        out += [f"      raw         {raw_hex}", f"      translated  {translated_hex}"]
    return out


def _raw_words(raw: dict[str, Any]) -> str:
    return f"count {raw['message_count']}" if "message_count" in raw else f"GSI {raw['vector']}"


def _what(told: dict[str, Any]) -> str:
    union = told["translated"]
    match told["type"]:
        case "interrupt":
            edge = "latched" if told["flags"] & CM_RESOURCE_INTERRUPT_LATCHED else "level"
            message = "message, " if told["flags"] & CM_RESOURCE_INTERRUPT_MESSAGE else "line, "
            count = told["raw"].get("message_count", 1)
            last = union["vector"] + count - 1
            vectors = f"{union['vector']:#x}" + (f" to {last:#x}" if count > 1 else "")
            share = "shared" if told["share"] == "shared" else "exclusive"
            return f"{message}{edge}, {share}, vector {vectors}, affinity {union['affinity']:#x}"
        case "memory" | "memory-large" | "port":
            length = "length unknown" if union["length"] is None else f"{union['length']:#x} bytes"
            prefetchable = told["type"] != "port" and told["flags"] & CM_RESOURCE_MEMORY_PREFETCHABLE
            return f"{union['start']:#x}, {length}" + (", prefetchable" if prefetchable else "")
        case _:
            return ", ".join(f"{key} {value}" for key, value in union.items())
