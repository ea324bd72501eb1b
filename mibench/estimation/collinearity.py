"""Columns that say nothing new: those that repeat another column of their side, and combinations of others.

Notable: mutual information does not change by such columns, but distances count them again. What is found is said and
left in place, since which column of a combination is the one too many is the user's to know.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from mibench.estimators.columns import standard_scores

TOLERANCE = 1e-10
"""Part of a column's variance that others must leave unexplained: a relative deviation of 1e-5, above what sums and
products of float32 numbers differ by in rounding, and far below what any estimator could see."""

_ROWS = 16_384  # at once, so that memory stays near that of the columns


def correlations(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlations of columns, (n, d) -> (d, d); none constant, in any units."""
    total = np.zeros((columns.shape[1], columns.shape[1]))
    scores = np.empty_like(columns)
    for at in range(columns.shape[1]):
        scores[:, at] = standard_scores(columns[:, at, None])[:, 0]
    for start in range(0, len(columns), _ROWS):
        part = scores[start : start + _ROWS]
        total += part.T @ part
    return np.asarray(total / len(columns))


def repeats_of(matrix: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pairs (first, other) of columns that are equal but for their units: each other column once, with its first."""
    later, first = np.nonzero(np.tril(1 - np.abs(matrix) <= TOLERANCE / 2, -1))  # of a pair, 1 - rho^2 is twice that
    seen: dict[int, int] = {}
    for other, one in zip(later.tolist(), first.tolist(), strict=True):
        seen.setdefault(other, one)
    return [(one, other) for other, one in seen.items()]


def combinations_in(matrix: NDArray[np.float64]) -> list[int]:
    """Columns that are linear combinations of the others, as few as explain the rank of the correlations."""
    _, pivots, rank, _ = lapack.dpstrf(matrix, tol=TOLERANCE, lower=1)
    return sorted(int(pivot) - 1 for pivot in pivots[rank:])
