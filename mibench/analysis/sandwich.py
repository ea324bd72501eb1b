"""Lower against upper bounds: the narrowest interval that they leave for the truth.

Notable: the ends are means over seeds; a cell without a finite one on a side has no interval, and none is made up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

_END = {"mean": "", "low": "_low", "high": "_high"}
"""Columns of `summarise` that are carried over for both ends, and the suffixes that they get."""


def sandwich(means: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Find the largest lower and the smallest upper bound of every cell: what the bounds together say about MI.

    The largest of several means is itself biased upward and the smallest downward, so that a sandwich of many
    estimators is too narrow rather than too wide, and may be empty.

    Parameters
    ----------
    means
        Rows of `mibench.analysis.metrics.summarise`, with the columns `estimator_label` and `kind`; what is neither a
        lower nor an upper bound, and means that are not finite, do not count.
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
