"""Rows that were copied: told from numbers that happen to be equal, and from labels, which always are.

Notable: copies are what resampling with replacement, a join of tables or a careless concatenation leave. Neighbours
find them at distance 0, and a critic that was trained on one half of a copy knows the other: with half of the rows
copied, nearest neighbours measured 2.8 nats where 1 was true.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mibench.estimation.contents import Contents

LARGEST_SHARE = 0.05
"""Part of all rows beyond which equal ones are no copies but a value that occurs often: a quarter of a fold of five."""


def copy_groups(contents: Contents) -> NDArray[np.int64]:
    """Number the rows so that copies have one number, (n,), from 0 without gaps.

    Rows are copies where their x and y are equal and one of the two, being numbers, is on no other row: had it come up
    again by itself, it would have come with another partner. Rows whose sides are both labels are no copies, and
    neither are those that make up more than `LARGEST_SHARE` of all.
    """
    sides, n = contents.sides, len(contents.pairs)
    if all(side.is_label for side in sides):
        return np.arange(n)
    places = [
        side.values if side.is_label else np.unique(keys, return_inverse=True)[1]
        for side, keys in zip(sides, contents.keys, strict=True)
    ]
    pairs = np.unique(places[0] * (int(places[1].max()) + 1) + places[1], return_inverse=True)[1]
    times = np.bincount(pairs)[pairs]
    rows_of_numbers = np.min(
        [np.bincount(place)[place] for side, place in zip(sides, places, strict=True) if not side.is_label], axis=0
    )
    copied = (times > 1) & (times == rows_of_numbers) & (times <= max(2, n * LARGEST_SHARE))
    single = np.arange(n) + n  # numbers that no pair has
    return np.asarray(np.unique(np.where(copied, pairs, single), return_inverse=True)[1])
