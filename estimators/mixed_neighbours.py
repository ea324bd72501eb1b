"""Nearest-neighbour estimators for data of which a part is discrete: numbers that repeat, and labels.

Notable: distances of columns that repeat are zero between many points, and what counts there is how many points
coincide. Both estimators know that case; where no number repeats they are close to KSG.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import digamma

from mibench.core.errors import UsageError
from mibench.core.estimator import SampleEstimator
from mibench.core.registry import register_estimator
from mibench.estimators.columns import (
    Array,
    Scale,
    in_one_scale,
    matter,
    occurrences,
    refuse_rare,
    refuse_repeats,
    warn_of_ties,
)

_ROWS = 64  # their distances to 8192 points take 4 MB


@register_estimator("ksg-mixed")
class MixedKSG(SampleEstimator):
    """Mixed KSG: mutual information by nearest neighbours of continuous, discrete and mixed columns.

    ``log n + mean_i[psi(k_i) - psi(n_x(i)) - psi(n_y(i))]``, where the k-th neighbour of pair i is at the distance r_i
    (the largest difference of a coordinate). Where r_i > 0, k_i = k, and n_x(i) counts the points whose x is strictly
    nearer to x_i than r_i, itself among them; where r_i = 0, k_i counts the pairs that coincide with it, and n_x(i) the
    points whose x does, itself among them. n_y likewise.

    Ceiling: ``log n + psi(n) - 2 psi(1)`` nats, loosely; without coinciding points about ``log n - psi(k)``. Like KSG
    it under-estimates in high dimension. Numbers that repeat are taken to do so by nature, and rounded data read too
    high; repeated rows are refused, as in `ksg`.

    Parameters
    ----------
    k
        Neighbours, at least 1.
    scale
        How columns are brought to one scale, since distances in x and in y are compared: see `ksg`. Equal numbers stay
        equal.

    Source: Gao, Kannan, Oh and Viswanath (2017), algorithm 1. Their text has ``log(n_x + 1)`` for ``psi(n_x)``, where
    n_x is without the point itself; the code that they published has psi, as here.
    """

    kind = "plug-in"

    k: int = 5
    scale: Scale = "rank"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"estimator 'ksg-mixed': k must be at least 1, not {self.k}")

    def smallest_sample(self, dim_x: int, dim_y: int) -> int:
        """``k + 1``: every point has k neighbours."""
        return self.k + 1

    def ceiling(self, n: int, m: int) -> float:
        """``log n + psi(n) - 2 psi(1)`` nats."""
        return float(math.log(n) + digamma(n) - 2 * digamma(1))

    def of_arrays(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        """Estimate from a sample; see `SampleEstimator.of_arrays`.

        Raises
        ------
        UsageError
            Where rows repeat in x and y together, as in `ksg`.
        """
        refuse_repeats("ksg-mixed", x, y, self.k)
        x, y = in_one_scale(x, self.scale), in_one_scale(y, self.scale)
        if not (x.size and y.size):  # constants tell nothing
            return 0.0
        n = len(x)
        parts = [
            self._terms(cdist(x[rows], x, "chebyshev"), cdist(y[rows], y, "chebyshev"))
            for rows in (slice(start, start + _ROWS) for start in range(0, n, _ROWS))
        ]
        return math.log(n) + math.fsum(np.concatenate(parts)) / n

    def warnings(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[str, ...]:
        """Of equal numbers; see `SampleEstimator.warnings`."""
        return warn_of_ties(x, y, "and are taken to do so by nature; of rounded numbers the value is too high")

    def _terms(self, x: Array, y: Array) -> Array:
        """``psi(k_i) - psi(n_x) - psi(n_y)`` from distances (rows, n), a point's own among them."""
        joint = np.maximum(x, y)
        reach = np.partition(joint, self.k, axis=1)[:, self.k, None]
        coincide = reach[:, 0] == 0
        n_x, n_y = (np.count_nonzero(np.where(reach == 0, side == 0, side < reach), axis=1) for side in (x, y))
        k = np.where(coincide, np.count_nonzero(joint == 0, axis=1), self.k)
        return np.asarray(digamma(k) - digamma(n_x) - digamma(n_y))


