"""As many framework objects as a driver likes, up to a limit of dirql's own."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf
from dirql.wdf import framework


def test_more_objects_than_dirql_keeps_are_insufficient_resources(World: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    w = World().started()
    monkeypatch.setattr(framework, "MOST_OBJECTS", w.system.framework.live + 1)

    def body() -> None:
        lock = wdf.SpinLock.create(w.device)
        with pytest.raises(wdf.StatusError) as refused:
            wdf.SpinLock.create(w.device)
        assert refused.value.status == wdf.STATUS_INSUFFICIENT_RESOURCES
        assert refused.value.why == (
            f"no WDFSPINLOCK is made: {framework.MOST_OBJECTS:,} framework objects are there, and dirql keeps no more; "
            "delete what is not needed"
        )
        lock.delete()
        wdf.SpinLock.create(w.device)

    w.call(body)


def test_an_object_counts_until_its_last_reference_is_gone(World: Any) -> None:
    w = World().started()
    counts = []

    def body() -> None:
        lock = wdf.SpinLock.create(w.device)
        lock.reference()
        for step in (lock.delete, lock.dereference):
            counts.append(w.system.framework.live)
            step()
        counts.append(w.system.framework.live)

    w.call(body)
    assert counts == [counts[0], counts[0], counts[0] - 1]


def test_children_may_be_deleted_in_any_order(World: Any) -> None:
    w = World().started()

    def body() -> list[Any]:
        locks = [wdf.SpinLock.create(w.device) for _ in range(5)]
        for index in (2, 4, 0):
            locks[index].delete()
        return [lock in w.device.children for lock in locks]

    assert w.call(body) == [False, True, False, True, False]
