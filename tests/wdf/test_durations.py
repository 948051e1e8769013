"""Times that a driver passes as C writes them, or as nobody does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dirql import wdf
from dirql.errors import UsageError
from dirql.kernel.timer import Ktimer
from dirql.kernel.wait import Event

LIMIT = "write ns from now, a whole number of 0 or more, where C has negative 100 ns"
IDLE = "IdleTimeout is a ULONG of milliseconds, 0 to 0xffffffff"

CALLS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda w: w.kernel.ke_delay_execution_thread(-5), f"a wait for a delay: time-out -5; {LIMIT}"),
    (lambda w: w.kernel.ke_delay_execution_thread(1e3), f"a wait for a delay: time-out 1000.0; {LIMIT}"),
    (lambda w: w.kernel.ke_wait_for_single_object(Event(w.kernel, name="done"), -1), f"a wait for done: time-out -1; {LIMIT}"),
    (lambda w: wdf.WaitLock.create(w.device).acquire(-1), f"time-out -1; {LIMIT}"),
    (lambda w: Ktimer(w.kernel, name="tick").set(-10), f"KeSetTimerEx of tick: due time -10; {LIMIT}"),
    (lambda w: Ktimer(w.kernel, name="tick").set(1, -10), f"KeSetTimerEx of tick: period -10; {LIMIT}"),
    (lambda w: Ktimer(w.kernel, name="tick").set(1, 1, None, -10), f"KeSetTimerEx of tick: tolerable delay -10; {LIMIT}"),
    (lambda w: wdf.Timer.create(w.device, wdf.TimerConfig(print)).start(-10), f"due time -10; {LIMIT}"),
    (lambda w: wdf.Timer.create(w.device, wdf.TimerConfig(print)).start("1 s"), f"due time '1 s'; {LIMIT}"),
    (lambda w: w.device.assign_s0_idle_settings(wdf.S0IdleSettings(idle_timeout=-1)),
     f"WdfDeviceAssignS0IdleSettings: idle_timeout -1; {IDLE}"),
    (lambda w: w.device.assign_s0_idle_settings(wdf.S0IdleSettings(idle_timeout=1 << 32)),
     f"WdfDeviceAssignS0IdleSettings: idle_timeout 4294967296; {IDLE}"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "told"), CALLS, ids=[told for _, told in CALLS])
def test_a_time_that_is_not_from_now_on_is_refused(World: Any, call: Callable[[Any], Any], told: str) -> None:
    w = World().started()

    def refused() -> str:
        with pytest.raises(UsageError) as caught:
            call(w)
        return str(caught.value)

    assert w.call(refused).endswith(told)


def test_a_time_of_zero_is_now(World: Any) -> None:
    w = World().started()
    before = w.system.now
    assert w.call(w.kernel.ke_delay_execution_thread, 0) == wdf.STATUS_SUCCESS
    assert w.system.now - before < 100_000


def test_a_refused_timer_stays_as_it_was(World: Any) -> None:
    w = World().started()
    timer = Ktimer(w.kernel, name="tick")

    def twice() -> bool:
        timer.set(1_000)
        with pytest.raises(UsageError):
            timer.set(-1)
        return timer.inserted

    assert w.call(twice)
