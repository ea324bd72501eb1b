"""Growth: the value on parts of the sample against their size, which levels off where there are rows enough."""

from __future__ import annotations

import numpy as np

from mibench.core.errors import UsageError
from mibench.estimation.result import Estimate
from mibench.figures import style
from mibench.figures.estimates.band import band_legend, draw_band, ends
from mibench.figures.estimates.registry import register_picture
from mibench.figures.lines import draw_means
from mibench.figures.registry import Drawing

_TITLE = "The value by the number of pairs"

_WHAT = (
    "The value on random parts of the sample, with 95 % intervals, against the number of pairs in them. Where it still "
    "grows at the right, more pairs would make the number larger; where it levels off, they would hardly. Line and "
    "band: the number and its interval."
)


@register_picture("estimate-growth", title=_TITLE, place=20)
def draw_growth(estimate: Estimate) -> Drawing:
    """Draw values over sizes, on a logarithmic axis.

    Raises
    ------
    UsageError
        Where the value was taken on no part of the sample.
    """
    parts = estimate.growth.sort_values("rows", kind="stable", ignore_index=True)
    if not np.isfinite(parts["value"].astype("float64")).any():
        raise UsageError("the value was not taken on parts of the sample")
    limits = style.view(parts[["low", "value", "high"]], ends(estimate))
    with style.theme():
        sheet = style.Sheet(
            1,
            1,
            panel=(5.4, 2.6),
            title=_TITLE,
            caption=_WHAT,
            legend={"on a part": style.handle(style.INK, marker="o", markersize=5), **band_legend()},
        )
        ax = sheet.axes[0, 0]
        draw_band(ax, estimate)
        line = parts.rename(columns={"value": "mean"})
        draw_means(ax, parts["rows"], line, limits=limits, color=style.INK, marker="o", linewidth=1.1, markersize=5)
        ax.set_xscale("log")
        sizes = sorted(map(int, parts["rows"].unique()))
        ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
        ax.set_xticks([], minor=True)
        ax.set_ylim(limits)
        ax.set_xlabel("pairs")
        ax.set_ylabel("nats")
    return Drawing(sheet.figure, parts, _WHAT)
