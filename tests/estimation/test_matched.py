"""Matched samples: what they take from the user's, and that their mutual information is what was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

import mibench
from mibench.estimation.matched import (
    FAMILIES,
    Family,
    exchanged,
    heavy_dof,
    likeness,
    scaled,
    shared_scale_information,
)
from mibench.estimation.scores import normal_scores
from mibench.estimators.canonical_correlation import GaussianCopula

RANDOM = np.random.default_rng(5)
COLUMNS = np.round(RANDOM.normal(size=(4_000, 5)) @ RANDOM.normal(size=(5, 5)), 1)
U, V = normal_scores(COLUMNS[:, :3]), normal_scores(COLUMNS[:, 3:])
LIKE = likeness(U, V, np.array([0.8, 0.3]))


@pytest.mark.parametrize("family", FAMILIES)
def test_columns_have_the_user_s_own_scores_and_ties(family: Family) -> None:
    x, y = LIKE.draw(family, 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(x, 0), np.sort(U, 0))
    np.testing.assert_array_equal(np.sort(y, 0), np.sort(V, 0))


@pytest.mark.parametrize("family", ["gaussian", "heavy tails"])
def test_columns_of_a_side_are_correlated_as_the_user_s(family: Family) -> None:
    x, _ = LIKE.draw(family, 1.0, np.random.default_rng(0))
    np.testing.assert_allclose(np.corrcoef(x.T), np.corrcoef(U.T), atol=0.06)


def test_gaussian_samples_have_the_information_asked_for() -> None:
    values = [GaussianCopula().of_arrays(*LIKE.draw("gaussian", 1.0, np.random.default_rng(seed))) for seed in range(8)]
    error = np.std(values, ddof=1) / np.sqrt(8)
    assert abs(np.mean(values) - 1.0) < 0.03 + 3 * error


def test_scaled_correlations_have_the_information_and_keep_their_odds_proportions() -> None:
    rho = np.array([0.9, 0.5, 0.0])
    for mi in (0.01, 1.0, 8.0):
        found = scaled(rho, mi)
        assert -0.5 * np.log1p(-(found**2)).sum() == pytest.approx(mi, rel=1e-9)
        odds, given = found**2 / (1 - found**2), rho**2 / (1 - rho**2)
        assert odds[0] / odds[1] == pytest.approx(given[0] / given[1])
    assert not scaled(rho, 0.0).any()
    assert -0.5 * np.log1p(-(scaled(np.zeros(2), 1.0) ** 2)).sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("dof", "dim_x", "dim_y"), [(1, 1, 1), (2, 2, 2), (3, 5, 3), (10, 1, 4)])
def test_a_common_scale_says_what_the_task_has_at_correlation_0(dof: int, dim_x: int, dim_y: int) -> None:
    least = shared_scale_information(dof, dim_x, dim_y)
    task = mibench.get_task("student-t", dof=dof, dim_x=dim_x, dim_y=dim_y, mi=least + 1e-6)
    assert task.mi == pytest.approx(least + 1e-6)
    with pytest.raises(mibench.UsageError):
        mibench.get_task("student-t", dof=dof, dim_x=dim_x, dim_y=dim_y, mi=least - 1e-3)


def test_a_common_scale_says_at_most_half_of_what_is_asked_for() -> None:
    for mi in (0.05, 0.5, 5.0):
        assert shared_scale_information(heavy_dof(5, 5, mi), 5, 5) <= mi / 2 + 1e-9
    assert heavy_dof(2, 2, 3.0) == 3.0


def test_exchanged_columns_stay_normal_one_to_one_and_lose_their_correlation() -> None:
    columns = np.random.default_rng(1).standard_normal((20_000, 1))
    moved = exchanged(columns)
    assert len(np.unique(moved)) == len(columns)
    assert kstest(moved[:, 0], "norm").pvalue > 0.001
    assert abs(np.corrcoef(columns[:, 0], moved[:, 0])[0, 1]) < 0.2
