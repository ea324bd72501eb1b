"""Figure 2 of multi-label CPC (Song and Ermon, 2020): bias, variance and error of CPC and ML-CPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mibench.analysis.labels import caption, listing
from mibench.claims.judgement import Claim
from mibench.claims.ml_cpc import judge_trade_off, trade_off
from mibench.figures import style
from mibench.figures.axes import sizes_axis
from mibench.figures.papers.ml_cpc_panels import ESTIMATE, LINEAR, REACH, exact_cells
from mibench.figures.registry import Drawing, register_figure

_SERIES = {"CPC": "infonce", "ML-CPC": "alpha-ml-cpc"}

_WHAT = (
    "Bias, variance and mean squared error of one batch's value, CPC against ML-CPC at the smallest alpha that theorem "
    "1 allows, alpha = m/(n(m-1)+1) with n = m, for two equal binary variables and the exact critic; lower is better. "
    "Lines: exact; markers: from {batches} drawn batches, of the bias with 95 % intervals; an interval that reaches "
    "the lower edge holds zero, and its marker is missing where the mean is past the truth."
)

_WHY = (
    "How to read it: the distance between two lines on these logarithmic axes is a ratio. The left panel shows by how "
    "much the expectation lies below the truth."
)


@register_figure(
    "ml-cpc-2",
    claim=Claim(
        "Song and Ermon (2020, multi-label CPC), figure 2",
        "at alpha = m/(n(m-1)+1) ML-CPC has much less bias and slightly more variance than CPC.",
        judge_trade_off,
    ),
)
def draw_trade_off(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw bias, variance and mean squared error of CPC and ML-CPC against the batch size.

    Raises
    ------
    UsageError
        Where no run has exact moments.
    """
    cells = exact_cells(runs, "ml-cpc-2")
    views = [_log_view(values) for values in (-cells["bias"], cells["variance"], cells["mse"])]
    with style.theme():
        what = _WHAT.format(batches=listing(sorted(map(int, cells["batches"].unique()))))
        text = caption(runs, what, _WHY, estimate=ESTIMATE)
        sheet = style.Sheet(
            1,
            3,
            panel=(2.9, 2.9),
            title="Bias and variance of CPC and of ML-CPC at its smallest alpha",
            caption=text,
            left=0.72,
            legend=_family_legend(cells),
        )
        for ax, view, (title, unit) in zip(sheet.axes[0], views, _QUANTITIES.items(), strict=True):
            ax.set_yscale("log")
            ax.set_ylim(view)
            ax.set_title(title, color=style.INK)
            ax.set_ylabel(unit)
            ax.set_xlabel("batch size n = classes m")
        for family, panel in cells.groupby("family"):
            _draw_moments(sheet.axes[0], panel, style.estimator_look(_SERIES[str(family)]), views[0][0])
        for ax in sheet.axes[0]:
            sizes_axis(ax, cells["batch"], 1.2)
    return Drawing(sheet.figure, cells, text, trade_off(cells))


_QUANTITIES = {
    "truth − estimate": "nats",
    "variance": "nats²",
    "mean squared error": "nats²",
}


def _log_view(values: pd.Series) -> tuple[float, float]:
    """Limits of a logarithmic axis around the exact values, with room for what was drawn."""
    positive = values[values > 0]
    return (float(positive.min()) / 3, float(positive.max()) * 2) if len(positive) else (LINEAR, 1.0)


def _draw_moments(axes: Sequence[Axes], panel: pd.DataFrame, look: dict[str, Any], floor: float) -> None:
    """Bias, variance and mean squared error of one estimator: exact lines, drawn markers."""
    dots = {**look, "linestyle": "none"}
    line = {**look, "marker": "none"}
    exact = panel.drop_duplicates("batch")
    missed = panel["mi_true"] - panel["drawn"]
    drawn = (missed, panel["drawn_variance"], missed**2 + panel["drawn_variance"])
    for ax, values, seen in zip(axes, (-exact["bias"], exact["variance"], exact["mse"]), drawn, strict=True):
        ax.plot(exact["batch"], values.where(values > 0), zorder=3, **line)
        ax.plot(panel["batch"], seen.where(seen > 0), zorder=5, **dots)
    reach = REACH * panel["se"]
    ends = (missed - reach).clip(lower=floor), (missed + reach).clip(lower=floor)  # past zero there is no logarithm
    axes[0].vlines(panel["batch"], *ends, color=look["color"], linewidth=1.0, zorder=4)


def _family_legend(cells: pd.DataFrame) -> dict[str, Line2D]:
    names = {"CPC": "CPC", "ML-CPC": "ML-CPC, alpha = m/(n(m−1)+1)"}
    return {
        label: Line2D([], [], **style.estimator_look(_SERIES[family]))
        for family, label in names.items()
        if family in set(cells["family"])
    }
