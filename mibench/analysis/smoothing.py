"""Gosch's smoothing of training curves: epochs, and a weighted average over their neighbours.

Notable: a value that is not finite is never averaged away; no value is made up where nothing finite is left.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mibench.analysis.metrics import Floats

CURVE = "estimate_train_median"
"""The curve that is drawn: the median over the training batches since the point before."""

REACH = 10
"""Epochs on either side that the smoothing averages over."""

MIN_EPOCHS = 40
"""Epochs that a curve has at least: where Gosch's would be fewer, they are shortened."""


def epoch_steps(batch: int, steps: int | None = None) -> int:
    """Training steps of one epoch: 51200 / N below N = 512, and 100 from there on.

    Gosch's runs are 1000 epochs long. In a run of 10 epochs the smoothing below would average over
    everything, so with `steps` given epochs are shortened until there are at least `MIN_EPOCHS` of them.

    Parameters
    ----------
    batch
        Batch size N.
    steps
        Length of the curve in training steps; of one stair in a staircase.

    Source: Gosch (2020), appendix C.1.
    """
    published = max(round(51200 / batch), 100)
    return published if steps is None else max(1, min(published, steps // MIN_EPOCHS))


def epoch_means(steps: npt.ArrayLike, values: npt.ArrayLike, epoch: int, start: int = 0) -> tuple[Floats, Floats]:
    """Average a curve over epochs.

    Parameters
    ----------
    steps
        Training steps done at each point, increasing, shape (P,). A point stands for the steps since the one
        before.
    values
        The curve, shape (P,); points that are not finite are left out.
    epoch
        Steps of an epoch.
    start
        Step at which the curve (or its stair) begins.

    Returns
    -------
    positions, means
        Shapes (E,): the middle of each epoch in steps, and the mean of its points weighted by the steps that
        each stands for; NaN for an epoch without a finite point. A point that straddles two epochs counts
        where its middle lies.
    """
    at = np.asarray(steps, dtype=np.float64)
    curve = np.asarray(values, dtype=np.float64)
    if at.size == 0:
        return np.empty(0), np.empty(0)
    length = np.diff(at, prepend=float(start))
    middle = at - length / 2
    index = np.floor((middle - start) / epoch).astype(np.int64)
    weight = np.where(np.isfinite(curve), length, 0.0)
    count = max(math.ceil((at[-1] - start) / epoch), 1)
    total = np.bincount(index, weight, count)
    # Divided before the sum: values of 1e300 must not overflow.
    share = np.divide(weight, total[index], out=np.zeros_like(weight), where=total[index] > 0)
    means = np.bincount(index, share * np.where(weight > 0, curve, 0.0), count)
    edges = np.minimum(start + epoch * np.arange(count + 1, dtype=np.float64), max(at[-1], start))
    return (edges[:-1] + edges[1:]) / 2, np.where(total > 0, means, np.nan)


def smooth(values: npt.ArrayLike, reach: int = REACH) -> Floats:
    """Weighted average over neighbouring epochs, with weights (11 - d) / 11 at distance d up to 10.

    The weights are divided by the sum of those that exist: they sum to 11 inside and to 6 at either end. The
    paper's text leaves this out, and without it the result would be 11 times too large.

    Parameters
    ----------
    values
        A value per epoch, shape (E,). NaN and infinities get no weight, and an epoch that has no finite value
        of its own gets none here: a run that became non-finite is not continued by its past.
    reach
        Largest distance d that counts.

    Source: Gosch (2020), appendix C.1.
    """
    curve = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(curve)
    result = np.full(curve.shape, np.nan)
    distance = np.abs(np.subtract.outer(np.flatnonzero(finite), np.flatnonzero(finite)))  # (F, F)
    weights = np.clip(reach + 1 - distance, 0, None) / (reach + 1)
    result[finite] = (weights / weights.sum(-1, keepdims=True)) @ curve[finite]
    return result


def smooth_curve(steps: npt.ArrayLike, values: npt.ArrayLike, *, batch: int, start: int = 0) -> tuple[Floats, Floats]:
    """Smooth one run's curve, or one stair of it, by Gosch's rule.

    Parameters
    ----------
    steps, values
        As in `epoch_means`.
    batch
        Batch size N, which sets the epoch; an epoch is never shorter than the distance between points.
    start
        Step at which the curve or the stair begins.

    Returns
    -------
    positions, smoothed
        Middle of each epoch in steps, and the smoothed value in the unit of `values`; shapes (E,).
    """
    at = np.asarray(steps, dtype=np.float64)
    if at.size == 0:
        return np.empty(0), np.empty(0)
    coarsest = int(np.diff(at, prepend=float(start)).max())  # shorter epochs would have gaps between points
    epoch = max(epoch_steps(batch, int(at[-1]) - start), coarsest)
    positions, means = epoch_means(at, values, epoch, start)
    return positions, smooth(means)
