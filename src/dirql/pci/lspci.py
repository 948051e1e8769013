"""Text that `lspci -x`, `-xxx` or `-xxxx` printed, alone or between the lines of `-v` to `-vvv` (lspci(8), as its option -F).

Every function is a headline that starts with its address, then rows of an offset and sixteen bytes. Other lines are prose;
of those only the BAR sizes that `-v` prints are taken.

Limits: `lspci -t` and `-P` print addresses in another form and are refused; `-m` prints no bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dirql.errors import InputError

__all__ = ["Listing", "parse"]

HEADLINE = re.compile(r" *(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-9a-fA-F])(?=[ \t]|$)")
ROW = re.compile(r" *([0-9a-fA-F]{1,8}):(?=[ \t]|$)")
BYTE = re.compile(r"[0-9a-fA-F]{2}")
REGION = re.compile(r"\s+(?:Region ([0-5]): )?(?:Memory|I/O ports) at (\S+) .*\[size=(\d{1,6})([KMGT]?)\]")
UNIT = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
WIDTH = 16
LENGTHS = (64, 256, 4096)
AGAIN = "take it again, as root: lspci -xxxx"


@dataclass
class Listing:
    """One function as the text lists it."""

    address: str
    line: int
    config: bytearray = field(default_factory=bytearray)
    rows: list[int] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)  # by BAR
    sizes_at: dict[int, int] = field(default_factory=dict)  # by base, where the text names no BAR
    in_capabilities: bool = False


def parse(source: str, text: str) -> list[Listing]:
    """The functions of `text`, each with 64, 256 or 4096 bytes."""
    found: list[Listing] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        if head := HEADLINE.match(line):
            if found:
                _complete(source, found[-1])
            found.append(Listing(_address(source, number, head), number))
        elif row := ROW.match(line):
            if not found:
                raise InputError(source, str(number), f"offset {int(row[1], 16):#x} comes before any function's address",
                                 "each function starts with a line such as 01:00.0 Ethernet controller")  # fmt: skip
            _row(source, number, found[-1], int(row[1], 16), line[row.end() :])
        elif found and not found[-1].config:
            _prose(source, number, found[-1], line)
    if not found:
        raise InputError(source, "", "holds no PCI function",
                         "give the text of lspci -xxxx, or a raw file of 64, 256 or 4096 bytes")  # fmt: skip
    _complete(source, found[-1])
    return found


def _address(source: str, number: int, head: re.Match[str]) -> str:
    domain, bus, device, function = (int(part or "0", 16) for part in head.groups())
    if device > 31:
        raise InputError(source, str(number), f"device {device:#x} in {head[0].strip()} is above 0x1f", AGAIN)
    if function > 7:
        raise InputError(source, str(number), f"function {function:#x} in {head[0].strip()} is above 7", AGAIN)
    return f"{domain:04x}:{bus:02x}:{device:02x}.{function}"


def _row(source: str, number: int, listing: Listing, offset: int, rest: str) -> None:
    expected = len(listing.config)
    if offset != expected or expected >= LENGTHS[-1]:
        limit = f"{expected:#x} comes next" if expected < LENGTHS[-1] else "configuration space ends at 0x1000"
        raise InputError(source, str(number), f"offset {offset:#x} of {listing.address} is out of place: {limit}", AGAIN)
    parts = rest.split()
    for column, part in enumerate(parts):
        if not BYTE.fullmatch(part):
            raise InputError(source, str(number), f"{part[:20]!r} at offset {offset + column:#x} of {listing.address} is no byte "
                             "(two hex digits)", AGAIN)  # fmt: skip
    if len(parts) != WIDTH:
        raise InputError(source, str(number), f"the row at offset {offset:#x} of {listing.address} holds {len(parts)} bytes, "
                         f"not {WIDTH}", AGAIN)  # fmt: skip
    listing.config += bytes.fromhex("".join(parts))
    listing.rows.append(number)


def _prose(source: str, number: int, listing: Listing, line: str) -> None:
    """Takes a BAR's size. Past `Capabilities` nothing counts: SR-IOV lists the BARs of virtual functions there."""
    if line.lstrip().startswith("Capabilities:"):
        listing.in_capabilities = True
    region = None if listing.in_capabilities else REGION.match(line)
    if region is None:
        return
    bar, base, count, unit = region.groups()
    size = int(count) * UNIT[unit]
    if size & (size - 1) or not size:
        raise InputError(source, str(number), f"size {size:#x} of a BAR of {listing.address} is no power of two", AGAIN)
    if bar is not None:
        listing.sizes[int(bar)] = size
    elif re.fullmatch(r"[0-9a-fA-F]{1,16}", base):
        listing.sizes_at[int(base, 16)] = size


def _complete(source: str, listing: Listing) -> None:
    held = len(listing.config)
    if held == 0:
        raise InputError(source, str(listing.line), f"{listing.address} comes without configuration bytes", AGAIN)
    if held not in LENGTHS:
        raise InputError(source, str(listing.rows[-1]), f"{listing.address} is cut at offset {held:#x}; "
                         "whole is 0x40, 0x100 or 0x1000 bytes", AGAIN)  # fmt: skip
