"""Rows named by what they hold: a 64-bit key a row, from which folds are made without regard to the order of rows.

Notable: the keys are those of the sample as a set of pairs, not of how it was written down. They move with the rows
when rows are permuted, and stay when x and y change sides, when columns of a side change places, when a column goes
through an increasing or decreasing map, and when labels are renamed. Ranks take care of increasing maps. For the rest:

- A first key of each row is made of the sizes of its centred ranks, and of how many rows have its label, which none of
  those changes alter.
- A column's sum of ``rank * first key`` turns its sign when the column is turned over: it gives each column a
  direction, and a weight of its own in whatever place. A label's sum of first keys tells it from others in whatever
  name.
- Which side comes first is told by a sum too.

Sums are modulo 2^64, hence exact in any order. Where a sum cannot tell, as of a column that can be turned over without
a change of the sample, it does not matter either. Two different rows share a key by chance once in 2^64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.estimation.scores import centred_ranks
from mibench.estimation.sides import Side

Keys = NDArray[np.uint64]
Ranks = NDArray[np.int32]

_ROUNDS = 3  # in which labels are told apart by their partners, which are told apart by theirs
_HALF = 2**63


def mixed(keys: Keys, salt: int = 0) -> Keys:
    """Scatter keys over all of 0 to 2^64 - 1, one to one; another salt scatters them anew.

    Source: the finaliser of SplitMix64, Steele, Lea and Flood (2014).
    """
    keys = keys + np.uint64((salt * 0xD1342543DE82EF95 + 0x9E3779B97F4A7C15) % 2**64)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(keys ^ (keys >> np.uint64(31)))


def sums(keys: Keys, groups: NDArray[np.int64], count: int) -> Keys:
    """Sum keys over each of the groups 0 to ``count - 1``, modulo 2^64, (count,)."""
    total = np.zeros(count, np.uint64)
    np.add.at(total, groups, keys)
    return total


@dataclass(frozen=True)
class Contents:
    """A sample with keys for its rows.

    Parameters
    ----------
    sides
        The two sides, in an order that does not depend on which was named x.
    keys
        Of the rows of each side, (n,) each: equal where the rows of a side are. Those of labels may also be equal where
        the labels take the same place in the sample, so that renaming them would exchange them.
    pairs
        Of the pairs, (n,).
    """

    sides: tuple[Side, Side]
    keys: tuple[Keys, Keys]
    pairs: Keys


def contents_of(x: Side, y: Side) -> Contents:
    """Name the rows of a sample by what they hold."""
    places = [None if side.is_label else centred_ranks(side.values) for side in (x, y)]
    keys = _both(*(_first_keys(side, ranks) for side, ranks in zip((x, y), places, strict=True)))
    rounds = 1
    if x.is_label and y.is_label:
        cells = x.values * len(y.labels) + y.values
        keys = mixed(keys + np.bincount(cells)[cells].astype(np.uint64))
        rounds = _ROUNDS
    for _ in range(rounds):
        key_x, key_y = (_side_keys(side, ranks, keys) for side, ranks in zip((x, y), places, strict=True))
        keys = _both(key_x, key_y)
    if _total(key_x, key_y) > _total(key_y, key_x):
        x, y, key_x, key_y = y, x, key_y, key_x
    return Contents((x, y), (key_x, key_y), mixed(mixed(key_x, 1) + key_y))


def _total(first: Keys, second: Keys) -> int:
    return int(mixed(mixed(first, 1) + second).sum())


def _both(x: Keys, y: Keys) -> Keys:
    """Join keys of two sides, whichever is named first."""
    return mixed(mixed(x) + mixed(y))


def _first_keys(side: Side, ranks: Ranks | None) -> Keys:
    """Keys that hold what no turn, exchange or renaming of columns and labels alters."""
    if ranks is None:
        return mixed(np.bincount(side.values).astype(np.uint64)[side.values])
    keys = np.zeros(len(ranks), np.uint64)
    for column in ranks.T:
        keys += mixed(np.abs(column).astype(np.uint64))
    return keys


def _side_keys(side: Side, ranks: Ranks | None, keys: Keys) -> Keys:
    """Keys of a side's rows, given keys of the pairs that no turn, exchange or renaming alters."""
    if ranks is None:
        return np.asarray(mixed(sums(keys, side.values, len(side.labels)))[side.values])
    total = np.zeros(len(keys), np.uint64)
    for column in ranks.T:
        places = column.astype(np.int64).view(np.uint64)
        weight = int((places * keys).sum())
        if weight >= _HALF:  # the sum is negative
            places, weight = np.negative(places), 2**64 - weight
        total += mixed(mixed(places) + np.uint64(weight))
    return total
