"""The engine ``dask``: packs on a Dask cluster.

Notable: results are stored where they are made, so a cluster needs a results folder that all its machines share.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Sequence
from typing import Any

import joblib

from mibench.core.errors import UsageError
from mibench.running.packs import Pack
from mibench.running.supervision import PackOutcome, Settings, stored, supervise
from mibench.running.workers import Progress, Workers


def run_packs(
    packs: Sequence[Pack], settings: Settings, *, jobs: int, progress: Progress, scheduler: str | None
) -> Iterator[PackOutcome]:
    """Run packs on a Dask cluster; a worker process is started for each.

    Parameters
    ----------
    jobs
        Packs at a time on a cluster that is started here; a cluster given by address uses all it has.
    scheduler
        Address of a running scheduler (``tcp://host:8786``); by default a cluster on this machine.

    Raises
    ------
    UsageError
        Where the scheduler does not answer.
    """
    distributed: Any = importlib.import_module("distributed")
    with contextlib.ExitStack() as stack:
        if scheduler is None:  # threads suffice: the work is done in processes of their own
            cluster = distributed.LocalCluster(
                n_workers=1, threads_per_worker=jobs, processes=False, dashboard_address=None
            )
            scheduler = stack.enter_context(cluster)
        try:
            stack.enter_context(distributed.Client(scheduler))
        except (OSError, ValueError) as error:
            raise UsageError(f"the Dask scheduler '{scheduler}' does not answer; check its address") from error
        stack.enter_context(joblib.parallel_config(backend="dask"))
        parallel = joblib.Parallel(n_jobs=-1, return_as="generator_unordered")
        outcomes = parallel(joblib.delayed(_supervise_there)(settings, pack) for pack in packs)
        stack.enter_context(contextlib.closing(outcomes))
        for outcome, steps in outcomes:
            progress(steps)
            outcome = stored(outcome, settings)
            yield outcome
            if outcome.stopped_by:
                return


def _supervise_there(settings: Settings, pack: Pack) -> tuple[PackOutcome, int]:
    with Workers() as workers:
        outcome = supervise(workers, settings, pack, lambda steps: None)
    return outcome, sum(spec.steps for spec in pack)
