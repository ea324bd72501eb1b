"""Axes that several figures have: log N, sizes on a logarithmic scale, and the share of runs not yet diverged."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator, StrMethodFormatter

_NAMED = 6
"""Batch sizes that are named on an axis of log N at most."""


def name_batches(ax: Axes, batches: Iterable[int]) -> None:
    """Put the ticks of an axis of log N at the batch sizes: log N, and N below."""
    sizes = sorted(map(int, set(batches)))
    shown = sizes[:: math.ceil(len(sizes) / _NAMED)]
    ax.set_xticks(np.log(shown), [f"{math.log(n):.2f}\n{n:,}" for n in shown])


def sizes_axis(ax: Axes, sizes: Iterable[int], room: float) -> None:
    """Give the x axis a logarithmic scale that names every size.

    Parameters
    ----------
    room
        Factor by which the view passes the smallest and the largest.
    """
    ordered = sorted(map(int, set(sizes)))
    ax.set_xscale("log", base=2)
    ax.set_xlim(ordered[0] / room, ordered[-1] * room)
    ax.set_xticks(ordered, [f"{n}" for n in ordered])
    ax.xaxis.set_minor_locator(NullLocator())


def not_diverged_axes(ax: Axes, last: float, *, ticks: int, room: float) -> None:
    """Name the axes of a curve of Kaplan and Meier: training steps, and the share of runs not diverged.

    Parameters
    ----------
    last
        Step up to which runs were followed.
    ticks
        Of the steps, at most.
    room
        Share beyond 0 and 1 that is in view.
    """
    ax.set_ylim(-room, 1 + room)
    ax.set_xlim(0, last or 1.0)
    ax.set_ylabel("share not diverged")
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:.0%}"))
    ax.xaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10], integer=True))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