@register_estimator("ksg-label")
class LabelKSG(SampleEstimator):
    """KSG for a label: mutual information between a discrete side and a continuous one, by nearest neighbours.

    ``psi(n) + mean_i[psi(k_i) - psi(n_i) - psi(m_i)]``, where n_i counts the points of i's label, itself among them,
    and m_i the other points, of any label, that are at most as far from i as its k-th neighbour of the same label; k_i
    counts those of its label among them, which are k but where points are equally far. A label of k points or fewer
    has all others of it as neighbours. Points whose label is theirs alone are left out, and n counts the others; a
    label may be a row of several columns.

    The side with fewer different rows is the label; where these stand fewer than five times on average there is none,
    and the sample is refused.

    Ceiling: ``log n - psi(1)`` nats, loosely; the value cannot say more than the label's entropy by much.

    Parameters
    ----------
    k
        Neighbours, at least 1.
    scale
        How the continuous columns are brought to one scale: see `ksg`. Equal numbers stay equal.

    Source: Ross (2014), equation 6; scikit-learn's ``mutual_info_classif`` has the same value where no two points are
    equally far.
    """

    kind = "plug-in"
    takes = "a label"

    k: int = 3
    scale: Scale = "rank"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"estimator 'ksg-label': k must be at least 1, not {self.k}")

    def ceiling(self, n: int, m: int) -> float:
        """``log n - psi(1)`` nats."""
        return float(math.log(n) - digamma(1))

    def of_arrays(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        """Estimate from a sample; see `SampleEstimator.of_arrays`.

        Raises
        ------
        UsageError
            Where the rows of both sides stand fewer than five times on average: no side is a label.
        """
        labels, numbers = sorted((x, y), key=_distinct)
        refuse_rare("ksg-label", "the side with fewer", labels)
        kept = occurrences(labels) > 1
        numbers = in_one_scale(numbers, self.scale)[kept]
        if not numbers.size:  # constants tell nothing
            return 0.0
        own = np.unique(labels[kept], axis=0, return_inverse=True)[1].reshape(-1)
        n, terms = len(own), []
        for start in range(0, n, _ROWS):
            rows = slice(start, start + _ROWS)
            terms.append(self._terms(cdist(numbers[rows], numbers, "chebyshev"), own[rows, None] == own))
        return float(digamma(n)) + math.fsum(np.concatenate(terms)) / n

    def warnings(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[str, ...]:
        """Of points that are left out; see `SampleEstimator.warnings`."""
        alone = int(np.count_nonzero(occurrences(min((x, y), key=_distinct)) == 1))
        if not matter(alone, len(x)):
            return ()
        return (f"{alone} of {len(x)} points are left out, since the label of each stands nowhere else",)

    def _terms(self, distances: Array, same: NDArray[np.bool_]) -> Array:
        """``psi(k_i) - psi(n_i) - psi(m_i)`` from distances (rows, n) and which points have the same label."""
        sizes = np.count_nonzero(same, axis=1)
        k = np.minimum(self.k, sizes - 1)
        own = np.sort(np.where(same, distances, np.inf), axis=1)  # a point itself comes first
        within = distances <= np.take_along_axis(own, k[:, None], axis=1)
        k, m = (np.count_nonzero(among, axis=1) - 1 for among in (within & same, within))
        return np.asarray(digamma(k) - digamma(sizes) - digamma(m))


def _distinct(side: Array) -> tuple[int, list[int], list[list[float]]]:
    """How many different rows a side has, and what tells it from another side with as many, in any order of rows."""
    rows, counts = np.unique(side, axis=0, return_counts=True)
    return len(rows), counts.tolist(), rows.tolist()
