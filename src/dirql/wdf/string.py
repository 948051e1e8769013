"""WDFSTRING: a Unicode string as a framework object."""

from __future__ import annotations

from dirql.ddi import ddi, ddi_create
from dirql.wdf.creation import parent_of, validate
from dirql.wdf.framework import Framework
from dirql.wdf.object import Object, ObjectAttributes

__all__ = ["String"]


class String(Object):
    """WDFSTRING. `text` is what it holds; routines that fill a string set it."""

    kind = "WDFSTRING"

    def __init__(self, framework: Framework, parent: Object | None, attributes: ObjectAttributes | None, text: str) -> None:
        super().__init__(framework, parent, attributes)
        self.text = text

    @classmethod
    @ddi_create("WdfStringCreate")
    def create(cls, parent: Object | Framework, text: str = "", attributes: ObjectAttributes | None = None) -> String:
        """WdfStringCreate. Without a parent the driver is it."""
        validate("WDFSTRING", attributes)
        above = parent_of(parent, attributes, "WdfStringCreate")
        framework = parent if isinstance(parent, Framework) else parent.framework
        return cls(framework, above if above is not None else framework.driver, attributes, text)

    @ddi("WdfStringGetUnicodeString")
    def get_unicode_string(self) -> str:
        """WdfStringGetUnicodeString."""
        return self.text
