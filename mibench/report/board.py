"""Two tables to sort and filter: every run, and the board of cells over their seeds. Pure functions of DataFrames.

Notable: bias, standard deviation and RMSE of the board are those of one quantity, the mean over training batches
(`estimate_train`; on a fixed sample the test value), whose heavy tails they show; the median of the medians stands
beside them. Runs of unequal settings are never pooled: what differs apart from the named columns is spelt out in
`settings` and keeps cells apart.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from mibench.analysis.comparisons import finite
from mibench.analysis.labels import SEPARATOR, staircase_text, with_labels
from mibench.analysis.metrics import FINAL, final_estimates, finished, numbers, summarise

CELL = ("task", "mi_true", "estimator", "critic", "negatives", "batch", "settings")
"""What makes a cell of the board: labels, and everything else that differs."""

_LABELLED = ("task", "estimator", "critic", "negatives")


def table_of_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Pick and name what is read of every run.

    Parameters
    ----------
    runs
        Rows of the runs table, failed ones included.

    Returns
    -------
    DataFrame
        A row per row of `runs`, sorted by the labels of `CELL`, seed and id: `task`, `mi_true`, `estimator`, `kind`,
        `critic`, `negatives`, `batch`, `seed`, `steps`, `settings` (what else differs between the rows), `estimate`
        (median over the window's training batches; on a fixed sample the test value), `sd` (over the same batches),
        `bias`, `large_pool`, `ceiling`, `status`, `seconds`, `run_id`; information in nats.
    """
    rows = _labelled(runs, ignore=("task_label", "critic_label", "steps"))
    rows["estimate"] = final_estimates(rows)
    rows["sd"] = _batch_sd(rows)
    rows["large_pool"] = rows["estimate_fresh_large"]
    columns = ["task", "mi_true", "estimator", "kind", "critic", "negatives", "batch", "seed", "steps", "settings"]
    columns += ["estimate", "sd", "bias", "large_pool", "ceiling", "status", "seconds", "run_id"]
    order = [*CELL, "steps", "seed", "run_id"]
    return rows.sort_values(order, kind="stable", ignore_index=True)[columns]


def board(runs: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """Summarise every cell over its runs.

    Parameters
    ----------
    runs
        Rows of the runs table, failed ones included.
    confidence
        Level of the interval of the bias, Student t over runs.

    Returns
    -------
    DataFrame
        A row per cell, sorted: `CELL`; `n_runs` with a result, `n_diverged` and `n_nonfinite` of them, `n_failed`
        without; `estimate` (mean over runs of the mean over batches) and `median` (of the runs' medians); `bias` with
        `bias_low` and `bias_high`; `sd` over batches (root mean square over runs); `rmse`, the root mean square error
        of one batch's estimate, sqrt(mean(bias^2 + sd^2)) over runs; `seconds` per run. Nats. Only finite values enter;
        a cell without any has NaN. On a fixed sample a run is one estimate, so that `sd` is NaN and `rmse` is taken
        over runs.
    """
    rows = _labelled(runs, ignore=("task_label", "critic_label"))
    rows = rows.assign(sd=_batch_sd(rows))[[*CELL, "status", "bias", "sd", FINAL, "seconds"]]
    cells = summarise(rows, CELL, "bias", confidence=confidence)
    cells = cells.drop(columns=["sd", "median"])  # of the runs' means; here they are of batches and of medians
    cells = cells.rename(columns={"mean": "bias", "low": "bias_low", "high": "bias_high"})
    cells["estimate"] = cells["mi_true"] + cells["bias"]
    groups = rows.groupby(list(CELL), dropna=False, sort=True)
    more = pd.DataFrame([{**dict(zip(CELL, key, strict=True)), **_spread(finished(cell))} for key, cell in groups])
    cells = cells.merge(more, on=list(CELL), how="left", validate="one_to_one")
    columns = [*CELL, "n_runs", "n_diverged", "n_nonfinite", "n_failed", "estimate", "median", "bias", "bias_low"]
    return cells[[*columns, "bias_high", "sd", "rmse", "seconds"]]


def _spread(cell: pd.DataFrame) -> dict[str, float]:
    bias, sd, medians = (numbers(cell, name) for name in ("bias", "sd", FINAL))
    medians = finite(medians)
    return {
        "median": float(np.median(medians)) if medians.size else math.nan,
        "sd": _root_mean_square(sd),
        "rmse": _root_mean_square(np.hypot(bias, np.where(np.isnan(sd), 0.0, sd))),
        "seconds": float(cell["seconds"].astype("float64").mean()),
    }


def _root_mean_square(values: npt.NDArray[np.float64]) -> float:
    """Root of the mean square of the finite values; NaN without any."""
    kept = finite(values)
    if not kept.size:
        return math.nan
    scale = float(np.abs(kept).max()) or 1.0  # squares of 1e300 would overflow
    return scale * float(np.sqrt(np.mean((kept / scale) ** 2)))


def _batch_sd(rows: pd.DataFrame) -> pd.Series:
    """Standard deviation over the batches that the estimate is the mean of; on a fixed sample there is one value."""
    return rows["estimate_train_sd"].astype("float64").where(rows["regime"] != "dataset")


def _labelled(runs: pd.DataFrame, ignore: tuple[str, ...]) -> pd.DataFrame:
    """Rows with labels in place of names, and with all other settings that differ in `settings`."""
    rows = with_labels(runs, ignore=ignore)
    for name in _LABELLED:
        rows[name] = rows[f"{name}_label"]
    optimisers = rows["optimiser"].fillna("")
    others = optimisers if optimisers.nunique() > 1 else [""] * len(rows)
    stairs = rows["schedule"].map(staircase_text)
    parts = zip(stairs, rows["setup"], others, strict=True)
    rows["settings"] = [SEPARATOR.join(filter(None, values)) for values in parts]
    return rows
