"""The figures of `dirql bench`, each with what stands beside it in the same rounds of the same process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from dirql.bench.explore_figures import EXPLORE_FIGURES
from dirql.bench.figure import Figure, Measured, Target
from dirql.bench.stopwatch import Contestant, Effort, Times, race
from dirql.bench.stripped import StrippedLoop
from dirql.bench.sys_figures import SYS_FIGURES
from dirql.bench.world import BenchDriver, Completions, Delivery, start
from dirql.device.models.mqueue import MultiQueue
from dirql.errors import DirqlError

__all__ = ["FIGURES", "dump_text", "run_python"]

SMALL, LARGE = (8, 4), (2048, 64)  # (vectors, processors)
PATIENCE = 60  # seconds that a process may take


def _rate(times: Times, beside: dict[str, float]) -> Measured:
    rates = [1 / s for s in times.seconds]
    return Measured(median(rates), len(rates), min(rates), max(rates), beside)


def _seconds(times: Times, beside: dict[str, float] | None = None) -> Measured:
    return Measured(times.median, len(times.seconds), min(times.seconds), max(times.seconds), beside or {})


def _everything(world: Delivery | StrippedLoop, messages: int) -> Contestant:
    """Every vector in rounds until about `messages` were sent."""
    vectors = len(world.table) if isinstance(world, StrippedLoop) else world.vectors
    after: Callable[[], object] = world.taken.clear if isinstance(world, StrippedLoop) else world.forget
    rounds = max(1, messages // vectors)
    return Contestant(partial(world.everything, rounds), vectors * rounds, 1, after)


def _pair(vectors: int, cpus: int) -> tuple[Delivery, StrippedLoop]:
    world = Delivery(vectors, cpus)
    return world, StrippedLoop(cpus, world.routes)


def messages_per_second(effort: Effort, vectors: int = 64) -> Measured:
    """The whole path of a message; `vectors` are sent at a time, and four processors take them."""
    world, bare = _pair(vectors, 4)
    times = race({"dirql": _everything(world, effort.messages), "bare_loop": _everything(bare, effort.messages)}, effort.rounds)
    return _rate(times["dirql"], {"bare_loop": times["bare_loop"].rate})


def cost_per_message(effort: Effort, small: tuple[int, int] = SMALL, large: tuple[int, int] = LARGE) -> Measured:
    """What a message costs with many vectors and processors, over what it costs with few; the same of the bare loop beside."""
    contestants = {}
    for size in (small, large):
        world, bare = _pair(*size)
        contestants[f"dirql {size}"] = _everything(world, effort.messages)
        contestants[f"bare {size}"] = _everything(bare, effort.messages)
    times = race(contestants, effort.rounds)
    ratios = [b / a for a, b in zip(times[f"dirql {small}"].seconds, times[f"dirql {large}"].seconds, strict=True)]
    bare_ratio = times[f"bare {large}"].median / times[f"bare {small}"].median
    return Measured(median(ratios), len(ratios), min(ratios), max(ratios), {"bare_loop": bare_ratio})


def messages_per_second_traced(effort: Effort) -> Measured:
    """The same path with every event kept."""
    traced, plain = Delivery(9, 4, trace=True), Delivery(9, 4)
    times = race({"traced": _everything(traced, effort.messages), "untraced": _everything(plain, effort.messages)}, effort.rounds)
    return _rate(times["traced"], {"untraced": times["untraced"].rate})


def mqueue_completions_per_second(effort: Effort) -> Measured:
    """submit → DMA → message → ISR → DPC → ring, eight queues on four processors."""
    world = Completions(8, 4)
    work = Contestant(world.everything, world.queues, max(1, effort.messages // 4 // world.queues), world.taken.clear)
    return _rate(race({"dirql": work}, effort.rounds)["dirql"], {})


def start_to_d0_seconds(effort: Effort) -> Measured:
    """A system of four processors from nothing to D0, nine messages connected."""
    work = Contestant(lambda: start(BenchDriver, MultiQueue(), 4), times=max(1, effort.messages // 3_000))
    return _seconds(race({"dirql": work}, effort.rounds)["dirql"])


def run_python(*arguments: str) -> None:
    """This interpreter with this dirql, to its end; `DirqlError` when that is not status 0."""
    command = [sys.executable, *arguments]
    try:
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise DirqlError(f"python {' '.join(arguments[:3])} … ran longer than {PATIENCE} s and was ended") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise DirqlError(f"python {' '.join(arguments[:3])} … ended with status {done.returncode}: {last}")


def resources_process_seconds(effort: Effort, run: Callable[..., None] = run_python) -> Measured:
    """`dirql resources` on a dump, as a process; an interpreter that does nothing beside it."""
    with tempfile.TemporaryDirectory(prefix="dirql-bench-") as folder:
        dump = Path(folder, "mqueue.txt")
        dump.write_text(dump_text(), encoding="utf-8")
        resources = partial(run, "-m", "dirql", "resources", str(dump), "--cpus", "4")
        nothing = partial(run, "-c", "pass")
        times = race({"dirql": Contestant(resources), "bare_interpreter": Contestant(nothing)}, effort.processes)
    return _seconds(times["dirql"], {"bare_interpreter": times["bare_interpreter"].median})


def dump_text() -> str:
    """The multi-queue card's configuration space as `lspci -xxxx` prints it."""
    card = MultiQueue()
    rows = []
    for offset in range(0, 4096, 16):
        rows.append(f"{offset:02x}: " + " ".join(f"{card.config_read(at, 1):02x}" for at in range(offset, offset + 16)))
    return "\n".join(["01:00.0 Ethernet controller: dirql multi-queue card (rev 01)", *rows, ""])


def _environment() -> dict[str, str]:
    """The environment in which `python -m dirql` is this dirql, installed or not."""
    here = str(Path(__file__).resolve().parents[2])
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))}


FIGURES = (
    Figure(
        "messages_per_second", "1/s", "the model fires, MSI-X table, memory write, APIC, ISR, DPC; 64 vectors, 4 CPUs, trace off",
        messages_per_second, Target(250_000), {"bare_loop": Target(1 / 3), "cocotbext_pcie": Target(80)},
    ),
    Figure(
        "messages_per_second_9_vectors", "1/s", "the same with 9 vectors, two or three for each idle CPU to wake up for",
        partial(messages_per_second, vectors=9), Target(250_000),
    ),
    Figure(
        "cost_per_message_2048_vectors_64_cpus", "ratio", "time per message, over that with 8 vectors and 4 CPUs",
        cost_per_message, Target(1.3, lower_is_better=True),
    ),
    Figure(
        "messages_per_second_traced", "1/s", "the same path, every event kept", messages_per_second_traced, Target(60_000),
    ),
    Figure(
        "resources_process_seconds", "s", "dirql resources DUMP as a process", resources_process_seconds,
        Target(0.5, lower_is_better=True),
    ),
    Figure("start_to_d0_seconds", "s", "a system from nothing to D0, 9 messages connected on 4 CPUs", start_to_d0_seconds),
    Figure(
        "mqueue_completions_per_second", "1/s", "submit, DMA, message, ISR, DPC, ring, doorbell, arm; 8 queues, 4 CPUs",
        mqueue_completions_per_second,
    ),
    *SYS_FIGURES,
    *EXPLORE_FIGURES,
)  # fmt: skip
