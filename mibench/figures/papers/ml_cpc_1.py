"""Figure 1 of multi-label CPC (Song and Ermon, 2020): two equal binary variables, exact and drawn.

Notable: lines are exact sums over batches, dots are means over drawn batches, and where they part one of them is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from mibench.analysis.labels import caption, listing
from mibench.analysis.metrics import finished
from mibench.claims.judgement import Claim
from mibench.claims.ml_cpc import judge_bounds
from mibench.figures import style
from mibench.figures.axes import sizes_axis
from mibench.figures.papers.ml_cpc_panels import ESTIMATE, ESTIMATORS, LINEAR, REACH, exact_cells
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import outside_sentence
from mibench.figures.style.palette import ESTIMATOR_COLOURS

_PAST = "#FBEAE3"

_WHAT = (
    "Above: estimates of two equal binary variables with the exact critic, against the batch size n, which is the "
    "number m of classes as well. Lines: exact expectations; dots: means over {batches} drawn batches with 95 % "
    "intervals; dashed: the truth. Below: exact expectation minus truth, linear within 0.001 nats and logarithmic "
    "beyond; what lies in the shaded half is no lower bound. Filled dots: proven to be a lower bound for independent "
    "negatives (CPC at alpha = 1, ML-CPC from alpha = m/(n(m-1)+1) on); hollow: not proven."
)

_WHY = (
    "How to read it: for CPC every hollow dot may pass the truth, and small alphas do at every n. For ML-CPC a line "
    "leaves the shaded half where its dots become filled, or before. Negatives are the other pairs of the batch, with "
    "which theorem 1 can fail by at most 0.0022 nats."
)


@register_figure(
    "ml-cpc-1",
    claim=Claim(
        "Song and Ermon (2020, multi-label CPC), figure 1",
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
    cells = exact_cells(runs, "ml-cpc-1")
    families = [family for family in ESTIMATORS if family in set(cells["family"])]
    colours = style.level_colours(cells["alpha"])
    reach = cells["drawn"] + REACH * cells["se"]
    limits = style.view(reach, np.append(cells["expected"], [cells["mi_true"].max(), reach.max()]))
    with style.theme():
        what = _WHAT.format(batches=listing(sorted(map(int, cells["batches"].unique()))))
        note = outside_sentence(style.outside(cells["drawn"], limits)[0], _not_finite(runs), "mean")
        text = caption(runs, what, _WHY, note, estimate=ESTIMATE)
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
            above.set_title(ESTIMATORS[family], color=ESTIMATOR_COLOURS[ESTIMATORS[family]])
            below.set_xlabel("batch size n = classes m")
        sheet.axes[0, 0].set_ylabel("estimate, nats")
        sheet.axes[1, 0].set_ylabel("expectation − truth, nats")
    return Drawing(sheet.figure, cells, text, _by_alpha(cells))


def _by_alpha(cells: pd.DataFrame) -> pd.DataFrame:
    """Exact expectations, a row per estimator and alpha, a column per batch size."""
    first = cells.drop_duplicates(["family", "alpha", "batch"])
    table = first.pivot(index=["family", "alpha"], columns="batch", values="expected").reset_index()
    return table.rename(columns={n: f"n = {n}" for n in table.columns if n not in ("family", "alpha")})


def _draw_estimates(ax: Axes, panel: pd.DataFrame, colours: Mapping[float, str], limits: tuple[float, float]) -> None:
    """Exact expectations as lines and drawn means as dots."""
    ax.axhline(float(panel["mi_true"].iloc[0]), color=style.INK, linewidth=1.1, linestyle="--", zorder=2)
    for alpha, line in panel.groupby("alpha"):
        colour = colours[float(str(alpha))]
        exact = line.drop_duplicates("batch")
        ax.plot(exact["batch"], style.drawable(exact["expected"], limits), color=colour, linewidth=1.3, zorder=3)
        reach = REACH * line["se"]
        ax.vlines(line["batch"], line["drawn"] - reach, line["drawn"] + reach, color=colour, linewidth=1.0, zorder=4)
        _dots(ax, line, "drawn", colour)
    ax.set_ylim(limits)
    sizes_axis(ax, panel["batch"], 1.2)


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
    ax.set_yscale("symlog", linthresh=LINEAR, linscale=0.6)
    ax.set_ylim(low, high)
    ticks = [-0.1, -0.01, -LINEAR, 0.0, LINEAR, 0.01, 0.1, 1.0]
    ax.set_yticks([tick for tick in ticks if low <= tick <= high])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:+g}".replace("-", "−") if v else "0"))
    ax.yaxis.set_minor_locator(NullLocator())
    sizes_axis(ax, panel["batch"], 1.2)


def _dots(ax: Axes, line: pd.DataFrame, value: str, colour: str) -> None:
    """Dots, filled where the form is proven to be a bound."""
    faces = np.where(line["proven"], colour, "white").tolist()
    ax.scatter(line["batch"], line[value], s=22, c=faces, edgecolors=colour, linewidths=1.0, zorder=5)


def _alpha_legend(colours: Mapping[float, str]) -> dict[str, Line2D]:
    dot: dict[str, Any] = {"width": 0.0, "marker": "o", "markersize": 5}
    return {
        **{f"alpha = {alpha:g}": style.handle(colour, width=2.0) for alpha, colour in colours.items()},
        "true MI": style.handle(style.INK, "--", 1.1),
        "proven bound": style.handle(**dot),
        "not proven": style.handle(markerfacecolor="white", **dot),
    }


def _not_finite(runs: pd.DataFrame) -> int:
    """Runs with a result whose mean is not finite."""
    return int((~np.isfinite(finished(runs)["estimate_train"].astype("float64"))).sum())
