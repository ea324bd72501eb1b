"""The leaderboard's statistics: errors, means, intervals, monotonicity. Pure functions of arrays.

Notable:

- Methods are on the first axis (K), cells on the second (C), seeds on the third (S). NaN fills the seeds that a cell
  has fewer than another; it is at the same places for all methods, since the matrix is dense.
- A task is one unit: its value is the mean over its cells, a cell's the mean over its seeds, and tasks count equally.
- Every function is deterministic; the one that draws takes its generator.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from mibench.analysis.metrics import Floats

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

ROUNDING = 1e-12
"""Errors are of order 1: differences, spreads and standard errors below this are rounding."""

FEWEST_TASKS = 5
"""Fewer tasks say nothing of others: boards of so few have intervals and tests over seeds alone."""

LEAST_SPREAD = 0.25
"""Share of the standard error below which that of a resample is not taken to fall."""


class Intervals(NamedTuple):
    """Means with both ends of their intervals, each (K,); an end is NaN where there is one task."""

    mean: Floats
    low: Floats
    high: Floats


# --- errors and means ---------------------------------------------------------------------------------------


def normalised_error(estimate: Floats, truth: Floats, *, cap: float = 1.0) -> Floats:
    """Return ``min(|estimate - truth| / max(truth, 1 nat), cap)``, and the cap where the estimate is not finite.

    0 is the truth. 1 is what answering 0 scores, for any truth of a nat or more; below a nat the error is in nats, so
    that nothing is divided by a truth near 0.

    The cap is there because over-estimates have no bound: a single run that ran away to 1e30 would decide a mean. It
    stands at 1 because a run that is further off than the answer 0, which costs nothing, tells no more than that
    answer, and because a run without an answer counts at the cap: no method gains or loses by breaking down in place of
    answering 0. The price is that estimates beyond twice the truth score alike; how far they are off shows in the bias.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(estimate - truth) / np.maximum(truth, 1.0)
    return np.where(np.isfinite(error), np.minimum(error, cap), cap)


def equal_mean(values: Floats, units: Ints) -> Floats:
    """Average over the last axis, each unit equally whatever its number of members.

    Parameters
    ----------
    values
        (..., C). Members that are NaN are left out, and units without any other.
    units
        Unit of each member, from 0, shape (C,).

    Returns
    -------
    ndarray
        Shape (...,); NaN where nothing is left.
    """
    return finite_mean(by_unit(values, units), axis=-1)


def by_unit(values: Floats, units: Ints) -> Floats:
    """Average members within units: (..., C) to (..., T); NaN are left out."""
    return np.stack([finite_mean(values[..., units == unit], axis=-1) for unit in range(units.max() + 1)], axis=-1)


def finite_mean(values: Floats, axis: int) -> Floats:
    """Average what is not NaN; NaN where nothing is left."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), math.nan)


# --- intervals ----------------------------------------------------------------------------------------------


def bootstrap_interval(
    errors: Floats,
    tasks: Ints,
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 1999,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> Intervals:
    """Interval of the mean error over tasks and seeds: a two-level studentised bootstrap.

    A resample draws T tasks with replacement and, for every task drawn, the seeds of each of its cells with
    replacement. Seeds are drawn within tasks because no run shares its randomness with that of another task, whatever
    its seed's number. All methods are given the same draws, so that their intervals do not depend on which others there
    are, and runs on one fixed sample stay together.

    The resampled quantity is ``(mean* - mean) / se*`` with the standard error of the T task means, and the interval is
    ``mean - q se`` between its quantiles. Why not the quantiles of ``mean*`` themselves: of few tasks they are too
    close (with 8 tasks a 95 % interval covers 87 %), and drawing seeds as well as tasks counts the seeds' noise twice
    (98 % of 17 tasks that are alike). Both cancel in the ratio, and it follows skew, which Student's t does not:
    errors of a method that is good at most tasks and useless at few are skewed.

    Where all tasks but one are alike, a third of the resamples misses that one, has no spread, and would make the
    interval endless: of `FEWEST_TASKS` tasks or more, ``se*`` is taken to be `LEAST_SPREAD` of the standard error at
    least.

    Parameters
    ----------
    errors
        Errors of runs (K, C, S).
    tasks
        Task of each cell, from 0 without gaps, shape (C,).
    generator
        Where the draws come from.
    confidence
        Level of the interval.
    resamples
        Number of resamples; with 1999 the quantiles of a 95 % interval fall on draws.
    limits
        What the mean cannot pass; ends beyond are moved there.

    Source: Davison and Hinkley (1997, "Bootstrap methods and their application"), sections 2.4 and 3.8.
    """
    means = by_unit(finite_mean(errors, axis=2), tasks)
    mean, se = mean_and_error(means)
    count = means.shape[1]
    if count < 2:
        unknown = np.full_like(mean, math.nan)
        return Intervals(mean, unknown, unknown)
    drawn_mean, drawn_se = mean_and_error(_resampled_task_means(errors, tasks, generator, resamples))
    if count >= FEWEST_TASKS:
        drawn_se = np.maximum(drawn_se, LEAST_SPREAD * se[:, None])
    deviation = drawn_mean - mean[:, None]
    deviation[np.abs(deviation) < ROUNDING] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.sort(np.where(deviation == 0, 0.0, deviation / drawn_se), axis=1)
    place = max(math.floor((resamples + 1) * (1 - confidence) / 2), 1)
    least, most = ratio[:, place - 1], ratio[:, resamples - place]
    with np.errstate(invalid="ignore"):
        low = np.where(se > 0, mean - most * se, mean)
        high = np.where(se > 0, mean - least * se, mean)
    return Intervals(mean, np.clip(low, *limits), np.clip(high, *limits))


def seed_interval(
    errors: Floats, *, confidence: float = 0.95, limits: tuple[float, float] = (-math.inf, math.inf)
) -> Intervals:
    """Interval of the mean error over seeds, the tasks being what they are: Student's t, stratified by task.

    Parameters
    ----------
    errors
        Errors by task and seed (K, T, S), from `by_task_and_seed`.
    confidence, limits
        As in `bootstrap_interval`.
    """
    mean, se, freedom = mean_over_seeds(errors)
    half = stdtrit(freedom, (1 + confidence) / 2) * se
    half = np.where(se == 0, 0.0, half)
    return Intervals(mean, np.clip(mean - half, *limits), np.clip(mean + half, *limits))


def by_task_and_seed(errors: Floats, tasks: Ints) -> Floats:
    """Average the cells of a task seed by seed: (K, C, S) to (K, T, S)."""
    return by_unit(errors.swapaxes(1, 2), tasks).swapaxes(1, 2)


def mean_over_seeds(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean over tasks of the means over seeds, its standard error over seeds, and Satterthwaite's degrees of freedom.

    Parameters
    ----------
    values
        (..., T, S). The variances of tasks may differ.

    Returns
    -------
    tuple
        Each (...,); error and freedom are NaN where a task has one seed alone, the error exactly 0 where seeds agree.
    """
    count = (~np.isnan(values)).sum(axis=-1)
    means = finite_mean(values, axis=-1)
    spread = np.abs(values - means[..., None])
    squares = np.where(spread > ROUNDING, spread**2, 0.0).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = squares / (count - 1) / count
        freedom = parts.sum(axis=-1) ** 2 / (parts**2 / (count - 1)).sum(axis=-1)
    tasks = values.shape[-2]
    return means.mean(axis=-1), np.sqrt(parts.sum(axis=-1)) / tasks, freedom


