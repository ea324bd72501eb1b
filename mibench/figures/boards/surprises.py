"""Surprises of the leaderboard: what one change of the standard setting does to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.cells import rows_of_grid
from mibench.analysis.labels import caption, with_labels
from mibench.analysis.metrics import FINAL, numbers
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.panels import constant_runs
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import outside_sentence

_CURVE = "estimate_train_median"
_STANDARD_STEPS = 1500

_WHAT = (
    "Surprises of the leaderboard, one setting changed at a time (all pairs, N = 64, separable critic unless a panel "
    "says otherwise). Dots: final estimates, one a run, triangles beyond the view; lines: medians over training "
    f"batches, one a run. Dashed: the truth; dotted: log N; grey: the {_STANDARD_STEPS:,} steps of the suite."
)
_PANELS_SAY = (
    "(a) No positive is among NWJ's negatives: near log 64 its estimates lie with the separable critic alone, at N = "
    "16 and 256 as well, and the joint critic's lie far above log N. (b) InfoNCE-anchor learns which candidate is "
    "right before it learns the level of its scores, of which its estimate is the mean; the class that ties the level "
    "has the weight nu / (M + nu) in its loss, M = 63. (c) The same information, with the tails of Student's t as "
    "they are and after asinh. (d) FlatNCE has no ceiling in its loss and needs a bounded critic."
)
_ESTIMATE = "the estimate is the median over the window's training batches."


class _Panel(NamedTuple):
    """One panel: its title, the rows it shows, and how it draws them."""

    title: str
    rows: pd.DataFrame
    draw: Callable[[Axes, pd.DataFrame, pd.DataFrame, tuple[float, float]], None]
    limits: tuple[float, float]


@register_figure("board-surprises", needs_curves=True, grid="board-surprises")
def board_surprises(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw the board's surprises, a panel each.

    Raises
    ------
    UsageError
        Where the rows are not those of the grid ``board-surprises``.
    """
    rows = with_labels(constant_runs(rows_of_grid(runs, "board-surprises").runs, "board-surprises"))
    panels = _panels(rows)
    if any(panel.rows.empty for panel in panels):
        raise UsageError("board-surprises needs the rows of its grid; make them with 'mibench run board-surprises'")
    shown = pd.concat([panel.rows.assign(panel=panel.title) for panel in panels], ignore_index=True)
    far, nonfinite = np.sum([style.outside(numbers(panel.rows, FINAL), panel.limits) for panel in panels], axis=0)
    text = caption(
        rows, _WHAT, _PANELS_SAY, outside_sentence(int(far), int(nonfinite), "final estimate"), estimate=_ESTIMATE
    )
    labels = dict(zip(shown["estimator_label"], shown["estimator"], strict=True))
    with style.theme():
        colours = style.estimator_colours(shown["estimator"], shown["estimator_label"])
        sheet = style.Sheet(
            2,
            2,
            panel=(4.6, 2.5),
            gap=0.8,
            title="Surprises of the leaderboard",
            caption=text,
            legend={label: style.handle(colours[label], width=2.0) for label in sorted(labels)},
        )
        for ax, panel in zip(sheet.axes.ravel(), panels, strict=True):
            of_panel = panel.rows.assign(colour=panel.rows["estimator_label"].map(colours))
            panel.draw(ax, of_panel, curves, panel.limits)
            ax.axhline(float(of_panel["mi_true"].iloc[0]), color=style.INK, linestyle=style.DASHED, linewidth=0.9)
            ax.set_ylim(*panel.limits)
            ax.set_title(panel.title)
            if of_panel["batch"].nunique() == 1:
                style.log_n_line(ax, int(of_panel["batch"].iloc[0]))
        for ax in sheet.axes[:, 0]:
            ax.set_ylabel("estimate, nats")
    columns = ["panel", "task_label", "mi_true", "estimator_label", "critic_label", "batch", "seed", "steps", "status"]
    columns.append(FINAL)
    table = shown[columns].rename(columns=lambda name: name.removesuffix("_label"))
    return Drawing(sheet.figure, table, text)


