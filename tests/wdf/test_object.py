"""Framework objects: contexts, parents, references, deletion (facts §2.3, §2.4, §5.3, §6.3)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dirql import wdf
from dirql.kernel.stop import BugCheck

NUMBER = st.integers(0, 9)


class First:
    """A context."""

    def __init__(self) -> None:
        self.value = 1


class Second:
    """Another."""


def recorded(w: Any, name: str, **more: Any) -> wdf.ObjectAttributes:
    return wdf.ObjectAttributes(
        evt_cleanup_callback=lambda o: w.note("cleanup", name), evt_destroy_callback=lambda o: w.note("destroy", name), **more
    )


def tree(World: Any) -> tuple[Any, dict[str, Any]]:
    """a above b and c, d below b; below the device."""
    w = World().started()
    objects: dict[str, Any] = {"": w.device}

    def build() -> None:
        for name, parent in (("a", ""), ("b", "a"), ("c", "a"), ("d", "b")):
            objects[name] = wdf.create_object(objects[parent], recorded(w, name))

    w.call(build)
    return w, objects


def test_deleting_cleans_up_from_the_youngest_leaf_and_destroys_after_all_cleanups(World: Any) -> None:
    w, objects = tree(World)
    w.call(objects["a"].delete)
    order = ["c", "d", "b", "a"]
    assert w.log == [*[("cleanup", n) for n in order], *[("destroy", n) for n in order]]
    assert all(objects[n].destroyed for n in order)
    assert objects["a"] not in w.device.children


def test_a_reference_keeps_an_object_from_destruction_and_not_from_cleanup(World: Any) -> None:
    w, objects = tree(World)
    w.call(objects["d"].reference)
    w.call(objects["b"].delete)
    assert w.log == [("cleanup", "d"), ("cleanup", "b"), ("destroy", "b")]
    assert not objects["d"].destroyed
    w.call(objects["d"].dereference)
    assert w.log[-1] == ("destroy", "d")


def test_removing_a_device_deletes_what_is_below_it(World: Any) -> None:
    w, _ = tree(World)
    w.system.remove(w.card)
    cleanups = [e for e in w.log if isinstance(e, tuple) and e[0] == "cleanup"]
    assert cleanups == [("cleanup", n) for n in ("c", "d", "b", "a")]
    assert w.log.index(("cleanup", "a")) < w.log.index("Cleanup") < w.log.index(("destroy", "c"))


@pytest.mark.parametrize(
    ("misuse", "parameter"),
    [
        (lambda o: o.dereference(), 7),
        (lambda o: (o.reference(), o.delete(), o.delete()), 7),
        (lambda o: (o.delete(), o.delete()), 5),
        (lambda o: (o.delete(), o.reference()), 5),
        (lambda o: (o.delete(), o.dereference()), 5),
        (lambda o: (o.delete(), wdf.create_object(o.parent, wdf.ObjectAttributes(parent_object=o))), 5),
    ],
)
def test_misuse_of_references_is_bugcheck_10d(World: Any, misuse: Any, parameter: int) -> None:
    w, objects = tree(World)
    handle = objects["c"].handle
    assert w.stop_code(misuse, objects["c"]) == (0x10D, parameter, handle, 0, 0)


def test_the_bugcheck_says_which_object_and_what_was_done(World: Any) -> None:
    w, objects = tree(World)
    name = objects["c"].name
    w.stop_code(objects["c"].dereference)
    assert str(w.system.stopped) == (
        f"bugcheck 0x10d WDF_VIOLATION (0x7, {objects['c'].handle:#x}, 0x0, 0x0): WDFOBJECT {name} is dereferenced once too often"
    )


@pytest.mark.parametrize(
    ("make", "use", "said"),
    [
        (lambda d: wdf.SpinLock.create(d), lambda o: o.acquire(), "WdfSpinLockAcquire of WDFSPINLOCK"),
        (lambda d: wdf.WaitLock.create(d), lambda o: o.acquire(), "WdfWaitLockAcquire of WDFWAITLOCK"),
        (lambda d: wdf.Timer.create(d, wdf.TimerConfig(print)), lambda o: o.start(1), "WdfTimerStart of WDFTIMER"),
        (lambda d: wdf.WorkItem.create(d, wdf.WorkItemConfig(print)), lambda o: o.enqueue(), "WdfWorkItemEnqueue of WDFWORKITEM"),
        (lambda d: wdf.Memory.create(d, 16), lambda o: o.get_buffer(), "WdfMemoryGetBuffer of WDFMEMORY"),
        (lambda d: wdf.SpinLock.create(d), lambda o: o.delete(), "WdfObjectDelete of WDFSPINLOCK"),
        (lambda d: wdf.SpinLock.create(d), lambda o: wdf.Memory.create(o, 16), "WdfMemoryCreate of WDFSPINLOCK"),
    ],
    ids=["spin lock", "wait lock", "timer", "work item", "memory", "delete", "parent"],
)
def test_a_routine_of_an_object_that_was_freed_is_bugcheck_10d_5(World: Any, make: Any, use: Any, said: str) -> None:
    w = World().started()
    gone = w.call(lambda: make(w.device))
    w.call(gone.delete)
    assert w.stop_code(use, gone) == (0x10D, 5, gone.handle, 0, 0)
    assert w.system.stopped.why.startswith(f"{said} {gone.name}, which was freed")


def test_a_buffer_that_was_freed_is_bugcheck_d5(World: Any) -> None:
    w = World().started()
    memory = w.call(lambda: wdf.Memory.create(w.device, 16))
    buffer = w.call(memory.get_buffer)
    address = buffer.mdl.fragments()[0][0]
    w.call(memory.delete)
    assert w.stop_code(buffer.__setitem__, slice(4, 8), b"late") == (0xD5, address + 4, 1, 0, 0)
    assert w.system.stopped.why.startswith("writes byte 0x4 of a buffer of 0x10 bytes, which was freed")


@pytest.mark.parametrize("which", ["device", "driver", "interrupt"])
def test_what_the_framework_owns_cannot_be_deleted(World: Any, which: str) -> None:
    w = World().started()
    target = {"device": w.device, "driver": w.driver, "interrupt": w.interrupts[0]}[which]
    w.call(target.delete)
    assert not target.deleting
    assert w.findings == [
        ("cannot-delete",
         f"WdfObjectDelete of {target.kind} {target.name} is refused (STATUS_CANNOT_DELETE): the framework deletes it")
    ]  # fmt: skip


def test_an_object_has_the_context_of_its_attributes(World: Any) -> None:
    w = World().started()
    made = w.call(wdf.create_object, w.device, wdf.ObjectAttributes(context_type=First))
    assert made.context.value == 1
    assert w.call(made.get_typed_context, First) is made.context
    assert w.call(made.get_typed_context, Second) is None


def test_a_further_context_is_allocated_once_and_cleaned_up_with_its_own_callback(World: Any) -> None:
    w = World().started()
    made = w.call(wdf.create_object, w.device, recorded(w, "first", context_type=First))
    second = w.call(made.allocate_context, recorded(w, "second", context_type=Second))
    assert w.call(made.allocate_context, recorded(w, "again", context_type=Second)) is second
    assert w.call(made.get_typed_context, Second) is second
    w.call(made.delete)
    assert w.log == [("cleanup", "first"), ("cleanup", "second"), ("destroy", "first"), ("destroy", "second")]


def test_the_context_is_there_in_the_destroy_callback(World: Any) -> None:
    w = World().started()
    seen = []
    attributes = wdf.ObjectAttributes(context_type=First, evt_destroy_callback=lambda o: seen.append(o.get_typed_context(First)))
    made = w.call(wdf.create_object, w.device, attributes)
    context = made.context
    w.call(made.delete)
    assert seen == [context]


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        (wdf.ObjectAttributes(), "STATUS_WDF_OBJECT_ATTRIBUTES_INVALID (0xc0200209): attributes name no context type"),
        (wdf.ObjectAttributes(size=4), "STATUS_INFO_LENGTH_MISMATCH (0xc0000004): WDF_OBJECT_ATTRIBUTES of a context"),
    ],
)
def test_a_context_needs_a_type_and_valid_attributes(World: Any, attributes: Any, text: str) -> None:
    w = World().started()
    assert w.failure(w.device.allocate_context, attributes) == text


def test_a_parent_that_is_being_deleted_gets_no_children(World: Any) -> None:
    w = World().started()
    seen: list[str] = []

    def cleanup(made: Any) -> None:
        try:
            wdf.create_object(made)
        except wdf.StatusError as error:
            seen.append(str(error))

    made = w.call(wdf.create_object, w.device, wdf.ObjectAttributes(evt_cleanup_callback=cleanup))
    w.call(made.delete)
    assert seen == [f"STATUS_DELETE_PENDING (0xc0000056): parent {made.name} is being deleted"]


@pytest.mark.parametrize(("level", "irql"), [(wdf.ExecutionLevel.Passive, 0), (wdf.ExecutionLevel.InheritFromParent, 2)])
def test_a_passive_object_is_cleaned_up_at_passive_level_wherever_it_is_deleted(World: Any, level: int, irql: int) -> None:
    w = World().started()
    made = wdf.Object(w.framework, w.device, recorded(w, "x", execution_level=level))
    w.at_irql(2, made.delete)
    assert w.log == [("cleanup", "x"), ("destroy", "x")]
    assert w.irqls["cleanup", "x"] == irql


def test_interrupt_objects_are_cleaned_up_at_passive_level_after_their_dpc(World: Any) -> None:
    w = World(queues=1)
    w.attributes = recorded(w, "interrupt")
    w.started()
    w.during("ReleaseHardware", lambda _: w.interrupts[0].queue_dpc_for_isr() and None)
    w.system.remove(w.card)
    assert w.irqls["cleanup", "interrupt"] == 0
    assert w.log.index(("Dpc", 0)) < w.log.index(("cleanup", "interrupt"))


def test_handles_are_never_null_and_aligned(World: Any) -> None:
    w, objects = tree(World)
    handles = [o.handle for o in (w.driver, w.device, *w.interrupts, *objects.values())]
    assert all(handle and handle % 8 == 0 for handle in handles)
    assert len({*handles}) == len(handles) - 1  # the device is in there twice


@settings(max_examples=40, deadline=None)
@given(parents=st.lists(NUMBER, max_size=10), references=st.lists(NUMBER, max_size=5), victim=NUMBER)
def test_a_deleted_tree_is_cleaned_up_once_children_first_and_destroyed_when_nobody_refers_to_it(
    World: Any, parents: list[int], references: list[int], victim: int
) -> None:
    w = World(queues=1).started()
    objects: list[Any] = [wdf.Object(w.framework, w.device, recorded(w, "0"))]
    for number, parent in enumerate(parents, 1):
        objects.append(wdf.Object(w.framework, objects[parent % number], recorded(w, str(number))))
    below = {o for o in objects if any(node is objects[victim % len(objects)] for node in lineage(o))}
    held = [objects[r % len(objects)] for r in references]

    def act() -> None:
        for o in held:
            o.reference()
        objects[victim % len(objects)].delete()

    w.call(act)
    cleanups = [objects[int(name)] for what, name in w.log if what == "cleanup"]
    destroys = [objects[int(name)] for what, name in w.log if what == "destroy"]
    assert set(cleanups) == below and len(cleanups) == len(below)
    assert set(destroys) == below - {*held} and len(destroys) == len(set(destroys))
    for o in cleanups:
        assert all(cleanups.index(o) < cleanups.index(p) for p in lineage(o)[1:] if p in below)


def lineage(node: Any) -> list[Any]:
    """The object and what is above it."""
    found = []
    while node is not None:
        found.append(node)
        node = node.parent
    return found


def test_a_context_leads_back_to_its_object_while_that_is_there(World: Any) -> None:
    w = World().started()
    made = w.call(lambda: wdf.create_object(w.device, wdf.ObjectAttributes(context_type=First)))
    assert w.call(lambda: wdf.object_of_context(w.framework, made.context)) is made
    w.call(made.delete)
    with pytest.raises(BugCheck, match=r"WdfObjectContextGetObject was given <.*First object.*>, which is no context"):
        w.system.call(lambda: wdf.object_of_context(w.framework, made.context))


def test_an_object_answers_no_query(World: Any) -> None:
    w = World().started()
    guid = UUID(int=1)
    with pytest.raises(wdf.StatusError, match=f"WdfObjectQuery: {w.device.name} has no interface {{{guid}}}"):
        w.system.call(lambda: w.device.query(guid))


def test_the_destroy_callback_finds_the_context(World: Any) -> None:
    w, seen = World().started(), []
    attributes = wdf.ObjectAttributes(
        context_type=First, evt_destroy_callback=lambda o: seen.append(o.get_typed_context(First).value)
    )
    w.call(lambda: wdf.create_object(w.device, attributes).delete())
    assert seen == [1]
