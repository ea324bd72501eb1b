"""Figures 1 and 2 of multi-label CPC (Song and Ermon, 2020): two equal binary variables, exact and drawn.

Notable: lines are exact sums over batches, dots are means over drawn batches, and where they part one of them is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from mibench.analysis.labels import caption, listing
from mibench.analysis.metrics import finished
from mibench.claims.judgement import Claim
from mibench.claims.ml_cpc import exact_moments, judge_bounds, judge_trade_off, trade_off
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.palette import ESTIMATOR_COLOURS
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import outside_sentence

_SOURCE = "Song and Ermon (2020, multi-label CPC), figure {number}"
_NAMES = {"CPC": "alpha-cpc", "ML-CPC": "alpha-ml-cpc"}
_SERIES = {"CPC": "infonce", "ML-CPC": "alpha-ml-cpc"}
_PAST = "#FBEAE3"
_Z = 1.96
_LINEAR = 1e-3
"""Nats around the truth that figure 1 shows linearly."""

_ESTIMATE = "values of a batch with the exact critic; nothing is trained."

_WHAT_BOUNDS = (
    "Above: estimates of two equal binary variables with the exact critic, against the batch size n, which is the "
    "number m of classes as well. Lines: exact expectations; dots: means over {batches} drawn batches with 95 % "
    "intervals; dashed: the truth. Below: exact expectation minus truth, linear within 0.001 nats and logarithmic "
    "beyond; what lies in the shaded half is no lower bound. Filled dots: proven to be a lower bound for independent "
    "negatives (CPC at alpha = 1, ML-CPC from alpha = m/(n(m-1)+1) on); hollow: not proven."
)
_WHY_BOUNDS = (
    "How to read it: for CPC every hollow dot may pass the truth, and small alphas do at every n. For ML-CPC a line "
    "leaves the shaded half where its dots become filled, or before. Negatives are the other pairs of the batch, with "
    "which theorem 1 can fail by at most 0.0022 nats."
)

_WHAT_TRADE = (
    "Bias, variance and mean squared error of one batch's value, CPC against ML-CPC at the smallest alpha that theorem "
    "1 allows, alpha = m/(n(m-1)+1) with n = m, for two equal binary variables and the exact critic; lower is better. "
    "Lines: exact; markers: from {batches} drawn batches, of the bias with 95 % intervals; an interval that reaches "
    "the lower edge holds zero, and its marker is missing where the mean is past the truth."
)
_WHY_TRADE = (
    "How to read it: the distance between two lines on these logarithmic axes is a ratio. The left panel shows by how "
    "much the expectation lies below the truth."
)


@register_figure(
    "ml-cpc-1",
    claim=Claim(
        _SOURCE.format(number=1),
        "alpha-CPC with alpha < 1 is no lower bound; alpha-ML-CPC is one for alpha >= m/(n(m-1)+1).",
        judge_bounds,
    ),
)
def draw_bounds(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw exact and drawn values of alpha-CPC and alpha-ML-CPC over batch size and alpha.

    Raises
    ------
    UsageError
        Where no run has exact moments.
    """
    cells = _cells(runs, "ml-cpc-1")
    families = [family for family in _NAMES if family in set(cells["family"])]
    colours = style.level_colours(cells["alpha"])
    reach = cells["drawn"] + _Z * cells["se"]
    limits = style.view(reach, np.append(cells["expected"], [cells["mi_true"].max(), reach.max()]))
    with style.theme():
        what = _WHAT_BOUNDS.format(batches=listing(sorted(map(int, cells["batches"].unique()))))
        note = outside_sentence(style.outside(cells["drawn"], limits)[0], _not_finite(runs), "mean")
        text = caption(runs, what, _WHY_BOUNDS, note, estimate=_ESTIMATE)
        sheet = style.Sheet(
            2,
            len(families),
            panel=(4.3, 2.5),
            title="alpha-CPC and alpha-ML-CPC of two equal binary variables",
            caption=text,
            left=0.78,
            gap=0.5,
            legend=_alpha_legend(colours),
        )
        for (above, below), family in zip(sheet.axes.T, families, strict=True):
            panel = cells[cells["family"] == family]
            _draw_estimates(above, panel, colours, limits)
            _draw_excess(below, panel, colours, cells["bias"])
            above.set_title(_NAMES[family], color=ESTIMATOR_COLOURS[_NAMES[family]])
            below.set_xlabel("batch size n = classes m")
        sheet.axes[0, 0].set_ylabel("estimate, nats")
        sheet.axes[1, 0].set_ylabel("expectation − truth, nats")
    return Drawing(sheet.figure, cells, text, _by_alpha(cells))


