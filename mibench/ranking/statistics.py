"""The leaderboard's statistics: errors, means, intervals, monotonicity. Pure functions of arrays.

Notable:

- Methods are on the first axis (K), cells on the second (C), seeds on the third (S). NaN fills the seeds that a cell
  has fewer than another; it is at the same places for all methods, since the matrix is dense.
- A cell's value is the mean over its seeds, a task's the mean over its cells, a family's the mean over its tasks, which
  are its levels of true MI, and families count equally. What is ranked, its interval and its tests are of that mean.
- Why families and not tasks: the levels of a family are alike in what makes them hard, so that the errors of a method
  on them, and the differences of two methods, are correlated. Five levels of one family are not five witnesses; how
  many there are was a question of cost. A mean over tasks would weigh a family by it, and no sample of families would
  say how far that mean is from the one that it stands for.
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

LEAST_SPREAD = 0.25
"""Share of the standard error below which that of a resample is not taken to fall."""


class Intervals(NamedTuple):
    """Means with both ends of their intervals, each (K,); an end is NaN where nothing is known of it."""

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


def log_error(estimate: Floats, truth: Floats) -> Floats:
    """Return ``|log((1 + max(estimate, 0)) / (1 + truth))|``, at most what answering 0 scores or log 2.

    0 is the truth. Up to a nat it is about the error in nats, beyond that its ratio: 3 of 7 nats and 7 of 15 score
    log 2. Over-estimates go on counting beyond twice the truth, where `normalised_error` is at its cap.

    An estimate below 0 counts as 0: information is not below it, so that whoever reads such a value knows that 0 is
    nearer, and it scores what answering 0 does, never less. The largest error is ``log(1 + truth)``, what answering 0
    scores, for the reasons that `normalised_error` has its cap for; it is reached from above at
    ``(1 + truth)² - 1``. At a truth below a nat it is log 2: answering 0 where there is nothing is right, and no reason
    for everything to be. What is not finite counts as the largest error, never less than answering 0.
    """
    most = largest_log_error(truth)
    with np.errstate(invalid="ignore"):
        error = np.abs(np.log1p(np.maximum(estimate, 0.0)) - np.log1p(truth))
    return np.where(np.isfinite(estimate), np.minimum(error, most), most)


def largest_log_error(truth: Floats) -> Floats:
    """Return the cap of `log_error`: ``log(1 + max(truth, 1 nat))``."""
    most: Floats = np.log1p(np.maximum(truth, 1.0))
    return most


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
    families: Ints,
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 1999,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> Intervals:
    """Interval of the mean error over families that one might meet: a studentised bootstrap of whole families.

    A resample draws F families with replacement, each with all its tasks, and within them the seeds of their cells with
    replacement. Families are drawn whole because errors on the levels of a family go together: drawn apart, as if
    independent, they make intervals that cover 81 % in place of 95 % (intraclass correlation 0.6). Seeds are drawn task
    by task because no run shares its randomness with that of another task, whatever its seed's number. All methods are
    given the same draws, so that their intervals do not depend on which others there are, and runs on one fixed sample
    stay together.

    The resampled quantity is ``(mean* - mean) / se*`` with the standard error of the F family means, and the interval
    is ``mean - q se`` between its quantiles. Why not the quantiles of ``mean*`` themselves: of few families they are
    too close (with 8 a 95 % interval covers 87 %), and drawing seeds as well as families counts the seeds' noise twice.
    Both cancel in the ratio, and it follows skew, which Student's t does not: errors of a method that is good at most
    families and useless at few are skewed. ``benchmarks/boards.py`` measures how often it covers.

    Where all families but one are alike, a third of the resamples misses that one, has no spread, and would make the
    interval endless: ``se*`` is taken to be `LEAST_SPREAD` of the standard error at least.

    Parameters
    ----------
    errors
        Errors of runs (K, C, S).
    tasks
        Task of each cell, from 0 without gaps, shape (C,).
    families
        Family of each task, from 0 without gaps, shape (T,).
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
    means = by_unit(by_unit(finite_mean(errors, axis=2), tasks), families)
    mean, se = mean_and_error(means)
    if means.shape[1] < 2:
        unknown = np.full_like(mean, math.nan)
        return Intervals(mean, unknown, unknown)
    drawn_mean, drawn_se = mean_and_error(_resampled_family_means(errors, tasks, families, generator, resamples))
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
    errors: Floats,
    families: Ints,
    *,
    confidence: float = 0.95,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> Intervals:
    """Interval of the mean error on these very tasks over seeds: Student's t, stratified by task.

    It is of the mean that the same tasks would give with all seeds, and says nothing of other tasks or families.

    Parameters
    ----------
    errors
        Errors by task and seed (K, T, S), from `by_task_and_seed`.
    families
        Family of each task, from 0 without gaps, shape (T,).
    confidence, limits
        As in `bootstrap_interval`.
    """
    mean, se, freedom = mean_over_seeds(errors, families)
    half = stdtrit(freedom, (1 + confidence) / 2) * se
    half = np.where(se == 0, 0.0, half)
    return Intervals(mean, np.clip(mean - half, *limits), np.clip(mean + half, *limits))


