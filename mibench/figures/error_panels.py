"""Panels of bias, variance and mean squared error side by side, a line per estimator, against any axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mibench.analysis.labels import plural
from mibench.analysis.metrics import finished, numbers
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.panels import estimator_names
from mibench.figures.sentences import outside_sentence
from mibench.figures.style.palette import estimator_sign

QUANTITIES = {"bias": "bias, nats", "variance": "variance, nats²", "mse": "mean squared error, nats²"}
"""Columns of the panels and their axis labels."""

WHAT = (
    "Bias (left): mean over seeds of the window's mean training-batch value minus the truth, with the Student 95 % "
    "interval over seeds where there are several (faint band; wide for two seeds). Variance (middle): of the value of "
    "one batch within a run, mean over seeds. Right: mean squared error of one batch's value, over seeds. "
    "Logarithmic scales in the middle and at the right; at the left, too, beyond the other biases where one passes "
    "twice the true MI. Crosses: cells with diverged runs; they are averaged like the others. Triangles: biases "
    "outside the view."
)
ESTIMATE = "the estimate is the mean over the training batches of the window (estimate_train, estimate_train_sd)."

_FARTHEST, _ROOM_BEYOND = 1e4, 1.6
"""Nats up to which a bias is in view, and the room beyond it on a logarithmic scale, as a factor."""
_LINEAR_DECADES = 1.6
"""Height of the linear part of an axis on either side of 0, in decades of the logarithmic part."""


def draw_errors(axes: Sequence[Axes], panel: pd.DataFrame, x: str, colours: dict[str, str]) -> None:
    """Draw the three panels of a row.

    Parameters
    ----------
    axes
        Three of them, for `QUANTITIES`.
    panel
        Rows of `mibench.analysis.accuracy.bias_variance` with `estimator` and `estimator_label`.
    x
        Column of the horizontal axis.
    colours
        By `estimator_label`.
    """
    limits, linear = bias_view(panel)
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
    if linear < max(-limits[0], limits[1]):
        axes[0].set_yscale("symlog", linthresh=linear, linscale=_LINEAR_DECADES)
        axes[0].set_yticks([v for v in _bias_ticks(linear) if limits[0] <= v <= limits[1]])
        axes[0].yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,g}".replace("-", "−")))
    axes[0].set_ylim(limits)
    for ax, (name, text) in zip(axes, QUANTITIES.items(), strict=True):
        ax.set_ylabel(text)
        values = panel[name].to_numpy(np.float64)
        if name != "bias" and (values[np.isfinite(values)] > 0).any():
            ax.set_yscale("log")
        ax.minorticks_off()


def bias_view(panel: pd.DataFrame) -> tuple[tuple[float, float], float]:
    """View of the left panel, and the distance from 0 up to which it is linear.

    All biases are in view, those of an estimator that runs away on a logarithmic scale, unless they pass `_FARTHEST`.
    """
    bias = panel["bias"].to_numpy(np.float64)
    bias = bias[np.isfinite(bias)]
    reach = 2 * float(panel["mi_true"].max())
    near, far = bias[np.abs(bias) <= reach], bias[np.abs(bias) > reach]
    low, high = style.view(near, [near.min(initial=0.0), near.max(initial=0.0)])
    linear = max(-low, high)
    if far.size:
        far = np.clip(far, -_FARTHEST, _FARTHEST) * _ROOM_BEYOND
        low, high = min(low, far.min()), max(high, far.max())
    return (low, high), linear


def _bias_ticks(linear: float) -> list[float]:
    """Ticks of the linear part, and powers of ten beyond it."""
    near = [float(v) for v in MaxNLocator(4).tick_values(-linear, linear) if abs(v) <= linear]
    beyond = [10.0**k for k in range(1, 5) if 10.0**k > linear]
    return [*(-v for v in beyond), *near, *beyond]


def error_legend(cells: pd.DataFrame, colours: dict[str, str]) -> dict[str, Line2D]:
    """Samples of the estimators that occur, and of the cross where a run diverged."""
    samples = {}
    for label, name in estimator_names(cells).items():
        marker, dash = estimator_sign(name)
        samples[label] = style.handle(colours[label], dash, 1.5, marker, markersize=4)
    if cells["n_diverged"].any():
        samples["with diverged runs"] = style.handle(style.WARNING, width=0.0, marker="x", markersize=6)
    return samples


def fresh_pairs(runs: pd.DataFrame, figure: str) -> tuple[pd.DataFrame, str]:
    """Keep the runs on fresh pairs, and say how many others are left out.

    On a fixed sample a run gives one test value: its training batches are pairs that the critic has seen, and there is
    no spread over batches to speak of a variance.

    Raises
    ------
    UsageError
        Where runs on fixed samples are all there is.
    """
    kept = runs[runs["regime"] != "dataset"]
    left_out = runs["run_id"].nunique() - kept["run_id"].nunique()
    if kept.empty and left_out:
        raise UsageError(
            f"{figure} needs runs on fresh pairs, and these are all on fixed samples, where a run gives one value and "
            "no spread over batches; draw sample-size"
        )
    note = f"{plural(left_out, 'run')} on fixed samples left out: such a run gives one value, without a spread."
    return kept, note if left_out else ""


def count_sentence(rows: pd.DataFrame) -> str:
    """State how many rows, a run or a stair each, diverged or are not finite; copies count once."""
    done = finished(rows.drop_duplicates(["run_id", "stair"]))
    finite = np.isfinite(numbers(done, "estimate_train")) & np.isfinite(numbers(done, "estimate_train_sd"))
    text = f"{plural(int((done['status'] == 'diverged').sum()), 'run')} of {len(done):,} diverged"
    nonfinite = int((~finite).sum())
    return text + (f"; {plural(nonfinite, 'value')} not finite, left out of the means." if nonfinite else ".")


def outside_views(cells: pd.DataFrame, panel: Sequence[str]) -> str:
    """State how many biases lie outside the views of their panels."""
    far = sum(style.outside(one["bias"], bias_view(one)[0])[0] for _, one in cells.groupby(list(panel), dropna=False))
    return outside_sentence(far, 0, "mean error")
