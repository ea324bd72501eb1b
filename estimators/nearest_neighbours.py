"""The nearest-neighbour estimator of Kraskov, Stoegbauer and Grassberger.

Notable: all distances are computed, 64 rows at a time, since trees save nothing in the dimensions that matter here: at
N = 512 with 20 columns a side a k-d tree took ten times as long. Joint and marginal distances are the same numbers, so
that a strict inequality means what it says. Distances in x and in y are compared with each other, which is why the
second version brings all columns to one scale first; ``benchmarks/nearest_neighbours.py`` has measured which.
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
from mibench.estimators.columns import (
    matter,
    normal_scores,
    refuse_repeats,
    standard_scores,
    tie_keys,
    ties_of,
    varying,
    warn_of_ties,
)

_ROWS = 64  # their distances to 8192 points take 4 MB


@register_estimator("ksg")
class UnscaledKSG(SampleEstimator):
    """KSG on the columns as they are: mutual information from distances to the k-th neighbour, without a critic.

    Variant 1: ``psi(n) + psi(k) - mean_i[psi(n_x(i) + 1) + psi(n_y(i) + 1)]``, where n_x(i) counts the other points
    whose x lies strictly nearer to x_i than the k-th neighbour of the pair does, and n_y likewise; all distances are
    largest differences of a coordinate. Variant 2: ``psi(n) + psi(k) - 1/k - mean_i[psi(n_x(i)) + psi(n_y(i))]`` with
    the points at most as far in x (in y) as the farthest of the k neighbours is.

    Ceiling: the k - 1 nearer neighbours are counted on both sides, so that variant 1 is at most ``psi(n) - psi(k)`` on
    data without ties, about log(n / k). Ties at the distance of the k-th neighbour are not counted, and allow
    ``psi(n) + psi(k) - 2 psi(1)``: variant 1 is meant for continuous data, and over-estimates on discrete data.
    Variant 2 counts all k, and is at most ``psi(n) - psi(k) - 1/k`` on any data. Both under-estimate in high dimension,
    long before that. The units of the columns matter, within x, within y and between the two: 0.51 nats become 0.35
    where y is given in units a hundred times smaller, and 0.03 in units a thousand times smaller (n = 1000, variant 1).
    Equal numbers are counted wrongly, variant 2 gives ``-1/k`` where x is constant: see version 2.

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

    def warnings(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[str, ...]:
        """Of equal numbers; see `SampleEstimator.warnings`."""
        return warn_of_ties(x, y, "and are counted wrongly; 'ksg-v2' tells them apart")

    def _strictly_nearer(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """``psi(n_x + 1) + psi(n_y + 1)`` of variant 1 from distances (rows, n); a point itself is the 1."""
        reach = np.partition(np.maximum(x, y), self.k, axis=1)[:, self.k, None]
        # Where k others coincide with a point its reach is 0, and not even the point itself is nearer.
        return _sum_of_digammas(*(np.maximum(np.count_nonzero(side < reach, axis=1), 1) for side in (x, y)))

    def _within_neighbours(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """``psi(n_x) + psi(n_y)`` of variant 2 from distances (rows, n)."""
        reaches = self._reaches(x, y)
        counts = (np.count_nonzero(side <= reach, axis=1) - 1 for side, reach in zip((x, y), reaches, strict=True))
        return _sum_of_digammas(*counts)

    def _reaches(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """How far in x and in y the farthest of the k neighbours is, (rows, 1) each."""
        nearest = np.argpartition(np.maximum(x, y), self.k, axis=1)[:, : self.k + 1]
        return [np.take_along_axis(side, nearest, axis=1).max(1, keepdims=True) for side in (x, y)]


@register_estimator("ksg", version=2)
class KSG(UnscaledKSG):
    """KSG: mutual information from distances to the k-th nearest neighbour in columns of one scale, without a critic.

    Version 1 (`ksg-v1`, which has the formulas and the ceilings) on columns that are first brought to one scale, so
    that units do not matter: neither those of a column nor of a side. By ranks no increasing map of a column matters.

    Columns that are constant are left out; a side that has no other gives 0. Numbers that are equal, of data that are
    rounded or discrete, get neighbouring ranks in a random order, one for all columns of a side, which leaves the
    mutual information what it is; the order is the same for the same pairs. Rows that stand in a sample several times,
    up to 5 k, would be taken for dependence, since x and y repeat together: where they are more than one in a hundred,
    the sample is refused. In high dimension it under-estimates, as version 1 does, and most where columns are mostly
    one number, whose ranks are mostly random.

    Parameters
    ----------
    k
        Neighbours, at least 1. A larger k has less variance and more bias.
    variant
        1 or 2; at equal k the second has less bias and more variance, and is the one for high dimension.
    scale
        ``rank``: a normal's quantiles at the ranks; ``standard``: mean 0 and variance 1; ``none``: as they are. Without
        ranks a sample with more than one equal number in a hundred is refused.

    Source: Kraskov, Stoegbauer and Grassberger (2004), equations 8 and 9; columns of one scale are advised there.
    """

    kind = "plug-in"

    k: int = 3
    variant: Literal[1, 2] = 1
    scale: Literal["rank", "standard", "none"] = "rank"

    def of_arrays(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        """Estimate from a sample; see `SampleEstimator.of_arrays`.

        Raises
        ------
        UsageError
            Where repeated rows or equal numbers would give a wrong value.
        """
        x, y = (np.ascontiguousarray(varying(side)) for side in (x, y))  # which each block of distances would copy
        if not (x.size and y.size):  # constants tell nothing
            return 0.0
        ties = max(int(ties_of(side).max()) for side in (x, y))
        if self.scale == "rank":
            if not ties:
                return super().of_arrays(normal_scores(x), normal_scores(y))
            refuse_repeats("ksg", x, y, self.k)
            key_x, key_y = tie_keys(x, y)
            return super().of_arrays(normal_scores(x, key_x), normal_scores(y, key_y))
        if matter(ties, len(x)):
            raise UsageError(
                f"{ties} of {len(x)} numbers in a column stand there more than once, which estimator 'ksg' counts "
                f"wrongly with scale={self.scale}; use scale=rank, which tells them apart"
            )
        if self.scale == "standard":
            x, y = standard_scores(x), standard_scores(y)
        return super().of_arrays(x, y)

    def warnings(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[str, ...]:
        """Of equal numbers, which ranks tell apart at random; see `SampleEstimator.warnings`."""
        return warn_of_ties(x, y, "and got neighbouring ranks in a random order")

    def _reaches(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        # All columns have the same scores, so that neighbours may be equally far: the order of rows must not choose.
        joint = np.maximum(x, y)
        near = joint <= np.partition(joint, self.k, axis=1)[:, self.k, None]
        return [np.where(near, side, 0.0).max(1, keepdims=True) for side in (x, y)]


def _sum_of_digammas(n_x: NDArray[np.int64], n_y: NDArray[np.int64]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = digamma(n_x) + digamma(n_y)
    return total