def by_task_and_seed(errors: Floats, tasks: Ints) -> Floats:
    """Average the cells of a task seed by seed: (K, C, S) to (K, T, S)."""
    return by_unit(errors.swapaxes(1, 2), tasks).swapaxes(1, 2)


def mean_over_seeds(values: Floats, families: Ints) -> tuple[Floats, Floats, Floats]:
    """Mean over families of the means over seeds, its standard error over seeds, and Satterthwaite's freedom.

    Parameters
    ----------
    values
        (..., T, S). The variances of tasks may differ.
    families
        Family of each task, from 0 without gaps, shape (T,).

    Returns
    -------
    tuple
        Each (...,); error and freedom are NaN where a task has one seed alone, the error exactly 0 where seeds agree.
    """
    weights = _task_weights(families)
    count = (~np.isnan(values)).sum(axis=-1)
    means = finite_mean(values, axis=-1)
    spread = np.abs(values - means[..., None])
    squares = np.where(spread > ROUNDING, spread**2, 0.0).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = weights**2 * squares / (count - 1) / count
        freedom = parts.sum(axis=-1) ** 2 / (parts**2 / (count - 1)).sum(axis=-1)
    return by_unit(means, families).mean(axis=-1), np.sqrt(parts.sum(axis=-1)), freedom


def _task_weights(families: Ints) -> Floats:
    """Share of each task in the mean over families: (T,), summing to 1."""
    sizes = np.bincount(families)
    weights: Floats = 1 / (sizes.size * sizes[families])
    return weights


def mean_and_error(means: Floats) -> tuple[Floats, Floats]:
    """Mean over the last axis and its standard error, exactly 0 where the values are equal up to rounding."""
    count = means.shape[-1]
    se = means.std(axis=-1, ddof=1) / math.sqrt(count) if count > 1 else np.zeros(means.shape[:-1])
    return means.mean(axis=-1), np.where(se < ROUNDING, 0.0, se)


def _resampled_family_means(
    errors: Floats, tasks: Ints, families: Ints, generator: np.random.Generator, resamples: int
) -> Floats:
    """Draw families, and seeds within their tasks: family means (K, resamples, F), in the order of the draws."""
    sizes = np.bincount(families)
    chosen = generator.integers(sizes.size, size=(resamples, sizes.size))
    shares = generator.random((resamples, sizes.size, sizes.max(), errors.shape[2]))
    means = np.empty((errors.shape[0], resamples, sizes.size))
    for family in range(sizes.size):
        at = chosen == family
        means[:, at] = np.mean(
            [
                _resampled_task(errors[:, tasks == task], shares[at, level])
                for level, task in enumerate(np.flatnonzero(families == family))
            ],
            axis=0,
        )
    return means


def _resampled_task(errors: Floats, shares: Floats) -> Floats:
    """Means over the cells of a task, of as many seeds as each has: errors (K, C, S) and draws (n, S) to (K, n)."""
    mean: Floats = np.mean([_resampled_cell(errors[:, cell], shares) for cell in range(errors.shape[1])], axis=0)
    return mean


def _resampled_cell(errors: Floats, shares: Floats) -> Floats:
    """Means of as many seeds as the cell has: errors (K, S) and uniform draws (n, S) to (K, n)."""
    known = np.flatnonzero(~np.isnan(errors[0]))
    drawn = (shares[:, : known.size] * known.size).astype(np.int64)
    times = (drawn[..., None] == np.arange(known.size)).sum(axis=1)  # how often each seed was drawn (n, seeds)
    mean: Floats = errors[:, known] @ times.T / known.size
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
