"""Training stored runs again from their specifications, to see that the numbers come out as they are stored.

Notable: a run's randomness depends on its id alone, so that on the same machine type, with the same torch and the same
kernels, every number is to be the same bit for bit. Elsewhere rounding differs, and training carries the difference on:
what is asked is that the estimate is the same within `tolerance`, of two runs in three at least. Measured: of 150 runs
of the suite standard, trained with AVX2 kernels in place of AVX-512, 140 were within it; the others are runs near
divergence, and some that stopped early at another checkpoint.
"""

from __future__ import annotations

import dataclasses
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mibench.core.errors import UsageError, shown
from mibench.experiments.specs import RunSpec
from mibench.running.runner import execute
from mibench.store.columns import CURVES, RESULT_STATUSES, RUNS
from mibench.store.folders import load_curves, load_runs, load_sessions

_OF_THE_INVOCATION = frozenset(
    {"seconds", "seconds_per_step", "pack_size", "peak_rss_mb", "threads", "mibench_version", "session_id"}
    | {"finished_at", "error"}
)
"""Columns of runs that are allowed to differ."""

_OF_THE_MACHINE = ("device", "matmul_mode", "torch_version")
"""Columns of runs that, with the processor, decide whether numbers are to be the same to the bit."""

FLOOR, SPREADS = 0.1, 4.0
"""Least tolerance in nats, and how many standard errors of the mean over the window's batches it is at least."""

ALLOWED = 1 / 3
"""Share of the runs that may be beyond the tolerance on another machine type."""