def _panels(rows: pd.DataFrame) -> Sequence[_Panel]:
    gaussian = rows["task"] == "gaussian20d"
    long = rows["steps"] > _STANDARD_STEPS
    heavy = rows["task"] == "transformed"
    high = rows[gaussian & long]
    sparse = rows[rows["task"] == "normal-pairs"]
    return (
        _Panel("(a) NWJ at 30 nats, by critic and N", high, _by_batch, (-1.0, 32.0)),
        _Panel("(b) InfoNCE-anchor, 5 nats in 2 of 10 pairs", sparse, _draw_curves, (-1.0, 20.0)),
        _Panel("(c) Student's t, 2 degrees of freedom, 5 nats", rows[heavy], _by_tails, (-10.0, 20.0)),
        _Panel("(d) FlatNCE at 5 nats, by critic", rows[gaussian & ~long], _by_critic, (-10.0, 8.0)),
    )


def _by_batch(ax: Axes, rows: pd.DataFrame, curves: pd.DataFrame, limits: tuple[float, float]) -> None:
    """Final estimates against N, a mark for each critic, with log N."""
    sizes = np.array(sorted(rows["batch"].unique()), dtype=np.float64)
    ax.plot(sizes, np.log(sizes), color=style.INK, linestyle=style.DOTTED, linewidth=1.1)
    ax.annotate("log N", (sizes[-1], np.log(sizes[-1])), xytext=(6, -6), textcoords="offset points", va="center")
    for critic, marker in (("joint", "s"), ("separable", "o")):
        some = rows[rows["critic"] == critic]
        face = "white" if critic == "joint" else some["colour"].iloc[0]
        ax.scatter(
            some["batch"], numbers(some, FINAL), marker=marker, s=30, facecolor=face, edgecolor=some["colour"], zorder=4
        )
        means = some.assign(value=numbers(some, FINAL)).groupby("batch")["value"].mean()
        ax.plot(means.index, means, color=some["colour"].iloc[0], linewidth=1.0, zorder=3)
        ax.annotate(critic, (means.index[-1], means.iloc[-1]), xytext=(6, 4), textcoords="offset points", va="center")
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
    ax.set_xlim(right=float(sizes[-1]) * 2.4)
    ax.set_xlabel("batch size N")


def _draw_curves(ax: Axes, rows: pd.DataFrame, curves: pd.DataFrame, limits: tuple[float, float]) -> None:
    for _, run in rows.sort_values("run_id").iterrows():
        curve = curves[curves["run_id"] == run["run_id"]].sort_values("step")
        ax.plot(curve["step"], style.drawable(curve[_CURVE], limits), color=run["colour"], linewidth=1.1, zorder=3)
    ax.axvline(_STANDARD_STEPS, color="#C8C8C8", linewidth=1.2, zorder=1.5)
    ax.set_xlabel("training steps")
    ax.set_xlim(left=0)


def _by_tails(ax: Axes, rows: pd.DataFrame, curves: pd.DataFrame, limits: tuple[float, float]) -> None:
    through = rows["task_params"].str.contains('"x":"asinh"').to_numpy(bool)
    _draw_dots(ax, rows, np.where(through, "through asinh", "as it is"), limits)


def _by_critic(ax: Axes, rows: pd.DataFrame, curves: pd.DataFrame, limits: tuple[float, float]) -> None:
    _draw_dots(ax, rows, rows["critic"].to_numpy(object), limits)


def _draw_dots(ax: Axes, rows: pd.DataFrame, groups: Sequence[str] | np.ndarray, limits: tuple[float, float]) -> None:
    """Dots of final estimates, groups beside one another; those beyond the view as triangles at its edge."""
    names = sorted(set(groups))
    methods = sorted(rows["estimator_label"].unique())
    for place, group in enumerate(names):
        for offset, method in zip(np.linspace(-0.27, 0.27, len(methods)), methods, strict=True):
            some = rows[(np.asarray(groups) == group) & (rows["estimator_label"] == method).to_numpy(bool)]
            for step, value in zip(np.linspace(-0.03, 0.03, len(some)), numbers(some, FINAL), strict=True):
                x = place + offset + step
                _draw_dot(ax, x, value, limits, str(some["colour"].iloc[0]))
    ax.set_xticks(range(len(names)), names)
    ax.set_xlim(-0.5, len(names) - 0.5)


def _draw_dot(ax: Axes, x: float, value: float, limits: tuple[float, float], colour: str) -> None:
    low, high = limits
    margin = 0.03 * (high - low)
    if math.isnan(value):
        ax.text(x, low + margin, "×", color=colour, ha="center", va="bottom", fontsize=9)
    elif not low < value < high:
        end = low + margin if value < low else high - margin
        ax.plot(x, end, marker="v" if value < low else "^", color=colour, markersize=6, zorder=4)
    else:
        ax.plot(x, value, marker="o", color=colour, markersize=5, zorder=4)
