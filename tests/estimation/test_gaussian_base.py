"""The Gaussian log ratio that critics start from, against densities."""

from __future__ import annotations

import numpy as np
from scipy.stats import multivariate_normal

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
