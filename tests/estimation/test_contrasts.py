"""Held-out values are those of the estimators, and a row's influence is the derivative by its weight."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp

import mibench
from mibench.estimation.contrasts import contrast

SCORES = np.random.default_rng(3).normal(size=(40, 40)) + 3 * np.eye(40)


def test_infonce_is_the_estimator_s_in_both_directions() -> None:
    estimator = mibench.get_estimator("infonce")
    both = [estimator.estimate(mibench.Scores.from_matrix(torch.from_numpy(s.copy()))) for s in (SCORES, SCORES.T)]
    assert contrast(SCORES).infonce.mean() == pytest.approx(float(sum(both)) / 2, abs=1e-12)


def test_without_its_positive_a_row_is_contrasted_with_the_others_alone() -> None:
    others = np.where(np.eye(40, dtype=bool), -np.inf, SCORES)
    expected = np.diag(SCORES) - (logsumexp(others, 1) + logsumexp(others, 0)) / 2 + np.log(39)
    np.testing.assert_allclose(contrast(SCORES).left_out, expected, atol=1e-12)
    assert contrast(SCORES).left_out.mean() > contrast(SCORES).infonce.mean()


def value(weights: NDArray[np.float64]) -> float:
    """The mean of InfoNCE's terms where row i counts ``weights[i]`` times, in the mean and among the candidates."""
    share = weights / weights.sum()
    log = np.log(share)
    rows, columns = logsumexp(SCORES + log[None, :], 1), logsumexp(SCORES + log[:, None], 0)
    return float(share @ (np.diag(SCORES) - (rows + columns) / 2))


def test_a_row_s_influence_is_the_derivative_by_its_weight() -> None:
    found = contrast(SCORES).influence
    step = 1e-6
    for row in (0, 7, 39):
        more, less = np.ones(40), np.ones(40)
        more[row] += step
        less[row] -= step
        slope = 40 * (value(more) - value(less)) / (2 * step)
        assert found[row] - value(np.ones(40)) == pytest.approx(slope, abs=1e-6)
