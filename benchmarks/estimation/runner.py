"""Runs of an estimate over data sets, resumable: rows are written as they come, in three tables.

``estimates.csv`` has a row for each data set, and is written last: a data set without one is run again. ``members.csv``
and ``checks.csv`` have the rows of the estimate's tables, under the data set's name; those that a stop left without an
estimate are passed over when they are read.
"""

from __future__ import annotations

import importlib
import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.estimation.records import DataSet
from mibench.core.errors import UsageError
from mibench.estimation.result import Estimate

Estimator = Callable[..., Estimate]

ESTIMATES, MEMBERS, CHECKS = "estimates.csv", "members.csv", "checks.csv"
_VALUES = ("value", "low", "high", "limit", "word", "believable", "p_value", "seconds")
_COLUMNS = (
    *("name", "series", "half", "family", "parameters", "n", "seed", "truth", "truth_se"),
    *_VALUES,
    *("wall", "error", "estimator", "quick"),
)


@dataclass(frozen=True)
class Rows:
    """What one data set gave.

    Parameters
    ----------
    estimate
        The row of ``estimates.csv``.
    members, checks
        The rows of the estimate's tables.
    """

    estimate: dict[str, Any]
    members: pd.DataFrame
    checks: pd.DataFrame


def estimator_of(path: str) -> Estimator:
    """Import ``"module:function"``, which is called as ``function(x, y, seed=..., quick=..., **options)``."""
    module, colon, name = path.partition(":")
    if not colon:
        raise UsageError(f"'{path}' names no function; write 'module:function'")
    found: Estimator = getattr(importlib.import_module(module), name)
    return found


def run_one(data: DataSet, estimator: str, *, quick: bool) -> Rows:
    """Estimate one data set. What is refused, or breaks, is a row too, with the reason in ``error``."""
    estimate = estimator_of(estimator)
    facts = data.facts() | {"estimator": estimator, "quick": quick}
    x, y = data.sample()
    began = time.perf_counter()
    try:
        found = estimate(x, y, seed=data.seed, quick=quick, **data.options)
    except UsageError as error:
        return _nothing(facts, "refused", str(error), began)
    except Exception as error:  # one that breaks must not end hours of others
        place = traceback.extract_tb(error.__traceback__)[-1]
        return _nothing(facts, "failed", f"{type(error).__name__}: {error} ({place.name})", began)
    values = {name: getattr(found, name) for name in _VALUES}
    row = facts | values | {"wall": time.perf_counter() - began, "error": ""}
    return Rows(row, found.members, found.checks)


def _nothing(facts: dict[str, Any], word: str, reason: str, began: float) -> Rows:
    row = facts | {"word": word, "believable": False, "error": reason, "wall": time.perf_counter() - began}
    return Rows(row, pd.DataFrame(), pd.DataFrame())


def run(data_sets: Sequence[DataSet], estimator: str, folder: Path, *, jobs: int, quick: bool) -> None:
    """Run the data sets that a folder has no row of, and write their rows as they come.

    Raises
    ------
    UsageError
        Where the folder holds another estimator's rows, or those of the other speed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = left_to_run(data_sets, estimator, folder, quick=quick)
    print(f"{len(data_sets) - len(missing):,} of {len(data_sets):,} data sets are there, {len(missing):,} to run")
    for at, rows in enumerate(_results(missing, estimator, jobs, quick), 1):
        _append(rows, folder)
        row = rows.estimate
        value = f"{row['value']:.3f}" if "value" in row else row["error"]
        print(f"{at:,} {row['name']}: {value} of {row['truth']:.3f}, {row['word']}, {row['wall']:.1f} s", flush=True)


def left_to_run(data_sets: Sequence[DataSet], estimator: str, folder: Path, *, quick: bool) -> list[DataSet]:
    """Return the data sets that a folder has no row of."""
    path = folder / ESTIMATES
    if not path.exists():
        return list(data_sets)
    table = pd.read_csv(path)
    if len(table) and ((table["estimator"] != estimator) | (table["quick"] != quick)).any():
        raise UsageError(f"'{folder}' holds rows of another estimator or speed; name another folder by --out")
    done = set(table["name"])
    return [data for data in data_sets if data.name not in done]


def _results(data_sets: Sequence[DataSet], estimator: str, jobs: int, quick: bool) -> Iterator[Rows]:
    if jobs == 1:
        for data in data_sets:
            yield run_one(data, estimator, quick=quick)
        return
    # fresh processes: a fork of one that holds torch's threads may hang
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(run_one, data, estimator, quick=quick) for data in data_sets]):
            yield future.result()


def _append(rows: Rows, folder: Path) -> None:
    for file, table in ((MEMBERS, rows.members), (CHECKS, rows.checks)):
        if len(table):
            _add(folder / file, table.assign(name=rows.estimate["name"]))
    _add(folder / ESTIMATES, pd.DataFrame([rows.estimate]).reindex(columns=list(_COLUMNS)))


def _add(path: Path, table: pd.DataFrame) -> None:
    """Add rows to a table, whose columns are those that it began with."""
    began = path.exists()
    if began:
        table = table.reindex(columns=list(pd.read_csv(path, nrows=0).columns))
    table.to_csv(path, mode="a", header=not began, index=False)


def load(folder: Path, file: str) -> pd.DataFrame:
    """Read a table of results: of a data set that was run twice the later rows, of one without an estimate none."""
    estimates = pd.read_csv(folder / ESTIMATES).drop_duplicates("name", keep="last")
    if file == ESTIMATES:
        return estimates
    key = "member" if file == MEMBERS else "check"
    table = pd.read_csv(folder / file).drop_duplicates(["name", key], keep="last")
    return table[table["name"].isin(estimates["name"])].reset_index(drop=True)
