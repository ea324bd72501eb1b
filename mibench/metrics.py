"""Statistics of stored rows: summaries, sandwiches, saturation, divergence. Pure functions of DataFrames.

Notable:

- No torch, no files, no printing; every aggregate is taken in float64.
- A value that is not finite is never averaged away: it is left out of means, counted beside them, and no
  value is made up where nothing finite is left.
- Intervals are Student t intervals over runs. Where there are too few runs for one the columns hold NaN, and
  a `note` column says why in fits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri, stdtrit

from mibench.columns import RESULT_STATUSES

Floats = npt.NDArray[np.float64]

FINAL = "estimate_train_median"
"""The final estimate of reports: the median over the window's training batches, since heavy tails are the
subject."""


# --- summaries ----------------------------------------------------------------------------------------------


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


def wilson_interval(count: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Both ends of the interval of a share by Wilson (1927): of ``count`` among ``n``, at least 1."""
    from scipy.stats import binomtest  # which takes half a second to import, and workers import this package

    ends = binomtest(count, n).proportion_ci(confidence, method="wilson")
    return float(ends.low), float(ends.high)


def t_quantile(freedom: float, confidence: float) -> float:
    """Two-sided quantile of Student's t distribution."""
    return float(stdtrit(freedom, (1 + confidence) / 2))


# --- lower and upper bounds together ------------------------------------------------------------------------

_END = {"mean": "", "low": "_low", "high": "_high"}
"""Columns of `summarise` that a sandwich carries over for both of its ends, and the suffixes that they get."""


