"""Two figures of estimates against training steps: curves at constant MI, and staircases of MI levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mibench.analysis.labels import caption, listing, with_labels
from mibench.analysis.metrics import finished, summarise
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.curve_panels import Points, by_stair, draw_run, draw_staircase, drawn_values, steps_axis
from mibench.figures.palette import LineStyle
from mibench.figures.panels import Facet, arrange, constant_runs, estimator_colours, facets, panel_title, staircase_runs
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import outside_sentence, smoothing_sentence

_TRUTH = (0, (5, 3))
_EQUAL = 1e-6
"""Nats by which a ceiling must be lower than log N to be another one."""
_ESTIMATE = "curves are training-batch values."


@register_figure("curves", needs_curves=True)
def curves(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw estimates against training steps, one colour per true MI, a panel per estimator, sampler and batch size.

    Raises
    ------
    UsageError
        Where no run with constant MI has a curve.
    """
    return level_curves(runs, curves, "curves", "Estimates during training")


@register_figure("staircase", needs_curves=True)
def staircase(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw estimates over a staircase of MI levels, the truth in black, a panel per estimator.

    Raises
    ------
    UsageError
        Where no run with a schedule of MI levels has a curve.
    """
    return staircases(runs, curves, "staircase", "Staircase of true MI")


def level_curves(
    runs: pd.DataFrame, curves: pd.DataFrame, name: str, title: str, lead: str = "", *, by_estimator: bool = False
) -> Drawing:
    """Draw the curves of runs with constant MI, one colour per true MI, a panel per estimator, sampler and batch size.

    Parameters
    ----------
    runs, curves
        Rows of the two tables; colours of estimators are chosen among these runs.
    name
        The figure's name, for messages.
    title
        Printed at the top.
    lead
        First paragraph of the caption.
    by_estimator
        Whether the panels of one estimator make a row.

    Raises
    ------
    UsageError
        Where no run with constant MI has a curve.
    """
    rows = with_labels(constant_runs(runs, name))
    layout, note = _panels(rows, curves, name, by_estimator)
    points = by_stair(curves)
    shown = [facet for row in layout for facet in row]
    colours = style.level_colours(pd.concat([f.rows["mi_true"] for f in shown]))
    views = _views(layout, curves)
    estimators = estimator_colours(runs, rows)

    what = (
        "Estimates against training steps by true MI (colours; dashed: the truth); log N dotted. "
        + smoothing_sentence(rows)
    )
    with style.theme():
        text = caption(rows, lead, what, _notes(layout, curves, views, note), estimate=_ESTIMATE)
        levels = {f"{level:g} nats": style.handle(colour, width=2.0) for level, colour in colours.items()}
        sheet = _sheet(layout, title, text, {**levels, **_line_styles(_TRUTH)})
        tables = []
        for ax, facet in _filled(sheet, layout):
            limits = views[facet.row_key]
            for level in sorted(map(float, facet.rows["mi_true"].unique())):
                ax.axhline(level, color=colours[level], linewidth=0.8, linestyle=_TRUTH, alpha=0.8, zorder=1.6)
            run: Any
            for run in facet.rows.sort_values(["mi_true", "seed", "run_id"]).itertuples():
                tables.append(_one_run(ax, facet, run, points, limits, colours[run.mi_true]))
            _finish(ax, facet, limits, estimators[facet.estimator])
        _label_axes(sheet, layout)
    return Drawing(sheet.figure, pd.concat(tables, ignore_index=True), text, _summary(shown))


def staircases(
    runs: pd.DataFrame, curves: pd.DataFrame, name: str, title: str, lead: str = "", *, by_estimator: bool = False
) -> Drawing:
    """Draw the curves of runs with a schedule of MI levels, the truth in black, a panel per estimator and setting.

    Parameters and errors are those of `level_curves`.
    """
    rows = with_labels(staircase_runs(runs))
    layout, note = _panels(rows, curves, name, by_estimator)
    points = by_stair(curves)
    shown = [facet for row in layout for facet in row]
    views = _views(layout, curves, whole_truth=True)
    estimators = estimator_colours(runs, rows)
    what = (
        "Estimates while the true MI climbs a staircase (black); training goes on from stair to stair. log N dotted. "
        + smoothing_sentence(rows, ", within a stair and never across its edge")
    )
    with style.theme():
        text = caption(rows, lead, what, _notes(layout, curves, views, note), estimate=_ESTIMATE)
        sheet = _sheet(layout, title, text, _line_styles("-"))
        tables = []
        for ax, facet in _filled(sheet, layout):
            limits, colour = views[facet.row_key], estimators[facet.estimator]
            for run in facet.rows.sort_values(["seed", "run_id", "stair"]).itertuples():
                tables.append(_one_run(ax, facet, run, points, limits, colour))
            draw_staircase(ax, facet.rows, limits)
            _finish(ax, facet, limits, colour)
        _label_axes(sheet, layout)
    return Drawing(sheet.figure, pd.concat(tables, ignore_index=True), text, _summary(shown))


# --- rows -----------------------------------------------------------------------------------------------------


def _panels(rows: pd.DataFrame, curves: pd.DataFrame, name: str, by_estimator: bool) -> tuple[list[list[Facet]], str]:
    with_curve = finished(rows)
    with_curve = with_curve[with_curve["run_id"].isin(curves["run_id"].unique())] if len(curves) else rows[:0]
    if with_curve.empty:
        raise UsageError(f"{name} needs the curves of its runs, and the results folder holds none of them")
    panels = facets(with_curve)
    if not by_estimator:
        return arrange(panels)
    lines: dict[str, list[Facet]] = {}
    for facet in panels:
        lines.setdefault(facet.estimator, []).append(facet)
    return [lines[estimator] for estimator in sorted(lines)], ""


def _views(
    layout: Sequence[Sequence[Facet]], curves: pd.DataFrame, *, whole_truth: bool = False
) -> dict[tuple[str, str, str, str], tuple[float, float]]:
    """Limits of the y axis, equal for all batch sizes of one estimator and sampler."""
    groups: dict[tuple[str, str, str, str], list[Facet]] = {}
    for facet in (f for row in layout for f in row):
        groups.setdefault(facet.row_key, []).append(facet)
    views = {}
    for key, group in groups.items():
        values = pd.concat([drawn_values(f.rows, curves) for f in group])
        ceilings = [_ceiling(f)[0] for f in group]
        truth = pd.concat([f.rows["mi_true"] for f in group]).to_numpy(np.float64)
        views[key] = style.view(values, np.append(ceilings, truth if whole_truth else []), truth)
    return views


def _ceiling(facet: Facet) -> tuple[float, str]:
    """The level that a panel marks: log N, or the estimator's own ceiling where that is lower."""
    log_n = float(np.log(facet.batch))
    own = float(facet.rows["ceiling"].astype("float64").max())  # NaN in rows without one
    return (own, "own ceiling") if own < log_n - _EQUAL else (log_n, "log N")


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
        counts = style.outside(drawn_values(facet.rows, curves), limits)
        far, nonfinite = far + counts[0], nonfinite + counts[1]
        above |= {float(m) for m in facet.rows["mi_true"].unique() if m > limits[1]}
    capped = any(_ceiling(facet)[1] != "log N" for row in layout for facet in row)
    own = "Where an estimator's own ceiling on a batch is lower than log N, it is drawn in place of log N."
    truth = f"True MI of {listing(sorted(above))} nats lies above the view of some panels." if above else ""
    return " ".join(filter(None, [note, own if capped else "", truth, outside_sentence(far, nonfinite, "raw point")]))


# --- panels ---------------------------------------------------------------------------------------------------


def _sheet(layout: Sequence[Sequence[Facet]], title: str, text: str, legend: dict[str, Line2D]) -> style.Sheet:
    across, size = max(len(row) for row in layout), _panel_size(layout)
    lines = max(panel_title(facet, size[0]).count("\n") + 1 for row in layout for facet in row)
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
        title_lines=lines,
    )


