"""Rows permuted for tests of independence, where some belong together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_EQUAL = 1e-9  # nats: sums of the same terms in two orders differ by less


def units_permuted(units: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Return an order of the rows, (n,), in which units change places at random and keep their rows in order.

    Where each row is a unit of its own this is a permutation of the rows; blocks of a series are moved as wholes.

    Parameters
    ----------
    units
        Which rows belong together, (n,), numbered in any way.
    """
    _, first, members = np.unique(units, return_index=True, return_inverse=True)
    place = np.empty(len(first), np.int64)
    place[np.argsort(first)] = generator.permutation(len(first))  # numbered as they come
    return np.argsort(place[members], kind="stable")


def p_value(value: float, null: NDArray[np.float64]) -> float:
    """``(1 + those of the permutations that reach the sample's value) / (1 + permutations)``.

    Source: Phipson and Smyth (2010): never 0, and valid for any number of permutations.
    """
    return (1 + int(np.count_nonzero(null >= value - _EQUAL))) / (1 + len(null))
