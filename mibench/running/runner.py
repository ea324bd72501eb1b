"""From a grid to stored rows: plan, run what is missing, read it back.

Notable: the same call again does only what is missing, so an interrupted grid is continued by giving its command again.
A run that fails is a row, not an exception; only what concerns every run (a full disk, workers that do not start) stops
the work.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import numbers
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mibench.core.errors import MibenchError, StoreWriteError, UsageError, WorkersKilledError, did_you_mean, shown
from mibench.core.numbers import as_float, as_integer
from mibench.core.outside import PLUGIN_PREFIX, is_edited
from mibench.core.plugins import load_plugins, loaded_plugins, refresh_plugins
from mibench.experiments.code import entries_of
from mibench.experiments.exact import exact_counterparts
from mibench.experiments.specs import RunSpec
from mibench.experiments.suite import requested_runs
from mibench.running import supervision
from mibench.running.capacity import check_memory, machine_memory
from mibench.running.engines import engine_names, find_engine
from mibench.running.plan import Plan, check_code, make_plan
from mibench.running.supervision import MEMORY, PackOutcome, Settings, counted
from mibench.store.folders import check_writable, read_runs, write_session
from mibench.store.paths import check_results
from mibench.store.sessions import describe_session

if TYPE_CHECKING:
    import pandas as pd

DEVICES = ("auto", "cpu", "cuda")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What `execute` did.

    Parameters
    ----------
    plan
        What was to be done.
    session_id
        The invocation in the sessions table; None where nothing was to be done.
    finished
        Runs that gave a result now.
    failed
        Runs that crashed or timed out now.
    """

    plan: Plan
    session_id: str | None = None
    finished: int = 0
    failed: int = 0


