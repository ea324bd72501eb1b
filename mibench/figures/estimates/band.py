"""What pictures of an estimate share: its value as a line, its interval as a band, and their entries in a legend."""

from __future__ import annotations

import math

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from mibench.estimation.result import Estimate
from mibench.figures import style

COLOUR = "#0072B2"
_SHADE = "#CFE3F1"


def draw_band(ax: Axes, estimate: Estimate, *, upright: bool = False) -> None:
    """Draw the value and its interval across a panel, what of them there is.

    Parameters
    ----------
    upright
        Whether nats are along the horizontal axis.
    """
    span, line = (ax.axvspan, ax.axvline) if upright else (ax.axhspan, ax.axhline)
    if math.isfinite(estimate.low) and math.isfinite(estimate.high):
        span(estimate.low, estimate.high, color=_SHADE, linewidth=0, zorder=1)
    if math.isfinite(estimate.value):
        line(estimate.value, color=COLOUR, linewidth=1.3, zorder=2)


def band_legend() -> dict[str, Artist]:
    """Return what a legend says of `draw_band`."""
    return {"the estimate": style.handle(COLOUR, width=1.3), "its 95 % interval": Patch(color=_SHADE)}


def ends(estimate: Estimate) -> list[float]:
    """Return the finite ones of the value and the ends of its interval, which a view has to hold."""
    return [value for value in (estimate.low, estimate.value, estimate.high) if math.isfinite(value)]