@dataclasses.dataclass(frozen=True)
class Recomputed:
    """One run trained again.

    Parameters
    ----------
    run_id, label
        Which run it is, for the machine and for a reader.
    same_machine
        Whether processor, torch and kernels are those of the stored run.
    differing
        Columns, and ``curve``, that are not the same bit for bit.
    stored, again
        The estimate as it is stored and as it came out, nats.
    tolerance
        What they may differ by, nats.
    """

    run_id: str
    label: str
    same_machine: bool
    differing: tuple[str, ...]
    stored: float
    again: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the run came out as it must."""
        if self.same_machine or not self.differing:
            return not self.differing
        if not (math.isfinite(self.stored) and math.isfinite(self.again)):
            return math.isfinite(self.stored) == math.isfinite(self.again)
        return abs(self.again - self.stored) <= self.tolerance

    def __str__(self) -> str:
        if not self.differing:
            return f"{self.label}: the same to the bit ({self.again:.6g} nats)"
        found = f"{self.again:.6g} where {self.stored:.6g} nats is stored"
        if self.same_machine:
            return f"{self.label}: {found}; on the same machine type {', '.join(self.differing)} must be the same"
        verdict = "within" if self.passed else "not within"
        return f"{self.label}: {found}, {verdict} {self.tolerance:.3g} nats, the tolerance on another machine type"


def all_as_they_must(done: Sequence[Recomputed]) -> bool:
    """Tell whether runs came out as they must: all on the same machine type, all but `ALLOWED` of the others."""
    here, elsewhere = [one for one in done if one.same_machine], [one for one in done if not one.same_machine]
    beyond = sum(not one.passed for one in elsewhere)
    return all(one.passed for one in here) and beyond <= ALLOWED * len(elsewhere)


def draw_runs(runs: pd.DataFrame, count: int, generator: np.random.Generator) -> list[str]:
    """Draw the ids of some of the runs that gave a result.

    Raises
    ------
    UsageError
        Where there are fewer, or none are asked for.
    """
    ids = np.sort(runs.loc[runs["status"].isin(RESULT_STATUSES), "run_id"].unique().astype(str))
    if not ids.size:
        raise UsageError("no run has a result that could be trained again; make some with 'mibench run' first")
    if not 1 <= count <= len(ids):
        raise UsageError(f"{shown(count)} runs cannot be drawn from {len(ids)} with a result; draw 1 to {len(ids)}")
    return sorted(generator.choice(ids, size=count, replace=False))


def recompute(folder: str | Path, run_ids: Sequence[str], *, jobs: int = 1) -> list[Recomputed]:
    """Train stored runs again and compare every number.

    Parameters
    ----------
    folder
        The results folder; nothing is written to it.
    run_ids
        Which runs.
    jobs
        Worker processes.

    Returns
    -------
    list of Recomputed
        In the order of ``run_ids``.

    Raises
    ------
    UsageError
        For an id that the folder does not hold, and a run whose components are not registered in this version.
    StoreError
        Where a stored file cannot be read.
    """
    stored = load_runs(folder)
    specs = {spec.run_id: spec for spec in map(RunSpec.from_json, stored["spec"].drop_duplicates())}
    if unknown := [run for run in run_ids if run not in specs]:
        raise UsageError(f"'{folder}' holds no run '{unknown[0]}'; see 'mibench results ls'")
    with tempfile.TemporaryDirectory() as scratch:
        execute([specs[run] for run in run_ids], results=scratch, jobs=jobs, device="cpu", command="recompute")
        old, new = _Rows(folder, stored, run_ids), _Rows(scratch, load_runs(scratch), run_ids)
    return [_compared(run, old, new) for run in run_ids]


class _Rows:
    """Rows, curves and sessions of some runs."""

    def __init__(self, folder: str | Path, runs: pd.DataFrame, run_ids: Sequence[str]) -> None:
        self.runs = runs[runs["run_id"].isin(run_ids)]
        self.curves = load_curves(folder, run_ids)
        self.processors = load_sessions(folder).set_index("session_id")["cpu"]

    def of_run(self, run: str) -> pd.DataFrame:
        return self.runs[self.runs["run_id"] == run].reset_index(drop=True)

    def curve(self, run: str) -> pd.DataFrame:
        return self.curves[self.curves["run_id"] == run].set_index("step")

    def machine(self, run: str) -> tuple[Any, ...]:
        row = self.of_run(run).iloc[-1]
        return (self.processors.get(row["session_id"]), *(row[name] for name in _OF_THE_MACHINE))


def _compared(run: str, old: _Rows, new: _Rows) -> Recomputed:
    before, after = old.of_run(run), new.of_run(run)
    aside = {*_OF_THE_INVOCATION, *_OF_THE_MACHINE, *_younger_than(before)}
    names = [column.name for column in RUNS if column.name not in aside]
    differing = [name for name in names if not _same(before[name], after[name])]
    points = old.curve(run)  # of a published run some are left out
    again = new.curve(run).reindex(points.index)
    if not all(_same(points[column.name], again[column.name]) for column in CURVES if column.name in points):
        differing.append("curve")
    last = before.iloc[-1]
    estimate = "estimate_test" if last["regime"] == "dataset" else "estimate_train_median"
    return Recomputed(
        run,
        _label(last),
        old.machine(run) == new.machine(run),
        tuple(differing),
        float(last[estimate]),
        float(after.iloc[-1][estimate]) if len(after) else math.nan,
        tolerance(last),
    )


def _younger_than(rows: pd.DataFrame) -> set[str]:
    """Columns since schema 3 that rows do not have: they may be of an earlier one, which knew nothing of them."""
    return {column.name for column in RUNS if column.since > 2 and rows[column.name].isna().all()}


def _same(one: pd.Series, other: pd.Series) -> bool:
    """Whether two columns are the same bit for bit; nulls are equal to each other."""
    if len(one) != len(other):
        return False
    if pd.api.types.is_numeric_dtype(one) or pd.api.types.is_numeric_dtype(other):
        return bool(np.array_equal(_as_numbers(one), _as_numbers(other), equal_nan=True))
    return _as_objects(one) == _as_objects(other)


def _as_numbers(values: pd.Series) -> npt.NDArray[np.float64]:
    return pd.to_numeric(values).to_numpy(np.float64, na_value=math.nan)


def _as_objects(values: pd.Series) -> list[Any]:
    return values.astype(object).where(values.notna().to_numpy(), None).tolist()


def _label(row: pd.Series) -> str:
    params = "".join(f":{name}={value}" for name, value in json.loads(row["estimator_params"]).items())
    sample = "" if pd.isna(row["samples"]) else f", n = {row['samples']:.0f}"
    cell = f"{row['task']}, {row['mi_true']:.3g} nats, {row['estimator']}{params}, {row['critic']}, {row['negatives']}"
    return f"{row['run_id']} ({cell}, N = {row['batch']:.0f}{sample}, seed {row['seed']})"


def tolerance(row: pd.Series) -> float:
    """Nats that an estimate may differ by on another machine type: `FLOOR`, or `SPREADS` standard errors if more."""
    spread, window = float(row["estimate_train_sd"]), float(row["window"])
    error = spread / math.sqrt(window) if math.isfinite(spread) else 0.0
    return max(FLOOR, SPREADS * error)
