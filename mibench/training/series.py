"""What a run's series of training estimates comes to: window statistics and the verdict of divergence.

Notable: a verdict never rests on a mean. Heavy tails are the subject here, and one spike moves a mean anywhere.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from numpy.typing import NDArray

DIVERGENCE_WINDOW = 200
"""Steps of one median."""

DIVERGENCE_EXCESS = 2.0
"""Nats over the truth that a median must pass."""

DIVERGENCE_COLLAPSE = -100.0
"""Nats below which a median cannot be an estimate of something that is never negative."""

DIVERGENCE_WINDOWS = 3
"""Consecutive windows that must pass either bound."""

WIDE_IQR = 5.0
"""Interquartile range, nats, over which a window is flagged as wide."""

Series = NDArray[np.float64]
Reason = Literal["non-finite", "median", "collapse"]


@dataclasses.dataclass(frozen=True)
class Divergence:
    """When divergence was established (steps from the start of the series) and why."""

    step: int
    reason: Reason


def find_divergence(
    estimates: Series, losses: Series, truth: float, *, excess_counts: bool = True
) -> Divergence | None:
    """Find the first sign of divergence in a series at constant MI.

    A run has diverged where an estimate or a loss is not finite (``non-finite``), or where the medians of three
    consecutive windows are over the truth plus 2 nats (``median``) or under -100 nats (``collapse``). A window has 200
    steps, or a third of a series that is shorter than three of them.

    Parameters
    ----------
    estimates, losses
        One value per step, shape (steps,).
    truth
        True mutual information, nats.
    excess_counts
        Whether values over the truth are a sign: not for upper bounds, nor where nothing is trained, whose excess is
        bias.
    """
    found: list[Divergence] = []
    broken = np.flatnonzero(~(np.isfinite(estimates) & np.isfinite(losses)))
    if broken.size:
        found.append(Divergence(int(broken[0]) + 1, "non-finite"))
    size = max(1, min(DIVERGENCE_WINDOW, estimates.size // DIVERGENCE_WINDOWS))
    windows = estimates[: estimates.size // size * size].reshape(-1, size)
    medians = np.array([quantile(window, 0.5) for window in windows])
    signs: dict[Reason, NDArray[np.bool_]] = {
        "median": (medians > truth + DIVERGENCE_EXCESS) & excess_counts,
        "collapse": medians < DIVERGENCE_COLLAPSE,
    }
    for reason, past in signs.items():
        last = _end_of_row(past, DIVERGENCE_WINDOWS)
        if last is not None:
            found.append(Divergence((last + 1) * size, reason))
    return min(found, key=lambda d: d.step, default=None)


def _end_of_row(past: NDArray[np.bool_], length: int) -> int | None:
    """Index at which ``length`` values in a row have been true for the first time."""
    run = 0
    for i, value in enumerate(past):
        run = run + 1 if value else 0
        if run == length:
            return i
    return None


@dataclasses.dataclass(frozen=True)
class Summary:
    """Statistics of a window, nats; NaN where a non-finite value leaves none."""

    mean: float
    median: float
    sd: float
    iqr: float


def summarise(values: Series) -> Summary:
    """Mean, median, standard deviation (n - 1) and interquartile range of a window.

    The mean and the standard deviation are what the values give, non-finite ones included; the quantiles leave out NaN
    and keep infinities in order.
    """
    with np.errstate(invalid="ignore"):
        mean = float(values.mean())
        sd = float(values.std(ddof=1)) if values.size > 1 else 0.0
        return Summary(mean, quantile(values, 0.5), sd, quantile(values, 0.75) - quantile(values, 0.25))


def quantile(values: Series, q: float) -> float:
    """Quantile of the values that are not NaN, linear between two of them; infinities keep their places.

    NaN where there is no value, or where the quantile lies between the two infinities.
    """
    known = np.sort(values[~np.isnan(values)])
    if not known.size:
        return float("nan")
    place = q * (known.size - 1)
    low, high = float(known[int(np.floor(place))]), float(known[int(np.ceil(place))])
    share = place - np.floor(place)
    return low if low == high or share == 0 else (1 - share) * low + share * high
