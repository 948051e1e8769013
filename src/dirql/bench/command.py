"""`dirql bench`: measures the figures, prints a table or JSON.

Exit status 0 when everything asked for was measured (a target that was missed is said, not a failure: machines differ), 1
when a figure could not be measured, 2 when a peer was asked for that is not installed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from dirql.bench.corpus import cases, find, table
from dirql.bench.figure import Figure, entry, unmeasured
from dirql.bench.figures import FIGURES
from dirql.bench.peers import Peer, cocotbext_pcie
from dirql.bench.stopwatch import Effort
from dirql.bench.surroundings import surroundings
from dirql.bench.table import Line, lines
from dirql.errors import DirqlError, UsageError

__all__ = ["bench", "bench_corpus", "measure", "select"]

Progress = Callable[[str], AbstractContextManager[Callable[[str], None]]]
PEERS_FIGURE = "messages_per_second"  # the one that the peer stands beside


@contextmanager
def _silent(what: str) -> Iterator[Callable[[str], None]]:
    yield lambda words: None


def select(only: Sequence[str]) -> list[Figure]:
    """The figures of these names, in their usual order; all when none is named."""
    names = {figure.name for figure in FIGURES}
    for name in only:
        if name not in names:
            raise UsageError(f"bench has no figure {name!r}; there are {', '.join(figure.name for figure in FIGURES)}")
    return [figure for figure in FIGURES if not only or figure.name in only]


def measure(
    figures: Sequence[Figure], effort: Effort, peer: Peer | None = None, tell: Callable[[str], None] = lambda words: None
) -> dict[str, Any]:
    """What `bench --json` prints; `tell` is told what is measured now."""
    results: list[dict[str, Any]] = []
    for number, figure in enumerate(figures, 1):
        tell(f"{number} of {len(figures)}: {figure.name}")
        try:
            measured = figure.measure(effort)
        except DirqlError as error:
            results.append(unmeasured(figure, str(error)))
            continue
        if peer is not None and figure.name == PEERS_FIGURE:
            measured = measured.with_beside(peer.rates)
        results.append(entry(figure, measured))
    found: dict[str, Any] = {"figures": results, "machine": surroundings()}
    if peer is not None:
        found["peers"] = {"cocotbext_pcie": {"versions": peer.versions, "problem": peer.problem or None}}
    return found


def bench(
    as_json: bool = False, peers: bool = False, only: Sequence[str] = (), *, quick: bool = False, peer_python: str | None = None,
    effort: Effort | None = None, progress: Progress = _silent,
) -> int:  # fmt: skip
    """Measure and print; returns the exit status. `progress` shows what goes on meanwhile."""
    figures = select(only)
    effort = effort or (Effort.quick() if quick else Effort())
    with progress("cocotbext-pcie" if peers else "measuring") as tell:
        peer = cocotbext_pcie(effort, peer_python) if peers else None
        found = measure(figures, effort, peer, tell)
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _print(lines(found))
    if peer is not None and peer.problem:
        print(f"dirql bench: {peer.problem}", file=sys.stderr)
        return 2
    return int(any(figure["value"] is None for figure in found["figures"]))


def bench_corpus(folder: str, as_json: bool, *, quick: bool = False, progress: Progress = _silent) -> int:
    """How many schedules it takes to find each order bug of the corpus in `folder`; returns the exit status."""
    found = []
    with progress("the corpus") as tell:
        for case in cases(Path(folder)):
            if case.told["kind"] == "order":
                tell(case.folder.name)
                found.append(find(case, seeds=range(1), most=300, stress=100) if quick else find(case))
    if as_json:
        print(json.dumps({"corpus": [one.as_json() for one in found], "machine": surroundings()}, indent=2))
    else:
        print("\n".join(table(found)))
    return 0


def _print(text: list[Line]) -> None:
    if not sys.stdout.isatty():
        for line, _ in text:
            print(line)
        return
    from rich.console import Console  # only a terminal pays for it
    from rich.text import Text

    console = Console(highlight=False)
    for line, style in text:
        console.print(Text(line, style), soft_wrap=True)
