"""The lists as filter callbacks see them, and the framework's stamping walk."""

from __future__ import annotations

import re

import pytest

from dirql.ntstatus import STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER, StatusError
from dirql.pnp import (
    Access,
    InterruptPolicy,
    IoInterrupt,
    IoMemory,
    IoResList,
    IoResourceDescriptor,
    IoResourceList,
    IoResourceRequirementsList,
    IoResReqList,
    stamp,
)

TOKEN = 0xFFFF_FFFE
BAR = IoResourceDescriptor(3, IoMemory(0x1000, 0x1000, 0, 0xFFFFFFFF), share_disposition=1)


def message(count: int = 1, *, option: int = 0, flags: int = 3) -> IoResourceDescriptor:
    return IoResourceDescriptor(2, IoInterrupt(TOKEN - count + 1, TOKEN), option, 1, flags)


def line(option: int = 0) -> IoResourceDescriptor:
    return IoResourceDescriptor(2, IoInterrupt(16, 23), option, 3, 0)


def wish(*lists: tuple[IoResourceDescriptor, ...]) -> IoResourceRequirementsList:
    return IoResourceRequirementsList(tuple(IoResourceList(one) for one in lists), msi=True)


def editor(*lists: tuple[IoResourceDescriptor, ...], access: Access = Access.ALL) -> tuple[IoResReqList, IoResList]:
    whole = IoResReqList(wish(*lists), access)
    first = whole.get_io_res_list(0)
    assert first is not None
    return whole, first


def test_an_untouched_list_is_unchanged_and_the_same() -> None:
    whole, first = editor((BAR, message()), (BAR, line()))
    assert (whole.get_count(), first.get_count(), whole.changed, whole.value()) == (
        2,
        2,
        False,
        wish((BAR, message()), (BAR, line())),
    )
    assert whole.value().msi
    assert (first.get_descriptor(1), first.get_descriptor(2), whole.get_io_res_list(2)) == (message(), None, None)


def test_descriptors_are_appended_inserted_updated_and_removed() -> None:
    whole, first = editor((BAR, message()))
    first.append_descriptor(line(8))
    first.insert_descriptor(message(), 1)
    first.update_descriptor(message(2), 2)
    first.remove(0)
    first.remove_by_descriptor(line(8))
    assert whole.changed
    assert whole.value() == wish((message(), message(2)))


def test_the_very_descriptor_is_removed_before_an_equal_one() -> None:
    one, two = message(), message()
    _, first = editor((one, two))
    first.remove_by_descriptor(two)
    assert first.get_descriptor(0) is one


def test_lists_are_inserted_and_removed() -> None:
    whole, first = editor((BAR,))
    new, other = IoResList(whole), IoResList(whole, (line(),))
    new.append_descriptor(message())
    whole.insert_io_res_list(new, 0)
    whole.append_io_res_list(other)
    assert whole.value() == wish((message(),), (BAR,), (line(),))
    whole.remove_by_io_res_list(first)
    whole.remove(0)
    whole.set_slot_number(3)
    whole.set_interface_type(1)
    value = whole.value()
    assert ([d.descriptors for d in value.lists], value.slot_number, value.interface_type) == ([(line(),)], 3, 1)


@pytest.mark.parametrize(
    ("access", "index", "status", "text"),
    [
        (Access.REMOVE, 0, STATUS_ACCESS_DENIED,
         "STATUS_ACCESS_DENIED (0xc0000022): this callback may not add an IO_RESOURCE_DESCRIPTOR; do it in the one that adds"),
        (Access.ADD, 2, STATUS_INVALID_PARAMETER,
         "STATUS_INVALID_PARAMETER (0xc000000d): IO_RESOURCE_DESCRIPTOR cannot go to index 2; there are 1"),
        (Access.ADD, -1, STATUS_INVALID_PARAMETER,
         "STATUS_INVALID_PARAMETER (0xc000000d): IO_RESOURCE_DESCRIPTOR cannot go to index -1; there are 1"),
    ],
)  # fmt: skip
def test_adding_where_it_may_not_fails(access: Access, index: int, status: int, text: str) -> None:
    whole, first = editor((BAR,), access=access)
    with pytest.raises(StatusError, match=f"^{re.escape(text)}$") as failed:
        first.insert_descriptor(line(), index)
    assert (failed.value.status, whole.changed) == (status, False)


def test_a_list_goes_into_its_own_requirements_list_once() -> None:
    whole, first = editor((BAR,))
    other, _ = editor((BAR,))
    for bad in (first, IoResList(other)):
        with pytest.raises(StatusError, match=r"the list is of another requirements list, or in this one already$"):
            whole.append_io_res_list(bad)


