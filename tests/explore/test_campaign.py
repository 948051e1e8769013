"""Campaigns: whoever plays the batches, in whichever order, the same comes out; and what is known survives."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dirql.errors import InputError, UsageError
from dirql.explore import DepthFirst, Explorer, Natural, Plan, Rewound
from dirql.explore.batch import Batch, Result, Settings
from dirql.explore.campaign import Campaign, identity_of
from dirql.explore.crew import Crew, cluster, pool
from dirql.explore.depth_first import DepthFirstTactic
from dirql.explore.journal import Journal
from dirql.explore.outcome import Outcome

OTHER = """{"journal":"dirql explore","basis":"%s","chooser":"random","seed":2,"from":"work","level":"warning","faults":[],\
"grant":"","invariant":"","same_outcome":"","first":false}
"""
AHEAD = 4  # batches that two workers are given


class LastFirst(Executor):
    """Plays four at a time, the last one first; `dies` says how often a worker dies at a batch."""

    def __init__(self, dies: dict[str, int]) -> None:
        self.dies = dies
        self.tried: Counter[str] = Counter()
        self._waiting: list[tuple[Future[Any], Callable[..., Any], Batch]] = []

    def submit(self, play, /, batch):  # type: ignore[no-untyped-def]
        future: Future[Any] = Future()
        self._waiting.append((future, play, batch))
        self.tried[batch.id] += 1
        if len(self._waiting) == AHEAD or self.tried[batch.id] > 1:
            for one, routine, of in reversed(self._waiting):
                if self.tried[of.id] <= self.dies.get(of.id, 0):
                    one.set_exception(BrokenProcessPool())
                else:
                    one.set_result(routine(of))
            self._waiting.clear()
        return future


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dirql.explore.campaign.SIZE", 5)
    monkeypatch.setattr("dirql.explore.campaign.SUBTREES", 6)


@pytest.fixture
def campaign(plan: Plan) -> Callable[..., Campaign]:
    """Of 40 schedules; it has run."""

    def run(settings: Settings, crew: Crew | None = None, journal: Journal | None = None, schedules: int = 40) -> Campaign:
        one = Campaign(plan, settings, schedules, Rewound(plan), crew or pool(1), journal)
        one.run()
        return one

    return run


def two(**dies: int) -> Crew:
    """Two workers, in the wrong order."""
    return Crew(lambda: LastFirst({id.replace("_", "+").strip("n"): times for id, times in dies.items()}), 2)


def told(campaign: Campaign) -> object:
    """All that it says."""
    found = [found.as_json() for found in campaign.report()]
    counts = campaign.played, campaign.abandoned, campaign.longest, campaign.exhausted, campaign.bound
    return counts, campaign.coverage.as_json(), campaign.left_out, found


@pytest.mark.parametrize("stop", [False, True])
@pytest.mark.parametrize("chooser", ["pct", "random"])
def test_the_same_comes_out_whichever_batch_is_over_first(campaign: Any, chooser: str, stop: bool) -> None:
    settings = Settings(chooser, seed=3, stop=stop)
    alone, shared = campaign(settings), campaign(settings, two())
    assert told(alone) == told(shared)
    assert alone.played == 40 or stop


def test_an_outcome_is_the_same_text_in_every_process(plan: Plan) -> None:
    outcome = Rewound(replace(plan, outcome="card.py:named")).play(Natural())
    assert outcome.state == "[frozenset({'job1', 'job2', 'job3', 'job4'}), {'of': ({'Card'}, set(), [1, (2, 3)])}]"


@pytest.mark.parametrize(
    ("depth", "faults", "bound"),
    [
        (1, (), "1/5 = 0.2, if none has more than 35 steps of 5"),
        (2, (), "1/(5 × 35^1) = 0.0057, if none has more than 35 steps of 5"),
        (40, (), "1/(5 × 40^39) = 6.6e-64, if none has more than 40 steps of 5"),
        (2, ("grant",), ""),
        (2, ("remove",), ""),
    ],
)
def test_a_bound_is_told_where_nothing_but_order_is_chosen(plan: Plan, depth: int, faults: tuple[str, ...], bound: str) -> None:
    plan = replace(plan, begin="start", faults=faults)
    one = Campaign(plan, Settings(depth=depth), 6, Rewound(plan))
    one.run()
    said = f"each schedule meets a bug of depth {depth} with a probability of at least {bound} processors, lanes and timers"
    assert one.bound == (said if bound else "")


def test_stopping_at_the_first_failure_counts_the_schedules_up_to_it(campaign: Any) -> None:
    stopped, whole = campaign(Settings("pct", stop=True)), campaign(Settings("pct"))
    (first,) = whole.report()
    assert stopped.played == first.number + 1
    assert [one.schedule for one in stopped.report()] == [first.schedule]


def test_round_robin_is_exhausted_when_a_turn_lasts_as_long_as_a_run(campaign: Any) -> None:
    one = campaign(Settings("round-robin"))
    assert (one.exhausted, one.played) == (True, one.measured.choices + 1)
    assert not campaign(Settings("round-robin"), schedules=one.played - 1).exhausted


@pytest.mark.parametrize(("preemptions", "reduce"), [(1, False), (None, True)])
def test_a_tree_that_is_cut_holds_what_a_whole_one_does(plan: Plan, preemptions: int | None, reduce: bool) -> None:
    plan = Plan(plan.scenario, "work", reduce=reduce)
    settings = Settings("dfs", preemptions=preemptions)
    alone = Campaign(plan, settings, 500, Rewound(plan))
    shared = Campaign(plan, settings, 500, Rewound(plan), Crew(lambda: Eager(), 2))
    for one in (alone, shared):
        one.run()
    assert alone.exhausted and shared.exhausted
    assert [one.schedule for one in alone.report()] == [one.schedule for one in shared.report()]
    assert alone.played <= shared.played
    assert preemptions is None or alone.played == shared.played  # above the cut nothing is left out by the reduction


class Eager(Executor):
    """At once."""

    def submit(self, play, /, batch):  # type: ignore[no-untyped-def]
        future: Future[Any] = Future()
        future.set_result(play(batch))
        return future


def test_a_prefix_is_not_left(plan: Plan) -> None:
    root = Rewound(plan)
    whole = DepthFirst(1)
    explorer = Explorer(plan, root, whole, check_every=0)
    explorer.run(500)
    counts = []
    for number in range(len(root.play(DepthFirstTactic((), {})).decisions[0].ids)):
        part = Explorer(plan, root, DepthFirst(1, (number,)), check_every=0)
        part.heard = lambda outcome, number=number: counts.append(outcome.choices[0] == number)  # type: ignore[misc]
        part.run(500)
    assert all(counts) and len(counts) == explorer.played


def test_what_the_journal_has_is_not_played_again(campaign: Any, plan: Plan, tmp_path: Path) -> None:
    path, settings = tmp_path / "j.jsonl", Settings("random", seed=1)
    identity = identity_of(plan, settings, False)
    whole = told(campaign(settings))
    assert told(campaign(settings, journal=Journal(path, identity), schedules=15))  # a part of it
    path.write_bytes(path.read_bytes() + b'{"batch":"15+5","pl')  # cut off
    journal = Journal(path, identity)
    assert sorted(journal.known) == ["0+5", "10+5", "5+5"]
    executor = LastFirst({})
    assert told(campaign(settings, Crew(lambda: executor, 2), journal, schedules=35)) == told(campaign(settings, schedules=35))
    assert sorted(executor.tried) == ["15+5", "20+5", "25+5", "30+5"]
    assert told(campaign(settings, journal=Journal(path, identity))) == whole
    assert [json.loads(line).get("batch") for line in path.read_text().splitlines()][:4] == [None, "0+5", "5+5", "10+5"]


def test_a_depth_first_search_goes_on_where_it_was(campaign: Any, plan: Plan, tmp_path: Path) -> None:
    settings = Settings("dfs", preemptions=1)
    identity = identity_of(plan, settings, False)
    campaign(settings, journal=Journal(tmp_path / "j.jsonl", identity), schedules=10)
    journal = Journal(tmp_path / "j.jsonl", identity)
    rest = campaign(settings, journal=journal)
    assert journal.known == {}
    assert told(rest) == told(campaign(settings))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (OTHER, "1: it is another campaign's: seed 2 and not 1; give the same options, or name another file with --resume"),
        ("[]\n", "1: this is no line of a journal of dirql explore; name another file with --resume"),
        ("\xff\n", "1: this is no line of a journal of dirql explore; name another file with --resume"),
        ("%s\n{}\n", "2: this is no line of a journal of dirql explore; name another file with --resume"),
    ],
)  # fmt: skip
def test_another_file_is_no_journal(plan: Plan, tmp_path: Path, content: str, why: str) -> None:
    identity = identity_of(plan, Settings("random", seed=1), False)
    whole = json.dumps(identity)
    text = content.replace("%s", whole if content.startswith("%s") else identity["basis"])
    (tmp_path / "j.jsonl").write_text(text)
    with pytest.raises(InputError) as problem:
        Journal(tmp_path / "j.jsonl", identity)
    assert str(problem.value) == f"{tmp_path / 'j.jsonl'}:{why}"


def test_a_full_disk_ends_the_campaign_and_keeps_what_is_known(campaign: Any, plan: Plan) -> None:
    settings = Settings("random", seed=1)
    one = campaign(settings, journal=Journal(Path("/dev/full"), identity_of(plan, settings, False)))
    assert (one.full, one.played, one.kinds) == ("/dev/full: No space left on device", 5, 1)


def test_a_batch_whose_worker_died_is_played_again(campaign: Any) -> None:
    settings = Settings("random", seed=1)
    assert told(campaign(settings, two(n5_5=1, n35_5=1))) == told(campaign(settings))


def test_a_batch_at_which_two_workers_died_is_left_out(campaign: Any) -> None:
    one = campaign(Settings("random", seed=1), two(n5_5=2))
    assert (one.left_out, one.played) == (["schedules 5 to 9"], 35)


class Interrupted(Rewound):
    """In the middle of the schedule with one of `numbers`, counted from the first one that is played, Ctrl-C is pressed."""

    def __init__(self, plan: Plan, *numbers: int) -> None:
        super().__init__(plan)
        self.numbers, self.played = numbers, 0

    def play(self, tactic: Any) -> Outcome:
        number, take = self.played, tactic.take
        self.played += 1

        def press(*asked: Any) -> int:
            tactic.take = take
            signal.raise_signal(signal.SIGINT)
            return int(take(*asked))

        if number in self.numbers:
            tactic.take = press
        return super().play(tactic)


@pytest.mark.parametrize("chooser", ["random", "pct"])
def test_ctrl_c_in_the_middle_of_a_schedule_ends_the_search_behind_it(plan: Plan, tmp_path: Path, chooser: str) -> None:
    settings = Settings(chooser, seed=1, check_every=0)
    identity = identity_of(plan, settings, False)
    one = Campaign(plan, settings, 40, Interrupted(plan, 18), journal=Journal(tmp_path / "j.jsonl", identity))
    with pytest.raises(KeyboardInterrupt):
        one.run()
    whole = Campaign(plan, settings, 18, Rewound(plan))  # what comes first is the measuring
    whole.run()
    assert told(one) == told(whole)
    journal = Journal(tmp_path / "j.jsonl", identity)
    journal.close()
    assert sorted(journal.known) == ["0+5", "10+5", "5+5"]


def test_ctrl_c_while_failures_are_made_small_leaves_them_as_they_are(plan: Plan) -> None:
    settings = Settings("random", seed=1, check_every=0)
    one, whole = Campaign(plan, settings, 5, Interrupted(plan, 7)), Campaign(plan, settings, 5, Rewound(plan))
    for each in (one, whole):
        each.run()
    (found,), (small,) = one.report(), whole.report()
    assert one.interrupted and not whole.interrupted
    assert (found.number, found.failures) == (small.number, small.failures)
    assert len(found.schedule.choices) > len(small.schedule.choices)


def test_what_is_wrong_with_the_users_files_ends_it(campaign: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dirql.explore.crew.play", lambda batch, interrupted: Result(problem="card.py:3: no"))
    with pytest.raises(UsageError, match=r"^card.py:3: no$"):
        campaign(Settings("random"))


@pytest.mark.parametrize("jobs", [0, -1, 257])
def test_jobs_are_limited(jobs: int) -> None:
    with pytest.raises(UsageError) as problem:
        pool(jobs)
    assert str(problem.value) == f"--jobs {jobs}: out of range; give 1 to 256, one for each processor of this machine"


def test_a_cluster_needs_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError) as problem:
        cluster("tcp://127.0.0.1:8786")
    assert str(problem.value) == '--dask tcp://127.0.0.1:8786: dask.distributed is not installed; pip install "dirql[cluster]"'


def test_a_killed_process_costs_nothing_but_time(plan: Plan) -> None:
    settings, victims = Settings("random", check_every=0), []
    one = Campaign(plan, settings, 40, Rewound(plan), pool(2))

    def kill_one(schedules: int, kinds: int) -> None:
        if not victims:
            victims.append(multiprocessing.active_children()[0].pid)
            os.kill(victims[0], signal.SIGKILL)

    one.progress = kill_one
    one.run()
    alone = Campaign(plan, settings, 40, Rewound(plan))
    alone.run()
    assert told(one) == told(alone)


ALONE = """
import sys
from dirql.explore.crew import pool