def sandwich(means: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Find the largest lower and the smallest upper bound of every cell: what the bounds together say about MI.

    The largest of several means is itself biased upward and the smallest downward, so that a sandwich of many
    estimators is too narrow rather than too wide, and may be empty.

    Parameters
    ----------
    means
        Rows of `summarise`, with the columns `estimator_label` and `kind`; what is neither a lower nor an upper
        bound, and means that are not finite, do not count.
    by
        Columns that make a cell; `mi_true` must be one of them.

    Returns
    -------
    DataFrame
        A row per cell, sorted: `by`; `largest_lower` and `smallest_upper` (labels, null where there is none);
        their means `lower` and `upper` with the intervals `lower_low` to `lower_high` and `upper_low` to
        `upper_high`, and `width` = upper - lower, negative where the bounds cross (nats, NaN where one is
        missing); `truth_within` (true MI between the two means) and `truth_within_intervals` (true MI between
        the low end of the lower and the high end of the upper one's interval), null where there is no such end.
    """
    rows = []
    for key, cell in means.groupby(list(by), dropna=False, sort=True):
        row: dict[str, Any] = dict(zip(by, key, strict=True))
        row |= _end(cell, "lower", "largest_lower", "idxmax") | _end(cell, "upper", "smallest_upper", "idxmin")
        row["width"] = row["upper"] - row["lower"]
        row["truth_within"] = _between(row["lower"], row["mi_true"], row["upper"])
        row["truth_within_intervals"] = _between(row["lower_low"], row["mi_true"], row["upper_high"])
        rows.append(row)
    ends = [f"{kind}{suffix}" for kind in ("lower", "upper") for suffix in _END.values()]
    columns = [*by, "largest_lower", "smallest_upper", *ends, "width", "truth_within", "truth_within_intervals"]
    return pd.DataFrame(rows, columns=columns)


def _end(cell: pd.DataFrame, kind: str, label: str, choose: Literal["idxmax", "idxmin"]) -> dict[str, Any]:
    """Name, mean and interval of the tightest bound of a kind; NaN and no name where there is none."""
    bounds = cell[(cell["kind"] == kind) & np.isfinite(cell["mean"])].sort_values("estimator_label")
    if bounds.empty:
        return {label: None, **{f"{kind}{suffix}": math.nan for suffix in _END.values()}}
    best = bounds.loc[getattr(bounds["mean"], choose)()]
    return {label: best["estimator_label"], **{f"{kind}{suffix}": float(best[name]) for name, suffix in _END.items()}}


def _between(low: float, value: float, high: float) -> bool | None:
    return None if math.isnan(low) or math.isnan(high) else bool(low <= value <= high)


# --- saturation ---------------------------------------------------------------------------------------------

FIT_COLUMNS = ["n_runs", "n_levels", "levels", "intercept", "slope", "slope_low", "slope_high", "note"]


def fit_saturation(
    runs: pd.DataFrame, by: Sequence[str], value: str = FINAL, *, confidence: float = 0.95
) -> pd.DataFrame:
    """Fit ``estimate = a + b log N`` by least squares, for every series.

    A slope of 1 is saturation at log N, a slope of 0 is none. The interval is that of Student's t over runs,
    with n - 2 degrees of freedom; it takes runs as independent with one residual variance, so that curvature
    widens it. Only runs with status ok and a finite value enter.

    Parameters
    ----------
    runs
        Rows of the runs table.
    by
        Columns that make a series; `batch` must not be one of them.
    value
        The fitted column, nats.
    confidence
        Level of the slope's interval.

    Returns
    -------
    DataFrame
        A row per series, sorted: `by`, `n_runs` fitted, `n_levels` (how many batch sizes), `levels` (which),
        `intercept` (nats), `slope`, `slope_low`, `slope_high` (nats of estimate per nat of log N), and
        `note`: why a slope or its interval is NaN, else empty.
    """
    rows = []
    for key, series in runs.groupby(list(by), dropna=False, sort=True):
        values = numbers(series, value)
        used = np.isfinite(values) & (series["status"] == "ok").to_numpy(bool)
        batch = series["batch"].to_numpy(np.float64)[used]
        levels = np.unique(batch).astype(np.int64)
        rows.append(
            {
                **dict(zip(by, key, strict=True)),
                "n_runs": int(used.sum()),
                "n_levels": len(levels),
                "levels": ", ".join(map(str, levels)),
                **least_squares(np.log(batch), values[used], confidence),
            }
        )
    return pd.DataFrame(rows, columns=[*by, *FIT_COLUMNS])


def least_squares(x: Floats, y: Floats, confidence: float) -> dict[str, float | str]:
    """Intercept and slope with the slope's t interval; NaN and a note where there are too few points."""
    fit: dict[str, float | str] = dict.fromkeys(("intercept", "slope", "slope_low", "slope_high"), math.nan)
    if np.unique(x).size < 2:
        return {**fit, "note": "no slope: it needs runs at two batch sizes or more"}
    scale = float(np.abs(y).max()) or 1.0  # as above
    centred, heights = x - x.mean(), y / scale - (y / scale).mean()
    spread = float(centred @ centred)
    slope = float(centred @ heights) / spread
    fit.update(slope=scale * slope, intercept=scale * float((y / scale).mean() - slope * x.mean()))
    freedom = x.size - 2
    if freedom < 1:
        return {**fit, "note": "no interval: it needs three runs or more"}
    residual = heights - slope * centred
    half = t_quantile(freedom, confidence) * math.sqrt(float(residual @ residual) / freedom / spread)
    return {**fit, "slope_low": scale * (slope - half), "slope_high": scale * (slope + half), "note": ""}


# --- divergence ---------------------------------------------------------------------------------------------


def divergence_by_run(runs: pd.DataFrame, keep: Sequence[str] = ()) -> pd.DataFrame:
    """State for every run with a result whether, when and how far it diverged.

    Parameters
    ----------
    runs
        Rows of the runs table. Of a staircase the first divergence counts, and the last stair's values.
    keep
        Further columns to carry over, from the last stair.

    Returns
    -------
    DataFrame
        A row per run, in the order of `run_id`: `keep`, `run_id`, `mi_true`, `diverged` (bool), `divergence`
        (why), `diverged_at` (step, NaN where it did not), `followed` (steps that the run was watched for: to
        its divergence or its end), `excess` (final median minus truth, nats; not finite where the run is not)
        and `wide` (bool).
    """
    done = finished(runs).sort_values(["run_id", "stair"], kind="stable")
    last = done.drop_duplicates("run_id", keep="last").set_index("run_id")
    by_run = done.groupby("run_id", sort=True)
    at = by_run["diverged_at"].min().astype("float64")
    diverged = by_run["status"].agg(lambda s: bool((s == "diverged").any())).astype(bool) | at.notna()
    table = last[[c for c in dict.fromkeys([*keep, "mi_true"]) if c != "run_id"]].copy()
    table["diverged"] = diverged
    table["divergence"] = by_run["divergence"].first()
    steps = last["steps_done"].astype("float64")
    table["diverged_at"] = at.where(at.notna(), steps.where(diverged))  # established by the end at the latest
    table["followed"] = table["diverged_at"].fillna(steps)
    table["excess"] = last[FINAL].astype("float64") - last["mi_true"].astype("float64")
    table["wide"] = by_run["wide"].max().fillna(0).astype(bool)
    return table.reset_index()


def not_diverged(table: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """Estimate the share of runs not yet diverged over training steps (Kaplan and Meier, 1958).

    A run that ends without diverging is censored at its end, so runs of unequal length may be mixed.

    Parameters
    ----------
    table
        Rows of `divergence_by_run`.
    confidence
        Level of the pointwise band: Greenwood's variance on the scale of log(-log share).

    Returns
    -------
    DataFrame
        `step`, `share`, `low` and `high`, a step function: the share holds from its step until the next; starts at
        (0, 1) and ends at the last step at which a run was watched. The band is NaN where the share is 0 or 1.
    """
    at = table["followed"].to_numpy(np.float64)
    event = table["diverged"].to_numpy(bool)
    steps, shares, sums = [0.0], [1.0], [0.0]
    for step in np.unique(at[event]):
        at_risk, events = int((at >= step).sum()), int((event & (at == step)).sum())
        steps.append(float(step))
        shares.append(shares[-1] * (1 - events / at_risk))
        sums.append(sums[-1] + (events / (at_risk * (at_risk - events)) if events < at_risk else math.inf))
    if at.size and at.max() > steps[-1]:
        steps.append(float(at.max()))
        shares.append(shares[-1])
        sums.append(sums[-1])
    share = np.array(shares)
    inner = (share > 0) & (share < 1)
    within = np.where(inner, share, 0.5)
    half = ndtri((1 + confidence) / 2) * np.sqrt(np.where(inner, sums, 0.0)) / np.abs(np.log(within))
    low, high = (np.where(inner, within ** np.exp(sign * half), np.nan) for sign in (1, -1))
    return pd.DataFrame({"step": steps, "share": share, "low": low, "high": high})


def summarise_divergence(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Summarise `divergence_by_run` by cell.

    Returns
    -------
    DataFrame
        A row per cell, sorted: `by`, `n_runs`, `n_diverged`, `n_nonfinite` (final value not finite),
        `n_wide`, `first_at` and `median_at` (steps, over the diverged runs), `median_excess` and
        `largest_excess` (nats, over the finite ones).
    """
    rows = []
    for key, cell in table.groupby(list(by), dropna=False, sort=True):
        at = cell.loc[cell["diverged"], "diverged_at"].to_numpy(np.float64)
        excess = cell["excess"].to_numpy(np.float64)
        finite = excess[np.isfinite(excess)]
        rows.append(
            {
                **dict(zip(by, key, strict=True)),
                "n_runs": len(cell),
                "n_diverged": int(cell["diverged"].sum()),
                "n_nonfinite": len(excess) - len(finite),
                "n_wide": int(cell["wide"].sum()),
                "first_at": float(at.min()) if at.size else math.nan,
                "median_at": float(np.median(at)) if at.size else math.nan,
                "median_excess": float(np.median(finite)) if finite.size else math.nan,
                "largest_excess": float(finite.max()) if finite.size else math.nan,
            }
        )
    counts = ["n_runs", "n_diverged", "n_nonfinite", "n_wide"]
    values = ["first_at", "median_at", "median_excess", "largest_excess"]
    return pd.DataFrame(rows, columns=[*by, *counts, *values])