def test_void_routines_note_what_they_did_not_do() -> None:
    whole, first = editor((BAR,), access=Access.ADD)
    first.remove(0)
    first.update_descriptor(BAR, 5)
    whole.access = Access.ALL
    first.remove(1)
    whole.remove(7)
    first.remove_by_descriptor(line())
    assert not whole.changed
    assert whole.notes == [
        "this callback may not remove an IO_RESOURCE_DESCRIPTOR; do it in the one that removes",
        "there is no descriptor 5 to update; there are 1",
        "there is no IO_RESOURCE_DESCRIPTOR 1 to remove; there are 1",
        "there is no alternative list 7 to remove; there are 1",
        "there is no IO_RESOURCE_DESCRIPTOR -1 to remove; there are 1",
    ]


def policies(count: int) -> list[InterruptPolicy]:
    """Interrupt object i targets processor mask 0x10 + i."""
    return [InterruptPolicy(is_set=True, policy=4, priority=2, targeted_processors=0x10 + i) for i in range(count)]


def targets(requirements: IoResourceRequirementsList) -> list[list[int]]:
    return [[d.u.targeted_processors for d in one.descriptors if isinstance(d.u, IoInterrupt)] for one in requirements.lists]


@pytest.mark.parametrize(("lists", "objects", "expected", "warnings"), [
    ([(BAR, message(), message())],            2, [[0x10, 0x11]],       []),
    ([(message(), message()), (message(),)],   2, [[0x10, 0x11], [0x10]], []),
    ([(message(), message(option=8), message())], 2, [[0x10, 0x10, 0x11]], []), # alternatives do not move the cursor
    ([(message(16), message())],               2, [[0x10, 0x11]],       []),                  # MSI moves it by one
    ([(message(), message(), line(8))],        2, [[0x10, 0x11, 0x10]], []),                  # the line takes the first object
    ([(message(), line())],                    2, [[0x10, 0x10]],       []),
    ([(message(), line(), line())],            2, [[0x10, 0x10, 0x11]], []),
    ([(line(), line())],                       2, [[0x10, 0x11]],       []),
    ([(line(), message(), message())],         2, [[0x10, 0x10, 0x11]], []),                  # cursors of their own
    ([(message(), line(8), message())],        2, [[0x10, 0x10, 0x11]], []),
    ([(message(), message(), line(8))],        1, [[0x10, 0, 0x10]],
     ["list 0, descriptor 1 has no interrupt object; there are 1"]),
    ([(line(),)],                              0, [[0]],
     ["list 0, descriptor 0 has no interrupt object; there are 0"]),
    ([(message(option=8),)],                   1, [[0]],                [("list 0, descriptor 0 is an alternative of nothing; "
                                                                         "put its preferred one before it")]),
])  # fmt: skip
def test_the_walk_gives_each_descriptor_its_interrupt_object(
    lists: list[tuple[IoResourceDescriptor, ...]], objects: int, expected: list[list[int]], warnings: list[str]
) -> None:
    stamped = stamp(wish(*lists), policies(objects))
    assert (targets(stamped.requirements), list(stamped.warnings)) == (expected, warnings)


def test_the_stamp_is_exact() -> None:
    policy = InterruptPolicy(share=True, is_set=True, policy=5, priority=3, targeted_processors=0xFF)
    (one,) = stamp(wish((message(),)), [policy]).requirements.lists[0].descriptors
    assert (
        one.pack().hex()
        == "00020300" + "0700" + "0000" + "feffffff" + "feffffff" + "0500" + "0000" + "03000000" + "ff00000000000000"
    )


def test_the_registry_wins_over_the_policy_but_not_over_sharing() -> None:
    policy = InterruptPolicy(share=False, is_set=True, policy=5)
    (one,) = (
        stamp(wish((IoResourceDescriptor(2, IoInterrupt(TOKEN, TOKEN, 3), 0, 3, 7),)), [policy]).requirements.lists[0].descriptors
    )
    assert isinstance(one.u, IoInterrupt)
    assert (one.u.affinity_policy, one.share_disposition) == (3, 1)


@pytest.mark.parametrize(("share", "expected"), [(None, 1), (False, 1), (True, 3)])
def test_sharing_is_stamped_unless_it_is_default(share: bool | None, expected: int) -> None:
    (one,) = stamp(wish((message(),)), [InterruptPolicy(share=share)]).requirements.lists[0].descriptors
    assert (one.share_disposition, one.flags) == (expected, 3)
