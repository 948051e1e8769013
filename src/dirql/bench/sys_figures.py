"""The figures of the `.sys` host: what a call costs, what code costs, and a driver image at work."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from dirql.bench.figure import Figure, Measured, Target
from dirql.bench.stopwatch import Contestant, Effort, Times, race
from dirql.device.models.mqueue import MultiQueue
from dirql.errors import DirqlError
from dirql.system import System

__all__ = ["SYS_FIGURES"]

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "mqueue"
TO_D0 = """
import sys
from dirql.device.models import MultiQueue
from dirql.system import System
system = System(4)
system.plug(MultiQueue())
system.load(sys.argv[1], sys.argv[2])
assert system.start() == 0, system.stopped
"""


def api_stops_per_second(effort: Effort) -> Measured:
    """A driver's call of a routine: the stop, the thunk with its IRQL limit and scheduling point, and going on."""
    from dirql.bench.sys_world import BareEmulator, GuestCode

    ours, bare = GuestCode(), BareEmulator()
    return _beside("stock_wrapper", ours.calls, bare.calls, max(1_000, effort.messages), effort)


def code_per_second(effort: Effort) -> Measured:
    """Rounds of a loop with two loads and two stores."""
    from dirql.bench.sys_world import BareEmulator, GuestCode

    ours, bare = GuestCode(), BareEmulator()
    return _beside("raw_unicorn", ours.loop, bare.loop, 50 * effort.messages, effort)


def sys_messages_per_second(effort: Effort) -> Measured:
    """Messages through the ISRs and DPCs of mqueue.sys, nine at a time over four processors."""
    with tempfile.TemporaryDirectory(prefix="dirql-bench-") as folder:
        system, card = System(4), MultiQueue()
        system.plug(card)
        system.load(_image(Path(folder)), EXAMPLE / "mqueue.inf")
        if system.start() or system.stopped is not None:
            raise DirqlError(f"mqueue.sys did not start: {system.stopped}")
        queues = range(card.queues)

        def work() -> None:
            for queue in queues:
                card.submit(queue)
            system.run()

        rounds = max(1, effort.messages // 10 // len(queues))
        times = race({"dirql": Contestant(work, len(queues), rounds)}, effort.rounds)["dirql"]
    return _rate(times)


def sys_start_to_d0_seconds(effort: Effort) -> Measured:
    """From the start of a process to D0 of mqueue.sys, its nine messages connected."""
    from dirql.bench.figures import run_python

    with tempfile.TemporaryDirectory(prefix="dirql-bench-") as folder:
        image = str(_image(Path(folder)))
        start = Contestant(partial(run_python, "-c", TO_D0, image, str(EXAMPLE / "mqueue.inf")))
        times = race({"dirql": start}, effort.processes)["dirql"]
    return Measured(times.median, len(times.seconds), min(times.seconds), max(times.seconds))


def _beside(name: str, ours: Callable[[int], None], other: Callable[[int], None], units: int, effort: Effort) -> Measured:
    """Rates of the same work by dirql and by `name`, in the same rounds."""
    contestants = {"dirql": Contestant(partial(ours, units), units), name: Contestant(partial(other, units), units)}
    times = race(contestants, effort.rounds)
    return _rate(times["dirql"], {name: times[name].rate})


def _rate(times: Times, beside: dict[str, float] | None = None) -> Measured:
    rates = [1 / s for s in times.seconds]
    return Measured(times.rate, len(rates), min(rates), max(rates), beside or {})


def _image(folder: Path) -> Path:
    """mqueue.sys, built from the example's sources."""
    if not EXAMPLE.is_dir():
        raise DirqlError(f"there is no {EXAMPLE}: the figures of a driver image are measured in a source checkout")
    from dirql.build import build_driver

    return build_driver(EXAMPLE, folder).image


SYS_FIGURES = (
    Figure(
        "sys_api_stops_per_second", "1/s", "a driver image calls a routine: stop, thunk, IRQL limit, scheduling point, on",
        api_stops_per_second, Target(125_000), {"stock_wrapper": Target(2)},
    ),
    Figure(
        "sys_code_rounds_per_second", "1/s", "a loop of a driver image with two loads and two stores", code_per_second,
        None, {"raw_unicorn": Target(0.8)},
    ),
    Figure(
        "sys_messages_per_second", "1/s", "completions through ISR and DPC of mqueue.sys; 8 queues, 4 CPUs",
        sys_messages_per_second, Target(12_000),
    ),
    Figure(
        "sys_start_to_d0_seconds", "s", "process start to D0 of mqueue.sys, nine messages connected", sys_start_to_d0_seconds,
        Target(1.5, lower_is_better=True),
    ),
)  # fmt: skip
