"""The staircase figure: estimates while the true MI climbs a staircase of levels."""

from __future__ import annotations

import pandas as pd

from mibench.analysis.labels import caption, with_labels
from mibench.figures import style
from mibench.figures.curve_panels import draw_staircase
from mibench.figures.curve_sheets import ESTIMATE, CurvePanels, line_samples
from mibench.figures.panels import estimator_colours, staircase_runs
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import smoothing_sentence


@register_figure("staircase", needs_curves=True)
def staircase(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw estimates over a staircase of MI levels, the truth in black, a panel per estimator.

    Raises
    ------
    UsageError
        Where no run with a schedule of MI levels has a curve.
    """
    return staircases(runs, curves, "staircase", "Staircase of true MI")


def staircases(
    runs: pd.DataFrame, curves: pd.DataFrame, name: str, title: str, *, by_estimator: bool = False
) -> Drawing:
    """Draw the curves of runs with a schedule of MI levels, the truth in black, a panel per estimator and setting.

    Parameters are those of `mibench.figures.curves.level_curves`.

    Raises
    ------
    UsageError
        Where no run with a schedule of MI levels has a curve.
    """
    rows = with_labels(staircase_runs(runs))
    panels = CurvePanels(rows, curves, name, by_estimator=by_estimator, whole_truth=True)
    estimators = estimator_colours(runs, rows)
    what = (
        "Estimates while the true MI climbs a staircase (black); training goes on from stair to stair. log N dotted. "
        + smoothing_sentence(rows, ", within a stair and never across its edge")
    )
    with style.theme():
        text = caption(rows, what, panels.unseen(), estimate=ESTIMATE)
        sheet = panels.sheet(title, text, line_samples("-"))
        tables = []
        for ax, facet in panels.places(sheet):
            colour = estimators[facet.estimator]
            for run in facet.rows.sort_values(["seed", "run_id", "stair"]).itertuples():
                tables.append(panels.draw_row(ax, facet, run, colour))
            draw_staircase(ax, facet.rows, panels.limits(facet))
            panels.finish(ax, facet, colour)
    return Drawing(sheet.figure, pd.concat(tables, ignore_index=True), text, panels.final_medians())
