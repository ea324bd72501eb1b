"""Two figures of estimates against training steps: curves at constant MI, and staircases of MI levels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from mibench import style
from mibench.errors import UsageError
from mibench.figures import (
    CURVE,
    Drawing,
    Facet,
    arrange,
    constant_runs,
    draw_curve,
    estimator_colours,
    facets,
    outside_sentence,
    panel_title,
    register_figure,
    smoothing_sentence,
    staircase_runs,
)
from mibench.labels import caption, listing, with_labels
from mibench.metrics import finished, summarise
from mibench.palette import LineStyle

_TRUTH = (0, (5, 3))
Points = dict[tuple[str, int], pd.DataFrame]
_NO_POINTS = pd.DataFrame({"step": pd.Series(dtype="float64"), CURVE: pd.Series(dtype="float64")})
_ESTIMATE = "curves are training-batch values."


@register_figure("curves", needs_curves=True)
def curves(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw estimates against training steps, one colour per true MI, a panel per estimator, sampler and batch size.

    Raises
    ------
    UsageError
        Where no run with constant MI has a curve.
    """
    rows = with_labels(constant_runs(runs, "curves"))
    layout, note = _panels(rows, curves, "curves")
    points = _by_stair(curves)
    shown = [facet for row in layout for facet in row]
    colours = style.level_colours(pd.concat([f.rows["mi_true"] for f in shown]))
    views = _views(layout, curves)
    estimators = estimator_colours(runs, rows)

    what = (
        "Estimates against training steps by true MI (colours; dashed: the truth); log N dotted. "
        + smoothing_sentence(rows)
    )
    with style.theme():
        text = caption(rows, what, _notes(layout, curves, views, note), estimate=_ESTIMATE)
        levels = {f"{level:g} nats": style.handle(colour, width=2.0) for level, colour in colours.items()}
        sheet = _sheet(layout, "Estimates during training", text, {**levels, **_line_styles(_TRUTH)})
        tables = []
        for ax, facet in _filled(sheet, layout):
            limits = views[facet.row_key]
            for level in sorted(map(float, facet.rows["mi_true"].unique())):
                ax.axhline(level, color=colours[level], linewidth=0.8, linestyle=_TRUTH, alpha=0.8, zorder=1.6)
            style.log_n_line(ax, facet.batch)
            run: Any
            for run in facet.rows.sort_values(["mi_true", "seed", "run_id"]).itertuples():
                tables.append(_one_run(ax, facet, run, points, limits, colours[run.mi_true]))
            _finish(ax, facet, limits, estimators[facet.estimator])
        _label_axes(sheet, layout)
    return Drawing(sheet.figure, pd.concat(tables, ignore_index=True), text, _summary(shown))


