"""The permutation null of a critic's scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import kstest

from mibench.estimation.null import PERMUTATIONS, permuted
from mibench.estimation.permuted import p_value


def folds(n: int, values: NDArray[np.float64]) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    rows = np.arange(n)
    return [(rows[k::2], values[np.ix_(rows[k::2], rows[k::2])].astype(np.float32)) for k in range(2)]


def test_a_permutation_changes_the_mean_score_of_a_pair() -> None:
    scores = np.subtract.outer(np.arange(6.0), np.arange(6.0) ** 2)  # of rows and columns alone: no pairing matters
    assert np.abs(permuted(folds(6, scores), np.random.default_rng(0))).max() < 1e-6
    known = np.eye(6)
    changes = permuted(folds(6, known), np.random.default_rng(0))
    assert set(np.round(6 * changes)) <= {-6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0}


def test_p_values_of_independent_pairs_are_uniform() -> None:
    random, found = np.random.default_rng(2), []
    for _ in range(150):
        x, y = random.standard_normal((2, 40))
        found.append(p_value(0.0, permuted(folds(40, np.outer(x, y)), random)))
    assert kstest(found, "uniform").pvalue > 0.001


def test_units_that_belong_together_are_parted_together() -> None:
    """Every row of an independent sample stands there four times: by itself each would be evidence."""
    random, alone, together = np.random.default_rng(5), [], []
    units = np.repeat(np.arange(20), 4)
    for _ in range(100):
        x, y = random.standard_normal((2, 20))
        scores = [(np.arange(80), np.outer(x[units], y[units]).astype(np.float32))]
        alone.append(p_value(0.0, permuted(scores, np.random.default_rng(0))))
        together.append(p_value(0.0, permuted(scores, np.random.default_rng(0), units=units)))
    assert np.mean(np.array(alone) < 0.05) > 0.2
    assert np.mean(np.array(together) < 0.05) < 0.15


def test_dependence_has_the_least_p_value() -> None:
    x = np.random.default_rng(2).standard_normal(60)
    assert p_value(0.0, permuted(folds(60, np.outer(x, x)), np.random.default_rng(0))) == 1 / (1 + PERMUTATIONS)


def autoregressive(n: int, random: np.random.Generator) -> NDArray[np.float64]:
    noise = random.standard_normal(n + 100)
    return np.asarray(lfilter([1.0], [1.0, -0.9], noise)[100:])


def test_a_series_is_shifted_in_the_order_of_time() -> None:
    """Two independent series: hardly any order of one is as good a partner of the other as the true one, shifts are."""
    random, free, shifted = np.random.default_rng(4), [], []
    time = np.random.default_rng(0).permutation(200)  # where the rows stand in what was given
    parts = [np.flatnonzero(time < 100), np.flatnonzero(time >= 100)]
    for _ in range(100):
        x, y = (autoregressive(200, random)[time] for _ in range(2))
        scores = [(rows, np.outer(x[rows], y[rows]).astype(np.float32)) for rows in parts]
        free.append(p_value(0.0, permuted(scores, np.random.default_rng(0))))
        shifted.append(p_value(0.0, permuted(scores, np.random.default_rng(0), time)))
    assert np.mean(np.array(free) < 0.05) > 0.25
    assert np.mean(np.array(shifted) < 0.05) < 0.15
