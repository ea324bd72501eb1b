"""The Gaussian log ratio that critics start from, against densities."""

from __future__ import annotations

import numpy as np
from scipy.stats import multivariate_normal

from mibench.estimation.crossfitting import Task, cross_fit, cuts_of
from mibench.estimation.gaussian import canonical

RANDOM = np.random.default_rng(11)
ROOT = RANDOM.normal(size=(5, 5))
ROWS = RANDOM.normal(size=(400, 5)) @ ROOT


def test_the_factors_give_the_log_ratio_of_the_fitted_gaussian() -> None:
    u, v = ROWS[:, :2], ROWS[:, 2:]
    fit = canonical(u, v, ridge=1e-12)
    a, b, f, g = fit.factors(u[:20], v[:20])
    found = a @ b.T + f[:, None] + g[None, :]
    mean, covariance = ROWS.mean(0), np.cov(ROWS.T, bias=True)
    joint = multivariate_normal(mean, covariance)
    left, right = multivariate_normal(mean[:2], covariance[:2, :2]), multivariate_normal(mean[2:], covariance[2:, 2:])
    for i, j in ((0, 0), (3, 17), (19, 4)):
        expected = joint.logpdf(np.r_[u[i], v[j]]) - left.logpdf(u[i]) - right.logpdf(v[j])
        assert abs(found[i, j] - expected) < 1e-6


def test_a_ridge_bounds_correlations_where_there_are_more_columns_than_rows() -> None:
    u, v = RANDOM.normal(size=(20, 30)), RANDOM.normal(size=(20, 40))
    assert canonical(u, v, ridge=1e-9).rho[0] > 0.99
    assert canonical(u, v, ridge=0.3).rho[0] < 0.9


def test_without_its_correlations_it_says_nothing() -> None:
    fit = canonical(ROWS[:, :2], ROWS[:, 2:], ridge=0.1)
    assert all(not part.any() for part in fit.shrunk(0.0).factors(ROWS[:, :2], ROWS[:, 2:])[2:])
    assert (fit.shrunk(0.5).rho == fit.rho / 2).all()


def test_many_independent_columns_on_few_rows_cost_nothing() -> None:
    """Fitted with any ridge, correlations of 40 and 40 columns on 100 rows are near 1; on other rows they are not."""
    u, v = np.random.default_rng(3).normal(size=(2, 150, 40))
    random = np.random.default_rng(4)
    cuts = cuts_of(np.arange(150) % 3, random.permutation(150), 1.0)
    (found,) = cross_fit([Task(u, v, cuts, 0)], "infonce", steps=20)
    assert canonical(u[:100], v[:100], ridge=0.1).rho[0] > 0.8
    assert -0.15 < found.lower < 3 * found.se + 0.01
