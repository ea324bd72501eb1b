"""Sheets of curves against training steps: which panels there are, what is in view, and what is not.

Notable: a panel holds one estimator in one setting under one sampler and batch size; all batch sizes of these have one
view. A panel marks log N, or in its place the estimator's own ceiling on a batch where that is lower.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mibench.analysis.labels import listing
from mibench.analysis.metrics import finished, summarise, with_truth
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.curve_panels import by_stair, draw_run, drawn_values, steps_axis
from mibench.figures.panels import Facet, arrange, by_row, facets, name_axes, panel_title
from mibench.figures.sentences import outside_sentence
from mibench.figures.style.palette import LineStyle

ESTIMATE = "curves are training-batch values."
_EQUAL = 1e-6
"""Nats by which a ceiling must be lower than log N to be another one."""


class CurvePanels:
    """The panels of a figure of curves.

    Parameters
    ----------
    rows
        Labelled rows of the runs table.
    curves
        Rows of the curves table.
    name
        The figure's name, for messages.
    by_estimator
        Whether the panels of one estimator make a row.
    whole_truth
        Whether the truth is in view however high it is.

    Raises
    ------
    UsageError
        Where no run has a curve.
    """

    def __init__(
        self, rows: pd.DataFrame, curves: pd.DataFrame, name: str, *, by_estimator: bool, whole_truth: bool = False
    ) -> None:
        self.layout, self._note = _lay_out(rows, curves, name, by_estimator)
        self.shown = [facet for row in self.layout for facet in row]
        self._curves, self._points = curves, by_stair(curves)
        self._views = {}
        for key, group in by_row(self.layout).items():
            values = pd.concat([drawn_values(facet.rows, curves) for facet in group])
            ceilings = [_ceiling(facet)[0] for facet in group]
            truth = pd.concat([facet.rows["mi_true"] for facet in group]).to_numpy(np.float64)
            self._views[key] = style.view(values, np.append(ceilings, truth if whole_truth else []), truth)

    def limits(self, facet: Facet) -> tuple[float, float]:
        """Limits of the y axis, equal for all batch sizes of one estimator and sampler."""
        return self._views[facet.row_key]

    def unseen(self) -> str:
        """State what the panels do not show."""
        far = nonfinite = 0
        above: set[float] = set()
        for facet in self.shown:
            limits = self.limits(facet)
            counts = style.outside(drawn_values(facet.rows, self._curves), limits)
            far, nonfinite = far + counts[0], nonfinite + counts[1]
            above |= {float(m) for m in facet.rows["mi_true"].unique() if m > limits[1]}
        capped = any(_ceiling(facet)[1] != "log N" for facet in self.shown)
        own = "Where an estimator's own ceiling on a batch is lower than log N, it is drawn in place of log N."
        truth = f"True MI of {listing(sorted(above))} nats lies above the view of some panels." if above else ""
        sentences = [self._note, own if capped else "", truth, outside_sentence(far, nonfinite, "raw point")]
        return " ".join(filter(None, sentences))

    def sheet(self, title: str, text: str, legend: dict[str, Line2D]) -> style.Sheet:
        """Make the sheet, its axes named at the left edge and at the lowest panel of every column."""
        size = self._panel_size()
        sheet = style.Sheet(
            len(self.layout),
            max(map(len, self.layout)),
            panel=size,
            title=title,
            caption=text,
            gap=0.72,
            gutter=0.12,
            left=0.55,
            legend=legend,
            title_lines=max(panel_title(facet, size[0]).count("\n") + 1 for facet in self.shown),
        )
        name_axes(sheet.axes, self.layout, "training steps", "estimate, nats")
        return sheet

    def _panel_size(self) -> tuple[float, float]:
        """Inches of a panel at least: smaller where there are many."""
        if len(self.shown) > 12:
            return 2.35, 1.75
        return (3.0, 2.3) if max(map(len, self.layout)) > 1 else (6.5, 3.4)

    def places(self, sheet: style.Sheet) -> Iterator[tuple[Axes, Facet]]:
        """Yield every facet with its panel."""
        for axes, row in zip(sheet.axes, self.layout, strict=True):
            yield from zip(axes, row, strict=False)

    def draw_row(self, ax: Axes, facet: Facet, run: Any, colour: str) -> pd.DataFrame:
        """Draw one row of the runs table and return what was drawn with its keys."""
        names = ("task", "estimator", "setup", "negatives", "batch")
        keys = {name: getattr(facet, name) for name in names}
        return draw_run(ax, run, self._points, keys=keys, limits=self.limits(facet), colour=colour)

    def finish(self, ax: Axes, facet: Facet, colour: str) -> None:
        """Give a panel its title, its view and the level that it marks, when all else is drawn."""
        figure: Any = ax.figure
        width = ax.get_position().width * figure.get_figwidth()
        ax.set_title(panel_title(facet, width), color=colour, fontsize=8.5)
        ax.set_ylim(self.limits(facet))
        steps_axis(ax, facet.rows)
        style.level_line(ax, *_ceiling(facet))

    def final_medians(self) -> pd.DataFrame:
        """Final medians by panel and MI level, over seeds."""
        rows = pd.concat([facet.rows for facet in self.shown])
        cells = summarise(rows, ["estimator_label", "setup", "negatives_label", "batch", "mi_true"])
        return cells.rename(columns={"estimator_label": "estimator", "negatives_label": "negatives"})


def _lay_out(rows: pd.DataFrame, curves: pd.DataFrame, name: str, by_estimator: bool) -> tuple[list[list[Facet]], str]:
    """Rows of panels of the runs with curves, and a sentence about panels left out."""
    with_curve = finished(with_truth(rows))
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


def _ceiling(facet: Facet) -> tuple[float, str]:
    """The level that a panel marks: log N, or the estimator's own ceiling where that is lower."""
    log_n = float(np.log(facet.batch))
    own = float(facet.rows["ceiling"].astype("float64").max())  # NaN in rows without one
    return (own, "own ceiling") if own < log_n - _EQUAL else (log_n, "log N")


def line_samples(truth: LineStyle) -> dict[str, Line2D]:
    """Samples for the legend of the lines of a panel, the truth solid and black or else muted."""
    solid = truth == "-"
    return {
        "true MI": style.handle(style.INK if solid else style.MUTED, truth, 1.4 if solid else 0.9),
        "log N": style.handle(style.INK, style.DOTTED, 1.1),
        "each point": style.handle(width=0.6, alpha=0.6),
        "smoothed": style.handle(width=1.6),
    }
