"""The histogram estimator: columns cut into bins, and the mutual information of the counted cells."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mibench.core.errors import UsageError
from mibench.core.estimator import SampleEstimator
from mibench.core.registry import register_estimator

_MOST_BINS = 10**6  # times the pairs of a sample they are a number of 64 bits


@register_estimator("histogram")
class Histogram(SampleEstimator):
    """Histogram: mutual information of the binned columns, by counting cells.

    ``log n + 1/n [sum_ab c_ab log c_ab - sum_a c_a log c_a - sum_b c_b log c_b]`` nats, where c_ab counts the pairs in
    cell a of x and b of y, and a cell is a bin in every column. Cells that hold nothing are never made, so that the
    columns may be many; but with B bins a column there are B^d cells a side, and once each of them holds one pair at
    most the value is log n, whatever the data: of use in one or two columns a side only. Bins lose information and
    cells of few pairs feign it, so that the error has either sign.

    Ceiling: ``log n``, with the correction ``log n + (n - 1) / (2 n)``; both are reached where no cell is shared.

    Parameters
    ----------
    bins
        Bins of each column, at least 2 and at most a million.
    spacing
        ``width``: equally wide between the sample's extremes; ``mass``: equally many pairs in each (equal numbers are
        never parted), which depends on the ranks alone.
    miller_madow
        Whether ``(K_x + K_y - K_xy - 1) / (2 n)`` is added, with K the cells that hold a pair: the first-order bias.

    Source: the plug-in as reviewed by Paninski (2003); Miller (1955) for the correction.
    """

    kind = "plug-in"
    gaussian_error = 0.25  # ten bins lose 0.2 of 1 nat

    bins: int = 10
    spacing: Literal["width", "mass"] = "width"
    miller_madow: bool = False

    def __post_init__(self) -> None:
        if not 2 <= self.bins <= _MOST_BINS:
            raise UsageError(
                f"estimator 'histogram': bins must be at least 2 and at most {_MOST_BINS}, not {self.bins}"
            )

    def ceiling(self, n: int, m: int) -> float:
        """``log n`` nats, plus the correction's largest value."""
        return math.log(n) + ((n - 1) / (2 * n) if self.miller_madow else 0.0)

    def of_arrays(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        """Estimate from a sample; see `SampleEstimator.of_arrays`."""
        cut = _equally_wide if self.spacing == "width" else _equally_full
        cells_x, cells_y = (labels_of(cut(side, self.bins)) for side in (x, y))
        return information_of_labels(cells_x, cells_y, miller_madow=self.miller_madow)


def information_of_labels(x: NDArray[np.int64], y: NDArray[np.int64], *, miller_madow: bool) -> float:
    """Mutual information of the counts of labels, (n,) each, nats; see `Histogram`."""
    counts_x, counts_y, counts = (np.bincount(labels) for labels in (x, y, labels_of(np.stack((x, y), 1))))
    n = len(x)
    value = math.log(n) + (_total(counts) - _total(counts_x) - _total(counts_y)) / n
    if miller_madow:
        value += (len(counts_x) + len(counts_y) - len(counts) - 1) / (2 * n)
    return value


def _total(counts: NDArray[np.int64]) -> float:
    """``sum c log c``, the same for every order of the cells."""
    return math.fsum(counts * np.log(counts))


def labels_of(rows: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.int64]:
    """Number the distinct rows, (n, d) -> (n,)."""
    labels: NDArray[np.int64] = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
    return labels


def _equally_wide(columns: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Bin of each number between its column's extremes; a constant column has one bin."""
    # Halves, since the difference of two finite numbers may not be finite.
    above = columns / 2 - columns.min(0) / 2
    span = above.max(0)
    place = bins * (above / np.where(span > 0, span, 1.0))
    cut: NDArray[np.int64] = np.minimum(place.astype(np.int64), bins - 1)
    return cut


def _equally_full(columns: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Bin of each number by how many of its column are smaller."""
    smaller = np.stack([np.searchsorted(np.sort(column), column, side="left") for column in columns.T], 1)
    place: NDArray[np.int64] = smaller * bins // len(columns)
    return place
