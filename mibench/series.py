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

DIVERGENCE_WINDOWS = 3
"""Consecutive windows that must pass it."""

WIDE_IQR = 5.0
"""Interquartile range, nats, over which a window is flagged as wide."""

Series = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Divergence:
    """When divergence was established (steps from the start of the series) and why."""

    step: int
    reason: Literal["non-finite", "median"]


def find_divergence(estimates: Series, losses: Series, truth: float) -> Divergence | None:
    """Find the first sign of divergence in a series at constant MI.

    A run has diverged where an estimate or a loss is not finite, or where the medians of three consecutive windows of
    200 steps are over the truth plus 2 nats.

    Parameters
    ----------
    estimates, losses
        One value per step, shape (steps,).
    truth
        True mutual information, nats.
    """
    found = []
    broken = np.flatnonzero(~(np.isfinite(estimates) & np.isfinite(losses)))
    if broken.size:
        found.append(Divergence(int(broken[0]) + 1, "non-finite"))
    whole = estimates.size // DIVERGENCE_WINDOW * DIVERGENCE_WINDOW
    windows = estimates[:whole].reshape(-1, DIVERGENCE_WINDOW)
    run = 0
    for i, window in enumerate(windows):
        over = np.isfinite(window).any() and quantile(window, 0.5) > truth + DIVERGENCE_EXCESS
        run = run + 1 if over else 0
        if run == DIVERGENCE_WINDOWS:
            found.append(Divergence((i + 1) * DIVERGENCE_WINDOW, "median"))
            break
    return min(found, key=lambda d: d.step, default=None)


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
    """Quantile of the values that are not NaN; NaN where there are none."""
    known = values[~np.isnan(values)]
    if not known.size:
        return float("nan")
    with np.errstate(invalid="ignore"):  # between two infinities
        return float(np.quantile(known, q))
