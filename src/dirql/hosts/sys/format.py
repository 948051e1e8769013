"""printf as the Windows kernel has it: DbgPrint, DbgPrintEx and the RtlString*Printf family ("Format specification syntax").

Characters are those of the result: bytes in the narrow routines, UTF-16 units in the wide ones, and width and precision count
them. A string of the other width is converted (UTF-8). What a driver passes is never trusted: a pointer that cannot be read
shows as `<bad pointer 0x…>`, %n stores nothing and shows as `<%n refused>`, a width beyond the limit counts as the limit, and a
character that is no conversion is printed as it is. Floating point works in every routine; a driver's DbgPrint would print
nothing useful.

That the code page is UTF-8 and that %Z ignores a precision are model choices, and so is what a bad pointer shows as.

Limits: no positional arguments, no locale; no result is longer than 65,536 characters, whatever the caller's buffer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct as Codec
from typing import Protocol

from dirql.hosts.sys.nt_structs import UNICODE_STRING
from dirql.hosts.sys.structs import Buffer

__all__ = ["DBGPRINT_LIMIT", "Arguments", "format_bytes", "format_message", "format_wide"]

DBGPRINT_LIMIT = 512  # bytes of one message, says the page of DbgPrint
_LONGEST = 1 << 16
_CHUNK = 128  # of a string whose length is not known
_DIRECTIVE = re.compile(
    r"%(?P<flags>[-+ #0]*)(?P<width>\*|\d*)(?:\.(?P<precision>\*|-?\d*))?"
    r"(?P<size>I64|I32|I|hh|h|ll|l|L|w|j|z|t)?(?P<kind>[a-zA-Z%])?",
    re.DOTALL | re.ASCII,
)
_BITS = {"hh": 8, "h": 16, "I64": 64, "I": 64, "ll": 64, "j": 64, "z": 64, "t": 64}  # any other: 32
_DOUBLE = Codec("<d")
_STRING = UNICODE_STRING.size


class Arguments(Protocol):
    """The variable arguments of a call, and the caller's memory."""

    def next(self) -> int:
        """The next slot of 64 bits."""

    def read(self, address: int, size: int) -> bytes:
        """Up to `size` bytes; fewer, or none, where memory ends. Never a fault."""


@dataclass
class _Spec:
    """One conversion, with its `*` resolved."""

    flags: str
    width: int
    precision: int | None
    size: str
    kind: str

    def pad(self, text: str) -> str:
        """To the width; with zeros only where numbers ask for it, after sign and prefix."""
        return text.ljust(self.width) if "-" in self.flags else text.rjust(self.width)

    def pad_number(self, sign: str, digits: str, *, zeros: bool) -> str:
        if zeros and "0" in self.flags and "-" not in self.flags:
            digits = digits.rjust(self.width - len(sign), "0")
        return self.pad(sign + digits)

    def sign(self, negative: bool) -> str:
        return "-" if negative else "+" if "+" in self.flags else " " if " " in self.flags else ""


def format_message(text: bytes | str, arguments: Arguments, limit: int = DBGPRINT_LIMIT) -> str:
    """What a debugger shows; what is no text there shows as U+FFFD."""
    if isinstance(text, bytes):
        return format_bytes(text, arguments, limit).decode("utf-8", "replace")
    return format_wide(text, arguments, limit).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def format_bytes(text: bytes, arguments: Arguments, limit: int) -> bytes:
    """At most `limit` bytes, without a NUL at the end; ask for one more than there is room for to see an overflow."""
    return _Printer(arguments, limit, wide=False).print(text.decode("latin-1")).encode("latin-1")


def format_wide(text: str, arguments: Arguments, limit: int) -> str:
    """At most `limit` UTF-16 units, without a NUL at the end. Half a pair stays what it is: encode with "surrogatepass"."""
    units = _Printer(arguments, limit, wide=True).print(_units(text))
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


