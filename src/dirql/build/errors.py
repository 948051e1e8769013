"""What `dirql build` refuses to do."""

from __future__ import annotations

from dirql.errors import DirqlError

__all__ = ["BuildError", "CompileError"]


class BuildError(DirqlError):
    """A driver cannot be built, or must not be where it was asked to."""


class CompileError(BuildError):
    """The compiler or the linker refused; `diagnostics` is what it said."""

    def __init__(self, message: str, diagnostics: str) -> None:
        self.diagnostics = diagnostics
        super().__init__(message)
