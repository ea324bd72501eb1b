"""The survival figure: time to divergence with its uncertainty, by negative sampler and batch size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.divergence import divergence_by_run, not_diverged
from mibench.analysis.labels import caption, plural, sampler_order, with_labels
from mibench.analysis.metrics import finished
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.axes import not_diverged_axes
from mibench.figures.panels import estimator_colours, estimator_names, first_panels
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import diverged_clause
from mibench.figures.style.palette import estimator_sign

_PANEL = ["negatives_label", "batch"]

_WHAT = (
    "Share of runs not yet diverged over training steps (Kaplan and Meier), by negative sampler and batch size, pooled "
    "over tasks, true MI, critics and seeds. Bands: pointwise 95 % intervals (Greenwood's variance, on the scale of "
    "log(-log share)); none before the first divergence, nor where all have diverged. A run that ends without "
    "diverging is censored at its end (tick). Beside each estimator: diverged of its runs."
)
_ESTIMATE = (
    "a run diverges where its estimate or loss is not finite, or where three windows of 200 steps in a row have a "
    "median over the truth by more than 2 nats or under -100 nats."
)


@register_figure("survival", grid="gosch-1")
def survival(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw the share of runs not yet diverged with bands, a panel per sampler and batch size.

    Raises
    ------
    UsageError
        Where no run has a result.
    """
    if finished(runs).empty:
        raise UsageError("survival needs finished runs; run a grid first")
    rows = with_labels(runs)
    table = divergence_by_run(rows, [*_PANEL, "estimator", "estimator_label"])
    colours = estimator_colours(runs, rows)
    keys = table[_PANEL].drop_duplicates().itertuples(index=False, name=None)
    panels, note = first_panels(sorted(keys, key=lambda key: (sampler_order(key[0]), key[1])))
    table = table[pd.MultiIndex.from_frame(table[_PANEL]).isin(panels)]
    across = min(len(panels), 3)
    drawn = []
    with style.theme():
        nonfinite = int((~np.isfinite(table["excess"])).sum())
        count = f"{diverged_clause(table)}; {plural(nonfinite, 'final value')} not finite."
        text = caption(rows, _WHAT, " ".join(filter(None, [note, count])), estimate=_ESTIMATE)
        sheet = style.Sheet(
            -(-len(panels) // across),
            across,
            panel=(3.2, 2.3),
            title="Time to divergence",
            caption=text,
            gutter=0.85,
            gap=0.8,
            legend={
                label: style.handle(colours[label], estimator_sign(name)[1])
                for label, name in estimator_names(table).items()
            },
        )
        axes = sheet.axes.ravel()
        for ax, (sampler, batch) in zip(axes, panels, strict=False):
            panel = table[(table["negatives_label"] == sampler) & (table["batch"] == batch)]
            lines = _draw_panel(ax, panel, colours)
            drawn.append(lines.assign(negatives=sampler, batch=batch))
            ax.set_title(f"{sampler} · N = {batch:,}")
            ax.set_xlabel("training steps")
        for ax in axes[len(panels) :]:
            ax.set_axis_off()
    columns = ["negatives", "batch", "estimator", "step", "share", "low", "high", "n_runs", "n_diverged"]
    return Drawing(sheet.figure, pd.concat(drawn, ignore_index=True)[columns], text)


def _draw_panel(ax: Axes, panel: pd.DataFrame, colours: dict[str, str]) -> pd.DataFrame:
    """Lines and bands of one panel; returns what was drawn."""
    drawn, ends, texts, shades = [], [], [], []
    for label, series in panel.groupby("estimator_label", sort=True):
        line, colour = not_diverged(series), colours[str(label)]
        look: dict[str, Any] = {"color": colour, "linestyle": estimator_sign(str(series["estimator"].iloc[0]))[1]}
        ax.step(line["step"], line["share"], where="post", linewidth=1.6, zorder=3, **look)
        ax.fill_between(line["step"], line["low"], line["high"], step="post", color=colour, alpha=0.14, linewidth=0)
        censored = np.unique(series.loc[~series["diverged"], "followed"].to_numpy(np.float64))
        held = np.searchsorted(line["step"].to_numpy(np.float64), censored, side="right") - 1
        ax.plot(censored, line["share"].to_numpy()[held], "|", color=colour, markersize=7, clip_on=False, zorder=4)
        count = int(series["diverged"].sum())
        drawn.append(line.assign(estimator=label, n_runs=len(series), n_diverged=count))
        ends.append(float(line["share"].iloc[-1]))
        texts.append(f"{label} {count}/{len(series)}")
        shades.append(colour)
    for at, text, colour in zip(style.spread(ends, 0.08, 0.0, 1.0), texts, shades, strict=True):
        ax.annotate(text, (1.03, at), xycoords=("axes fraction", "data"), va="center", fontsize=7.5, color=colour)
    not_diverged_axes(ax, float(panel["followed"].max()), ticks=4, room=0.04)
    return pd.concat(drawn, ignore_index=True)
