"""The plug-in estimator of discrete data: rows are counted as they are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mibench.core.estimator import SampleEstimator
from mibench.core.registry import register_estimator
from mibench.estimators.columns import refuse_rare
from mibench.estimators.histogram import information_of_labels, labels_of


@register_estimator("discrete")
class Discrete(SampleEstimator):
    """Discrete: mutual information of rows that repeat, from how often each x, each y and each pair stands there.

    ``log n + 1/n [sum_ab c_ab log c_ab - sum_a c_a log c_a - sum_b c_b log c_b]`` nats, where c_ab counts the pairs
    (a, b), plus the first-order correction ``(K_x + K_y - K_xy - 1) / (2 n)`` with K the different rows. Without it the
    value is too high by about as much. Units and order of the values do not matter. Rows that all differ, as numbers
    do, would give log n and no information: where a side's rows stand fewer than five times on average, the sample is
    refused. The pairs' own cells may be as few, and then the value is too high.

    Ceiling: ``log n + (n - 1) / (2 n)``, and ``log n`` without the correction.

    Parameters
    ----------
    miller_madow
        Whether the correction is added.

    Source: the plug-in as reviewed by Paninski (2003); Miller (1955) for the correction.
    """

    kind = "plug-in"
    takes = "labels"

    miller_madow: bool = True

    def ceiling(self, n: int, m: int) -> float:
        """``log n`` nats, plus the correction's largest value."""
        return math.log(n) + ((n - 1) / (2 * n) if self.miller_madow else 0.0)

    def of_arrays(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        """Estimate from a sample; see `SampleEstimator.of_arrays`.

        Raises
        ------
        UsageError
            Where the rows of a side stand fewer than five times on average: numbers, not labels.
        """
        for name, side in (("x", x), ("y", y)):
            refuse_rare("discrete", name, side)
        return information_of_labels(labels_of(x), labels_of(y), miller_madow=self.miller_madow)

    def warnings(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[str, ...]:
        """Of pairs that stand too rarely; see `SampleEstimator.warnings`."""
        cells = len(np.unique(np.hstack((x, y)), axis=0))
        if cells <= max(1, len(x) / 5):
            return ()
        return (f"{cells} different pairs stand in {len(x)}, fewer than five times each: the value is too high",)
