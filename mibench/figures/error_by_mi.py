"""The error-by-MI figure: bias, variance and mean squared error against the true MI."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mibench.analysis.accuracy import bias_variance
from mibench.analysis.labels import caption, sampler_order, with_labels
from mibench.analysis.metrics import numbers, with_truth
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.error_panels import (
    ESTIMATE,
    WHAT,
    count_sentence,
    draw_errors,
    error_legend,
    fresh_pairs,
    outside_views,
)
from mibench.figures.guests import guests_sentence, place_guests
from mibench.figures.panels import estimator_colours, first_panels
from mibench.figures.registry import Drawing, register_figure

_PANEL = ["task_label", "critic_label", "setup", "negatives_label", "batch"]
_CELL = [*_PANEL, "mi_true", "estimator", "estimator_label"]


@register_figure("error-by-mi", grid="smile-1")
def error_by_mi(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw bias, variance and mean squared error against true MI, a row of panels per task, critic, sampler and N.

    Raises
    ------
    UsageError
        Where no run on fresh pairs has a finite estimate with its spread.
    """
    chosen, left_out = fresh_pairs(runs, "error-by-mi")
    rows = with_labels(place_guests(with_truth(chosen)), ignore=("task_label", "critic_label", "steps", "window"))
    cells = bias_variance(rows, _CELL)
    if not np.isfinite(numbers(cells, "mse")).any():
        raise UsageError("error-by-mi needs runs whose estimate_train and estimate_train_sd are finite; none is")
    colours = estimator_colours(runs, rows)
    keys = cells[_PANEL].drop_duplicates().itertuples(index=False, name=None)
    panels, note = first_panels(sorted(keys, key=lambda key: (*key[:3], sampler_order(key[3]), key[4])), 3)
    cells, drawn = (table[pd.MultiIndex.from_frame(table[_PANEL]).isin(panels)] for table in (cells, rows))
    notes = [note, left_out, guests_sentence(chosen), count_sentence(drawn), outside_views(cells, _PANEL)]
    with style.theme():
        text = caption(chosen, WHAT, " ".join(filter(None, notes)), estimate=ESTIMATE)
        sheet = style.Sheet(
            len(panels),
            3,
            panel=(2.9, 2.1),
            title="Bias and variance against true MI",
            caption=text,
            gap=0.7,
            legend=error_legend(cells, colours),
            title_lines=2,
        )
        for axes, key in zip(sheet.axes, panels, strict=True):
            panel = cells[(cells[_PANEL] == pd.Series(key, _PANEL)).all(axis=1)]
            draw_errors(list(axes), panel, "mi_true", colours)
            task, critic, setup, sampler, batch = key
            settings = f", {setup}" if setup else ""
            axes[0].set_title(f"{task} · {critic}{settings}\n{sampler} · N = {batch:,}")
        for ax in sheet.axes[-1]:
            ax.set_xlabel("true MI, nats")
    names = {f"{name}_label": name for name in ("task", "critic", "estimator", "negatives")}
    return Drawing(sheet.figure, cells.drop(columns="estimator").rename(columns=names), text)
