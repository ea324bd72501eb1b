"""The members of the panel: values with intervals, beside the ceilings that they cannot pass."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mibench.core.errors import UsageError
from mibench.estimation.result import Estimate
from mibench.figures import style
from mibench.figures.estimates.band import COLOUR, band_legend, draw_band, ends
from mibench.figures.estimates.registry import register_picture
from mibench.figures.registry import Drawing

_MARKERS = {"lower": ">", "upper": "<", "plug-in": "o"}
"""A bound points to where the truth lies."""

_TITLE = "The members of the panel"

_WHAT = (
    "Each member of the panel with its 95 % interval; a lower bound points up to where the truth may lie, an upper "
    "bound down, a plug-in promises neither. Stroke: the member's ceiling, which no data can make it pass. Blue: the "
    "members that the number rests on. Line and band: the number and its interval."
)


@register_picture("estimate-members", title=_TITLE, place=10)
def draw_members(estimate: Estimate) -> Drawing:
    """Draw a row for each member.

    Raises
    ------
    UsageError
        Where no member has a value.
    """
    rows = estimate.members
    if not np.isfinite(rows["value"].astype("float64")).any():
        raise UsageError("no member of the panel has a value")
    limits = style.view(rows[["low", "value", "high"]], ends(estimate))
    text = " ".join([_WHAT, *_left_out(rows, limits)])
    with style.theme():
        kinds = {
            f"{kind} bound" if kind != "plug-in" else kind: style.handle(width=0.0, marker=marker, markersize=5.5)
            for kind, marker in _MARKERS.items()
            if (rows["kind"] == kind).any()
        }
        sheet = style.Sheet(
            1,
            1,
            panel=(5.4, 0.3 + 0.3 * len(rows)),
            title=_TITLE,
            caption=text,
            left=1.5,
            legend={**kinds, "ceiling": style.handle(width=0.0, marker="|", markersize=11), **band_legend()},
        )
        _draw_rows(sheet.axes[0, 0], rows, limits)
        draw_band(sheet.axes[0, 0], estimate, upright=True)
    return Drawing(sheet.figure, rows, text)


def _draw_rows(ax: Axes, rows: pd.DataFrame, limits: tuple[float, float]) -> None:
    for at, row in enumerate(rows.to_dict("records")):
        if not np.isfinite(row["value"]):
            ax.annotate("no value", (0.01, -at), xycoords=("axes fraction", "data"), va="center", color=style.MUTED)
        colour = COLOUR if row["part"] == "value" else style.MUTED
        low, value, high = style.drawable([row["low"], row["value"], row["high"]], limits)
        ax.hlines(-at, low, high, color=colour, linewidth=1.3, zorder=4)
        ax.plot(value, -at, color=colour, marker=_MARKERS.get(row["kind"], "o"), markersize=5.5, zorder=5)
        if np.isfinite(row["ceiling"]):
            ax.plot(row["ceiling"], -at, color=style.INK, marker="|", markersize=11, markeredgewidth=1.4, zorder=3)
    ax.set_yticks(-np.arange(len(rows)), list(rows["member"]))
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-len(rows) + 0.4, 0.6)
    ax.set_xlim(limits)
    ax.set_xlabel("nats")


def _left_out(rows: pd.DataFrame, limits: tuple[float, float]) -> list[str]:
    """Say what lies beyond the view."""
    beyond, _ = style.outside(rows["value"], limits)
    ceilings, _ = style.outside(rows["ceiling"], limits)
    said = [f"Beyond the view: {beyond} of {len(rows)} values."] if beyond else []
    return [*said, *([f"Beyond the view: {ceilings} of the ceilings."] if ceilings else [])]
