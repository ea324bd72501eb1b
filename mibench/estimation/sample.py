"""A sample in the order and form in which it is computed with: neither depends on how it was written down.

Notable: rows are put in the order of their keys (`mibench.estimation.contents`), so that permuting the rows given, or
exchanging x and y, changes no bit of what follows. Rows that were copied stand there once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.estimation.contents import mixed
from mibench.estimation.copies import copy_groups
from mibench.estimation.pairs import Pair
from mibench.estimation.scores import normal_scores

MOST_ROWS = 10_000
"""Rows that the panel takes: distances between all of them are computed, and a critic learns little from more."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Two continuous sides in normal scores.

    Parameters
    ----------
    u, v
        Normal scores of the columns, (n, d_x) and (n, d_y), in the order of sides that `Contents` has.
    keys
        Of the rows, (n,), from which folds and parts are drawn.
    blocks
        Which block each row belongs to, (n,); None where no blocks were stated.
    place
        Where each row stood in what was given, (n,).
    """

    u: Array
    v: Array
    keys: NDArray[np.uint64]
    blocks: NDArray[np.int64] | None
    place: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.u)


def sample_of(pair: Pair, seed: int) -> Sample:
    """Put a pair's rows in order, without those that repeat others, and at most `MOST_ROWS` of them."""
    keys = mixed(pair.contents.pairs, seed)
    order = np.argsort(keys, kind="stable")
    _, first = np.unique(copy_groups(pair.contents)[order], return_index=True)
    order = order[np.sort(first)][:MOST_ROWS]
    u, v = (normal_scores(side.values[order]) for side in pair.contents.sides)
    return Sample(u, v, keys[order], None if pair.blocks is None else pair.blocks[order], pair.rows[order])
