"""Who plays batches: this process, a pool of processes, a dask cluster, or anything else that is an Executor.

A batch whose worker died is played again by itself, so that it alone can be to blame if that one dies too.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Protocol

from dirql.errors import UsageError
from dirql.explore.batch import Batch, Result, play
from dirql.explore.interruption import between_schedules

__all__ = ["Crew", "Source", "cluster", "in_process", "pool"]

MOST_JOBS = 256
AHEAD = 2  # batches that each worker is given at a time: the next one waits where it is played


class Source(Protocol):
    """Where batches come from, and results go to."""

    def next(self) -> Batch | None:
        """One to be played now, if there is one."""

    def take(self, batch: Batch, result: Result) -> None:
        """It was played."""

    def leave_out(self, batch: Batch) -> None:
        """Its workers died, twice."""


class Crew:
    """`make` gives an executor, and another one where that broke; without it batches are played here. `workers` is how many the
    executor has; `lost` are the exceptions of a batch whose worker is gone."""

    def __init__(
        self, make: Callable[[], Executor] | None = None, workers: int = 1,
        lost: tuple[type[BaseException], ...] = (BrokenProcessPool,),
    ) -> None:  # fmt: skip
        self.make, self.workers = make, workers
        self.lost: tuple[type[BaseException], ...] = (CancelledError, *lost)
        self.executor: Executor | None = None

    def work(self, source: Source) -> None:
        """Play what the source has, until it has nothing more."""
        if self.make is None:
            with between_schedules() as interrupted:
                while (batch := source.next()) is not None:
                    source.take(batch, play(batch, interrupted))
                    if interrupted():
                        raise KeyboardInterrupt
            return
        self.executor = self.make()
        try:
            self._hand_out(source)
        finally:
            _end(self.executor)

    def _hand_out(self, source: Source) -> None:
        running: dict[Future[Result], Batch] = {}
        while True:
            while len(running) < self.workers * AHEAD and (batch := source.next()) is not None:
                running[self._submit(batch)] = batch
            if not running:
                return
            suspects = []
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                batch = running.pop(future)
                result = self._result(future)
                if result is None:
                    suspects.append(batch)
                else:
                    source.take(batch, result)
            if suspects and self._broken():
                suspects += running.values()
                running.clear()
            for batch in sorted(suspects, key=lambda one: (one.tree, one.first)):
                result = self._result(self._submit(batch))
                if result is None:
                    self._broken()
                    source.leave_out(batch)
                else:
                    source.take(batch, result)

    def _submit(self, batch: Batch) -> Future[Result]:
        assert self.executor is not None
        try:
            with _interrupts_held():
                return self.executor.submit(play, batch)
        except self.lost as problem:  # it broke since the last result
            future: Future[Result] = Future()
            future.set_exception(problem)
            return future

    def _result(self, future: Future[Result]) -> Result | None:
        try:
            return future.result()
        except self.lost:
            return None

    def _broken(self) -> bool:
        """Another executor, where one that has lost a worker is of no use any more."""
        assert self.executor is not None and self.make is not None
        if not isinstance(self.executor, ProcessPoolExecutor):
            return False
        _end(self.executor)
        self.executor = self.make()
        return True


def _end(executor: Executor) -> None:
    """It gets nothing more; what it has is of no interest."""
    if isinstance(executor, ProcessPoolExecutor):
        executor.shutdown(wait=False, cancel_futures=True)
    else:
        executor.shutdown(wait=False)


def in_process() -> Crew:
    """One batch after the other, here."""
    return Crew()


def pool(jobs: int) -> Crew:
    """So many processes of this machine, which begin as new ones: nothing of this process is theirs."""
    if not 1 <= jobs <= MOST_JOBS:
        raise UsageError(f"--jobs {jobs}: out of range; give 1 to {MOST_JOBS}, one for each processor of this machine")
    if jobs == 1:
        return in_process()
    context = multiprocessing.get_context("spawn")
    return Crew(lambda: ProcessPoolExecutor(jobs, context, _begin), jobs)


def cluster(address: str) -> Crew:
    """The workers of the dask scheduler at `address`, where dirql is installed and the scenario's files have the same names."""
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise UsageError(f'--dask {address}: dask.distributed is not installed; pip install "dirql[cluster]"') from None
    try:
        client = distributed.Client(address, timeout="10s")
    except (OSError, ValueError, TimeoutError) as problem:
        raise UsageError(f"--dask {address}: no scheduler answers there ({_first_line(problem)}); give its address, as in "
                         "tcp://127.0.0.1:8786") from None  # fmt: skip
    workers = len(client.scheduler_info(n_workers=-1)["workers"])
    if not workers:
        raise UsageError(f"--dask {address}: the scheduler has no workers; start some with `dask worker {address} --nthreads 1`")
    return Crew(lambda: client.get_executor(pure=False), workers, (distributed.KilledWorker, distributed.comm.CommClosedError))


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C is for the parent, which ends its workers: a process that begins meanwhile inherits that it is not to heed it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """The same where there are no masks. And a worker ends with its parent: one that was killed can tell it nothing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _first_line(problem: BaseException) -> str:
    return (str(problem) or type(problem).__name__).split("\n")[0]
