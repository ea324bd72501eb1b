"""The bias-variance figure: what a larger batch buys, by negative sampler."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.accuracy import bias_variance
from mibench.analysis.labels import caption, listing, sampler_order, with_labels
from mibench.analysis.metrics import finished, numbers, with_truth
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.axes import name_batches
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
from mibench.figures.panels import constant_runs, estimator_colours, first_panels
from mibench.figures.registry import Drawing, register_figure

_PANEL = ["task_label", "mi_true", "setup", "negatives_label"]
_CELL = [*_PANEL, "batch", "estimator", "estimator_label"]

_CAPPED = (
    "Dotted: the ceiling log(N/k) that the sampler leaves to estimators of the NWJ form ({names}), minus the truth, "
    "with k positives expected among N negatives; other estimators of the panel have no such ceiling or one of their "
    "own."
)


@register_figure("bias-variance", grid="bias-variance")
def bias_variance_figure(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw bias, variance and mean squared error against log N, a row of panels per sampler.

    Raises
    ------
    UsageError
        Where no constant run on fresh pairs has a finite estimate with its spread.
    """
    chosen, left_out = fresh_pairs(constant_runs(runs, "bias-variance"), "bias-variance")
    rows = with_labels(place_guests(with_truth(chosen)), ignore=("task_label",))
    cells = bias_variance(rows, _CELL)
    if not np.isfinite(numbers(cells, "mse")).any():
        raise UsageError("bias-variance needs runs whose estimate_train and estimate_train_sd are finite; none is")
    cells = cells.merge(_ceilings(rows), on=_CELL, how="left", validate="one_to_one")
    cells["log_n"] = np.log(cells["batch"].astype("float64"))
    colours = estimator_colours(runs, rows)
    keys = cells[_PANEL].drop_duplicates().itertuples(index=False, name=None)
    panels, note = first_panels(sorted(keys, key=lambda key: (*key[:3], sampler_order(key[3]))), 3)
    cells, drawn = (table[pd.MultiIndex.from_frame(table[_PANEL]).isin(panels)] for table in (cells, rows))

    with style.theme():
        notes = [note, left_out, guests_sentence(chosen), count_sentence(drawn), outside_views(cells, _PANEL)]
        text = caption(chosen, WHAT, _capped(cells), " ".join(filter(None, notes)), estimate=ESTIMATE)
        legend = error_legend(cells, colours)
        if cells["ceiling"].notna().any():
            legend["sampler's ceiling log(N/k) − I"] = style.handle(style.INK, style.DOTTED, 1.2)
        sheet = style.Sheet(
            len(panels),
            3,
            panel=(2.9, 2.1),
            title="Bias and variance against log N",
            caption=text,
            gap=0.8,
            legend=legend,
            title_lines=1 + any(key[2] for key in panels),
        )
        for axes, key in zip(sheet.axes, panels, strict=True):
            panel = cells[(cells[_PANEL] == pd.Series(key, _PANEL)).all(axis=1)]
            draw_errors(list(axes), panel, "log_n", colours)
            _draw_ceiling(axes[0], panel)
            for ax in axes:
                name_batches(ax, panel["batch"])
            task, level, setup, sampler = key
            axes[0].set_title(f"{sampler} · {task}, I = {level:g} nats" + (f"\n{setup}" if setup else ""))
        for ax in sheet.axes[-1]:
            ax.set_xlabel("log N, nats (below: batch size N)")
    return Drawing(sheet.figure, _table(cells), text)


def _ceilings(rows: pd.DataFrame) -> pd.DataFrame:
    """The sampler's ceiling minus the truth, NaN where the sampler puts none on the estimator."""
    done = finished(rows)
    ceiling = done["predicted_ceiling"].astype("float64")
    held = ceiling.where((done["capped_by_sampler"] == 1) & np.isfinite(ceiling)) - done["mi_true"]
    return done.assign(ceiling=held).groupby(_CELL, dropna=False)["ceiling"].mean().reset_index()


def _draw_ceiling(ax: Axes, panel: pd.DataFrame) -> None:
    held = panel.groupby("log_n")["ceiling"].mean().dropna()
    ax.plot(held.index.to_numpy(), held.to_numpy(), color=style.INK, linestyle=style.DOTTED, linewidth=1.2, zorder=4)


def _capped(cells: pd.DataFrame) -> str:
    """Explain the dotted line, where there is one."""
    names = sorted(cells.loc[cells["ceiling"].notna(), "estimator_label"].unique())
    return _CAPPED.format(names=listing(names)) if names else ""


def _table(cells: pd.DataFrame) -> pd.DataFrame:
    names = {"task_label": "task", "estimator_label": "estimator", "negatives_label": "negatives"}
    table = cells.drop(columns="estimator").rename(columns={**names, "ceiling": "ceiling_bias"})
    order = ["task", "mi_true", "setup", "negatives", "batch", "estimator"]
    return table.sort_values(order, kind="stable", ignore_index=True)
