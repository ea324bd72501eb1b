"""Columns of a sample brought to one scale, for estimators that take it as a whole: units and ties.

Notable: numbers that stand more than once can be told apart by random numbers without a change of the mutual
information, as long as none passes another number: what was drawn says nothing, and what was given can be read off.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from mibench.core.errors import UsageError

Array = NDArray[np.float64]

_RESOLVED = 5  # times k: of rows that stand so often, the neighbours among themselves say how often

Scale = Literal["rank", "standard", "none"]
"""A normal's quantiles at the ranks; mean 0 and variance 1; the columns as they are."""


def varying(columns: Array) -> Array:
    """Leave out the columns that are constant, (n, d) -> (n, at most d): they tell nothing."""
    return columns[:, columns.min(0) < columns.max(0)]


def centred(columns: Array) -> Array:
    """Columns divided by their largest size, less their means: nothing overflows, whatever the units; none constant."""
    scaled = columns / np.abs(columns).max(0)
    return np.asarray(scaled - scaled.mean(0))


def standard_scores(columns: Array) -> Array:
    """Columns of mean 0 and variance 1, in any units; none constant."""
    moved = centred(columns)
    return np.asarray(moved / moved.std(0))


def normal_scores(columns: Array, keys: Array | None = None) -> Array:
    """Quantiles of a normal at the ranks of each column: ``Phi^-1((rank - 1/2) / n)``, which no increasing map moves.

    Parameters
    ----------
    columns
        Shape (n, d).
    keys
        Of the order of numbers that are equal, (n,); None where there are none.
    """
    quantiles = ndtri((np.arange(len(columns)) + 0.5) / len(columns))
    # Symmetric to the last bit, so that rounding does not decide between distances on either side of 0.
    quantiles = (quantiles - quantiles[::-1]) / 2
    orders = columns.argsort(0) if keys is None else np.stack([np.lexsort((keys, column)) for column in columns.T], 1)
    scores = np.empty(columns.shape)
    np.put_along_axis(scores, orders, quantiles[:, None], 0)
    return scores


def shared_normal_scores(columns: Array) -> Array:
    """Quantiles of a normal at the mean ranks of each column, as `normal_scores`; equal numbers stay equal."""
    place = (rankdata(columns, axis=0) - 0.5) / len(columns)
    return np.asarray((ndtri(place) - ndtri(1 - place)) / 2)  # symmetric to the last bit, as in `normal_scores`


def in_one_scale(columns: Array, scale: Scale) -> Array:
    """Bring the columns that are not constant to one scale, (n, at most d); equal numbers stay equal."""
    columns = np.ascontiguousarray(varying(columns))
    if not columns.size or scale == "none":
        return columns
    return shared_normal_scores(columns) if scale == "rank" else standard_scores(columns)


def tie_keys(x: Array, y: Array) -> Array:
    """Random numbers for the rows of x and of y, (2, n), which depend on the pairs and not on their order.

    Parameters
    ----------
    x, y
        A sample, (n, dim_x) and (n, dim_y).
    """
    random = np.random.RandomState(0).random_sample((2, len(x)))  # whose numbers are promised to stay what they are
    keys = np.empty_like(random)
    keys[:, np.lexsort(np.hstack((x, y)).T[::-1])] = random
    return keys


def ties_of(columns: Array) -> NDArray[np.int64]:
    """How many of each column's numbers stand in it more than once, (d,)."""
    ordered = np.sort(columns, 0)
    edges = np.zeros((len(columns) + 1, columns.shape[1]), bool)
    edges[1:-1] = ordered[1:] == ordered[:-1]
    return np.asarray((edges[1:] | edges[:-1]).sum(0))


def occurrences(rows: Array) -> NDArray[np.int64]:
    """How often each row stands in the sample, (n, d) -> (n,)."""
    _, labels, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    found: NDArray[np.int64] = counts[labels.reshape(-1)]
    return found


def matter(repeats: int, n: int) -> bool:
    """Whether equal numbers, or rows, move a value by more than 0.02 nats; two of them may meet by chance."""
    return repeats > max(2, n / 100)


def warn_of_ties(x: Array, y: Array, effect: str) -> tuple[str, ...]:
    """Say that numbers are equal, where so many of a column are that they matter; of constant columns nothing is said.

    Parameters
    ----------
    x, y
        A sample, (n, dim_x) and (n, dim_y).
    effect
        What they do to the value, to end the sentence.
    """
    ties = max((int(count) for side in (x, y) for count in ties_of(varying(side))), default=0)
    if not matter(ties, len(x)):
        return ()
    return (f"{ties} of {len(x)} numbers in a column stand there more than once, {effect}",)


def refuse_repeats(estimator: str, x: Array, y: Array, k: int) -> None:
    """Refuse rows that are given several times: those whose x and y have no other partners, or few.

    Parameters
    ----------
    estimator
        Its name, for the sentence.
    x, y
        A sample, (n, dim_x) and (n, dim_y).
    k
        Neighbours that it looks at.

    Raises
    ------
    UsageError
        Where they are more than one in a hundred.
    """
    times = occurrences(np.hstack((x, y)))
    most = np.maximum(occurrences(x), occurrences(y))
    repeats = int(np.count_nonzero((times > 1) & (2 * times > most) & (times <= _RESOLVED * k)))
    if matter(repeats, len(x)):
        raise UsageError(
            f"{repeats} of {len(x)} rows repeat others, in x and y together, which estimator '{estimator}' would take "
            "for dependence; give each pair once, or use 'discrete' where they are labels"
        )


def refuse_rare(estimator: str, side: str, labels: Array) -> None:
    """Refuse rows as labels that stand fewer than five times on average, as numbers do.

    Parameters
    ----------
    estimator, side
        Names, for the sentence.
    labels
        Shape (n, d).

    Raises
    ------
    UsageError
        As above, unless all rows are one.
    """
    count = len(np.unique(labels, axis=0))
    if count > max(1, len(labels) / 5):
        raise UsageError(
            f"{side} has {count} different rows of {len(labels)}, fewer than five of each, and estimator '{estimator}' "
            "takes them for labels; use 'ksg' on numbers, or 'ksg-label' on numbers beside labels"
        )
