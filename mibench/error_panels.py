"""Panels of bias, variance and mean squared error side by side, a line per estimator, against any axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mibench import style
from mibench.figures import estimator_names
from mibench.labels import plural
from mibench.palette import estimator_sign

QUANTITIES = {"bias": "bias, nats", "variance": "variance, nats²", "mse": "mean squared error, nats²"}
"""Columns of the panels and their axis labels."""

WHAT = (
    "Bias (left): mean over seeds of the window's mean training-batch value minus the truth, with the Student 95 % "
    "interval over seeds where there are several (faint band; wide for two seeds). Variance (middle): of the value of "
    "one batch within a run, mean over seeds. Right: mean squared error of one batch's value, over seeds. "
    "Logarithmic scales in the middle and at the right. Crosses: cells with diverged runs; they are averaged like the "
    "others. Triangles: biases outside the view."
)
ESTIMATE = "the estimate is the mean over the training batches of the window (estimate_train, estimate_train_sd)."


def draw_errors(axes: Sequence[Axes], panel: pd.DataFrame, x: str, colours: dict[str, str]) -> None:
    """Draw the three panels of a row.

    Parameters
    ----------
    axes
        Three of them, for `QUANTITIES`.
    panel
        Rows of `mibench.accuracy.bias_variance` with `estimator` and `estimator_label`.
    x
        Column of the horizontal axis.
    colours
        By `estimator_label`.
    """
    limits = bias_limits(panel)
    for label, line in panel.groupby("estimator_label", sort=True):
        line = line.sort_values(x, kind="stable")
        marker, dash = estimator_sign(str(line["estimator"].iloc[0]))
        look: dict[str, Any] = {"color": colours[str(label)], "linestyle": dash, "linewidth": 1.5, "zorder": 3}
        at = line[x].to_numpy(np.float64)
        low, high = (style.drawable(line[f"bias_{end}"], limits) for end in ("low", "high"))
        bias = line["bias"].to_numpy(np.float64)
        seen = (bias >= limits[0]) & (bias <= limits[1])
        axes[0].fill_between(
            at, low, high, where=seen.tolist(), color=colours[str(label)], alpha=0.09, linewidth=0, zorder=1
        )
        for beyond, edge, arrow in ((bias > limits[1], limits[1], "^"), (bias < limits[0], limits[0], "v")):
            places = np.full(int(beyond.sum()), edge)
            axes[0].scatter(at[beyond], places, marker=arrow, s=26, color=colours[str(label)], clip_on=False, zorder=6)
        for ax, name in zip(axes, QUANTITIES, strict=True):
            values = line[name].to_numpy(np.float64)
            values = style.drawable(values, limits) if name == "bias" else np.where(values > 0, values, np.nan)
            ax.plot(at, values, marker=marker, markersize=4, markeredgecolor="white", markeredgewidth=0.4, **look)
            bad = line["n_diverged"].to_numpy() > 0
            ax.scatter(at[bad], values[bad], marker="x", s=46, color=style.WARNING, linewidth=1.2, zorder=6)
    axes[0].axhline(0, color=style.INK, linewidth=1.0, zorder=2)
    axes[0].set_ylim(limits)
    for ax, (name, text) in zip(axes, QUANTITIES.items(), strict=True):
        ax.set_ylabel(text)
        values = panel[name].to_numpy(np.float64)
        if name != "bias" and (values[np.isfinite(values)] > 0).any():
            ax.set_yscale("log")
        ax.minorticks_off()


def bias_limits(panel: pd.DataFrame) -> tuple[float, float]:
    """View of the left panel: all of an estimator's biases, unless one runs away beyond the level of MI."""
    truth = float(panel["mi_true"].max())
    bias = panel["bias"].to_numpy(np.float64)
    near = bias[np.isfinite(bias) & (np.abs(bias) <= 2 * truth)]
    return style.view(bias, [near.min(initial=0.0), near.max(initial=0.0)])


def error_legend(cells: pd.DataFrame, colours: dict[str, str]) -> dict[str, Line2D]:
    """Samples of the estimators that occur, and of the cross where a run diverged."""
    samples = {}
    for label, name in estimator_names(cells).items():
        marker, dash = estimator_sign(name)
        samples[label] = style.handle(colours[label], dash, 1.5, marker, markersize=4)
    if cells["n_diverged"].any():
        samples["with diverged runs"] = style.handle(style.WARNING, width=0.0, marker="x", markersize=6)
    return samples


def count_sentence(cells: pd.DataFrame) -> str:
    """State how many runs of the cells diverged or are not finite."""
    diverged, nonfinite = int(cells["n_diverged"].sum()), int(cells["n_nonfinite"].sum())
    text = f"{plural(diverged, 'run')} of {int(cells['n_runs'].sum()):,} diverged"
    return text + (f"; {plural(nonfinite, 'value')} not finite, left out of the means." if nonfinite else ".")
