"""An image's bytes by address, and its instructions as operands: what is read without running anything.

Addresses are those of the preferred base, so that pointers in data count as they stand in the file.
Limits: instructions are told apart by a disassembler's text; an encoding that it does not know ends a path.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Container, Iterator
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

import capstone

from dirql.hosts.sys.image import Image, Section
from dirql.hosts.sys.strings import printable_text

__all__ = ["Code", "Instruction", "Memory", "Operand", "Reference"]
