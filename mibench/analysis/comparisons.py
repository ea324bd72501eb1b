"""Comparisons over seeds: intervals of differences, trends along a row of cells, and what they decide.

Notable: an answer has three values. An interval that holds the threshold decides nothing, which is not the same as
deciding against: a claim that few seeds cannot show stays undecided. Pure functions of numbers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from mibench.analysis.metrics import Floats, mean_interval, t_quantile

Verdict = Literal["holds", "holds in part", "does not hold", "open"]
"""``holds in part``: the finding names where; ``open``: the rows at hand do not say."""

Answer = Literal["shown", "contrary", "undecided"]
"""Whether an interval lies wholly where a statement has it, wholly where it has not, or on both sides."""


class Interval(NamedTuple):
    """A mean and both ends of its interval; NaN where there are too few values."""

    mean: float
    low: float
    high: float

    def __neg__(self) -> Interval:
        """The interval of the negated mean."""
        return Interval(-self.mean, -self.high, -self.low)

    def written(self, digits: int = 2, *, signed: bool = False) -> str:
        """``0.61 [0.58, 0.64]``; the mean alone where there is no interval."""
        form = f"{'+' if signed else ''}z.{digits}f"  # z: no negative zero
        mean, low, high = (format(value, form).replace("-", "−") for value in self)
        return f"{mean} [{low}, {high}]" if math.isfinite(self.low) else mean


def interval(values: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Student t interval of the mean of the finite values."""
    mean, low, high, _ = mean_interval(finite(values), confidence)
    return Interval(mean, low, high)


def difference(first: npt.ArrayLike, second: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Interval of mean(first) - mean(second) of independent samples with variances of their own (Welch, 1947).

    Values that are not finite are left out; NaN ends where a side has fewer than two.
    """
    sides = [finite(first), finite(second)]
    (mean, *_, sd), (other, *_, other_sd) = (mean_interval(side, confidence) for side in sides)
    gap = mean - other
    if min(side.size for side in sides) < 2:
        return Interval(gap, math.nan, math.nan)
    errors = np.array([sd**2 / sides[0].size, other_sd**2 / sides[1].size])  # squared standard errors
    if errors.sum() == 0:
        return Interval(gap, gap, gap)
    freedom = errors.sum() ** 2 / float((errors**2 / [side.size - 1 for side in sides]).sum())
    half = t_quantile(freedom, confidence) * math.sqrt(errors.sum())
    return Interval(gap, gap - half, gap + half)


def slope_of(fit: Mapping[Any, Any] | pd.Series) -> Interval:
    """Slope with its interval, of a fit by `mibench.analysis.saturation.least_squares` or `fit_saturation`."""
    return Interval(*(float(fit[name]) for name in ("slope", "slope_low", "slope_high")))


def above(found: Interval, threshold: float = 0.0) -> Answer:
    """Whether a mean lies above a threshold."""
    if found.low > threshold:
        return "shown"
    return "contrary" if found.high < threshold else "undecided"


def below(found: Interval, threshold: float = 0.0) -> Answer:
    """Whether a mean lies below a threshold."""
    return above(-found, -threshold)


def within(found: Interval, centre: float, margin: float) -> Answer:
    """Whether a mean lies within a margin of a value."""
    return both(above(found, centre - margin), below(found, centre + margin))


def both(*answers: Answer) -> Answer:
    """Whether all of several statements hold: contrary where one of them is."""
    if "contrary" in answers:
        return "contrary"
    return "undecided" if "undecided" in answers else "shown"


class Trend(NamedTuple):
    """Whether means fall along a row of cells."""

    answer: Answer
    rises: tuple[int, ...]
    """Places of the cells that lie above the one before."""

    fall: Interval
    """The last mean less the first."""


def falls(cells: Sequence[npt.ArrayLike], confidence: float = 0.95) -> Trend:
    """Decide whether means fall along a row of cells, of which each holds a value per seed.

    Shown where the last mean lies below the first and none above the one before it; contrary where one does, or the
    last above the first. A step counts as a rise by an interval that holds for all steps at once (Bonferroni), so that
    chance seldom breaks a long row.
    """
    if len(cells) < 2:
        return Trend("undecided", (), Interval(math.nan, math.nan, math.nan))
    each = 1 - (1 - confidence) / (len(cells) - 1)
    steps = [difference(later, former, each) for former, later in itertools.pairwise(cells)]
    fall = difference(cells[-1], cells[0], confidence)
    rises = tuple(place for place, step in enumerate(steps, 1) if above(step) == "shown")
    unknown = any(math.isnan(step.low) for step in steps)
    answer = "contrary" if rises else both(below(fall), "undecided" if unknown else "shown")
    return Trend(answer, rises, fall)


def verdict_of(answers: Iterable[Answer]) -> Verdict:
    """Sum up what is known of a claim's parts.

    ``holds`` where all are shown, ``holds in part`` where some are, ``does not hold`` where none is and one is
    contrary, else ``open``.
    """
    given = set(answers)
    if "shown" in given:
        return "holds" if given == {"shown"} else "holds in part"
    return "does not hold" if "contrary" in given else "open"


def finite(values: npt.ArrayLike) -> Floats:
    """Keep the finite values."""
    data = np.asarray(values, dtype=np.float64)
    return data[np.isfinite(data)]
