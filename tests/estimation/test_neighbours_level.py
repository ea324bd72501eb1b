"""The neighbours' level: what matched data of known mutual information say of a value."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mibench.estimation.matched import likeness, scaled
from mibench.estimation.neighbours import neighbour_value, neighbours
from mibench.estimation.scores import normal_scores

# Four symbols, of which y is x with probability 0.7 + 0.3 / 4, and each other one with 0.3 / 4.
KNOWN_OF_A_CHANNEL = math.log(4) + 0.775 * math.log(0.775) + 3 * 0.075 * math.log(0.075)


def gaussian(n: int, dim: int, mi: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    rho = scaled(np.full(dim, 0.5), mi)
    x, z = random.standard_normal((2, n, dim))
    return normal_scores(x), normal_scores(rho * x + np.sqrt(1 - rho**2) * z)


def test_the_level_takes_off_the_bias_of_many_columns() -> None:
    found = []
    for seed in range(4):
        u, v = gaussian(400, 4, 2.0, seed)
        found.append(neighbours(u, v, likeness(u, v, np.full(4, 0.5)), np.random.default_rng(seed)))
    error = np.std([one.level for one in found], ddof=1) / 2
    assert np.mean([one.value for one in found]) < 1.6
    assert abs(np.mean([one.level for one in found]) - 2.0) < 0.05 + 3 * error


def test_neighbours_that_do_not_answer_have_no_level() -> None:
    u, v = gaussian(150, 30, 1.0, 0)
    found = neighbours(u, v, likeness(u, v, np.full(30, 0.2)), np.random.default_rng(0))
    assert found.slope < 0.12
    assert found.level == np.inf


def test_without_a_likeness_there_is_the_value_alone() -> None:
    u, v = gaussian(100, 1, 0.5, 0)
    found = neighbours(u, v, None, np.random.default_rng(0))
    assert found.level == np.inf
    assert found.value == pytest.approx(neighbour_value(u, v, np.random.default_rng(1)))


def test_rounded_numbers_have_the_information_of_their_cells() -> None:
    random = np.random.default_rng(0)
    x = random.integers(0, 4, (3_000, 1))
    y = np.where(random.random((3_000, 1)) < 0.7, x, random.integers(0, 4, (3_000, 1)))
    known = KNOWN_OF_A_CHANNEL
    found = neighbour_value(normal_scores(x.astype(float)), normal_scores(y.astype(float)), random)
    assert found == pytest.approx(known, abs=0.05)


def test_the_error_is_that_of_repeated_samples() -> None:
    both = [neighbours(*gaussian(300, 2, 0.7, seed), None, np.random.default_rng(0)) for seed in range(60)]
    stated = np.mean([one.se for one in both])
    seen = np.std([one.value for one in both], ddof=1)
    assert 0.7 < stated / seen < 1.6
