"""Rows permuted for tests of independence, where some belong together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_EQUAL = 1e-9  # nats: sums of the same terms in two orders differ by less


def orders_of_units(
    units: NDArray[np.int64], orders: int, generator: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield orders of the rows, (n,) each, in which units change places at random and keep their rows in order.

    Where each row is a unit of its own these are permutations of the rows; blocks of a series are moved as wholes.

    Parameters
    ----------
    units
        Which rows belong together, (n,), numbered in any way.
    """
    _, first, members = np.unique(units, return_index=True, return_inverse=True)
    place, coming = np.empty(len(first), np.int64), np.argsort(first)
    for _ in range(orders):
        place[coming] = generator.permutation(len(first))  # numbered as they come
        yield np.argsort(place[members], kind="stable")


def p_value(value: float, null: NDArray[np.float64]) -> float:
    """``(1 + those of the permutations that reach the sample's value) / (1 + permutations)``.

    Source: Phipson and Smyth (2010): never 0, and valid for any number of permutations.
    """
    return (1 + int(np.count_nonzero(null >= value - _EQUAL))) / (1 + len(null))
