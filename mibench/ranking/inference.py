"""What a board's numbers are evidence of: intervals of the methods' means, and which pairs are told apart.

Notable:

- Both are of what is ranked, the mean over families, and both are over the same thing. With enough families that are
  these, as a sample of the families that one might meet: another board would have others.
- With few families there is no telling. Then the tasks are what they are, and both are over seeds: would other seeds
  have given another result on these very tasks? Methods that are equal over all families that one might meet differ on
  any few of them, and may well be told apart on such a board. That is no mistake: on these tasks they do differ.
- ``benchmarks/boards.py`` simulates boards and counts how often intervals cover and equal methods are told apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mibench.analysis.metrics import Floats
from mibench.ranking.columns import OVER_FAMILIES, OVER_SEEDS
from mibench.ranking.groups import holm, paired_p_values, paired_p_values_over_seeds
from mibench.ranking.statistics import (
    ROUNDING,
    Bools,
    Intervals,
    Ints,
    bootstrap_interval,
    by_task_and_seed,
    by_unit,
    finite_mean,
    seed_interval,
)

FEWEST_FAMILIES = 8
"""Boards of fewer families have intervals and tests over seeds alone.

Of five families a pair of 14 methods passes Holm's correction where its t value is above 10, of eight where it is above
6; and of five, where one is odd, the interval is a matter of that one.
"""


class Inference(NamedTuple):
    """What is known of the methods of a board.

    Attributes
    ----------
    over
        `OVER_FAMILIES` or `OVER_SEEDS`.
    interval
        Means and both ends of their intervals, each (K,).
    different
        Which pairs were told apart (K, K).
    """

    over: str
    interval: Intervals
    different: Bools


def is_over_families(families: Ints) -> bool:
    """Whether a board, by the family of each of its tasks (T,), has enough families to speak of others."""
    return bool(families.max() + 1 >= FEWEST_FAMILIES)


def interval_of(
    errors: Floats,
    tasks: Ints,
    families: Ints,
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 1999,
    limits: tuple[float, float] = (0.0, 1.0),
) -> Intervals:
    """Give each method's mean error an interval, over families where there are enough, else over seeds.

    Parameters
    ----------
    errors, tasks, families, generator, confidence, resamples, limits
        As in `infer`.
    """
    if is_over_families(families):
        return bootstrap_interval(
            errors, tasks, families, generator, confidence=confidence, resamples=resamples, limits=limits
        )
    return seed_interval(by_task_and_seed(errors, tasks), families, confidence=confidence, limits=limits)


def infer(
    errors: Floats,
    tasks: Ints,
    families: Ints,
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 1999,
    limits: tuple[float, float] = (0.0, 1.0),
) -> Inference:
    """Give each method's mean error an interval, and test all pairs.

    Parameters
    ----------
    errors
        Errors of runs (K, C, S); NaN fills the seeds that a cell has fewer than another.
    tasks
        Task of each cell, from 0 without gaps, shape (C,).
    families
        Family of each task, from 0 without gaps, shape (T,).
    generator
        Where the bootstrap's draws come from.
    confidence
        Level of the intervals; pairs are told apart at 1 less it, corrected for their number.
    resamples, limits
        As in `mibench.ranking.statistics.bootstrap_interval`.
    """
    interval = interval_of(
        errors, tasks, families, generator, confidence=confidence, resamples=resamples, limits=limits
    )
    if is_over_families(families):
        over = OVER_FAMILIES
        p = paired_p_values(by_unit(by_unit(finite_mean(errors, axis=2), tasks), families))
    else:
        over = OVER_SEEDS
        p = paired_p_values_over_seeds(by_task_and_seed(errors, tasks), families)
    return Inference(over, interval, holm(p) <= 1 - confidence + ROUNDING)
