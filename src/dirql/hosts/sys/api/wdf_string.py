"""WdfString*."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from dirql.hosts.sys.abi import NTSTATUS, VOID, Handle, Out, Ptr, wdf
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.guids import optional_text
from dirql.hosts.sys.nt_structs import UNICODE_STRING
from dirql.hosts.sys.strings import unicode_string
from dirql.hosts.sys.wdf_structs import WDF_OBJECT_ATTRIBUTES
from dirql.hosts.sys.wdf_values import attributes_of
from dirql.ntstatus import STATUS_SUCCESS
from dirql.wdf.file_object import FileObject
from dirql.wdf.object import expect_parameter
from dirql.wdf.string import String

__all__ = ["Texts"]


class Texts:
    """A component of the guest: the UNICODE_STRINGs behind string objects and file names, the same while the text is."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self._known: WeakKeyDictionary[String | FileObject, tuple[str, UNICODE_STRING]] = WeakKeyDictionary()

    def of(self, owner: String | FileObject, text: str) -> UNICODE_STRING:
        """The structure."""
        known = self._known.get(owner)
        if known is None or known[0] != text:
            known = self._known[owner] = text, unicode_string(self.guest.space, text, f"the text of {owner.name}")
        return known[1]


@wdf
def WdfStringCreate(
    guest: Guest, text: Ptr[UNICODE_STRING] | None, attributes: Ptr[WDF_OBJECT_ATTRIBUTES] | None,
    string: Out[Handle[String]] | None,
) -> NTSTATUS:  # fmt: skip
    """WdfStringCreate: NULL makes an empty one."""
    expect_parameter(string, "String", "WdfStringCreate")
    assert string is not None
    string(String.create(guest.framework, optional_text(text), attributes_of(guest, attributes, "WdfStringCreate")))
    return STATUS_SUCCESS


@wdf
def WdfStringGetUnicodeString(guest: Guest, string: Handle[String], to: Ptr[UNICODE_STRING] | None) -> VOID:
    """WdfStringGetUnicodeString: the buffer stays the string object's."""
    expect_parameter(to, "UnicodeString", "WdfStringGetUnicodeString")
    assert to is not None
    found = guest.part(Texts).of(string, string.get_unicode_string())
    to.Length, to.MaximumLength, to.Buffer = found.Length, found.MaximumLength, found.Buffer
