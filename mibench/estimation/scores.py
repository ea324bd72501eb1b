"""Columns brought to one scale by their ranks, a column at a time, so that memory stays near that of the columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata


def normal_scores(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quantiles of a normal at the mean ranks of each column: ``Phi^-1((rank - 1/2) / n)``.

    Equal numbers stay equal. To the last bit no increasing map of a column changes its scores, a decreasing one changes
    their sign alone, and a row's scores do not depend on the order of the rows.

    Parameters
    ----------
    columns
        Shape (n, d), finite.

    Returns
    -------
    NDArray[np.float64]
        Shape (n, d).
    """
    n = len(columns)
    scores = np.empty(columns.shape)
    for at in range(columns.shape[1]):
        ranks = centred_ranks(columns[:, at, None])[:, 0].astype(np.int64)
        # Both places are rounded alike, so that a rank and its mirror image differ in sign to the last bit.
        scores[:, at] = (ndtri((n + ranks) / (2 * n)) - ndtri((n - ranks) / (2 * n))) / 2
    return scores


def centred_ranks(columns: NDArray[np.float64]) -> NDArray[np.int32]:
    """Twice the mean ranks of each column less ``n + 1``, (n, d): whole numbers; a decreasing map turns their sign."""
    n = len(columns)
    ranks = np.empty(columns.shape, np.int32, order="F")
    for at in range(columns.shape[1]):
        ranks[:, at] = 2 * rankdata(columns[:, at]) - (n + 1)
    return ranks
