"""When two results of a run are the same: every bit of rows and curves but for the times."""

from __future__ import annotations

import numpy as np

from mibench.training.loop import RunResult

TIMES = {"seconds", "seconds_per_step", "pack_size"}
"""Columns that may differ between two results of a run."""


def same(one: RunResult, other: RunResult) -> bool:
    rows = all(
        a[key] == b[key] or (a[key] != a[key] and b[key] != b[key])
        for a, b in zip(one.rows, other.rows, strict=True)
        for key in a.keys() - TIMES
    )
    return rows and all(np.array_equal(one.curve[c], other.curve[c], equal_nan=c != "run_id") for c in one.curve)
