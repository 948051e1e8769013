"""Every exception that dirql raises; each message says who, which value, which limit and what to do."""

from __future__ import annotations

__all__ = ["ApiError", "DirqlError", "InputError", "LayoutError", "NotModelled", "Unfinished", "UsageError"]


class DirqlError(Exception):
    """Base of all errors that are somebody's mistake and not a bug of dirql."""


class LayoutError(DirqlError):
    """A register, block or structure declaration contradicts itself; raised at import."""


class ApiError(DirqlError):
    """A routine is declared without the facts it needs; raised at import."""


class UsageError(DirqlError):
    """A call of dirql's own Python surface that cannot be carried out."""


class Unfinished(UsageError):
    """What was asked of a driver, and waited for, is not done, and nothing more happens."""


class NotModelled(DirqlError):
    """Something that exists on real machines and that dirql does not model yet."""


class InputError(DirqlError):
    """A file of the user's cannot be used: says the file, the line or offset, the value, the limit and the remedy."""

    def __init__(self, source: str, where: str, problem: str, remedy: str = "") -> None:
        self.source, self.where, self.problem, self.remedy = source, where, problem, remedy
        place = f"{source}:{where}" if where else source
        super().__init__(f"{place}: {problem}" + (f"; {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str, str]]:
        return type(self), (self.source, self.where, self.problem, self.remedy)  # from another process