def run(
    grid: str | Path | None = None,
    *,
    suite: str | None = None,
    exact: bool = False,
    results: str | Path = "results",
    jobs: int = 1,
    device: str = "auto",
    timeout: float | None = 3600.0,
    retry_failed: bool = False,
    retrain: bool = False,
    shard: tuple[int, int] | str | None = None,
    dry_run: bool = False,
    engine: str = "local",
    scheduler: str | None = None,
    plugins: str | Path | Sequence[str | Path] = (),
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Train the runs of a grid that are not stored yet, and return all its rows.

    ``mibench.run(task="gaussian20d", mi=[5, 10], estimator=["nwj", "infonce"], batch=[64, 512], seeds=3)``

    Parameters
    ----------
    grid
        A TOML file, or the name of a shipped grid.
    suite
        The name of a suite, in place of a grid. With ``estimator`` beside it, that one runs on the suite; other options
        beside it replace the suite's too, and what runs is then no longer the suite.
    exact
        The runs with the exact critic in place of a trained one, where there is one, which explain errors.
    results
        The results folder; made if it does not exist.
    jobs
        Packs trained at a time, each by a process with one thread. A cluster given by its address uses all its threads;
        there it is how many are planned for at least.
    device
        ``"auto"`` (CUDA where there is a device), ``"cpu"`` or ``"cuda"``.
    timeout
        Seconds after which a run is killed; a pack gets as many times that as it has runs. None for no limit.
    retry_failed
        Train again what crashed or timed out before.
    retrain
        Train again what other code of a plug-in made than its file holds now.
    shard
        ``(i, n)`` or ``"i/n"``: only the i-th of n parts of the grid, i from 1.
    dry_run
        Train nothing.
    engine, scheduler
        ``"local"``, or ``"dask"`` with the address of a scheduler, whose machines share the results folder; without one
        it is a cluster of this machine's processes.
    plugins
        File or folder with further components, or several.
    progress
        Called with the steps x runs done and their total, from several threads but never two at once.
    **options
        The grid's options (``task``, ``estimator``, ``mi``, ``batch``, ...), each a value or a list; they replace those
        of ``grid`` and ``suite``.

    Returns
    -------
    pandas.DataFrame
        The stored rows of the grid, in its order, one per run and stair, whatever their status.

    Raises
    ------
    UsageError
        For anything wrong with the options, before any work.
    StoreError
        Where a stored file cannot be read.
    StoreWriteError
        Where a result cannot be stored; what was stored before is intact.
    WorkersKilledError
        Where worker processes are killed whenever they start; likewise.
    """
    refresh_plugins()
    load_plugins([plugins] if isinstance(plugins, str | Path) else plugins, strict=True)
    specs = requested_runs(grid, suite, options)
    if exact:
        specs = list(exact_counterparts(specs).specs)
    outcome = execute(
        specs,
        results=results,
        jobs=jobs,
        device=device,
        timeout=timeout,
        retry_failed=retry_failed,
        retrain=retrain,
        shard=shard,
        dry_run=dry_run,
        engine=engine,
        scheduler=scheduler,
        on_progress=progress,
    )
    return rows_of(specs if shard is None else outcome.plan.specs, results)


def rows_of(specs: Sequence[RunSpec], results: str | Path) -> pd.DataFrame:
    """Return the stored rows of some runs, in their order."""
    order = {spec.run_id: place for place, spec in enumerate(specs)}
    rows = read_runs(results, run_ids=order)
    places = rows["run_id"].map(order)
    return rows[places.notna()].iloc[places.dropna().argsort(kind="stable")].reset_index(drop=True)


def execute(
    specs: Sequence[RunSpec],
    *,
    results: str | Path = "results",
    jobs: int = 1,
    device: str = "auto",
    timeout: float | None = 3600.0,
    retry_failed: bool = False,
    retrain: bool = False,
    shard: tuple[int, int] | str | None = None,
    dry_run: bool = False,
    engine: str = "local",
    scheduler: str | None = None,
    command: str = "mibench.run",
    on_plan: Callable[[Plan], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Plan some runs and train what is missing; the parameters are those of `run`.

    Parameters
    ----------
    command
        What is stored as the invocation's command.
    on_plan
        Called with the plan before any work.
    on_progress
        As ``progress`` of `run`.

    Raises
    ------
    UsageError
        As `run`, and where stored results are of other code than there is now, without ``retrain``.
    StoreError, StoreWriteError
        As `run`.
    """
    jobs, limit = _checked_jobs(jobs), _checked_timeout(timeout)
    _check_engine(engine, scheduler)
    check_results(results)
    modules = _outside_modules(specs)
    device = resolve_device(device)
    plan = make_plan(specs, results, retry_failed=retry_failed, retrain=retrain, shard=shard, jobs=jobs, device=device)
    check_code(plan)
    if engine == "local":  # a cluster's machines are others
        plan = dataclasses.replace(plan, memory=check_memory(plan.packs, limit=machine_memory(device)))
    if on_plan is not None:
        on_plan(plan)
    if dry_run or not plan.packs:
        return Outcome(plan)
    check_writable(results)
    session = describe_session(command, loaded_plugins(), device)
    write_session(results, session)
    settings = Settings(
        folder=str(Path(results).resolve()),
        session_id=session["session_id"],
        device=device,
        timeout=limit,
        plugins=loaded_plugins(),
        modules=modules,
        codes=plan.codes,
    )
    progress = counted(on_progress, plan.work)
    outcomes = find_engine(engine)(plan.packs, settings, jobs=jobs, progress=progress, scheduler=scheduler)
    return _collect(plan, settings.session_id, outcomes)


def _collect(plan: Plan, session_id: str, outcomes: Iterator[PackOutcome]) -> Outcome:
    """Count what the packs came to; the first one that could not go on speaks for those that it stopped."""
    finished = failed = 0
    stop: PackOutcome | None = None
    for outcome in outcomes:
        finished, failed = finished + outcome.finished, failed + len(outcome.failures)
        if outcome.stopped_by and (stop is None or stop.stopped_by == "stopped"):
            stop = outcome
    if stop is None:
        return Outcome(plan, session_id, finished, failed)
    if stop.stopped_by == "storage":
        raise StoreWriteError(stop.error)
    if stop.stopped_by == "unstarted":
        tries = f"{len(supervision.PAUSES) + 1} times"
        raise WorkersKilledError(
            f"worker processes do not live long enough to begin ({stop.error}, {tries}); {MEMORY}; "
            f"{len(plan.done) + finished} of {len(plan.specs)} runs are stored, and the same command goes on"
        )
    raise MibenchError(f"the worker processes do not start ({stop.error}); check the installation of mibench and torch")


def resolve_device(device: str) -> str:
    """Turn ``auto`` into ``cuda`` or ``cpu``.

    Raises
    ------
    UsageError
        For an unknown device, and for ``cuda`` where there is none.
    """
    if device not in DEVICES:
        raise UsageError(f"unknown device '{device}'{did_you_mean(str(device), DEVICES)}")
    if device == "cpu":
        return device
    import torch

    found = torch.cuda.device_count() > 0  # counts without starting CUDA in this process
    if device == "cuda" and not found:
        raise UsageError("device 'cuda' needs a CUDA device and torch finds none; use --device cpu")
    return "cuda" if found else "cpu"


def _checked_jobs(jobs: object) -> int:
    number = as_integer(jobs)
    if number is None or number < 1:
        raise UsageError(f"jobs must be at least 1, not {shown(jobs)}; give a whole number of processes")
    return number


def _checked_timeout(timeout: object) -> float:
    seconds = math.inf if timeout is None else as_float(timeout) if isinstance(timeout, numbers.Real) else math.nan
    if not seconds > 0:
        raise UsageError(f"timeout must be a positive number of seconds, not {shown(timeout)}")
    return seconds


def _check_engine(engine: str, scheduler: str | None) -> None:
    if engine not in engine_names():
        raise UsageError(f"unknown engine '{engine}'{did_you_mean(str(engine), engine_names())}")
    if engine == "dask" and importlib.util.find_spec("distributed") is None:
        raise UsageError("engine 'dask' needs Dask; run: pip install 'mibench[dask]'")
    if scheduler is not None and engine != "dask":
        raise UsageError("a scheduler goes with engine 'dask'; add --engine dask")


def _outside_modules(specs: Sequence[RunSpec]) -> tuple[str, ...]:
    """Return the modules that registered components which are neither mibench's nor from plug-in files.

    Raises
    ------
    UsageError
        Where a component is defined in the running script, which workers do not run, and where its module was edited
        since it was imported, which workers import as it is now.
    """
    used = entries_of(specs)
    for entry in used:
        if entry.module == "__main__":
            raise UsageError(
                f"'{entry.name}' is defined in the running script; move it to a file, and name that as plug-in"
            )
        if is_edited(entry.module):
            raise UsageError(
                f"module '{entry.module}', or one that it imports, was edited since '{entry.name}' was imported from "
                "it; start Python anew, or name the file as plug-in, which is then imported anew"
            )
    return tuple(sorted({e.module for e in used if not (e.is_builtin or e.module.startswith(PLUGIN_PREFIX))}))
