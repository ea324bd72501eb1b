"""Permutations: what members give where no pair belongs together, beside what they give on the sample."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from mibench.core.errors import UsageError
from mibench.estimation.result import Estimate
from mibench.figures import style
from mibench.figures.estimates.band import COLOUR
from mibench.figures.estimates.registry import register_picture
from mibench.figures.registry import Drawing

_ACROSS, _BINS = 3, 24
_BARS = "#B5B5B5"

_TITLE = "The sample beside permutations of it"

_WHAT = (
    "Values of a member where every x has the y of another row, so that nothing is to be found (bars), and on the "
    "sample as it is (line). Where the line stands among the bars, the sample shows no dependence. {p}"
)


@register_picture("estimate-permutations", title=_TITLE, place=40)
def draw_permutations(estimate: Estimate) -> Drawing:
    """Draw a histogram a member.

    Raises
    ------
    UsageError
        Where pairs were not permuted.
    """
    null = estimate.null[np.isfinite(estimate.null["value"].astype("float64"))]
    members = list(null["member"].unique())
    if not members:
        raise UsageError("pairs were not permuted")
    across = min(_ACROSS, len(members))
    known = math.isfinite(estimate.p_value)
    text = _WHAT.format(p=f"Independence: p = {estimate.p_value:.2g}." if known else "").strip()
    with style.theme():
        sheet = style.Sheet(
            -(-len(members) // across),
            across,
            panel=(2.6, 1.9),
            title=_TITLE,
            caption=text,
            legend={"permuted": Patch(color=_BARS), "the sample": style.handle(COLOUR, width=1.6)},
        )
        axes = sheet.axes.ravel()
        for ax, member in zip(axes, members, strict=False):
            _draw_member(ax, null.loc[null["member"] == member, "value"], _observed(estimate.members, member))
            ax.set_title(member)
        for ax in axes[len(members) :]:
            ax.remove()
        for ax in sheet.axes[:, 0]:
            ax.set_ylabel("permutations")
    return Drawing(sheet.figure, null.reset_index(drop=True), text, _summary(null, estimate.members))


def _observed(members: pd.DataFrame, name: str) -> float:
    found = members.loc[members["member"] == name, "value"]
    return float(found.iloc[0]) if len(found) else math.nan


def _draw_member(ax: Axes, values: pd.Series, observed: float) -> None:
    ax.hist(values, bins=_BINS, histtype="stepfilled", color=_BARS, edgecolor=_BARS, zorder=2)
    if math.isfinite(observed):
        ax.axvline(observed, color=COLOUR, linewidth=1.6, zorder=3)
    ax.set_xlabel("nats")


def _summary(null: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """The histograms in numbers: how many permutations, their median and largest value, and the sample's."""
    rows = [
        (name, len(values), values.median(), values.max(), _observed(members, str(name)))
        for name, values in null.groupby("member", sort=False)["value"]
    ]
    return pd.DataFrame(rows, columns=["member", "permutations", "median", "largest", "sample"])
