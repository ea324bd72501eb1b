"""What all statistics of stored rows begin with: final estimates, rows with a result, and means over seeds.

Notable:

- Every aggregate is taken in float64.
- A value that is not finite is never averaged away: it is left out of means, counted beside them, and no value is made
  up where nothing finite is left.
- Intervals are Student t intervals over runs; where there are too few runs for one, its ends are NaN.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtrit

from mibench.store.columns import RESULT_STATUSES

Floats = npt.NDArray[np.float64]
FINAL = "estimate_train_median"
"""The final estimate of reports: the median over the window's training batches, since heavy tails are the
subject."""


def numbers(rows: pd.DataFrame, column: str) -> Floats:
    """Return a column as float64, NaN where it is null."""
    values: Floats = rows[column].to_numpy(np.float64, na_value=np.nan)
    return values


def final_estimates(runs: pd.DataFrame) -> pd.Series:
    """The estimate that a run is judged by, nats: `FINAL`; on a fixed sample the value of its test part.

    On a fixed sample the training batches are pairs that the critic has seen many times.
    """
    final: pd.Series = runs[FINAL].astype("float64")
    return final.where(runs["regime"] != "dataset", runs["estimate_test"].astype("float64"))


def finished(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows that hold a result: ok or diverged, not timed out or crashed."""
    return runs[runs["status"].isin(RESULT_STATUSES)]


def with_truth(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows whose true MI is known: finite and not negative, so that an axis has a place for it.

    Without one are runs that failed before it was known, and rows of versions that did not look at it.
    """
    truth = numbers(runs, "mi_true")
    return runs[np.isfinite(truth) & (truth >= 0)]


def summarise(runs: pd.DataFrame, by: Sequence[str], value: str = FINAL, *, confidence: float = 0.95) -> pd.DataFrame:
    """Summarise a value by cell, over its seeds.

    Parameters
    ----------
    runs
        Rows of the runs table.
    by
        Columns that make a cell.
    value
        The column that is summarised, nats.
    confidence
        Level of the interval of the mean, Student t over the finite runs of the cell.

    Returns
    -------
    DataFrame
        A row per cell, sorted: `by`, `n_runs` (with a result), `n_nonfinite` (of them), `n_diverged`,
        `n_failed`, and `mean`, `low`, `high`, `sd`, `median` of the finite values; the interval is NaN below
        two of them.
    """
    table = runs[list(by)].assign(
        _value=numbers(runs, value),
        _done=runs["status"].isin(RESULT_STATUSES),
        _diverged=runs["status"] == "diverged",
    )  # narrow: cutting out a cell costs time for every column
    rows = []
    for key, cell in table.groupby(list(by), dropna=False, sort=True):
        values = cell["_value"].to_numpy()[cell["_done"].to_numpy(bool)]
        finite = values[np.isfinite(values)]
        mean, low, high, sd = mean_interval(finite, confidence)
        rows.append(
            {
                **dict(zip(by, key, strict=True)),
                "n_runs": len(values),
                "n_nonfinite": len(values) - len(finite),
                "n_diverged": int(cell["_diverged"].sum()),
                "n_failed": len(cell) - len(values),
                "mean": mean,
                "low": low,
                "high": high,
                "sd": sd,
                "median": float(np.median(finite)) if finite.size else math.nan,
            }
        )
    counts = ["n_runs", "n_nonfinite", "n_diverged", "n_failed"]
    return pd.DataFrame(rows, columns=[*by, *counts, "mean", "low", "high", "sd", "median"])


def mean_interval(values: Floats, confidence: float) -> tuple[float, float, float, float]:
    """Mean of finite values, both ends of its t interval, and standard deviation; NaN where they do not exist."""
    n = values.size
    if n == 0:
        return math.nan, math.nan, math.nan, math.nan
    scale = float(np.abs(values).max()) or 1.0  # squares of 1e300 would overflow
    mean = scale * float((values / scale).mean())
    if n == 1:
        return mean, math.nan, math.nan, math.nan
    sd = scale * float((values / scale).std(ddof=1))
    half = t_quantile(n - 1, confidence) * sd / math.sqrt(n)
    return mean, mean - half, mean + half, sd


def t_quantile(freedom: float, confidence: float) -> float:
    """Two-sided quantile of Student's t distribution."""
    return float(stdtrit(freedom, (1 + confidence) / 2))


def levels_of(schedule: object) -> list[float]:
    """MI levels of a staircase, nats, as the column `schedule` holds them; none for constant MI and a null."""
    return list(json.loads(schedule)) if isinstance(schedule, str) and schedule else []


def is_staircase(runs: pd.DataFrame) -> pd.Series:
    """Mark the rows of runs with a schedule of MI levels."""
    return ~runs["schedule"].fillna("[]").isin(["[]", "{}", ""])