@register_figure(
    "ml-cpc-2",
    claim=Claim(
        _SOURCE.format(number=2),
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
    cells = _cells(runs, "ml-cpc-2")
    views = [_log_view(values) for values in (-cells["bias"], cells["variance"], cells["mse"])]
    with style.theme():
        what = _WHAT_TRADE.format(batches=listing(sorted(map(int, cells["batches"].unique()))))
        text = caption(runs, what, _WHY_TRADE, estimate=_ESTIMATE)
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
            _size_axis(ax, cells["batch"])
    return Drawing(sheet.figure, cells, text, trade_off(cells))


# --- rows -----------------------------------------------------------------------------------------------------


def _cells(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    cells = exact_moments(runs)
    if cells.empty:
        raise UsageError(f"{name} needs finished runs of CPC or ML-CPC on task 'binary-exact' with their exact moments")
    return cells


def _by_alpha(cells: pd.DataFrame) -> pd.DataFrame:
    """Exact expectations, a row per estimator and alpha, a column per batch size."""
    first = cells.drop_duplicates(["family", "alpha", "batch"])
    table = first.pivot(index=["family", "alpha"], columns="batch", values="expected").reset_index()
    return table.rename(columns={n: f"n = {n}" for n in table.columns if n not in ("family", "alpha")})


# --- panels ---------------------------------------------------------------------------------------------------


def _draw_estimates(ax: Axes, panel: pd.DataFrame, colours: Mapping[float, str], limits: tuple[float, float]) -> None:
    """Exact expectations as lines and drawn means as dots."""
    ax.axhline(float(panel["mi_true"].iloc[0]), color=style.INK, linewidth=1.1, linestyle="--", zorder=2)
    for alpha, line in panel.groupby("alpha"):
        colour = colours[float(str(alpha))]
        exact = line.drop_duplicates("batch")
        ax.plot(exact["batch"], style.drawable(exact["expected"], limits), color=colour, linewidth=1.3, zorder=3)
        reach = _Z * line["se"]
        ax.vlines(line["batch"], line["drawn"] - reach, line["drawn"] + reach, color=colour, linewidth=1.0, zorder=4)
        _dots(ax, line, "drawn", colour)
    ax.set_ylim(limits)
    _size_axis(ax, panel["batch"])


def _draw_excess(ax: Axes, panel: pd.DataFrame, colours: Mapping[float, str], everywhere: pd.Series) -> None:
    """Exact expectations minus the truth; one scale for both panels."""
    exact = panel.drop_duplicates(["alpha", "batch"])
    low, high = min(2 * everywhere.min(), -0.1), max(2 * everywhere.max(), 0.1)
    ax.axhspan(0, high, color=_PAST, zorder=0.5)
    ax.axhline(0, color=style.INK, linewidth=1.1, linestyle="--", zorder=2)
    ax.text(0.99, 0.97, "past the truth", transform=ax.transAxes, ha="right", va="top", fontsize=7.5, color=style.MUTED)
    for alpha, line in exact.groupby("alpha"):
        colour = colours[float(str(alpha))]
        ax.plot(line["batch"], line["bias"], color=colour, linewidth=1.3, zorder=3)
        _dots(ax, line, "bias", colour)
    ax.set_yscale("symlog", linthresh=_LINEAR, linscale=0.6)
    ax.set_ylim(low, high)
    ticks = [-0.1, -0.01, -_LINEAR, 0.0, _LINEAR, 0.01, 0.1, 1.0]
    ax.set_yticks([tick for tick in ticks if low <= tick <= high])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:+g}".replace("-", "−") if v else "0"))
    ax.yaxis.set_minor_locator(NullLocator())
    _size_axis(ax, panel["batch"])


def _dots(ax: Axes, line: pd.DataFrame, value: str, colour: str) -> None:
    """Dots, filled where the form is proven to be a bound."""
    faces = np.where(line["proven"], colour, "white").tolist()
    ax.scatter(line["batch"], line[value], s=22, c=faces, edgecolors=colour, linewidths=1.0, zorder=5)


_QUANTITIES = {
    "truth − estimate": "nats",
    "variance": "nats²",
    "mean squared error": "nats²",
}


def _log_view(values: pd.Series) -> tuple[float, float]:
    """Limits of a logarithmic axis around the exact values, with room for what was drawn."""
    positive = values[values > 0]
    return (float(positive.min()) / 3, float(positive.max()) * 2) if len(positive) else (_LINEAR, 1.0)


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
    reach = _Z * panel["se"]
    ends = (missed - reach).clip(lower=floor), (missed + reach).clip(lower=floor)  # past zero there is no logarithm
    axes[0].vlines(panel["batch"], *ends, color=look["color"], linewidth=1.0, zorder=4)


def _size_axis(ax: Axes, batches: pd.Series) -> None:
    """Batch sizes on a logarithmic axis, as many named as have room."""
    sizes = sorted(int(n) for n in batches.unique())
    ax.set_xscale("log", base=2)
    ax.set_xlim(sizes[0] / 1.2, sizes[-1] * 1.2)
    ax.set_xticks(sizes, [f"{n}" for n in sizes])
    ax.xaxis.set_minor_locator(NullLocator())


def _alpha_legend(colours: Mapping[float, str]) -> dict[str, Line2D]:
    dot: dict[str, Any] = {"width": 0.0, "marker": "o", "markersize": 5}
    return {
        **{f"alpha = {alpha:g}": style.handle(colour, width=2.0) for alpha, colour in colours.items()},
        "true MI": style.handle(style.INK, "--", 1.1),
        "proven bound": style.handle(**dot),
        "not proven": style.handle(markerfacecolor="white", **dot),
    }


def _family_legend(cells: pd.DataFrame) -> dict[str, Line2D]:
    names = {"CPC": "CPC", "ML-CPC": "ML-CPC, alpha = m/(n(m−1)+1)"}
    return {
        label: Line2D([], [], **style.estimator_look(_SERIES[family]))
        for family, label in names.items()
        if family in set(cells["family"])
    }


def _not_finite(runs: pd.DataFrame) -> int:
    """Runs with a result whose mean is not finite."""
    return int((~np.isfinite(finished(runs)["estimate_train"].astype("float64"))).sum())
