"""Lines that figures share: means over seeds with their intervals, and a run's curve raw and smoothed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis import smoothing
from mibench.figures import style

_ENDS = ("low", "mean", "high")


def draw_means(
    ax: Axes, x: pd.Series, line: pd.DataFrame, *, limits: tuple[float, float] | None = None, **look: Any
) -> None:
    """Draw the means of `summarise` with their intervals.

    Parameters
    ----------
    limits
        View of the axis, where values may lie too far outside it for a renderer.
    look
        Options of the line; its colour is also that of the intervals.
    """
    low, mean, high = (line[end] if limits is None else style.drawable(line[end], limits) for end in _ENDS)
    ax.vlines(x, low, high, color=look["color"], linewidth=1.1, zorder=4)
    ax.plot(x, mean, zorder=5, **look)


def draw_curve(
    ax: Axes, steps: pd.Series, values: pd.Series, *, batch: int, start: int, limits: tuple[float, float], colour: str
) -> pd.DataFrame:
    """Draw one run's curve, or one stair of it: raw and faint behind, smoothed in front.

    Returns
    -------
    DataFrame
        What was drawn: ``series`` (raw or smoothed), ``step``, ``value``.
    """
    at, smoothed = smoothing.smooth_curve(steps, values, batch=batch, start=start)
    ax.plot(steps, style.drawable(values, limits), color=colour, linewidth=0.6, alpha=0.35, zorder=2)
    ax.plot(at, style.drawable(smoothed, limits), color=colour, linewidth=1.5, zorder=3)
    return pd.DataFrame(
        {
            "series": np.repeat(["raw", "smoothed"], [len(steps), len(at)]),
            "step": np.concatenate([steps.to_numpy(np.float64), at]),
            "value": np.concatenate([values.to_numpy(np.float64), smoothed]),
        }
    )