def mean_and_error(means: Floats) -> tuple[Floats, Floats]:
    """Mean over the last axis and its standard error, exactly 0 where the values are equal up to rounding."""
    count = means.shape[-1]
    se = means.std(axis=-1, ddof=1) / math.sqrt(count) if count > 1 else np.zeros(means.shape[:-1])
    return means.mean(axis=-1), np.where(se < ROUNDING, 0.0, se)


def _resampled_task_means(errors: Floats, tasks: Ints, generator: np.random.Generator, resamples: int) -> Floats:
    """Draw tasks, and seeds within them: task means (K, resamples, T), in the order of the draws."""
    count = int(tasks.max()) + 1
    chosen = generator.integers(count, size=(resamples, count))
    shares = generator.random((resamples, count, errors.shape[2]))
    means = np.empty((errors.shape[0], resamples, count))
    for task in range(count):
        at = chosen == task
        cells = np.flatnonzero(tasks == task)
        means[:, at] = np.mean([_resampled_cell(errors[:, cell], shares[at]) for cell in cells], axis=0)
    return means


def _resampled_cell(errors: Floats, shares: Floats) -> Floats:
    """Means of as many seeds as the cell has: errors (K, S) and uniform draws (n, S) to (K, n)."""
    known = np.flatnonzero(~np.isnan(errors[0]))
    slots = known[(shares[:, : known.size] * known.size).astype(np.int64)]
    mean: Floats = errors[:, slots].mean(axis=-1)
    return mean


# --- monotonicity -------------------------------------------------------------------------------------------


def monotonicity(estimates: Floats, truth: Floats, families: Ints, settings: Ints) -> Floats:
    """Kendall's tau between true MI and estimate within a family and a setting, averaged over families.

    Pairs of cells of one family, one setting and unequal truth count 1 where the estimates are ordered as the truths,
    -1 where they are ordered the other way, and 0 where they are equal or one is missing.

    Parameters
    ----------
    estimates
        Mean estimates (K, C); NaN where there is none.
    truth, families, settings
        True MI, family and setting of each cell (C,).

    Returns
    -------
    ndarray
        (K,), in [-1, 1]; NaN where no family has two levels in one setting.
    """
    one, other = np.triu_indices(truth.size, 1)
    paired = (families[one] == families[other]) & (settings[one] == settings[other])
    paired &= ~np.isclose(truth[one], truth[other], rtol=1e-9, atol=ROUNDING)
    one, other = one[paired], other[paired]
    if not one.size:
        return np.full(len(estimates), math.nan)
    with np.errstate(invalid="ignore"):
        order = np.sign(estimates[:, one] - estimates[:, other]) * np.sign(truth[one] - truth[other])
    _, units = np.unique(families[one], return_inverse=True)
    return equal_mean(np.nan_to_num(order), units.astype(np.int64))