@register_figure("staircase", needs_curves=True, grid="smile-1")
def staircase(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw estimates over a staircase of MI levels, the truth in black, a panel per estimator.

    Raises
    ------
    UsageError
        Where no run with a schedule of MI levels has a curve.
    """
    rows = with_labels(staircase_runs(runs))
    layout, note = _panels(rows, curves, "staircase")
    points = _by_stair(curves)
    shown = [facet for row in layout for facet in row]
    views = _views(layout, curves, whole_truth=True)
    estimators = estimator_colours(runs, rows)
    what = (
        "Estimates while the true MI climbs a staircase (black); training goes on from stair to stair. log N dotted. "
        + smoothing_sentence(rows, ", within a stair and never across its edge")
    )
    with style.theme():
        text = caption(rows, what, _notes(layout, curves, views, note), estimate=_ESTIMATE)
        sheet = _sheet(layout, "Staircase of true MI", text, _line_styles("-"))
        tables = []
        for ax, facet in _filled(sheet, layout):
            limits, colour = views[facet.row_key], estimators[facet.estimator]
            for run in facet.rows.sort_values(["seed", "run_id", "stair"]).itertuples():
                tables.append(_one_run(ax, facet, run, points, limits, colour))
            _draw_truth(ax, facet, limits)
            style.log_n_line(ax, facet.batch)
            _finish(ax, facet, limits, colour)
        _label_axes(sheet, layout)
    return Drawing(sheet.figure, pd.concat(tables, ignore_index=True), text, _summary(shown))


# --- rows -----------------------------------------------------------------------------------------------------


def _panels(rows: pd.DataFrame, curves: pd.DataFrame, name: str) -> tuple[list[list[Facet]], str]:
    with_curve = finished(rows)
    with_curve = with_curve[with_curve["run_id"].isin(curves["run_id"].unique())] if len(curves) else rows[:0]
    if with_curve.empty:
        raise UsageError(f"{name} needs the curves of its runs, and the results folder holds none of them")
    return arrange(facets(with_curve))


def _by_stair(curves: pd.DataFrame) -> Points:
    """Split the curves table once: looking every run up in it would take the square of the number of runs."""
    ordered = curves.sort_values(["run_id", "stair", "step"], kind="stable")
    groups: Any = ordered.groupby(["run_id", "stair"], sort=False)
    return {(run_id, int(stair)): part for (run_id, stair), part in groups}


def _points(facet: Facet, curves: pd.DataFrame) -> pd.Series:
    """All drawn values of a panel."""
    return curves.loc[curves["run_id"].isin(facet.rows["run_id"]), CURVE].astype("float64")


def _views(
    layout: Sequence[Sequence[Facet]], curves: pd.DataFrame, *, whole_truth: bool = False
) -> dict[tuple[str, str, str, str], tuple[float, float]]:
    """Limits of the y axis, equal for all batch sizes of one estimator and sampler."""
    groups: dict[tuple[str, str, str, str], list[Facet]] = {}
    for facet in (f for row in layout for f in row):
        groups.setdefault(facet.row_key, []).append(facet)
    views = {}
    for key, group in groups.items():
        values = pd.concat([_points(f, curves) for f in group])
        log_n = np.log([f.batch for f in group])
        truth = pd.concat([f.rows["mi_true"] for f in group]).to_numpy(np.float64)
        views[key] = style.view(values, np.append(log_n, truth if whole_truth else []), truth)
    return views


def _notes(
    layout: Sequence[Sequence[Facet]],
    curves: pd.DataFrame,
    views: dict[tuple[str, str, str, str], tuple[float, float]],
    note: str,
) -> str:
    """State what the panels do not show."""
    far = nonfinite = 0
    above: set[float] = set()
    for facet in (f for row in layout for f in row):
        limits = views[facet.row_key]
        counts = style.outside(_points(facet, curves), limits)
        far, nonfinite = far + counts[0], nonfinite + counts[1]
        above |= {float(m) for m in facet.rows["mi_true"].unique() if m > limits[1]}
    truth = f"True MI of {listing(sorted(above))} nats lies above the view of some panels." if above else ""
    return " ".join(filter(None, [note, truth, outside_sentence(far, nonfinite, "raw point")]))


# --- panels ---------------------------------------------------------------------------------------------------


def _sheet(layout: Sequence[Sequence[Facet]], title: str, text: str, legend: dict[str, Line2D]) -> style.Sheet:
    across = max(len(row) for row in layout)
    many = sum(len(row) for row in layout) > 12
    size = (2.35, 1.75) if many else (3.0, 2.3) if across > 1 else (6.5, 3.4)
    setup = any(facet.setup for row in layout for facet in row)
    return style.Sheet(
        len(layout),
        across,
        panel=size,
        title=title,
        caption=text,
        gap=0.72,
        gutter=0.12,
        left=0.55,
        legend=legend,
        title_lines=1 + setup,
    )


def _filled(sheet: style.Sheet, layout: Sequence[Sequence[Facet]]) -> list[tuple[Axes, Facet]]:
    """Pair panels with their facets, and empty the rest."""
    pairs = []
    for axes, row in zip(sheet.axes, layout, strict=True):
        pairs += list(zip(axes, row, strict=False))
        for ax in axes[len(row) :]:
            ax.remove()
    return pairs


def _one_run(
    ax: Axes, facet: Facet, run: Any, points: Points, limits: tuple[float, float], colour: str
) -> pd.DataFrame:
    """Draw one row of the runs table, which is one stair, and return what was drawn with its keys."""
    curve = points.get((run.run_id, run.stair), _NO_POINTS)
    start = _start(run)
    drawn = draw_curve(ax, curve["step"], curve[CURVE], batch=facet.batch, start=start, limits=limits, colour=colour)
    keys = {
        "task": facet.task,
        "estimator": facet.estimator,
        "setup": facet.setup,
        "negatives": facet.negatives,
        "batch": facet.batch,
        "mi_true": run.mi_true,
        "seed": run.seed,
        "stair": run.stair,
        "run_id": run.run_id,
    }
    for position, (name, value) in enumerate(keys.items()):
        drawn.insert(position, name, value)
    return drawn


def _start(run: Any) -> int:
    """Step at which a row's stair begins: all stairs are equally long."""
    stairs = len(json.loads(run.schedule or "[]")) or 1
    return int(run.steps) // stairs * int(run.stair)


def _draw_truth(ax: Axes, facet: Facet, limits: tuple[float, float]) -> None:
    """Draw the staircases of a panel, usually one."""
    runs = facet.rows.sort_values(["run_id", "stair"])
    for _, same in runs.groupby("schedule"):
        stairs = same[same["run_id"] == same["run_id"].iloc[0]]
        edges = [_start(r) for r in stairs.itertuples()] + [int(stairs["steps_done"].max())]
        levels = style.drawable(stairs["mi_true"], limits)
        ax.stairs(levels, edges, baseline=None, color=style.INK, linewidth=1.4, zorder=2.6)


def _finish(ax: Axes, facet: Facet, limits: tuple[float, float], colour: str) -> None:
    ax.set_title(panel_title(facet), color=colour, fontsize=8.5)
    ax.set_ylim(limits)
    ax.set_xlim(0, float(facet.rows["steps_done"].max()))
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _label_axes(sheet: style.Sheet, layout: Sequence[Sequence[Facet]]) -> None:
    """Name the axes at the left edge and at the lowest panel of every column."""
    for i, (axes, row) in enumerate(zip(sheet.axes, layout, strict=True)):
        axes[0].set_ylabel("estimate, nats")
        for j in range(len(row)):
            if i + 1 == len(layout) or j >= len(layout[i + 1]):
                axes[j].set_xlabel("training steps")


def _line_styles(truth: LineStyle) -> dict[str, Line2D]:
    return {
        "true MI": style.handle(style.INK if truth == "-" else style.MUTED, truth, 1.4 if truth == "-" else 0.9),
        "log N": style.handle(style.INK, (0, (1, 1.6)), 1.1),
        "each point": style.handle(width=0.6, alpha=0.6),
        "smoothed": style.handle(width=1.6),
    }


def _summary(shown: Sequence[Facet]) -> pd.DataFrame:
    """Final medians by panel and MI level, over seeds."""
    rows = pd.concat([facet.rows for facet in shown])
    cells = summarise(rows, ["estimator_label", "setup", "negatives_label", "batch", "mi_true"])
    return cells.rename(columns={"estimator_label": "estimator", "negatives_label": "negatives"})
