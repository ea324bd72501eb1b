"""Simulated boards whose answers are known: methods that are equal, and what their mean error is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mibench.analysis.metrics import Floats
from mibench.ranking.inference import FEWEST_FAMILIES, infer
from mibench.ranking.statistics import Ints, by_unit

CORRELATIONS = (0.0, 0.3, 0.6)
"""Intraclass correlations: the share of a method's own variance between tasks that the levels of a family share."""

FAMILIES = (5, 8, 12)
METHODS, LEVELS, SEEDS = 14, 3, 5
MEAN = 0.4
"""Expected error of every method over all families that one might meet."""

_SPREAD, _NOISE = 0.1, (0.02, 0.08)
"""Standard deviation between tasks, and those between seeds, of the quietest and the noisiest family."""


class Board(NamedTuple):
    """Errors of runs (K, C, S) on tasks of one cell each, family of each task (T,), and the mean that is estimated."""

    errors: Floats
    families: Ints
    truth: Floats


def simulated_board(correlation: float, families: int, draws: np.random.Generator, *, skewed: bool = False) -> Board:
    """Draw a board of exchangeable methods.

    A task is hard for all methods alike, and for each by itself; of both the families' share is the correlation. The
    seeds of some families scatter more than those of others. On a board that speaks of families methods are equal over
    all families that one might meet. On one that speaks of its own tasks they must be equal there, so that each
    method's own effects have the mean 0 on them, and what is estimated is the mean of these tasks.

    Parameters
    ----------
    correlation
        One of `CORRELATIONS`.
    families
        Number of families, each of `LEVELS` tasks with `SEEDS` seeds.
    draws
        Where the numbers come from.
    skewed
        Whether the methods' own effects are exponential, few large and many small, and not normal.
    """
    family_of_task = np.repeat(np.arange(families), LEVELS)

    def effects(methods: int, *, exponential: bool) -> Floats:
        draw = (lambda shape: draws.exponential(1, shape) - 1) if exponential else draws.standard_normal
        of_family = draw((methods, families))[:, family_of_task]
        of_task = draw((methods, family_of_task.size))
        effects: Floats = np.sqrt(correlation) * of_family + np.sqrt(1 - correlation) * of_task
        return _SPREAD * effects

    common, own = effects(1, exponential=False), effects(METHODS, exponential=skewed)
    if skewed:
        common = np.zeros_like(common)  # what is common and normal would hide the skew
    if families < FEWEST_FAMILIES:
        own -= own.mean(axis=1, keepdims=True)
    expected = MEAN + common + own
    noise = np.linspace(*_NOISE, families)[family_of_task, None] * draws.standard_normal((*own.shape, SEEDS))
    means = by_unit(expected, family_of_task).mean(axis=1)
    truth = np.full(METHODS, MEAN) if families >= FEWEST_FAMILIES else means
    return Board(expected[:, :, None] + noise, family_of_task, truth)


class Outcome(NamedTuple):
    """What came of simulated boards: share with some pair told apart, and share of intervals that cover."""

    over: str
    told_apart: float
    covered: float


def simulate(
    correlation: float,
    families: int,
    generator: np.random.Generator,
    *,
    boards: int = 500,
    resamples: int = 1999,
    skewed: bool = False,
) -> Outcome:
    """Draw boards and infer of each what the leaderboard does."""
    apart, covered = [], []
    for _ in range(boards):
        board = simulated_board(correlation, families, generator, skewed=skewed)
        tasks = np.arange(board.families.size)
        found = infer(board.errors, tasks, board.families, generator, resamples=resamples, limits=(-np.inf, np.inf))
        apart.append(found.different.any())
        covered.append((found.interval.low <= board.truth) & (board.truth <= found.interval.high))
    return Outcome(found.over, float(np.mean(apart)), float(np.mean(covered)))
