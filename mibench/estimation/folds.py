"""Folds of rows for cross-fitting, made of what rows hold and not of where they stand.

Notable:

- The folds are those of the sample as a set of pairs (see `contents`): permuting the rows, exchanging x and y,
  rescaling columns and renaming labels leave every pair in its fold. They follow from the sample and a seed; no
  generator is drawn from.
- Copies of a row lie in one fold: a critic that was trained on one of them knows the others.
- Each label has its share in every fold, to within one row where there are no copies.
- Where rows are given in blocks or groups, these stay whole, and copies in two of them are parted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mibench.core.errors import UsageError
from mibench.estimation.contents import Contents, mixed, sums
from mibench.estimation.copies import copy_groups


def fold_of_row(
    contents: Contents, folds: int, seed: int = 0, units: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Divide rows into folds of nearly one size.

    Units of equal rows or of rows that belong together are dealt out in the order of their keys, the largest first: a
    fold has at most as many rows more than another as the largest unit has.

    Parameters
    ----------
    contents
        The sample, n rows.
    folds
        At least 2.
    seed
        Another one gives other folds.
    units
        Which rows belong together, (n,), numbered in any way, as by `blocks_of`; None where only copies do.

    Returns
    -------
    NDArray[np.int64]
        The fold of each row, (n,), from 0.

    Raises
    ------
    UsageError
        Where there are fewer units than folds.
    """
    given = copy_groups(contents) if units is None else units
    names, members = np.unique(given, return_inverse=True)
    if len(names) < folds:
        what = "different rows" if units is None else "blocks or groups of rows"
        raise UsageError(f"{len(names)} {what} cannot be divided into {folds} folds; give at least {folds}")
    sizes = np.bincount(members)
    own = mixed(sums(contents.pairs, members, len(names)), seed)
    strata = np.zeros(len(names), np.uint64)
    if units is None:
        strata[members] = _strata(contents, seed)
    order = np.lexsort((own, -sizes, strata))
    fold = np.empty(len(names), np.int64)
    fold[order] = np.arange(len(names)) % folds
    return fold[members]


def _strata(contents: Contents, seed: int) -> NDArray[np.uint64]:
    """Number the rows' labels, or combinations of two labels, (n,): all equal where no side is a label.

    Labels that take the same place in the sample, which keys do not tell apart, are told apart by their codes.
    """
    labels = [(side.values, keys) for side, keys in zip(contents.sides, contents.keys, strict=True) if side.is_label]
    if not labels:
        return np.zeros(len(contents.pairs), np.uint64)
    codes = np.stack([values for values, _ in reversed(labels)])
    keys = contents.pairs if len(labels) > 1 else labels[0][1]
    order = np.lexsort((*codes, mixed(keys, seed)))
    ordered = codes[:, order]
    number = np.zeros(len(order), np.uint64)
    number[order[1:]] = (ordered[:, 1:] != ordered[:, :-1]).any(0).cumsum()
    return number


def blocks_of(rows: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Number blocks of consecutive rows, (n,): rows 0 to ``length - 1`` are block 0.

    Parameters
    ----------
    rows
        Where each row stood in what was given, (n,), so that a row that was left out shifts no block.
    """
    return np.asarray(rows // length)
