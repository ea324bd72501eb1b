"""Columns of a board's table: what describes methods, what is counted, and the rows of baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mibench.analysis.metrics import Floats
from mibench.ranking.baselines import Baseline
from mibench.ranking.columns import BASELINE, COLUMNS
from mibench.ranking.measures import Measures
from mibench.ranking.statistics import Intervals, Ints

_COUNTED = ("runs", "imputed_runs", "imputed_cells", "stands_in")


def ends(name: str, interval: Intervals) -> dict[str, Floats]:
    """Return an error's mean and both ends of its interval by column."""
    return {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}


def described(measures: Measures, reference: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return what describes methods beside their errors, (K,) by column; `reference` as of `Measures.cost`."""
    return {
        "bias": measures.bias(),
        "variance": measures.variance(),
        "batch_variance": measures.batch_variance(),
        "saturation": measures.saturation(),
        "violations": measures.violations(),
        "diverged": measures.diverged(),
        "failed": measures.failed(),
        "warned": measures.warned(),
        "monotonicity": measures.monotonicity(),
        "seconds": measures.seconds(),
        "cost": measures.cost(reference),
    }


def counts(measures: Measures) -> dict[str, Ints]:
    """Count the runs of methods, and those that stand for something else, (K,) by column."""
    rows, imputed = measures.matrix.rows, measures.imputed
    count = range(len(rows))
    return {
        "runs": np.array([np.unique(rows[i][rows[i] >= 0]).size for i in count]),
        "imputed_runs": np.array([np.unique(rows[i][imputed[i]]).size for i in count]),
        "imputed_cells": imputed.any(axis=2).sum(axis=1),
        "stands_in": np.array([len(rows[i]) - len(np.unique(rows[i], axis=0)) for i in count]),
    }


def table_of_baselines(
    baselines: Sequence[Baseline], of_board: Mapping[str, object], table: pd.DataFrame
) -> pd.DataFrame:
    """Write baselines as rows of a board; what they do not have is null, and they have no runs.

    Parameters
    ----------
    baselines
        As from `mibench.ranking.baselines.baselines_of`.
    of_board
        Columns that all rows of the board share.
    table
        The methods' table, whose types the columns are given; whole numbers may be null.
    """
    shared = {"role": BASELINE, "group": "", "given": "", **of_board, **dict.fromkeys(_COUNTED, 0)}
    records = [
        {
            **{**shared, "method": one.name, "bias": one.bias},
            **{name: float(values[0]) for name, values in ends("error", one.error).items()},
            **{name: float(values[0]) for name, values in ends("log_error", one.log_error).items()},
        }
        for one in baselines
    ]
    types = {name: "Int64" if table[name].dtype == np.int64 else table[name].dtype for name in table}
    return pd.DataFrame(records, columns=list(COLUMNS)).astype(types)
