"""The permutation null of a trained critic: what its held-out pairs would score had x and y nothing to do with another.

Notable: permuting the pairs of a held-out part changes no denominator, so that the critic's scores, computed once, give
every permutation's value by a sum. Rows of a series depend on each other, and any order of them is not as good as any
other: there y is shifted against x in the order of time, around the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mibench.estimation.permuted import orders_of_units

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

PERMUTATIONS = 999


def permuted(
    scores: Sequence[tuple[Rows, NDArray[np.float32]]],
    random: np.random.Generator,
    place: Rows | None = None,
    units: Rows | None = None,
) -> Array:
    """What parting the pairs at random takes from the mean score of a pair, nats.

    Parameters
    ----------
    scores
        For each fold its rows and the scores of all their pairs, (m,) and (m, m).
    place
        Of every row in time, (n,), where y is shifted against x in place of a permutation.
    units
        Rows that belong together and keep their partners' order, (n,), as copies of one; None where none do.

    Returns
    -------
    NDArray[np.float64]
        Mean score of parted pairs less that of the true ones, (permutations,): what `lower` changes by.
    """
    n = sum(len(rows) for rows, _ in scores)
    total = np.zeros(PERMUTATIONS)
    for rows, matrix in scores:
        m = len(rows)
        if place is not None:
            order = np.argsort(place[rows])
            matrix = matrix[np.ix_(order, order)]
        at = np.arange(m)
        true = float(np.diagonal(matrix).sum(dtype=np.float64))
        if place is None:
            own = at if units is None else units[rows]
            sums = [matrix[at, y].sum(dtype=np.float64) for y in orders_of_units(own, PERMUTATIONS, random)]
        else:
            shifts = [matrix[at, (at + shift) % m].sum(dtype=np.float64) for shift in range(1, m)]
            sums = [shifts[shift] for shift in random.integers(0, m - 1, PERMUTATIONS)]
        total += np.array(sums) - true
    return total / n
