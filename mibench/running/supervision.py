"""What engines share: a pack's job, what becomes of it where it fails, and the count of what is done.

Notable: `supervise` always returns, with a small tuple of what failed, and joblib never carries a failure; the work
itself happens in worker processes. Results are stored where they are made.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping

from mibench.core.errors import StoreWriteError
from mibench.running.failures import Failure, write_failure
from mibench.running.messages import Job
from mibench.running.packs import Pack
from mibench.running.workers import Progress, Reply, Workers
from mibench.store.parquet import pack_stem

PAUSES = (0.5, 2.0, 5.0)
"""Seconds before a pack whose worker was killed is tried again, attempt by attempt: memory may come free."""

MEMORY = "a signal that nobody sent is the system's, for want of memory: use fewer --jobs, or smaller runs"
"""What is likely behind workers that are killed."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What all packs of an invocation have in common.

    Parameters
    ----------
    folder
        The results folder, an absolute path.
    timeout
        Seconds per run; ``inf`` for no limit.
    codes
        By run id the code from outside that a run is trained with; runs of mibench's own components are not in it.
    """

    folder: str
    session_id: str
    device: str
    timeout: float
    plugins: tuple[str, ...]
    modules: tuple[str, ...]
    codes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def of(self, pack: Pack) -> Settings:
        """Return these settings with the codes of one pack's runs alone, as they are sent to another machine."""
        codes = {spec.run_id: self.codes[spec.run_id] for spec in pack if spec.run_id in self.codes}
        return dataclasses.replace(self, codes=codes)

    def job(self, pack: Pack) -> Job:
        """Return the job for a worker."""
        return Job(
            specs=tuple(spec.canonical for spec in pack),
            codes=tuple(self.codes.get(spec.run_id) for spec in pack),
            plugins=self.plugins,
            modules=self.modules,
            device=self.device,
            limit=self.timeout * len(pack),
            folder=self.folder,
            stem=pack_stem((spec.run_id for spec in pack), self.session_id),
            session_id=self.session_id,
        )


@dataclasses.dataclass(frozen=True)
class PackOutcome:
    """What became of a pack.

    ``stopped_by`` is empty, or why no pack can go on: ``storage``, ``broken``, ``unstarted`` or ``stopped``, with its
    ``error``.
    """

    finished: int
    failures: tuple[Failure, ...] = ()
    stopped_by: str = ""
    error: str = ""


def supervise(workers: Workers, settings: Settings, pack: Pack, progress: Progress) -> PackOutcome:
    """Train a pack; if it fails, train its runs one by one, so that a bad run does not take its neighbours.

    A run that fails alone has failed. ``progress`` is called with steps x runs, and with a negative number where work
    was lost; over the pack it adds up to all its steps.
    """
    outcome = _attempt(workers, settings, pack, progress)
    if len(pack) == 1 or not outcome.failures:
        return outcome
    finished = 0
    failures: list[Failure] = []
    for spec in pack:
        alone = _attempt(workers, settings, (spec,), progress)
        finished += alone.finished
        failures += alone.failures
        if alone.stopped_by:
            return dataclasses.replace(alone, finished=finished, failures=tuple(failures))
    return PackOutcome(finished, tuple(failures))


def _attempt(workers: Workers, settings: Settings, pack: Pack, progress: Progress) -> PackOutcome:
    reply, reported = _reply(workers, settings, pack, progress)
    if reply.status == "done":
        progress(sum(spec.steps for spec in pack) - reported)
        return PackOutcome(len(pack))
    if reply.status == "killed":  # whenever it was tried: it is the run's doing, or more than the machine holds
        reply = dataclasses.replace(reply, status="crashed", error=f"{reply.error}, {len(PAUSES) + 1} times; {MEMORY}")
    if reply.status not in ("crashed", "timeout"):
        return PackOutcome(0, stopped_by=reply.status, error=reply.error)
    again = len(pack) > 1
    progress((0 if again else pack[0].steps) - reported)
    failures = (Failure(s, reply.status, reply.error, reply.memory, reply.known.get(s.run_id, ())) for s in pack)
    return PackOutcome(0, tuple(failures))


def _reply(workers: Workers, settings: Settings, pack: Pack, progress: Progress) -> tuple[Reply, int]:
    """Have a pack trained, by another worker after a pause where one was killed; also what of its progress was told."""
    reported = 0

    def count(steps: int) -> None:
        nonlocal reported
        reported += steps
        progress(steps)

    for pause in (*PAUSES, None):
        reply = workers.run(settings.job(pack), count)
        if reply.status not in ("killed", "unstarted") or pause is None:
            break
        count(-reported)
        workers.pause(pause)
    return reply, reported


def stored(outcome: PackOutcome, settings: Settings) -> PackOutcome:
    """Write the rows of the runs that failed; a disk that is full stops the packs that follow."""
    try:
        for failure in outcome.failures:
            code = settings.codes.get(failure.spec.run_id)
            write_failure(failure, settings.folder, session_id=settings.session_id, device=settings.device, code=code)
    except StoreWriteError as error:
        return dataclasses.replace(outcome, stopped_by="storage", error=str(error))
    return outcome


def counted(report: Callable[[int, int], None] | None, total: int) -> Progress:
    """Turn increments from several threads into calls of ``report(done, total)``, one at a time."""
    done, lock = 0, threading.Lock()

    def progress(steps: int) -> None:
        nonlocal done
        with lock:
            done += steps
            if report is not None:
                report(done, total)

    return progress