def _panel_size(layout: Sequence[Sequence[Facet]]) -> tuple[float, float]:
    """Inches of a panel at least: smaller where there are many."""
    if sum(len(row) for row in layout) > 12:
        return 2.35, 1.75
    return (3.0, 2.3) if max(len(row) for row in layout) > 1 else (6.5, 3.4)


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
    """Draw one row of the runs table and return what was drawn with its keys."""
    keys = {
        "task": facet.task,
        "estimator": facet.estimator,
        "setup": facet.setup,
        "negatives": facet.negatives,
        "batch": facet.batch,
    }
    return draw_run(ax, run, points, keys=keys, limits=limits, colour=colour)


def _finish(ax: Axes, facet: Facet, limits: tuple[float, float], colour: str) -> None:
    figure: Any = ax.figure
    width = ax.get_position().width * figure.get_figwidth()
    ax.set_title(panel_title(facet, width), color=colour, fontsize=8.5)
    ax.set_ylim(limits)
    steps_axis(ax, facet.rows)
    style.level_line(ax, *_ceiling(facet))


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
        "log N": style.handle(style.INK, style.DOTTED, 1.1),
        "each point": style.handle(width=0.6, alpha=0.6),
        "smoothed": style.handle(width=1.6),
    }


def _summary(shown: Sequence[Facet]) -> pd.DataFrame:
    """Final medians by panel and MI level, over seeds."""
    rows = pd.concat([facet.rows for facet in shown])
    cells = summarise(rows, ["estimator_label", "setup", "negatives_label", "batch", "mi_true"])
    return cells.rename(columns={"estimator_label": "estimator", "negatives_label": "negatives"})
