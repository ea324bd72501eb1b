"""The Gaussian copula of a sample: its value, its error, and what permuting the pairs makes of it.

Notable: where columns are many and rows few, no critic that is trained on a part of the rows finds a dependence that
all rows together show in their canonical correlations, if it is there; hence a test of its own.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mibench.estimation.permuted import orders_of_units
from mibench.estimators.canonical_correlation import GaussianCopula

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

_PERMUTATIONS, _FEWER = 999, 199
_COSTLY = 2e7  # multiplications of one permutation from which on there are fewer
_LEAST_SINE = 1e-12


def copula_value(u: Array, v: Array) -> float:
    """Mutual information of the Gaussian copula, corrected; nan where there are too few rows for the columns."""
    estimator = GaussianCopula()
    if len(u) < estimator.smallest_sample(u.shape[1], v.shape[1]):
        return math.nan
    return estimator.of_arrays(u, v)


def copula_error(rho: Array, n: int, dim_x: int, dim_y: int) -> float:
    """Standard error of `copula_value` on n pairs of a Gaussian copula with canonical correlations ``rho``, nats.

    ``sqrt(sum rho_k^2 / n + d_x d_y / 2 n^2)``: the first by the delta method, since the variance of a correlation is
    ``(1 - rho^2)^2 / n``; the second is what is left without any, where ``2 n I`` follows a chi-squared of ``d_x d_y``
    degrees of freedom.
    """
    return math.sqrt(float((rho**2).sum()) / n + dim_x * dim_y / (2 * n**2))


def copula_null(u: Array, v: Array, random: np.random.Generator, place: Rows | None = None) -> tuple[float, Array]:
    """The value without correction, and those of permuted pairs, nats.

    Parameters
    ----------
    place
        Of every row in time, (n,), where y is shifted against x around the end, as in `mibench.estimation.null`.

    Returns
    -------
    tuple
        The sample's, and those of the permutations, (permutations,).
    """
    n, (d_x, d_y) = len(u), (u.shape[1], v.shape[1])
    permutations = _PERMUTATIONS if n * d_x * d_y <= _COSTLY else _FEWER
    base_x, base_y = (_span(side if place is None else side[np.argsort(place)]) for side in (u, v))
    if place is None:
        orders = orders_of_units(np.arange(n), permutations, random)
    else:
        orders = (np.roll(np.arange(n), shift) for shift in random.integers(1, n, permutations))
    return _information(base_x, base_y), np.array([_information(base_x, base_y[order]) for order in orders])


def _span(columns: Array) -> Array:
    """Orthonormal basis of the centred columns, (n, rank)."""
    base, singular, _ = np.linalg.svd(columns - columns.mean(0), full_matrices=False)
    return np.asarray(base[:, singular > max(columns.shape) * np.finfo(np.float64).eps * singular[0]])


def _information(base_x: Array, base_y: Array) -> float:
    correlations = np.linalg.svd(base_x.T @ base_y, compute_uv=False)
    return -0.5 * float(np.log(np.maximum(1 - correlations**2, _LEAST_SINE)).sum())
