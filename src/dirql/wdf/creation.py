"""What creating any framework object checks: its attributes, its parent, the device above it; and conditional IRQL limits.

A class method `create(parent, …)` takes the parent first; `attributes.parent_object` overrides it, as it alone does in C.
The `Framework` itself in its place stands for attributes that name no parent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirql import ntstatus
from dirql.ddi import irql_name
from dirql.ntstatus import StatusError
from dirql.wdf.framework import Framework
from dirql.wdf.object import Object, ObjectAttributes, expect

if TYPE_CHECKING:
    from dirql.wdf.device import Device

__all__ = ["device_above", "limited_to", "parent_of", "required_parent", "validate"]


def validate(
    kind: str, attributes: ObjectAttributes | None, *, parent_allowed: bool = True, levels_allowed: bool = False
) -> None:
    """Refuse attributes that an object of `kind` cannot have."""
    if attributes is not None:
        status = attributes.validate(parent_allowed=parent_allowed, levels_allowed=levels_allowed)
        if status:
            raise StatusError(status, f"WDF_OBJECT_ATTRIBUTES of a {kind}")


def parent_of(first: Object | Framework, attributes: ObjectAttributes | None, routine: str) -> Object | None:
    """The parent that the caller names; None when it names none."""
    if attributes is not None and attributes.parent_object is not None:
        return expect(attributes.parent_object, Object, routine)
    return None if isinstance(first, Framework) else expect(first, Object, routine)


def required_parent(first: Object | Framework, attributes: ObjectAttributes | None, routine: str) -> Object:
    """The same where there is no default parent."""
    parent = parent_of(first, attributes, routine)
    if parent is None:
        raise StatusError(ntstatus.STATUS_WDF_PARENT_NOT_SPECIFIED, f"{routine}: the attributes name no ParentObject")
    return parent


def device_above(parent: Object, routine: str) -> Device:
    """The device that `parent` is, or descends from."""
    device = parent.device
    if device is None:
        raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{routine}: no device is among the parents of {parent.name}")
    return device


def limited_to(framework: Framework, irql: int, routine: str, when: str) -> bool:
    """An IRQL limit that depends on the arguments. False: the KMDF verifier makes the routine return at once (facts §5.4)."""
    current = framework.machine.cpu.irql
    if current <= irql:
        return True
    framework.complain("irql-too-high", f"{routine} needs IRQL <= {irql_name(irql)} {when}, called at {irql_name(current)}")
    return framework.allowed(irql, routine)
