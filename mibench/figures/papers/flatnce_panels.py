"""What the figures of FlatNCE share: means over seeds of two losses, their look, and parts of captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mibench.analysis.labels import listing
from mibench.analysis.metrics import summarise
from mibench.claims.flatnce import LOSSES, with_settings
from mibench.core.errors import UsageError
from mibench.figures import style

ESTIMATE = (
    "values on batches are means over the window that ends a stair or the training; those on the pool are of its end."
)

BAND = "#8A93A6"
"""Colour of shaded parts."""


def rows_of(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows of the two losses with their settings, for the figure of a name.

    Raises
    ------
    UsageError
        Where no run of either has a result.
    """
    rows = with_settings(runs)
    if rows.empty:
        raise UsageError(f"{name} needs finished runs of InfoNCE or FlatNCE; run its grid first")
    return rows


def means_over_seeds(rows: pd.DataFrame, by: Sequence[str], value: str) -> pd.DataFrame:
    """Mean over seeds with its interval, and the number of runs in it."""
    cells = summarise(rows if "status" in rows else rows.assign(status="ok"), by, value)
    cells["n_runs"] -= cells["n_nonfinite"]
    return cells[[*by, "n_runs", "n_nonfinite", "mean", "low", "high"]]


def one_table(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One table of several, with the column `panel` in front."""
    table = pd.concat([part.assign(panel=name) for name, part in parts.items()], ignore_index=True)
    return table[["panel", *(column for column in table if column != "panel")]]


def pool_sizes(rows: pd.DataFrame) -> str:
    """Pairs in the large fresh pools, as text."""
    return listing(sorted(map(int, rows["fresh_pool"].dropna().unique())))


def loss_samples(rows: pd.DataFrame) -> dict[str, Line2D]:
    """Samples for the legend of the losses that occur."""
    present = set(rows["estimator"])
    return {loss: Line2D([], [], **style.estimator_look(loss)) for loss in LOSSES if loss in present}


def draw_band(ax: Axes, line: pd.DataFrame, x: str, loss: str, *, markers: bool = False) -> None:
    """Draw one loss's means as a line with a band of their intervals, with its markers and dash where asked for."""
    look = style.estimator_look(loss)
    if not markers:
        look.update(marker="none", linestyle="-")
    ax.fill_between(line[x], line["low"], line["high"], color=look["color"], alpha=0.22, linewidth=0, zorder=2.5)
    ax.plot(line[x], line["mean"], zorder=3, **look)