class _Printer:
    """Holds one character for each byte or UTF-16 unit, so that lengths are the driver's."""

    def __init__(self, arguments: Arguments, limit: int, *, wide: bool) -> None:
        self.arguments, self.limit, self.wide = arguments, max(0, min(limit, _LONGEST)), wide

    def print(self, text: str) -> str:
        parts, length, at = [], 0, 0
        while length < self.limit and at < len(text):
            percent = text.find("%", at)
            if percent != at:
                part, at = text[at:] if percent < 0 else text[at:percent], len(text) if percent < 0 else percent
            else:
                found = _DIRECTIVE.match(text, at)
                assert found is not None  # every part of it may be empty
                part, at = self._convert(found), found.end()
            parts.append(part)
            length += len(part)
        return "".join(parts)[: self.limit]

    def _convert(self, found: re.Match[str]) -> str:
        kind = found["kind"]
        if kind == "%":
            return "%"
        if kind is None or kind not in _KINDS:
            return kind or ""  # nothing that prints: the character itself
        flags, width = found["flags"], self._number(found["width"]) or 0
        if width < 0:
            flags, width = flags + "-", -width
        precision = self._number(found["precision"])
        if precision is not None and precision < 0:
            precision = None
        precision = precision if precision is None else min(precision, self.limit)
        return _KINDS[kind](self, _Spec(flags, min(width, self.limit), precision, found["size"] or "", kind))

    def _number(self, text: str | None) -> int | None:
        """Of a width or precision; a period with nothing after it is 0."""
        if text != "*":
            return None if text is None else int(text[:10] or 0) if text != "-" else 0
        value = self.arguments.next() & 0xFFFF_FFFF
        return value - (value >> 31 << 32)

    # The conversions.

    def _signed(self, spec: _Spec) -> str:
        bits = _BITS.get(spec.size, 32)
        value = self.arguments.next() & (1 << bits) - 1
        value -= value >> bits - 1 << bits
        return self._integer(spec, spec.sign(value < 0), str(abs(value)))

    def _unsigned(self, spec: _Spec) -> str:
        value = self.arguments.next() & (1 << _BITS.get(spec.size, 32)) - 1
        digits = format(value, {"u": "d"}.get(spec.kind, spec.kind))
        prefix = "0" + spec.kind if "#" in spec.flags and value and spec.kind in "xX" else ""
        if spec.kind == "o" and "#" in spec.flags and len(digits) >= (spec.precision or 0) and digits != "0":
            digits = "0" + digits
        return self._integer(spec, prefix, digits)

    def _integer(self, spec: _Spec, sign: str, digits: str) -> str:
        if spec.precision is None:
            return spec.pad_number(sign, digits, zeros=True)
        if digits == "0":
            digits = "0" if "#" in spec.flags and spec.kind == "o" else ""
        return spec.pad_number(sign, digits.rjust(spec.precision, "0"), zeros=False)

    def _pointer(self, spec: _Spec) -> str:
        return spec.pad(("0X" if "#" in spec.flags else "") + format(self.arguments.next(), "016X"))

    def _double(self, spec: _Spec) -> str:
        value: float = _DOUBLE.unpack(self.arguments.next().to_bytes(8, "little"))[0]
        sign = spec.sign(math.copysign(1, value) < 0)
        if not math.isfinite(value):
            digits = "nan" if math.isnan(value) else "inf"
            return spec.pad(sign + (digits.upper() if spec.kind.isupper() else digits))
        if spec.kind in "aA":
            prefix, digits = _hex_double(abs(value), spec.precision, "#" in spec.flags)
            upper = spec.kind == "A"
            return spec.pad_number(sign + (prefix.upper() if upper else prefix), digits.upper() if upper else digits, zeros=True)
        alternate = "#" if "#" in spec.flags else ""
        digits = f"%{alternate}.{6 if spec.precision is None else spec.precision}{spec.kind}" % abs(value)
        return spec.pad_number(sign, digits, zeros=True)

    def _character(self, spec: _Spec) -> str:
        value = self.arguments.next()
        if self._is_wide(spec):
            return spec.pad(self._from_wide(chr(value & 0xFFFF)))
        return spec.pad(self._from_narrow(bytes((value & 0xFF,))))

    def _string(self, spec: _Spec) -> str:
        address = self.arguments.next()
        if not address:
            return spec.pad("(null)"[: spec.precision])
        wide = self._is_wide(spec)
        data, bad = self._terminated(address, 2 if wide else 1, self.limit if spec.precision is None else spec.precision)
        text = self._text(data, wide)
        return spec.pad(text[: spec.precision] + (f"<bad pointer {address:#x}>" if bad else ""))

    def _counted(self, spec: _Spec) -> str:
        address = self.arguments.next()
        if not address:
            return spec.pad("(null)")
        head = self.arguments.read(address, _STRING)
        if len(head) < _STRING:
            return spec.pad(f"<bad pointer {address:#x}>")
        string = UNICODE_STRING(Buffer(head), 0)
        if not string.Buffer:
            return spec.pad("(null)")
        wide = spec.size in ("w", "l")
        length = min(string.Length, 2 * self.limit) & (~1 if wide else ~0)
        data = self.arguments.read(string.Buffer, length)
        return spec.pad(self._text(data, wide) + (f"<bad pointer {string.Buffer:#x}>" if len(data) < length else ""))

    def _refused(self, spec: _Spec) -> str:
        self.arguments.next()
        return "<%n refused>"

    # Strings of either width.

    def _is_wide(self, spec: _Spec) -> bool:
        if spec.size in ("h", "hh"):
            return False
        return spec.size in ("l", "w", "ll") or self.wide == spec.kind.islower()

    def _terminated(self, address: int, unit: int, most: int) -> tuple[bytes, bool]:
        """The units before the NUL, `most` at the most; and whether memory ended before either."""
        data, size = bytearray(), most * unit
        while len(data) < size:
            here = address + len(data)
            want = min(size - len(data), _CHUNK - here % _CHUNK)  # a string may end where its page does
            want += -want % unit
            part = self.arguments.read(here, want) if here < 1 << 64 else b""
            whole = len(part) // unit * unit
            end = next((at for at in range(0, whole, unit) if not any(part[at : at + unit])), None)
            data += part[: whole if end is None else end]
            if end is not None or whole < want:
                return bytes(data), end is None
        return bytes(data), False

    def _text(self, data: bytes, wide: bool) -> str:
        return self._from_wide(_units_of(data)) if wide else self._from_narrow(data)

    def _from_wide(self, units: str) -> str:
        if self.wide:
            return units
        text = units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return text.encode("utf-8").decode("latin-1")

    def _from_narrow(self, data: bytes) -> str:
        return _units(data.decode("utf-8", "replace")) if self.wide else data.decode("latin-1")


