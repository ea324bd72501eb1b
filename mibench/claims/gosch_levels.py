"""What the claims of Gosch (2020) on Gaussians share: values by level of true MI, whether they fall, and words."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from mibench.analysis.comparisons import Answer, Interval, above, difference, finite, interval, slope_of
from mibench.analysis.metrics import FINAL, numbers
from mibench.analysis.saturation import least_squares

ROUND = 1.0
"""Nats: the standard deviation of a single batch's NWJ value at the optimum under a permutation."""

FALLING = 3
"""Levels from the highest estimate on that the slope of a fall needs: of two, the first was chosen as the highest."""

ESTIMATORS = {"dv": "DV", "mine": "MINE", "nwj": "NWJ", "js-nwj": "NWJ of a JS critic", "js": "JS plug-in"}
"""What the findings call the estimators."""

INTERVALS = "Intervals: 95 %, over runs."
"""How findings say what their intervals are."""


class Fall(NamedTuple):
    """Whether estimates fall with the true MI from their highest on."""

    answer: Answer
    peak: float
    """Level with the highest mean."""

    at_peak: Interval
    at_end: Interval
    drop: Interval
    """The estimate at the peak less that at the highest level."""

    slope: Interval
    """Of a line from the peak on; NaN below `FALLING` levels."""


def values_of(rows: pd.DataFrame, column: str = FINAL) -> np.ndarray:
    """A column's finite values."""
    return finite(numbers(rows, column))


def by_level(rows: pd.DataFrame, column: str = FINAL) -> dict[float, np.ndarray]:
    """Finite values by level of true MI, in order; levels without one are left out."""
    groups = rows.groupby("mi_true", sort=True)
    found = {float(str(level)): values_of(cell, column) for level, cell in groups}
    return {level: values for level, values in found.items() if values.size}


def median_text(values: np.ndarray) -> str:
    """Write the median of values."""
    return f"{np.median(values):.2f}".replace("-", "−")


def fall_of(rows: pd.DataFrame) -> Fall | None:
    """Whether final estimates fall with the true MI, of one series; None where there are fewer than three levels.

    Shown where the highest mean lies above that of the highest level, by the interval of their difference; contrary
    where the mean is highest there. The slope of a line through all runs from the highest mean on is told beside it,
    where it spans `FALLING` levels or more; it decides nothing, since the same rows chose where it begins.
    """
    levels = by_level(rows)
    if len(levels) < FALLING:
        return None
    peak = max(levels, key=lambda level: float(levels[level].mean()))
    end = max(levels)
    later = [level for level in levels if level >= peak]
    slope = Interval(math.nan, math.nan, math.nan)
    if len(later) >= FALLING:
        x = np.repeat(later, [levels[level].size for level in later])
        slope = slope_of(least_squares(x, np.concatenate([levels[level] for level in later]), 0.95))
    drop = difference(levels[peak], levels[end])
    answer = "contrary" if peak == end else above(drop)
    return Fall(answer, peak, interval(levels[peak]), interval(levels[end]), drop, slope)


def written_fall(fall: Fall, end: float) -> str:
    """Say where estimates are highest, and what they are at the highest level."""
    if fall.peak == end:
        return f"rises up to {end:g} nats ({fall.at_end.mean:.2f})"
    text = f"{fall.at_peak.mean:.2f} at {fall.peak:g} nats and {fall.at_end.mean:.2f} at {end:g}"
    text += f" (difference {fall.drop.written(signed=True)}"
    if math.isfinite(fall.slope.low):
        text += f"; slope from there on {fall.slope.written(3)}"
    return text + ")"
