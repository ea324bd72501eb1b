"""Divergence: which runs ran away, when and how far, and the share that has not by a step.

Notable: a run that ends without diverging is censored there, so that runs of unequal length may be mixed. What makes a
run diverge is decided when it is trained and stored with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mibench.analysis.metrics import FINAL, finished


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
