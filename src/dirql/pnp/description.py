"""A grant in words: the JSON of `dirql resources` and its table of 80 columns.

Limits: descriptor types that PCI functions are not given are named, and their union is shown as hex only.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, replace
from typing import Any

from dirql.pnp.constants import (
    CM_RESOURCE_INTERRUPT_LATCHED,
    CM_RESOURCE_MEMORY_PREFETCHABLE,
    CmResourceType,
    CmShareDisposition,
)
from dirql.pnp.grant import Grant
from dirql.pnp.resources import (
    CmPartialResourceDescriptor,
    GenericResource,
    InterruptResource,
    MemoryResource,
    MessageInterruptRaw,
)

__all__ = ["describe", "describe_descriptor", "table"]

_TYPES = {
    CmResourceType.CmResourceTypeInterrupt: "interrupt", CmResourceType.CmResourceTypeMemory: "memory",
    CmResourceType.CmResourceTypeMemoryLarge: "memory-large", CmResourceType.CmResourceTypePort: "port",
    CmResourceType.CmResourceTypeDevicePrivate: "device-private", CmResourceType.CmResourceTypeBusNumber: "bus-number",
    CmResourceType.CmResourceTypeDma: "dma", CmResourceType.CmResourceTypeNull: "null",
}  # fmt: skip
_SHARES = ("undetermined", "device-exclusive", "driver-exclusive", "shared")


def _type(descriptor: CmPartialResourceDescriptor) -> str:
    return {int(k): v for k, v in _TYPES.items()}.get(descriptor.type, f"type-{descriptor.type:#04x}")


def _union(descriptor: CmPartialResourceDescriptor) -> dict[str, Any]:
    u = descriptor.u
    if isinstance(u, MemoryResource):
        return {"start": u.start, "length": descriptor.size}
    return {"data": u.data.hex()} if isinstance(u, GenericResource) else asdict(u)


def _hex(descriptor: CmPartialResourceDescriptor) -> str | None:
    return descriptor.pack().hex() if descriptor.packable else None


def describe_descriptor(raw: CmPartialResourceDescriptor, translated: CmPartialResourceDescriptor) -> dict[str, Any]:
    """One pair of descriptors; a length is in bytes, and it and the hex are null where nothing tells the BAR's size."""
    share = _SHARES[raw.share_disposition] if raw.share_disposition < len(_SHARES) else f"{raw.share_disposition:#x}"
    return {
        "type": _type(raw), "share": share, "flags": translated.flags, "raw": _union(raw), "translated": _union(translated),
        "raw_hex": _hex(raw), "translated_hex": _hex(translated),
    }  # fmt: skip


def _told(descriptor: CmPartialResourceDescriptor, unsized: Collection[int]) -> CmPartialResourceDescriptor:
    u = descriptor.u
    return replace(descriptor, u=replace(u, length=None)) if isinstance(u, MemoryResource) and u.start in unsized else descriptor


def describe(function: str, grant: Grant, unsized: Collection[int] = ()) -> dict[str, Any]:
    """`resources --json` of one function; `function` is its vendor and device. What starts at one of `unsized` has a length that
    somebody assumed: it is told as unknown."""
    pairs = [(_told(raw, unsized), _told(one, unsized)) for raw, one in zip(grant.raw, grant.translated, strict=True)]
    return {
        "function": function, "kind": grant.kind, "asked": grant.asked, "granted": grant.granted,
        "synthetic": grant.synthetic, "why": grant.why or None,
        "descriptors": [describe_descriptor(raw, translated) for raw, translated in pairs],
    }  # fmt: skip


def _memory(descriptor: CmPartialResourceDescriptor, u: MemoryResource) -> str:
    size = "unknown length" if descriptor.size is None else f"{descriptor.size:#x} bytes"
    prefetchable = descriptor.type != CmResourceType.CmResourceTypePort and descriptor.flags & CM_RESOURCE_MEMORY_PREFETCHABLE
    return f"{u.start:#x}, {size}" + (", prefetchable" if prefetchable else "")


def _shown(raw: CmPartialResourceDescriptor, translated: CmPartialResourceDescriptor) -> list[str]:
    """What the table says of one pair: a line, or one for the raw and one for the translated descriptor."""
    u, v = raw.u, translated.u
    if isinstance(u, MemoryResource):
        return [_memory(raw, u)]
    if not isinstance(v, InterruptResource):
        return [""]
    shared = raw.share_disposition == CmShareDisposition.CmResourceShareShared
    edge = "latched" if raw.flags & CM_RESOURCE_INTERRUPT_LATCHED else "level"
    what = f"{edge}, {'shared' if shared else 'exclusive'}"
    if isinstance(u, MessageInterruptRaw):
        count = f"{u.message_count} message{'s' if u.message_count != 1 else ''}, {what}"
    else:
        count = f"line GSI {u.vector if isinstance(u, InterruptResource) else '?'}, {what}"
    last = v.vector + (u.message_count if isinstance(u, MessageInterruptRaw) else 1) - 1
    vectors = f"{v.vector:#x}" if last == v.vector else f"{v.vector:#x}-{last:#x}"
    return [count, f"vector {vectors}, IRQL {v.level}, affinity {v.affinity:#x}"]


def table(function: str, grant: Grant) -> str:
    """A text table, at most 80 columns wide."""
    what = {"msi-x": "MSI-X", "msi": "MSI", "line": "line", "none": "no interrupt"}[grant.kind]
    synthetic = ", synthetic: Windows would not grant this count" if grant.synthetic else ""
    out = [f"{function}: {what}, {grant.granted} of {grant.asked} granted{synthetic}"]
    if grant.why:
        out.append(f"  because: {grant.why}"[:80])
    for index, (raw, translated) in enumerate(zip(grant.raw, grant.translated, strict=True)):
        texts = _shown(raw, translated)
        out.append(f"{index:4}  {_type(raw):<14}  {texts[0]}".rstrip()[:80])
        out.extend(f"{'':22}{text}"[:80] for text in texts[1:])
        unknown = "-" * 40
        if len(texts) == 1 and _hex(raw) == _hex(translated):
            out.append(f"{'':22}{_hex(raw) or unknown}")
        else:
            out.append(f"{'':22}raw        {_hex(raw) or unknown}")
            out.append(f"{'':22}translated {_hex(translated) or unknown}")
    return "\n".join(out)
