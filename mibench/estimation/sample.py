"""A sample in the order and form in which it is computed with: neither depends on how it was written down.

Notable: rows are put in the order of their keys (`mibench.estimation.contents`), so that permuting the rows given, or
exchanging x and y, changes no bit of what follows. Rows that were copied stand there once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.estimation.canonical import canonical_scores
from mibench.estimation.contents import mixed
from mibench.estimation.copies import copy_groups
from mibench.estimation.folds import blocks_of, fold_of_row
from mibench.estimation.pairs import Pair

FOLDS = 5

MOST_ROWS = 10_000
"""Rows that the panel takes: distances between all of them are computed, and a critic learns little from more."""

_OWN_BLOCKS = 10
_ANOTHER = 2**32  # from the seed of a division to that of the other one

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Two continuous sides in normal scores.

    Parameters
    ----------
    u, v
        Normal scores of the columns, (n, d_x) and (n, d_y), in the order of sides that `Contents` has.
    fold
        Of each row, (n,), from 0.
    other_fold
        Of each row by another division, (n,).
    order
        A random place for each row, (n,); rows of one block have neighbouring ones.
    blocks
        Which block each row belongs to, (n,); None where rows are taken one by one.
    time
        Where each row stood in what was given, (n,).
    """

    u: Array
    v: Array
    fold: NDArray[np.int64]
    other_fold: NDArray[np.int64]
    order: NDArray[np.int64]
    blocks: NDArray[np.int64] | None
    time: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.u)


def blocks_to_keep(pair: Pair) -> NDArray[np.int64] | None:
    """Which block each row belongs to, (n,), as was stated; None where rows are taken one by one.

    Where rows that follow each other are alike and no blocks were stated, a tenth of the rows is a block.
    """
    if pair.blocks is not None or not pair.report.serial.found:
        return pair.blocks
    return blocks_of(pair.rows, max(2, len(pair.rows) // _OWN_BLOCKS))


def sample_of(pair: Pair, seed: int) -> Sample:
    """Put a pair's rows in order, without those that repeat others, and at most `MOST_ROWS` of them."""
    contents, blocks = pair.contents, blocks_to_keep(pair)
    keys = mixed(contents.pairs, seed)
    order = np.argsort(keys, kind="stable")
    _, first = np.unique(copy_groups(contents)[order], return_index=True)
    order = order[np.sort(first)][:MOST_ROWS]
    u, v = (canonical_scores(side, contents.pairs)[order] for side in contents.sides)
    fold, other_fold = (fold_of_row(contents, FOLDS, name, blocks)[order] for name in (seed, seed + _ANOTHER))
    places = np.arange(len(order))
    if blocks is not None:
        blocks = blocks[order]
        _, own = np.unique(blocks, return_inverse=True)
        shuffled = np.random.default_rng(seed).permutation(int(own.max()) + 1)
        places = np.lexsort((places, shuffled[own])).argsort()
    return Sample(u, v, fold, other_fold, places, blocks, pair.rows[order])
