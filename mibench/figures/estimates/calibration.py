"""Calibration: what the panel gives on data of known mutual information that were made to look like the sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mibench.core.errors import UsageError
from mibench.estimation.result import Estimate
from mibench.figures import style
from mibench.figures.estimates.band import band_legend, draw_band, ends
from mibench.figures.estimates.registry import register_picture
from mibench.figures.lines import draw_means
from mibench.figures.registry import Drawing

_COLOURS = ("#D55E00", "#009E73", "#A24BB5", "#8A8A1F", "#444444", "#882255")
_MARKERS = ("o", "s", "^", "D", "v", "P")

_TITLE = "The panel on data of known mutual information"

_WHAT = (
    "The same panel on made-up data of as many pairs and columns, whose mutual information is known: estimates with "
    "95 % intervals against the truth, one line a family. On the dashed diagonal the panel is right. Hollow: the "
    "interval misses the truth. Line and band: the number of the sample and its interval, whose truth is not known; "
    "read off where the lines cross it what may lie behind it."
)


@register_picture("estimate-calibration", title=_TITLE, place=30)
def draw_calibration(estimate: Estimate) -> Drawing:
    """Draw estimates against truths.

    Raises
    ------
    UsageError
        Where the panel was run on no data of known mutual information.
    """
    rows = estimate.calibration.sort_values(["family", "truth"], kind="stable", ignore_index=True)
    if not np.isfinite(rows["value"].astype("float64")).any():
        raise UsageError("the panel was not tried on data of known mutual information")
    families = list(rows["family"].unique())
    looks: dict[str, dict[str, Any]] = {
        name: {"color": _COLOURS[at % len(_COLOURS)], "marker": _MARKERS[at % len(_MARKERS)], "markersize": 5}
        for at, name in enumerate(families)
    }
    limits = style.view(rows[["low", "value", "high"]], [*rows["truth"], *ends(estimate)])
    with style.theme():
        sheet = style.Sheet(
            1,
            1,
            panel=(5.4, 3.2),
            title=_TITLE,
            caption=_WHAT,
            legend={
                **{
                    name: style.handle(look["color"], marker=look["marker"], markersize=5)
                    for name, look in looks.items()
                },
                "truth": style.handle(style.INK, style.DASHED, 1.2),
                **band_legend(),
            },
        )
        ax = sheet.axes[0, 0]
        draw_band(ax, estimate)
        for name, look in looks.items():
            _draw_family(ax, rows[rows["family"] == name], look, limits)
        span = [0.0, max(float(rows["truth"].max()), limits[1])]
        ax.plot(span, span, color=style.INK, linestyle=style.DASHED, linewidth=1.2, zorder=3)
        room = 0.04 * max(float(rows["truth"].max()), 0.1)
        ax.set_xlim(-room, float(rows["truth"].max()) + room)
        ax.set_ylim(limits)
        ax.set_xlabel("true mutual information, nats")
        ax.set_ylabel("estimate, nats")
    return Drawing(sheet.figure, rows, _WHAT)


def _draw_family(ax: Axes, rows: pd.DataFrame, look: dict[str, Any], limits: tuple[float, float]) -> None:
    draw_means(ax, rows["truth"], rows.rename(columns={"value": "mean"}), limits=limits, linewidth=1.1, **look)
    missed = rows[~rows["covered"].astype(bool)]
    ax.plot(missed["truth"], style.drawable(missed["value"], limits), linestyle="none", mfc="white", zorder=6, **look)
