"""Spin locks whose words are in the driver's memory."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.kernel.stop import BugCheck, Hang

PASSIVE, DISPATCH, HIGH = 0, 2, 15


def test_a_spin_locks_word_is_not_0_while_it_is_held(world: Any) -> None:
    lock, irql = world.memory(), lambda: world.system.machine.cpu.irql

    def body(call: Any) -> list[int]:
        seen = [call("KeAcquireSpinLockRaiseToDpc", lock), irql(), world.number(lock)]
        call("KeReleaseSpinLock", lock, PASSIVE)
        return [*seen, irql(), world.number(lock)]

    assert world.script(body) == [PASSIVE, DISPATCH, 1, PASSIVE, 0]


@pytest.mark.parametrize(
    ("acquire", "release", "raised"),
    [
        ("KeAcquireSpinLockAtDpcLevel", "KeReleaseSpinLockFromDpcLevel", True),
        ("KeAcquireSpinLockForDpc", "KeReleaseSpinLockForDpc", False),
    ],
)
def test_the_other_pairs_hold_it_too(world: Any, acquire: str, release: str, raised: bool) -> None:
    lock = world.memory()

    def body(call: Any) -> list[int]:
        old = call("KeRaiseIrqlToDpcLevel") if raised else 0
        call(acquire, lock)
        seen = [world.number(lock), call("KeTestSpinLock", lock), call("KeTryToAcquireSpinLockAtDpcLevel", lock)]
        call(release, lock, 0)
        seen += [world.number(lock), call("KeTestSpinLock", lock)]
        if raised:
            call("KeLowerIrql", old)
        return seen

    assert world.script(body) == [1, 0, 0, 0, 1]


@pytest.mark.parametrize(("at_dpc", "ending"), [(False, ""), (True, "AtDpcLevel"), (False, "ForDpc")])
def test_an_in_stack_queued_lock_keeps_lock_and_irql_in_its_handle(world: Any, at_dpc: bool, ending: str) -> None:
    lock, handle = world.memory(), world.memory()
    release = {"AtDpcLevel": "FromDpcLevel"}.get(ending, ending)

    def body(call: Any) -> list[int]:
        if at_dpc:
            call("KfRaiseIrql", DISPATCH)
        call(f"KeAcquireInStackQueuedSpinLock{ending}", lock, handle)
        seen = [world.number(lock), world.number(handle + 8), world.number(handle + 16, 1)]
        call(f"KeReleaseInStackQueuedSpinLock{release}", handle)
        seen += [world.number(lock), call("KeGetCurrentIrql")]
        call("KeLowerIrql", PASSIVE)
        return seen

    at = DISPATCH if at_dpc else PASSIVE
    assert world.script(body) == [1, lock, at, 0, at]


def test_two_processors_really_contend_for_it(world: Any) -> None:
    lock, log = world.memory(), []
    kernel, guest = world.system.kernel, world.guest

    def hold(name: str) -> None:
        from dirql.hosts.sys.abi import ROUTINES

        def call(routine: str, *arguments: int) -> int:
            key = routine
            return guest.call(guest.stubs.address(key, ROUTINES[key]), *arguments)

        old = call("ntoskrnl!KeAcquireSpinLockRaiseToDpc", lock)
        log.append(f"{name} has it")
        call("hal!KeStallExecutionProcessor", 50)
        log.append(f"{name} gives it back")
        call("ntoskrnl!KeReleaseSpinLock", lock, old)

    for name in ("a", "b"):
        kernel.dispatcher.create(lambda _, name=name: hold(name), None, name)
    world.system.run()
    assert world.system.stopped is None
    assert log == [f"{name} {does}" for name in log[0][0] + log[2][0] for does in ("has it", "gives it back")]


def test_a_lock_that_holds_rubbish_is_spun_for_for_ever(world: Any) -> None:
    lock = world.store(world.memory(), 0xBAAD)
    words = r"^hang \(deadlock\): cpu\d spins for the spin lock at 0x[0-9a-f]+, which holds 0xbaad and is nobody's: "
    with pytest.raises(Hang, match=f"{words}it was not initialised, or was overwritten"):
        world.script(lambda call: call("KeAcquireSpinLockRaiseToDpc", lock))


def test_an_initialised_lock_is_free_whatever_was_there(world: Any) -> None:
    lock = world.store(world.memory(), 0xBAAD)

    def body(call: Any) -> int:
        call("KeInitializeSpinLock", lock)
        return call("KeAcquireSpinLockRaiseToDpc", lock) or call("KeReleaseSpinLock", lock, 0) & 0

    assert world.script(body) == 0


def test_releasing_what_nobody_holds_is_a_bugcheck(world: Any) -> None:
    lock = world.memory()

    def body(call: Any) -> None:
        call("KeRaiseIrqlToDpcLevel")
        call("KeReleaseSpinLock", lock, 0)

    with pytest.raises(BugCheck, match=r"bugcheck 0x10 .* releases the spin lock at .*, which nobody holds"):
        world.script(body)


def test_raising_to_a_lower_irql_is_a_bugcheck(world: Any) -> None:
    def body(call: Any) -> None:
        call("KfRaiseIrql", 5)
        call("KeRaiseIrqlToDpcLevel")

    with pytest.raises(BugCheck, match="bugcheck 0x9 IRQL_NOT_GREATER_OR_EQUAL"):
        world.script(body)


def test_a_drivers_own_bugcheck_has_its_parameters(world: Any) -> None:
    with pytest.raises(BugCheck) as stop:
        world.script(lambda call: call("KeBugCheckEx", 0xE2, 1, 2, 3, 4))
    assert (stop.value.code, stop.value.parameters) == (0xE2, (1, 2, 3, 4))
    assert "the driver called KeBugCheckEx" in stop.value.why
