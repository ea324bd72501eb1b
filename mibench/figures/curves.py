"""The curves figure: estimates against training steps at constant MI, one colour per true MI."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mibench.analysis.labels import caption, with_labels
from mibench.figures import style
from mibench.figures.curve_sheets import ESTIMATE, CurvePanels, line_samples
from mibench.figures.panels import constant_runs, estimator_colours
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import smoothing_sentence


@register_figure("curves", needs_curves=True)
def curves(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw estimates against training steps, one colour per true MI, a panel per estimator, sampler and batch size.

    Raises
    ------
    UsageError
        Where no run with constant MI has a curve.
    """
    return level_curves(runs, curves, "curves", "Estimates during training")


def level_curves(
    runs: pd.DataFrame, curves: pd.DataFrame, name: str, title: str, *, by_estimator: bool = False
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
    by_estimator
        Whether the panels of one estimator make a row.

    Raises
    ------
    UsageError
        Where no run with constant MI has a curve.
    """
    rows = with_labels(constant_runs(runs, name))
    panels = CurvePanels(rows, curves, name, by_estimator=by_estimator)
    colours = style.level_colours(pd.concat([facet.rows["mi_true"] for facet in panels.shown]))
    estimators = estimator_colours(runs, rows)
    what = (
        "Estimates against training steps by true MI (colours; dashed: the truth); log N dotted. "
        + smoothing_sentence(rows)
    )
    with style.theme():
        text = caption(rows, what, panels.unseen(), estimate=ESTIMATE)
        levels = {f"{level:g} nats": style.handle(colour, width=2.0) for level, colour in colours.items()}
        sheet = panels.sheet(title, text, {**levels, **line_samples(style.DASHED)})
        tables = []
        for ax, facet in panels.places(sheet):
            for level in sorted(map(float, facet.rows["mi_true"].unique())):
                ax.axhline(level, color=colours[level], linewidth=0.8, linestyle=style.DASHED, alpha=0.8, zorder=1.6)
            run: Any
            for run in facet.rows.sort_values(["mi_true", "seed", "run_id"]).itertuples():
                tables.append(panels.draw_row(ax, facet, run, colours[run.mi_true]))
            panels.finish(ax, facet, estimators[facet.estimator])
    return Drawing(sheet.figure, pd.concat(tables, ignore_index=True), text, panels.final_medians())
