"""The nearest-neighbour estimator of Kraskov, Stoegbauer and Grassberger.

Notable: all distances are computed, 64 rows at a time, since trees save nothing in the dimensions that matter here: at
N = 512 with 20 columns a side a k-d tree took ten times as long. Joint and marginal distances are the same numbers, so
that a strict inequality means what it says.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import digamma

from mibench.core.errors import UsageError
from mibench.core.estimator import SampleEstimator
from mibench.core.registry import register_estimator

_ROWS = 64  # their distances to 8192 points take 4 MB


@register_estimator("ksg")
class KSG(SampleEstimator):
    """KSG: mutual information from distances to the k-th nearest neighbour, without a critic.

    Variant 1: ``psi(n) + psi(k) - mean_i[psi(n_x(i) + 1) + psi(n_y(i) + 1)]``, where n_x(i) counts the other points
    whose x lies strictly nearer to x_i than the k-th neighbour of the pair does, and n_y likewise; all distances are
    largest differences of a coordinate. Variant 2: ``psi(n) + psi(k) - 1/k - mean_i[psi(n_x(i)) + psi(n_y(i))]`` with
    the points at most as far in x (in y) as the farthest of the k neighbours is.

    Ceiling: the k - 1 nearer neighbours are counted on both sides, so that variant 1 is at most ``psi(n) - psi(k)`` on
    data without ties, about log(n / k). Ties at the distance of the k-th neighbour are not counted, and allow
    ``psi(n) + psi(k) - 2 psi(1)``: variant 1 is meant for continuous data, and over-estimates on discrete data.
    Variant 2 counts all k, and is at most ``psi(n) - psi(k) - 1/k`` on any data. Both under-estimate in high dimension,
    long before that. The units of the columns matter within x and within y.

    Parameters
    ----------
    k
        Neighbours, at least 1. A larger k has less variance and more bias.
    variant
        1 or 2; at equal k the second has less bias and more variance, and is the one for high dimension.

    Source: Kraskov, Stoegbauer and Grassberger (2004), equations 8 and 9.
    """

    kind = "plug-in"

    k: int = 3
    variant: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"estimator 'ksg': k must be at least 1, not {self.k}")

    def smallest_sample(self, dim_x: int, dim_y: int) -> int:
        """``k + 1``: every point has k neighbours."""
        return self.k + 1

    def ceiling(self, n: int, m: int) -> float:
        """``psi(n) + psi(k) - 2 psi(1)`` nats for variant 1, ``psi(n) - psi(k) - 1/k`` for variant 2."""
        if self.variant == 1:
            return float(digamma(n) + digamma(self.k) - 2 * digamma(1))
        return float(digamma(n) - digamma(self.k) - 1 / self.k)

    def of_arrays(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        """Estimate from a sample; see `SampleEstimator.of_arrays`."""
        n, count = len(x), self._strictly_nearer if self.variant == 1 else self._within_neighbours
        parts = [
            count(cdist(x[rows], x, "chebyshev"), cdist(y[rows], y, "chebyshev"))
            for rows in (slice(start, start + _ROWS) for start in range(0, n, _ROWS))
        ]
        total = math.fsum(np.concatenate(parts))  # the same for every order of the pairs
        constant = digamma(n) + digamma(self.k) - (0 if self.variant == 1 else 1 / self.k)
        return float(constant - total / n)

    def _strictly_nearer(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """``psi(n_x + 1) + psi(n_y + 1)`` of variant 1 from distances (rows, n); a point itself is the 1."""
        reach = np.partition(np.maximum(x, y), self.k, axis=1)[:, self.k, None]
        # Where k others coincide with a point its reach is 0, and not even the point itself is nearer.
        return _sum_of_digammas(*(np.maximum(np.count_nonzero(side < reach, axis=1), 1) for side in (x, y)))

    def _within_neighbours(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """``psi(n_x) + psi(n_y)`` of variant 2 from distances (rows, n)."""
        nearest = np.argpartition(np.maximum(x, y), self.k, axis=1)[:, : self.k + 1]
        reaches = (np.take_along_axis(side, nearest, axis=1).max(1, keepdims=True) for side in (x, y))
        counts = (np.count_nonzero(side <= reach, axis=1) - 1 for side, reach in zip((x, y), reaches, strict=True))
        return _sum_of_digammas(*counts)


def _sum_of_digammas(n_x: NDArray[np.int64], n_y: NDArray[np.int64]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = digamma(n_x) + digamma(n_y)
    return total
