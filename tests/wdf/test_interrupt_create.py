"""WdfInterruptCreate: every condition, and which of two comes first (facts §2.2, §2.3, §5.4)."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from dirql import wdf
from dirql.pnp.grant import GrantChoice
from dirql.wdf.interrupt_config import CONFIG_SIZES

MISMATCH, PARAMETER, STATE = wdf.STATUS_INFO_LENGTH_MISMATCH, wdf.STATUS_INVALID_PARAMETER, wdf.STATUS_INVALID_DEVICE_STATE
INVALID = wdf.STATUS_WDF_OBJECT_ATTRIBUTES_INVALID


class Context:
    """A context type."""


def isr(interrupt: Any, message: int) -> bool:
    return True


def dpc(interrupt: Any, device: Any) -> None:
    """Nothing."""


def attempt(world: Any, config: Any, attributes: Any = None) -> int:
    """The status of WdfInterruptCreate."""
    try:
        wdf.Interrupt.create(world.device, config, attributes)
    except wdf.StatusError as error:
        return error.status
    return wdf.STATUS_SUCCESS


def refused(world: Any, config: Any, attributes: Any = None) -> str:
    """What the StatusError of WdfInterruptCreate says; "" if it works."""
    try:
        wdf.Interrupt.create(world.device, config, attributes)
    except wdf.StatusError as error:
        return str(error)
    return ""


def spin_lock(w: Any) -> Any:
    return wdf.SpinLock.create(w.device)


def wait_lock(w: Any) -> Any:
    return wdf.WaitLock.create(w.device)


# Each row of facts §2.3 that can be had in EvtDriverDeviceAdd: (row, fields, attributes, status).
ROWS: list[tuple[str, Any, Any, int]] = [
    ("3", lambda w: {"size": 0x40}, None, MISMATCH),
    ("4", lambda w: {"evt_interrupt_isr": None}, None, PARAMETER),
    ("5", lambda w: {}, lambda w: {"size": 0x30}, MISMATCH),
    ("5 type", lambda w: {}, lambda w: {"context_type": Context, "context_info_size": 0x20}, MISMATCH),
    ("5a name", lambda w: {}, lambda w: {"context_type": Context, "context_name": None}, INVALID),
    ("5a override", lambda w: {}, lambda w: {"context_size_override": 8}, INVALID),
    ("5b", lambda w: {}, lambda w: {"parent_object": w.device}, wdf.STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED),
    ("5c level 0", lambda w: {}, lambda w: {"execution_level": 0}, INVALID),
    ("5c level 4", lambda w: {}, lambda w: {"execution_level": 4}, INVALID),
    ("5c scope 0", lambda w: {}, lambda w: {"synchronization_scope": 0}, INVALID),
    ("5c scope 5", lambda w: {}, lambda w: {"synchronization_scope": 5}, INVALID),
    ("5d", lambda w: {}, lambda w: {"synchronization_scope": 2}, wdf.STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID),
    ("5e", lambda w: {}, lambda w: {"execution_level": 2}, wdf.STATUS_WDF_EXECUTION_LEVEL_INVALID),
    ("7 raw", lambda w: {"interrupt_raw": object()}, None, PARAMETER),
    ("7 translated", lambda w: {"interrupt_translated": object()}, None, PARAMETER),
    ("8", lambda w: {"can_wake_device": True}, None, PARAMETER),
    ("12", lambda w: {"evt_interrupt_dpc": dpc, "evt_interrupt_work_item": dpc}, None, PARAMETER),
    ("13", lambda w: {"wait_lock": wait_lock(w)}, None, PARAMETER),
    ("15", lambda w: {"passive_handling": True, "spin_lock": spin_lock(w)}, None, PARAMETER),
]
EARLY = [row for row in ROWS if row[0][0] in "345"]  # rows 3 to 5e, which come before 6
LATE = [row for row in ROWS if row not in EARLY]  # and those after it


def build(world: Any, rows: tuple[Any, ...]) -> tuple[Any, Any]:
    fields: dict[str, Any] = {"evt_interrupt_isr": isr}
    values: dict[str, Any] = {}
    for _, config, attributes, _ in rows:
        fields |= config(world)
        values |= attributes(world) if attributes is not None else {}
    return wdf.InterruptConfig(**fields), wdf.ObjectAttributes(**values) if values else None


@pytest.mark.parametrize("row", ROWS, ids=[r[0] for r in ROWS])
def test_each_wrong_argument_has_its_status(World: Any, row: Any) -> None:
    seen = []
    w = World(add=lambda w: seen.append(attempt(w, *build(w, (row,)))))
    w.start()
    assert seen == [row[3]]
    assert w.device.interrupts[3:] == []


def test_of_two_wrong_arguments_the_earlier_row_decides(World: Any) -> None:
    wrong = []
    mend_each_other = [{"13", "15"}, {"5 type", "5a override"}, {"5a name", "5a override"}]

    def add(w: Any) -> None:
        for pair in combinations(ROWS, 2):
            names = [row[0] for row in pair]
            given = [key for row in pair if row[2] is not None for key in row[2](w)]
            if set(names) in mend_each_other or len(set(given)) < len(given):
                continue
            status = attempt(w, *build(w, pair))
            if status != pair[0][3]:
                wrong.append((*names, hex(status)))

    World(add=add).start()
    assert wrong == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"interrupt_raw": None}, STATE),
        ({"interrupt_translated": None}, STATE),
        ({"share_vector": wdf.TriState.WdfTrue}, STATE),
        ({"share_vector": wdf.TriState.WdfFalse}, STATE),
        ({"can_wake_device": True, "passive_handling": True}, PARAMETER),
        ({"evt_interrupt_work_item": dpc}, PARAMETER),
        ({"passive_handling": True}, wdf.STATUS_SUCCESS),
        ({}, wdf.STATUS_SUCCESS),
    ],
)
def test_in_prepare_hardware_both_descriptors_and_the_default_share_vector_are_needed(
    World: Any, fields: dict[str, Any], status: int
) -> None:
    w = World(in_prepare=False)
    seen = []

    def prepare(raw: Any, translated: Any) -> None:
        pair = w.pairs(raw, translated)[0]
        config = wdf.InterruptConfig(isr, dpc, interrupt_raw=pair[0], interrupt_translated=pair[1])
        seen.append(attempt(w, replace(config, **fields)))

    w.during("PrepareHardware", prepare)
    w.start()
    assert seen == [status]


@pytest.mark.parametrize("owner", [True, False])
def test_a_waking_interrupt_needs_a_wake_hint_and_the_power_policy_owner(World: Any, owner: bool) -> None:
    w = World(in_prepare=False, owner=owner)
    seen = []

    def prepare(raw: Any, translated: Any) -> None:
        raw, translated = w.pairs(raw, translated)[0]
        hint = replace(translated, flags=translated.flags | wdf.CM_RESOURCE_INTERRUPT_WAKE_HINT)
        values = {"interrupt_raw": raw, "interrupt_translated": hint, "passive_handling": True, "can_wake_device": True}
        seen.append(attempt(w, wdf.InterruptConfig(isr, **values)))

    w.during("PrepareHardware", prepare)
    w.start()
    assert seen == [wdf.STATUS_SUCCESS if owner else PARAMETER]


NO_PASSIVE = "STATUS_INVALID_PARAMETER (0xc000000d): WaitLock and CanWakeDevice need PassiveHandling"
NO_WAKE = "STATUS_INVALID_PARAMETER (0xc000000d): CanWakeDevice needs a WAKE_HINT resource and the power policy owner"
NO_PAIR = "STATUS_INVALID_DEVICE_STATE (0xc0000184): in EvtDevicePrepareHardware both descriptors are needed"
NO_SHARE = "STATUS_INVALID_DEVICE_STATE (0xc0000184): ShareVector cannot be chosen in EvtDevicePrepareHardware"
SHARE = wdf.TriState.WdfTrue


@pytest.mark.parametrize(
    ("hinted", "fields", "refusal"),
    [
        (True, {"can_wake_device": True}, NO_PASSIVE),  # 13, its second half
        (False, {"can_wake_device": True}, NO_WAKE),  # 11 before 13
        (True, {"can_wake_device": True, "passive_handling": True}, ""),
        (True, {"interrupt_raw": None, "share_vector": SHARE}, NO_PAIR),  # 9 before 10
        (True, {"interrupt_translated": None, "share_vector": SHARE}, NO_PAIR),
        (False, {"interrupt_raw": None, "can_wake_device": True}, NO_PAIR),  # 9 before 11
        (False, {"interrupt_translated": None, "can_wake_device": True}, NO_PAIR),
        (False, {"share_vector": SHARE, "can_wake_device": True}, NO_SHARE),  # 10 before 11
        (False, {"interrupt_raw": None, "share_vector": SHARE, "can_wake_device": True}, NO_PAIR),
    ],
)
def test_in_prepare_hardware_the_earlier_row_decides(World: Any, hinted: bool, fields: dict[str, Any], refusal: str) -> None:
    w = World(in_prepare=False)
    seen = []

    def prepare(raw: Any, translated: Any) -> None:
        raw, translated = w.pairs(raw, translated)[0]
        flags = translated.flags | (wdf.CM_RESOURCE_INTERRUPT_WAKE_HINT if hinted else 0)
        config = wdf.InterruptConfig(isr, dpc, interrupt_raw=raw, interrupt_translated=replace(translated, flags=flags))
        seen.append(refused(w, replace(config, **fields)))

    w.during("PrepareHardware", prepare)
    w.start()
    assert seen == [refusal]


@pytest.mark.parametrize("row", EARLY, ids=[row[0] for row in EARLY])
def test_what_is_wrong_with_size_isr_or_attributes_is_said_before_the_wrong_place(World: Any, row: Any) -> None:
    w = World().started()
    seen: list[int] = []
    w.call(lambda: seen.append(attempt(w, *build(w, (row,)))))
    assert seen == [row[3]]


@pytest.mark.parametrize("row", LATE, ids=[row[0] for row in LATE])
def test_the_wrong_place_is_said_before_what_is_wrong_with_the_rest(World: Any, row: Any) -> None:
    w = World().started()
    seen: list[int] = []
    w.call(lambda: seen.append(attempt(w, *build(w, (row,)))))
    assert seen == [STATE]


BOTH = "STATUS_INVALID_PARAMETER (0xc000000d): both EvtInterruptDpc and EvtInterruptWorkItem are given"
NO_PARENT = "STATUS_INVALID_PARAMETER (0xc000000d): the parent Recorder is neither the device nor one of its queues"
NO_LEVEL = (
    "STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL (0xc020020c): AutomaticSerialization: the parent's execution level is Dispatch, "
    "the callback needs Passive"
)


@pytest.mark.parametrize(
    ("foreign", "dpc_too", "refusal"),
    [(True, True, BOTH), (False, True, BOTH), (True, False, NO_PARENT), (False, False, NO_LEVEL)],
)
def test_two_deferred_routines_are_refused_before_the_parent_and_its_level(
    World: Any, foreign: bool, dpc_too: bool, refusal: str
) -> None:  # 12, then 18, then 19
    seen = []

    def add(w: Any) -> None:
        config = wdf.InterruptConfig(
            isr, dpc if dpc_too else None, evt_interrupt_work_item=dpc, passive_handling=True, automatic_serialization=True
        )
        seen.append(refused(w, config, wdf.ObjectAttributes(parent_object=w.driver if foreign else w.device)))

    World(in_prepare=False, scope=2, level=3, add=add).start()
    assert seen == [refusal]


@pytest.mark.parametrize("where", ["FilterAdd", "RemoveAdded"])
def test_before_the_first_start_an_interrupt_can_still_be_created(World: Any, where: str) -> None:
    w = World(in_prepare=False)
    w.during(where, lambda *_: (w.create(), None)[1])
    assert w.start() == wdf.STATUS_SUCCESS
    assert ("Enable", 0) in w.log


@pytest.mark.parametrize(
    "where", ["D0Entry", "PostInterruptsEnabled", "SmIoInit", "SmIoSuspend", "ReleaseHardware", ("Enable", 0)]
)
def test_anywhere_else_it_is_an_invalid_device_state(World: Any, where: Any) -> None:
    w = World()
    seen = []
    w.during(where, lambda *_: seen.append(attempt(w, wdf.InterruptConfig(isr))))
    w.start()
    w.system.shut_down()
    assert seen == [STATE]


def test_the_error_says_where_interrupts_may_be_created(World: Any) -> None:
    w = World().started()
    assert w.failure(wdf.Interrupt.create, w.device, wdf.InterruptConfig(isr)) == (
        "STATUS_INVALID_DEVICE_STATE (0xc0000184): interrupts are created in EvtDriverDeviceAdd or in EvtDevicePrepareHardware, "
        "nowhere else"
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((None, wdf.InterruptConfig(isr)), (0x10D, 5)),
        (("driver", wdf.InterruptConfig(isr)), (0x10D, 5)),
        (("device", None), (0x10D, 4)),
    ],
)
def test_a_null_or_wrong_handle_is_bugcheck_10d(World: Any, arguments: Any, code: Any) -> None:
    w = World().started()
    device = {"driver": w.driver, "device": w.device, None: None}[arguments[0]]
    assert w.stop_code(wdf.Interrupt.create, device, arguments[1])[:2] == code


@pytest.mark.parametrize("field", ["spin_lock", "wait_lock"])
def test_a_lock_of_the_wrong_kind_is_bugcheck_10d(World: Any, field: str) -> None:
    def add(w: Any) -> None:
        lock = wait_lock(w) if field == "spin_lock" else spin_lock(w)
        attempt(w, wdf.InterruptConfig(isr, passive_handling=field == "wait_lock", **{field: lock}))

    w = World(add=add)
    w.start()
    assert (w.system.stopped.code, w.system.stopped.parameters[0]) == (0x10D, 5)


@pytest.mark.parametrize("size", CONFIG_SIZES)
def test_every_known_size_is_accepted(World: Any, size: int) -> None:
    seen = []
    World(add=lambda w: seen.append(attempt(w, wdf.InterruptConfig(isr, size=size)))).start()
    assert seen == [wdf.STATUS_SUCCESS]


@pytest.mark.parametrize(
    ("size", "fields"),
    [
        (0x38, {"evt_interrupt_work_item": dpc, "passive_handling": True, "interrupt_raw": 1, "interrupt_translated": 1}),
        (0x38, {"wait_lock": 1, "report_inactive_on_power_down": wdf.TriState.WdfTrue}),
        (0x38, {"can_wake_device": True}),
        (0x60, {"can_wake_device": True}),
    ],
)
def test_what_lies_beyond_a_smaller_size_has_its_init_default(World: Any, size: int, fields: dict[str, Any]) -> None:
    w = World(in_prepare=False, add=lambda w: wdf.Interrupt.create(w.device, wdf.InterruptConfig(isr, size=size, **fields)))
    w.start()
    config, default = w.device.interrupts[0].config, wdf.InterruptConfig(isr)
    assert [getattr(config, name) for name in fields] == [getattr(default, name) for name in fields]


def test_the_framework_keeps_a_copy_of_the_configuration(World: Any) -> None:
    config = wdf.InterruptConfig(isr)

    def add(w: Any) -> None:
        w.interrupts.append(wdf.Interrupt.create(w.device, config))
        config.evt_interrupt_dpc = dpc

    w = World(in_prepare=False, add=add)
    w.start()
    assert w.interrupts[0].config.evt_interrupt_dpc is None


@pytest.mark.parametrize(
    ("scope", "level", "fields", "status"),
    [
        (4, 2, {}, wdf.STATUS_SUCCESS),
        (2, 3, {}, wdf.STATUS_SUCCESS),
        (2, 2, {}, wdf.STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL),  # neither DPC nor work item counts as dispatch
        (2, 2, {"evt_interrupt_dpc": dpc}, wdf.STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL),
        (2, 2, {"evt_interrupt_work_item": dpc}, wdf.STATUS_SUCCESS),
        (2, 3, {"evt_interrupt_work_item": dpc}, wdf.STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL),
        (2, 2, {"passive_handling": True}, wdf.STATUS_SUCCESS),
        (2, 3, {"passive_handling": True}, wdf.STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL),
        (2, 3, {"passive_handling": True, "evt_interrupt_dpc": dpc}, wdf.STATUS_SUCCESS),
        (3, 2, {"evt_interrupt_dpc": dpc}, wdf.STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL),
    ],
)
def test_automatic_serialization_wants_callbacks_of_the_parents_level(
    World: Any, scope: int, level: int, fields: dict[str, Any], status: int
) -> None:
    seen = []
    config = wdf.InterruptConfig(isr, automatic_serialization=True, **fields)
    World(in_prepare=False, scope=scope, level=level, add=lambda w: seen.append(attempt(w, config))).start()
    assert seen == [status]


def queue_of(w: Any) -> Any:
    return wdf.IoQueue.create(w.device, wdf.IoQueueConfig(wdf.IoQueueDispatchType.Manual))


@pytest.mark.parametrize(
    ("parent", "status"),
    [(queue_of, 0), (lambda w: w.device, 0), (spin_lock, PARAMETER), (lambda w: w.driver, PARAMETER)],
)
def test_the_parent_is_the_device_or_one_of_its_queues(World: Any, parent: Any, status: int) -> None:
    seen = []

    def add(w: Any) -> None:
        config = wdf.InterruptConfig(isr, automatic_serialization=True)
        seen.append(attempt(w, config, wdf.ObjectAttributes(parent_object=parent(w))))

    World(in_prepare=False, add=add).start()
    assert seen == [status]


def test_the_queue_above_an_interrupt_cannot_be_deleted_by_the_driver_any_more(World: Any) -> None:
    def add(w: Any) -> None:
        queue = queue_of(w)
        w.create(attributes=wdf.ObjectAttributes(parent_object=queue), automatic_serialization=True)

    w = World(in_prepare=False, add=add).started(GrantChoice.one())
    queue = w.device.queues[0]
    w.call(queue.delete)
    assert not queue.deleting
    assert w.findings == [
        ("cannot-delete", f"WdfObjectDelete of WDFQUEUE {queue.name} is refused (STATUS_CANNOT_DELETE): the framework deletes it")
    ]


# With the KMDF verifier (facts §5.4).


def verified(World: Any, choose: Any, kmdf: bool = True, **world: Any) -> list[int]:
    """Statuses of creating interrupts in EvtDevicePrepareHardware from what `choose(pairs, raw, translated)` gives."""
    w = World(in_prepare=False, kmdf=kmdf, **world)
    seen: list[int] = []

    def prepare(raw: Any, translated: Any) -> None:
        for pair in choose(w.pairs(raw, translated), raw, translated):
            seen.append(attempt(w, wdf.InterruptConfig(isr, interrupt_raw=pair[0], interrupt_translated=pair[1])))

    w.during("PrepareHardware", prepare)
    w.start()
    return seen


@pytest.mark.parametrize(
    ("choose", "free", "checked"),
    [
        (lambda p, r, t: [p[0], p[1]], [0, 0], [0, 0]),
        (lambda p, r, t: [(p[0][0], p[1][1])], [0], [PARAMETER]),
        (lambda p, r, t: [(replace(p[0][0]), p[0][1])], [0], [PARAMETER]),
        (lambda p, r, t: [(p[0][0], replace(p[0][1]))], [0], [PARAMETER]),
        (lambda p, r, t: [(r[0], t[0])], [PARAMETER], [PARAMETER]),
        (lambda p, r, t: [(p[0][0], p[0][0])], [PARAMETER], [PARAMETER]),
        (lambda p, r, t: [p[0], p[0], p[0]], [0, 0, 0], [0, 0, PARAMETER]),  # the source lets one too many through
        (lambda p, r, t: [p[0], p[1], p[0]], [0, 0, 0], [0, 0, PARAMETER]),  # users of one descriptor follow each other
    ],
)
@pytest.mark.parametrize("kmdf", [False, True])
def test_the_kmdf_verifier_looks_at_the_descriptors(World: Any, kmdf: bool, choose: Any, free: Any, checked: Any) -> None:
    assert verified(World, choose, kmdf) == (checked if kmdf else free)


def test_a_line_may_be_claimed_again(World: Any) -> None:
    assert verified(World, lambda p, r, t: [p[0]] * 3, messages=False) == [0, 0, 0]


def test_an_object_of_device_add_has_claimed_its_descriptor_too(World: Any) -> None:
    assert verified(World, lambda p, r, t: [p[0], p[0]], in_add=1) == [0, PARAMETER]