def _units(text: str) -> str:
    """A character for each UTF-16 unit."""
    return _units_of(text.encode("utf-16-le", "surrogatepass")) if any(c > "\uffff" for c in text) else text


def _units_of(data: bytes) -> str:
    return "".join(chr(data[at] | data[at + 1] << 8) for at in range(0, len(data) - 1, 2))


def _hex_double(value: float, precision: int | None, point: bool) -> tuple[str, str]:
    """`0x` and the rest of C's %a of a value that is finite and not negative; 13 digits unless `precision` says otherwise."""
    if not value:
        mantissa, exponent = 0, 0
    else:
        fraction, exponent = math.frexp(value)
        exponent -= 1
        if exponent < -1022:
            fraction, exponent = math.ldexp(fraction, exponent + 1022), -1022  # a denormal begins with 0
        mantissa = int(math.ldexp(fraction, 53))
    digits = 13 if precision is None else precision
    if digits < 13:
        drop = 4 * (13 - digits)
        half, rest = 1 << drop - 1, mantissa & (1 << drop) - 1
        mantissa >>= drop
        mantissa += rest > half or (rest == half and mantissa & 1)
        mantissa <<= drop
    text = format(mantissa & (1 << 52) - 1, "013x")[:digits].ljust(digits, "0")
    return "0x", f"{mantissa >> 52}{'.' if text or point else ''}{text}p{exponent:+d}"


# fmt: off
_KINDS: dict[str, Callable[[_Printer, _Spec], str]] = {
    **dict.fromkeys("di",       _Printer._signed),
    **dict.fromkeys("uxXo",     _Printer._unsigned),
    **dict.fromkeys("eEfFgGaA", _Printer._double),
    **dict.fromkeys("cC",       _Printer._character),
    **dict.fromkeys("sS",       _Printer._string),
    "p": _Printer._pointer,
    "Z": _Printer._counted,
    "n": _Printer._refused,
}
# fmt: on