if __name__ == "__main__":
    executor = pool(2).make()
    print(executor.submit(int).result(), flush=True)
    sys.stdin.readline()
"""


def test_a_killed_campaign_leaves_no_processes_behind(tmp_path: Path) -> None:
    (tmp_path / "alone.py").write_text(ALONE)
    command = [sys.executable, str(tmp_path / "alone.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline()
        parent.kill()
        assert parent.stdout.read() == b""  # which the workers had open too


CLUSTER = """
import json, sys
from pathlib import Path
from distributed import LocalCluster
from dirql.cli.app import main

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        main(["explore", sys.argv[1], "--schedules", "60", "--from", "work", "--json", "--dask", cluster.scheduler_address])
"""


def test_a_dask_cluster_comes_to_the_same(lost: Path, tmp_path: Path, plan: Plan) -> None:
    pytest.importorskip("distributed", reason="dask.distributed is not installed (the extra `cluster`)")
    (tmp_path / "played.py").write_text(CLUSTER)
    command = [sys.executable, str(tmp_path / "played.py"), str(lost)]
    shared = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    alone = Campaign(plan, Settings(), 60, Rewound(plan))
    alone.run()
    told = json.loads(shared.stdout)
    assert (shared.returncode, told["schedules"]) == (1, 60)
    assert told["failures"] == [found.as_json() for found in alone.report()]
    assert told["coverage"] == alone.coverage.as_json()
