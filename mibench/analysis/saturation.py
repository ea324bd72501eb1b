"""Saturation: how the estimate moves with log N, by a straight line through the runs.

Notable: where there are too few runs for a slope or its interval these are NaN, and `note` says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mibench.analysis.metrics import FINAL, Floats, numbers, t_quantile

_COLUMNS = ["n_runs", "n_levels", "levels", "intercept", "slope", "slope_low", "slope_high", "note"]


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
    return pd.DataFrame(rows, columns=[*by, *_COLUMNS])


def least_squares(x: Floats, y: Floats, confidence: float) -> dict[str, float | str]:
    """Intercept and slope with the slope's t interval; NaN and a note where there are too few points."""
    fit: dict[str, float | str] = dict.fromkeys(("intercept", "slope", "slope_low", "slope_high"), math.nan)
    if np.unique(x).size < 2:
        return {**fit, "note": "no slope: it needs runs at two batch sizes or more"}
    scale = float(np.abs(y).max()) or 1.0  # squares of 1e300 would overflow
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
