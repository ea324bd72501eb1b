"""What answering without an estimator is worth: 0 always, and the best single number. Pure functions of arrays.

Notable:

- A board's levels are few, so that one well-chosen number is close to some of them whatever the sample says. A method
  that is worse than it has told nothing of the level.
- The number is not chosen by what it is scored on: a family is answered with the number that is best on all others, on
  a board of one family a task with that which is best on the other tasks. A board of one task has nothing to choose it
  by, and no such row.
- The same inference as of methods gives intervals, the answers being what they are. Over families they hold; over seeds
  an answer that knows of no seed has none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mibench.analysis.metrics import Floats
from mibench.ranking.groups import DECIMALS
from mibench.ranking.inference import interval_of
from mibench.ranking.measures import Measures
from mibench.ranking.statistics import Intervals, Ints, by_unit, equal_mean, log_error, normalised_error

ZERO, CONSTANT = "(zero)", "(constant)"
"""What boards call them: no estimator's name has brackets."""


class Baseline(NamedTuple):
    """An answer in every cell with its two errors, scored as a method's.

    Attributes
    ----------
    name
        `ZERO` or `CONSTANT`.
    answers
        Nats, in each cell (C,).
    error, log_error
        Means with both ends of their intervals.
    bias
        Mean of answer - truth, nats.
    """

    name: str
    answers: Floats
    error: Intervals
    log_error: Intervals
    bias: float


def best_constants(truth: Floats, tasks: Ints, families: Ints, *, cap: float = 1.0) -> Floats:
    """For every cell the single number that is best on the other families, or on the other tasks of the only one.

    Best is what has the least mean of `mibench.ranking.statistics.normalised_error`, families counting equally, in
    each its tasks, in each its cells. As a function of the answer it is made of straight pieces, which bend upwards at
    the truths alone, so that one of these is best; of several the least.

    Parameters
    ----------
    truth
        True MI of each cell, nats (C,).
    tasks
        Task of each cell, from 0 without gaps (C,).
    families
        Family of each task, from 0 without gaps (T,).
    cap
        Largest error of a run.

    Returns
    -------
    ndarray
        Nats (C,); NaN on a board of one task.
    """
    units = families[tasks] if families.max() else tasks
    weights = 1 / (np.bincount(families)[families[tasks]] * np.bincount(tasks)[tasks])
    answers = np.full(truth.shape, math.nan)
    for unit in range(units.max() + 1) if units.max() else ():
        others = units != unit
        candidates = np.unique(truth[others])
        errors = normalised_error(candidates[:, None], truth[others], cap=cap) @ weights[others]
        errors = np.round(errors / weights[others].sum(), DECIMALS)
        answers[~others] = candidates[np.argmin(errors)]
    return answers


def baselines_of(
    measures: Measures,
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 1999,
) -> list[Baseline]:
    """Score the answer 0 and, where a board has two tasks, the best single number.

    Parameters
    ----------
    measures
        Of the board's methods: its cells are what is answered.
    generator, confidence, resamples
        As of `mibench.ranking.inference.infer`.
    """
    truth, tasks, families = measures.truth, measures.tasks, measures.families
    given: Mapping[str, Floats] = {
        ZERO: np.zeros_like(truth),
        CONSTANT: best_constants(truth, tasks, families, cap=measures.cap),
    }
    found = []
    for name, answers in given.items():
        if np.isnan(answers).any():
            continue
        error, of_log = (
            interval_of(
                errors[None, :, None], tasks, families, draws, confidence=confidence, resamples=resamples, limits=limits
            )
            for errors, limits, draws in zip(
                (normalised_error(answers, truth, cap=measures.cap), log_error(answers, truth)),
                ((0.0, measures.cap), measures.log_limits),
                generator.spawn(2),
                strict=True,
            )
        )
        bias = float(equal_mean(by_unit(answers - truth, tasks), families))
        found.append(Baseline(name, answers, error, of_log, bias))
    return found
