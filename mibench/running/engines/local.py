"""The engine ``local``: packs on this machine, each by a worker process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import joblib

from mibench.running.packs import Pack
from mibench.running.supervision import PackOutcome, Settings, stored, supervise
from mibench.running.workers import Progress, Workers


def run_packs(
    packs: Sequence[Pack], settings: Settings, *, jobs: int, progress: Progress, scheduler: str | None = None
) -> Iterator[PackOutcome]:
    """Run packs on this machine, ``jobs`` at a time; yields outcomes as they come.

    After the first pack that cannot go on, the others end as ``stopped``. There is no scheduler.
    """
    with Workers() as workers:

        def one(pack: Pack) -> PackOutcome:
            outcome = stored(supervise(workers, settings, pack, progress), settings)
            if outcome.stopped_by:
                workers.hang_up()
            return outcome

        threads = min(jobs, max(len(packs), 1))
        parallel = joblib.Parallel(n_jobs=threads, backend="threading", return_as="generator_unordered")
        yield from parallel(joblib.delayed(one)(pack) for pack in packs)
