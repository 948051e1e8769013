"""Symbolic links of IoCreateSymbolicLink: `system.open` knows them, and says that they lead nowhere."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dirql.hosts.sys.strings import unicode_string
from dirql.ntstatus import STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_NAME_NOT_FOUND, StatusError


def link(world: Any, routine: str, *names: str) -> int:
    texts = [unicode_string(world.guest.space, name, "a name").address for name in names]
    return int(world.routine(f"ntoskrnl!{routine}", *texts))


@pytest.mark.parametrize("name", [r"\\.\Card0", r"\??\card0", r"\\.\CARD0\a\file"])
def test_an_open_by_a_WDM_drivers_link_says_that_its_requests_are_not_modelled(world: Any, name: str) -> None:
    assert link(world, "IoCreateSymbolicLink", r"\DosDevices\Card0", r"\Device\Card0") == 0
    why = rf"{name} is IoCreateSymbolicLink's link to \Device\Card0, and requests to a WDM driver's device are not modelled"
    remedy = "open a KMDF driver's: WdfDeviceCreateDeviceInterface, WdfDeviceCreateSymbolicLink"
    with pytest.raises(StatusError, match=re.escape(f"{why}; {remedy}")) as refused:
        world.system.open(name)
    assert refused.value.status == STATUS_OBJECT_NAME_NOT_FOUND


def test_a_link_that_is_deleted_is_known_no_more(world: Any) -> None:
    assert link(world, "IoCreateSymbolicLink", r"\DosDevices\Card0", r"\Device\Card0") == 0
    assert link(world, "IoDeleteSymbolicLink", r"\??\CARD0") == 0
    with pytest.raises(StatusError, match="no device has a name or an enabled interface"):
        world.system.open(r"\\.\Card0")
    assert link(world, "IoDeleteSymbolicLink", r"\??\CARD0") == STATUS_OBJECT_NAME_NOT_FOUND


def test_a_name_belongs_to_one_link_in_whichever_directory_it_is_written(world: Any) -> None:
    assert link(world, "IoCreateSymbolicLink", r"\DosDevices\Card0", r"\Device\Card0") == 0
    assert link(world, "IoCreateSymbolicLink", r"\??\card0", r"\Device\Card1") == STATUS_OBJECT_NAME_COLLISION
    with pytest.raises(StatusError, match=r"there is a \\DosDevices\\Card0 already"):
        world.guest.framework.names.add(r"\DosDevices\Card0", object())
