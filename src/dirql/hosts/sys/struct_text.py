"""The C text of a structure, read into declarations: the part of C's grammar (C11 6.7.2.1) that public headers use for data.

Scalars, `*` pointers, one-dimensional arrays (`[ANYSIZE_ARRAY]` is one element that more may follow, `[]` none), bit-fields,
named and unnamed `struct` and `union`, POINTER_ALIGNMENT, comments. `const` and `volatile` say nothing about layout.

Limits: a pointer to a function is written `PVOID Name`; no `#if`, no arrays of arrays, no expressions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dirql.errors import LayoutError

__all__ = ["Declaration", "Members", "parse"]

_TOKEN = re.compile(r"\s*(?:/\*.*?\*/\s*|//[^\n]*\s*)*([A-Za-z_]\w*|0[xX][0-9A-Fa-f]+|\d+|[{}\[\];:,*]|\Z)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*")
_SILENT = {"CONST", "const", "volatile"}


@dataclass(frozen=True)
class Members:
    """What stands between the braces of a `struct` or `union`."""

    union: bool
    declarations: tuple[Declaration, ...]


@dataclass(frozen=True)
class Declaration:
    """One member; `type` is a name or, for a structure written in place, its members. No `name`: they are the outer one's."""

    name: str
    type: str | Members
    pointer: bool = False
    count: int | None = None
    open_ended: bool = False
    bits: int | None = None
    pointer_aligned: bool = False


def parse(name: str, text: str, *, union: bool = False) -> Members:
    """The members that `text` declares; `name` is for the errors."""
    reader = _Reader(name, text)
    members = Members(union, tuple(reader.members("")))
    if not members.declarations:
        raise LayoutError(f"{name} declares no member")
    return members


class _Reader:
    def __init__(self, name: str, text: str) -> None:
        self.name, self.next, self.last = name, 0, ""
        self.tokens: list[str] = []
        at = 0
        while not self.tokens or self.tokens[-1]:
            found = _TOKEN.match(text, at)
            if found is None:
                line = text.count("\n", 0, at) + 1
                raise LayoutError(f"{name}: {text[at : at + 20].split()[0]!r} in line {line} is no part of a C declaration")
            self.tokens.append(found[1])
            at = found.end()

    def take(self) -> str:
        token = self.tokens[self.next]
        self.next += bool(token)
        return token

    def took(self, token: str) -> bool:
        if self.tokens[self.next] != token:
            return False
        self.next += 1
        return True

    def need(self, token: str, after: str) -> None:
        if not self.took(token):
            raise LayoutError(f"{self.name}: {token!r} is missing after {after}; {self._here()} stands there")

    def _here(self) -> str:
        return repr(self.tokens[self.next]) if self.tokens[self.next] else "the end"

    def word(self, what: str) -> str:
        token = self.take()
        if not _NAME.fullmatch(token):
            raise LayoutError(f"{self.name}: {what} is missing; {token!r} stands there" if token else
                              f"{self.name}: {what} is missing at the end")  # fmt: skip
        return token

    def number(self, what: str) -> int:
        token = self.take()
        if not token[:1].isdigit():
            raise LayoutError(f"{self.name}: {what} must be a number and is {token!r}")
        return int(token, 0)

    def members(self, end: str) -> Iterator[Declaration]:
        while not self.took(end):
            word = self.word("a type")
            while word in _SILENT:
                word = self.word("a type")
            if word in ("struct", "union") and self.took("{"):
                kind: str | Members = Members(word == "union", tuple(self.members("}")))
                if self.took(";"):
                    yield Declaration("", kind)
                    continue
            else:
                kind = self.word("a type") if word in ("struct", "union") else word
            aligned = self.took("POINTER_ALIGNMENT")
            while True:
                yield self.declarator(kind, aligned)
                if not self.took(","):
                    break
            self.need(";", f"member {self.last}")

    def declarator(self, kind: str | Members, aligned: bool) -> Declaration:
        pointer = False
        while self.tokens[self.next] == "*" or self.tokens[self.next] in _SILENT:
            pointer |= self.take() == "*"
        self.last = name = self.word("the name of a member")
        if self.took("["):
            if self.took("]"):
                return Declaration(name, kind, pointer, 0, True, None, aligned)
            open_ended = self.took("ANYSIZE_ARRAY")
            count = 1 if open_ended else self.number(f"the length of {name}")
            self.need("]", f"the length of {name}")
            return Declaration(name, kind, pointer, count, open_ended, None, aligned)
        bits = self.number(f"the width of {name}") if self.took(":") else None
        return Declaration(name, kind, pointer, None, False, bits, aligned)
