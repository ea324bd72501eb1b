"""The cost figure: seconds a run against the error that they buy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from mibench import style
from mibench.accuracy import cost, pareto_front
from mibench.errors import UsageError
from mibench.figures import Drawing, constant_runs, estimator_colours, estimator_names, register_figure
from mibench.labels import caption, plural, with_labels
from mibench.palette import estimator_sign

_CELL = ["task_label", "mi_true", "setup", "negatives_label", "batch", "estimator", "estimator_label"]
_PANELS = {True: "I ≤ log N", False: "I > log N"}

_WHAT = (
    "Wall time of a run (its share of the runs trained together) against the root mean squared error of the final "
    "estimate over seeds; a dot per estimator and cell of task, true MI, setting, negative sampler and batch size, at "
    "the left where log N reaches the truth. Line: Pareto front, the cells that no other beats in both. Red crosses: "
    "cells with diverged runs. Times are of the machines that the runs were made on; compare them within one."
)


@register_figure("cost", grid="bias-variance")
def cost_figure(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw seconds a run against error, with the Pareto front.

    Raises
    ------
    UsageError
        Where no constant run has a finite estimate and its seconds.
    """
    rows = with_labels(constant_runs(runs, "cost"))
    cells = cost(rows, _CELL)
    if not (np.isfinite(cells["rmse"]) & (cells["seconds"] > 0)).any():
        raise UsageError("cost needs runs with a finite final estimate and their seconds; there are none")
    cells["within"] = cells["mi_true"] <= np.log(cells["batch"].astype("float64"))
    cells["on_front"] = False
    for _, panel in cells.groupby("within"):
        cells.loc[panel.index[pareto_front(panel["seconds"], panel["rmse"])], "on_front"] = True
    colours = estimator_colours(runs, rows)
    legend = {
        label: style.handle(colours[label], width=0.0, marker=estimator_sign(name)[0], markersize=5)
        for label, name in estimator_names(rows).items()
    }
    legend["Pareto front"] = style.handle(style.INK, width=1.1)
    if cells["n_diverged"].any():
        legend["with diverged runs"] = style.handle(style.WARNING, width=0.0, marker="x")
    diverged, nonfinite = int(cells["n_diverged"].sum()), int(cells["n_nonfinite"].sum())
    notes = f"{plural(diverged, 'run')} diverged; {plural(nonfinite, 'final estimate')} not finite, left out."
    with style.theme():
        text = caption(rows, _WHAT, notes, estimate="the estimate is the median over the window's training batches.")
        sheet = style.Sheet(1, 2, panel=(3.7, 2.8), title="Cost and error", caption=text, legend=legend)
        for ax, (within, title) in zip(sheet.axes[0], _PANELS.items(), strict=True):
            _draw_panel(ax, cells[cells["within"] == within], colours)
            ax.set_title(title)
            ax.set_xlabel("seconds a run")
        sheet.axes[0, 0].set_ylabel("root mean squared error, nats")
    labels = {f"{name}_label": name for name in ("task", "estimator", "negatives")}
    return Drawing(sheet.figure, cells.drop(columns="estimator").rename(columns=labels), text)


def _draw_panel(ax: Axes, panel: pd.DataFrame, colours: dict[str, str]) -> None:
    """Dots of one panel and their front."""
    shown = panel[np.isfinite(panel["rmse"]) & (panel["seconds"] > 0)]
    if shown.empty:
        style.say_no_runs(ax)
        return
    front = shown[shown["on_front"]].sort_values("seconds")
    ax.step(front["seconds"], front["rmse"], where="post", color=style.INK, linewidth=1.1, zorder=2)
    for label, dots in shown.groupby("estimator_label", sort=True):
        look: dict[str, Any] = {
            "marker": estimator_sign(str(dots["estimator"].iloc[0]))[0],
            "color": colours[str(label)],
        }
        ax.scatter(dots["seconds"], dots["rmse"], s=30, edgecolor="white", linewidth=0.5, zorder=3, **look)
    bad = shown[shown["n_diverged"] > 0]
    ax.scatter(bad["seconds"], bad["rmse"], marker="x", s=42, color=style.WARNING, linewidth=1.2, zorder=4)
    ax.set_xscale("log")
    if shown["rmse"].max() > 100:
        ax.set_yscale("log")
    else:
        ax.set_ylim(bottom=0)
    narrow = shown["seconds"].max() < 4 * shown["seconds"].min()  # else digits 1, 2 and 5 of a decade have room
    for formatter in (ax.xaxis.set_major_formatter, ax.xaxis.set_minor_formatter):
        formatter(FuncFormatter(lambda v, _: f"{v:.3g}" if narrow or f"{v:.0e}"[0] in "125" else ""))
