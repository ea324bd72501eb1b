"""The cost figure: seconds a run against the error that they buy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from mibench.analysis.accuracy import cost, pareto_front
from mibench.analysis.labels import caption, plural, with_labels
from mibench.analysis.metrics import final_estimates, with_truth
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.panels import constant_runs, estimator_colours, estimator_names, first_panels
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import fixed_sample_clause
from mibench.figures.style.palette import estimator_sign

_PANEL = ["task_label", "mi_true", "n", "pairs"]
"""What cells must share for their costs to be compared; ``n`` and ``pairs`` are 0 where the other is the size."""
_CELL = [*_PANEL, "batch", "setup", "negatives_label", "estimator", "estimator_label"]
_ACROSS = 4

_WHAT = (
    "Wall time of a run (its share of the runs trained together) against the root mean squared error of the final "
    "estimate over seeds, by task, true MI and batch size N, or size n of a fixed sample (panels); a dot per estimator "
    "and cell of setting and negative sampler, of runs on a fixed sample also of batch size. Line: Pareto front of "
    "the panel, the cells that no other beats in both. Red crosses: cells with diverged runs. Times are of the "
    "machines that the runs were made on; compare them within one."
)


@register_figure("cost", grid="bias-variance")
def cost_figure(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw seconds a run against error with the Pareto front, a panel per task, true MI and size.

    Raises
    ------
    UsageError
        Where no constant run has a finite estimate and its seconds.
    """
    rows = _with_sizes(with_labels(constant_runs(runs, "cost"), ignore=("task_label", "samples")))
    cells = cost(with_truth(rows), _CELL, "final")
    if not (np.isfinite(cells["rmse"]) & (cells["seconds"] > 0)).any():
        raise UsageError("cost needs runs with a finite final estimate and their seconds; there are none")
    cells["on_front"] = False
    for _, panel in cells.groupby(_PANEL):
        cells.loc[panel.index[pareto_front(panel["seconds"], panel["rmse"])], "on_front"] = True
    colours = estimator_colours(runs, rows)
    keys, note = first_panels(sorted(cells[_PANEL].drop_duplicates().itertuples(index=False, name=None)))
    cells = cells[pd.MultiIndex.from_frame(cells[_PANEL]).isin(keys)].reset_index(drop=True)
    legend = {
        label: style.handle(colours[label], width=0.0, marker=estimator_sign(name)[0], markersize=5)
        for label, name in estimator_names(cells).items()
    }
    legend["Pareto front"] = style.handle(style.INK, width=1.1)
    if cells["n_diverged"].any():
        legend["with diverged runs"] = style.handle(style.WARNING, width=0.0, marker="x")
    diverged, nonfinite = int(cells["n_diverged"].sum()), int(cells["n_nonfinite"].sum())
    counted = f"{plural(diverged, 'run')} diverged; {plural(nonfinite, 'final estimate')} not finite, left out."
    estimate = f"the estimate is the median over the window's training batches{fixed_sample_clause(rows)}."
    across = min(_ACROSS, len(keys))
    with style.theme():
        text = caption(rows, _WHAT, " ".join(filter(None, [note, counted])), estimate=estimate)
        sheet = style.Sheet(
            -(-len(keys) // across),
            across,
            panel=(2.7, 2.3),
            title="Cost and error",
            caption=text,
            gap=0.75,
            legend=legend,
            title_lines=2,
        )
        axes = sheet.axes.ravel()
        for ax, key in zip(axes, keys, strict=False):
            _draw_panel(ax, cells[(cells[_PANEL] == pd.Series(key, _PANEL)).all(axis=1)], colours)
            ax.set_title(_title(*key))
            ax.set_xlabel("seconds a run")
        for ax in axes[len(keys) :]:
            ax.remove()
        for ax in sheet.axes[:, 0]:
            ax.set_ylabel("root mean squared error, nats")
    labels = {f"{name}_label": name for name in ("task", "estimator", "negatives")}
    return Drawing(sheet.figure, cells.drop(columns=["estimator", "pairs"]).rename(columns=labels), text)


def _with_sizes(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the final estimate, and what limits it: the batch, or the fixed sample that batches are drawn from."""
    n = rows["samples"].fillna(0).astype(int)
    return rows.assign(n=n, pairs=rows["batch"].where(n == 0, 0).astype(int), final=final_estimates(rows))


def _title(task: str, level: float, n: int, pairs: int) -> str:
    size = f"N = {pairs:,} (log N = {np.log(pairs):.2f})" if pairs else f"n = {n:,}"
    return f"{task}, I = {level:.3g} nats\n{size}"


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
