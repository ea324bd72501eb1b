"""The engine ``dask``: packs on a Dask cluster, cut for the threads that it has, and again where threads join.

Notable:

- Dask's own futures, not joblib's backend of it: that one fixes how much is under way at its start, and ends altogether
  where a pack's workers were lost.
- The cluster is given little more than it has threads; the rest stays here, where it can be cut anew.
- Results are stored where they are made, so a cluster needs a results folder that all its machines share.
"""

from __future__ import annotations

import collections
import contextlib
import importlib
import math
import queue
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from mibench.core.errors import MibenchError
from mibench.core.version import __version__
from mibench.experiments.specs import RunSpec
from mibench.running.cluster import connected, threads_of
from mibench.running.failures import Failure
from mibench.running.packs import Pack, pack
from mibench.running.shared_workers import SHARED
from mibench.running.supervision import PackOutcome, Settings, stored, supervise
from mibench.running.workers import Progress

PACKS_A_THREAD = 3
"""Packs that a thread is to get at least: of fewer, the last ones keep some threads while the others have none."""

_RESERVE = 0.25
"""Share of a cluster's threads for which a pack lies ready there."""

_LOOK = 1.0
"""Seconds between two looks at how many threads the cluster has."""

_GONE = "the Dask scheduler is gone; what was stored is intact, and the same command goes on"


def run_packs(
    packs: Sequence[Pack], settings: Settings, *, jobs: int, progress: Progress, scheduler: str | None
) -> Iterator[PackOutcome]:
    """Run packs on a Dask cluster, cut anew for its threads; a worker process is started for each thread.

    Parameters
    ----------
    jobs
        Processes of a cluster that is started here. Of one given by its address, the threads that are planned for at
        least: one that grows with its load grows up to so many at once.
    scheduler
        Address of a running scheduler (``tcp://host:8786``); by default a cluster on this machine.

    Raises
    ------
    UsageError
        Where the scheduler does not answer, and where it or a worker has other versions.
    MibenchError
        Where the scheduler is gone before the end.
    """
    with connected(scheduler, jobs) as client:
        grid = ClusterGrid(client, settings, [spec for part in packs for spec in part], jobs=jobs)
        try:
            for part, outcome in grid.outcomes():
                progress(sum(spec.steps for spec in part))
                outcome = stored(outcome, settings)
                yield outcome
                if outcome.stopped_by:
                    return
        finally:
            grid.call_off()


class ClusterGrid:
    """The runs of a grid that have not ended: packs that wait here, and packs that the cluster has.

    Parameters
    ----------
    client
        Of the cluster's scheduler.
    settings
        What the packs have in common.
    specs
        The runs.
    jobs
        Threads that are planned for at least.
    train
        Called on the cluster with settings, a pack and this version of mibench; another one tries the scheduling
        alone.
    """

    def __init__(
        self,
        client: Any,
        settings: Settings,
        specs: Sequence[RunSpec],
        *,
        jobs: int = 1,
        train: Callable[[Settings, Pack, str], PackOutcome] | None = None,
    ) -> None:
        self._client, self._settings, self._train = client, settings, train or _train_there
        self._given: dict[str, tuple[Any, Pack]] = {}
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._threads = max(threads_of(client), jobs)
        self._waiting = collections.deque(self._cut(specs))

    def outcomes(self) -> Iterator[tuple[Pack, PackOutcome]]:
        """Train all; yields packs that ended, as they end.

        Raises
        ------
        MibenchError
            Where the scheduler is gone.
        """
        look = time.monotonic() + _LOOK
        while self._waiting or self._given:
            if time.monotonic() >= look:
                self._look_for_newcomers()
                look = time.monotonic() + _LOOK
            self._give()
            try:
                future = self._ended.get(timeout=_LOOK)
            except queue.Empty:
                continue
            _, ended = self._given.pop(future.key)
            if (outcome := self._outcome(future, ended)) is not None:
                yield ended, outcome

    def call_off(self) -> None:
        """Take back what has not begun; what has is trained to its end, and stored."""
        self._waiting.clear()
        if self._client.status == "running":  # a scheduler that is gone has called everything off
            self._client.cancel([future for future, _ in self._given.values()])

    def _give(self) -> None:
        """Hand over as many packs as there are threads, and some that spare these the wait for the next; in order."""
        wanted = self._threads + math.ceil(_RESERVE * self._threads)
        while self._waiting and len(self._given) < wanted:
            part = self._waiting.popleft()
            future = self._client.submit(self._train, self._settings.of(part), part, __version__, pure=False)
            self._given[future.key] = future, part
            future.add_done_callback(self._ended.put)

    def _look_for_newcomers(self) -> None:
        """Where threads have joined, cut what waits here into smaller packs, as long as these are few."""
        threads = self._threads_now()
        if threads > self._threads:
            self._threads = threads
            if len(self._waiting) + len(self._given) < PACKS_A_THREAD * threads:
                self._waiting = collections.deque(self._cut([spec for part in self._waiting for spec in part]))

    def _threads_now(self) -> int:
        if self._client.status == "running":
            with contextlib.suppress(OSError):  # it is lost just now
                return threads_of(self._client)
        raise MibenchError(_GONE)

    def _cut(self, specs: Sequence[RunSpec]) -> tuple[Pack, ...]:
        wanted = PACKS_A_THREAD * self._threads - len(self._given)
        return pack(specs, jobs=wanted, device=self._settings.device, codes=self._settings.codes)

    def _outcome(self, future: Any, ended: Pack) -> PackOutcome | None:
        """What became of a pack; None where its runs are tried one by one."""
        try:
            outcome: PackOutcome = future.result()
        except importlib.import_module("distributed").KilledWorker as error:
            if len(ended) > 1:
                self._waiting.extendleft((spec,) for spec in ended)
                return None
            reason = f"every worker that had it was lost, {error.allowed_failures + 1} times"
            return PackOutcome(0, (Failure(ended[0], "crashed", reason),))
        except CancelledError as error:  # by nobody here: the connection was lost, maybe for a moment
            raise MibenchError(_GONE) from error
        except Exception as error:  # what a worker raises as it takes a pack: it has no mibench, or it does not load
            return PackOutcome(0, stopped_by="broken", error=f"on a Dask worker {type(error).__name__}: {error}")
        return outcome


def _train_there(settings: Settings, part: Pack, version: str) -> PackOutcome:
    """Train a pack on the cluster's machine where this is called; nothing is raised."""
    host = socket.gethostname()
    if version != __version__:
        return PackOutcome(0, stopped_by="broken", error=f"{host} has mibench {__version__}, and the runner {version}")
    if not (Path(settings.folder) / "sessions").is_dir():  # which the runner has made
        error = f"the Dask worker on {host} does not see results folder '{settings.folder}'; name one that all share"
        return PackOutcome(0, stopped_by="storage", error=error)
    with SHARED.borrowed() as workers:
        return supervise(workers, settings, part, lambda steps: None)
