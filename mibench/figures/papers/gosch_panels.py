"""What figures 2 and 3 of Gosch (2020) share: their rows, and panels of final estimates against the true MI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.labels import with_labels
from mibench.analysis.metrics import FINAL, finished, numbers, summarise, with_truth
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.panels import constant_runs

ESTIMATE = "the estimate is the median over the last training batches of a run."

MARKS: tuple[dict[str, Any], ...] = (
    {"marker": "o"},
    {"marker": "s", "markerfacecolor": "white"},
    {"marker": "^"},
    {"marker": "D"},
)
"""Looks of the markers of series, in order."""


def final_rows(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the labelled rows with a result of a figure, sorted by their settings.

    Raises
    ------
    UsageError
        Where no final estimate is finite.
    """
    rows = with_truth(finished(with_labels(constant_runs(runs, name))))
    if not np.isfinite(rows[FINAL].astype("float64")).any():
        raise UsageError(f"{name} needs a run whose final estimate is finite; none is")
    keys = ["estimator", "negatives", "hidden", "batch", "mi_true", "seed", "run_id"]
    return rows.sort_values(keys, ignore_index=True)


def view_of(rows: pd.DataFrame) -> tuple[float, float]:
    """Limits that hold log N, and every estimate that is not several times as large."""
    log_n = np.log(rows["batch"].to_numpy(np.float64))
    values = numbers(rows, FINAL)
    return style.view(values, np.append(log_n, np.clip(values, -2 * log_n.max(), 4 * log_n.max())))


def draw_best(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw the best NWJ value under the sampler against the true MI, broad and grey."""
    best = rows.groupby("mi_true")["predicted_optimum"].mean().astype("float64")
    ax.plot(best.index.to_numpy(np.float64), best.to_numpy(), color=style.MUTED, linewidth=4, alpha=0.4, zorder=1)


def draw_against_truth(
    ax: Axes, rows: pd.DataFrame, colour: str, limits: tuple[float, float], marks: Mapping[str, Any]
) -> None:
    """Draw final estimates against the true MI, a marker a run, and the means over seeds as a line."""
    values = style.drawable(rows[FINAL].astype("float64"), limits)
    ax.plot(rows["mi_true"], values, color=colour, linestyle="", markersize=5, zorder=4, **marks)
    means = summarise(rows, ["mi_true"])
    ax.plot(means["mi_true"], style.drawable(means["mean"], limits), color=colour, linewidth=1.3, zorder=3)


def finish(ax: Axes, limits: tuple[float, float], title: str) -> None:
    """Draw the truth, and set view and title, when all else is drawn."""
    low, high = ax.get_xlim()
    ax.plot([0, high], [0, high], color=style.INK, linestyle="--", linewidth=1.0, zorder=2)
    ax.set_xlim(min(low, 0), high)
    ax.set_ylim(limits)
    ax.set_xlabel("true MI, nats")
    ax.set_title(title, color=style.INK)


def table_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the table of what was drawn: settings, final estimate and its spread, a row a run."""
    columns = ["estimator", "negatives", "hidden", "dropout", "weight_decay", "batch", "mi_true", "seed"]
    return rows[[*columns, FINAL, "estimate_train_iqr", "predicted_optimum", "status", "run_id"]]
