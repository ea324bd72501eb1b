"""Serial dependence: whether rows that follow each other are more alike than rows of a random order.

Notable: the tests are against all orders of the rows at hand, whose mean and variance are exact; only that the
statistic is normal is asymptotic. Hence ties and heavy tails need no assumption.

Random orders with p < 0.001, measured on 20,000 of them: of scores 0.0003, 0.0009 and 0.0010 at n = 20, 100 and 1,000;
of three labels 0.0015, 0.0007 and 0.0009. A rare label is warned of more often: one on a tenth of the rows by 0.010 and
0.006 at n = 20 and 100, since few of its rows follow one another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from scipy.special import ndtr

from mibench.estimation.scores import normal_scores
from mibench.estimation.sides import Side

_LOOKED_AT = 16  # columns of a side whose memory is measured: those that are farthest from a random order at lag 1
_ROWS = 20_000  # rows that it is measured on, the first ones

WARNED = 0.001
"""Probability, after the correction for the number of columns, at which rows are said to be serially dependent."""


@dataclass(frozen=True)
class SerialDependence:
    """The test of one sample.

    Parameters
    ----------
    p_value
        Two-sided, of the column that is farthest from a random order, times the number of columns (Bonferroni).
    column
        That column's name.
    side
        Its side, ``"x"`` or ``"y"``.
    correlation
        Of that column, between rows that follow each other: of its normal scores; for labels, the share of followers
        with the same label beyond that of a random order, of the most possible.
    """

    p_value: float
    column: str
    side: str
    correlation: float

    @property
    def found(self) -> bool:
        """Whether it is to be warned of."""
        return self.p_value < WARNED


def serial_dependence(x: Side, y: Side) -> SerialDependence:
    """Test whether rows that follow each other depend on each other, at lag 1.

    Columns of numbers are tested by the lag-1 correlation of their normal scores, labels by how often a row has the
    label of the row before it.
    """
    found = []
    for side in (x, y):
        if side.is_label:
            z, correlation = alike_followers(side.values)
            found.append((abs(z), ", ".join(side.columns), side.name, correlation))
        else:
            for at, name in enumerate(side.columns):
                z, correlation = lag_one(normal_scores(side.values[:, at, None])[:, 0])
                found.append((abs(z), name, side.name, correlation))
    farthest = max(found, key=lambda entry: entry[0])
    p_value = min(1.0, len(found) * 2 * float(ndtr(-farthest[0])))
    return SerialDependence(p_value, *farthest[1:])


def memory(x: Side, y: Side) -> int:
    """Rows after which none of the columns is like itself any more: the least lag from which on it is not for a while.

    Of the autocorrelation function of each column's normal scores, and of a label's indicators together, the first lag
    at which it is within ``2 / sqrt(n)``, as it is for rows in a random order in 95 of 100 cases; the largest of them.
    """
    return max(_memory(own) for side in (x, y) for own in _series(side))


def _series(side: Side) -> Iterator[list[NDArray[np.float64]]]:
    """Yield what is looked at together, columns (n,): each by itself, and all indicators of a label."""
    if side.is_label:
        codes = side.values[:_ROWS]
        yield [(codes == code).astype(np.float64) for code in range(len(side.labels))]
        return
    scores = normal_scores(side.values[:_ROWS])
    farthest = np.argsort([-abs(lag_one(column)[0]) for column in scores.T], kind="stable")
    for at in farthest[:_LOOKED_AT]:
        yield [scores[:, at]]


def _memory(columns: Sequence[NDArray[np.float64]]) -> int:
    n = len(columns[0])
    size = next_fast_len(2 * n, real=True)
    spectrum = np.zeros(size // 2 + 1)
    for column in columns:
        spectrum += np.abs(np.fft.rfft(column - column.mean(), size)) ** 2
    products = np.fft.irfft(spectrum, size)[:n]
    # There is such a lag: at the last ones hardly any product of two rows is left in the sum.
    return int(np.argmax(np.abs(products / products[0]) <= 2 / math.sqrt(n)))


def lag_one(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Lag-1 correlation of scores of mean 0, (n,), in standard deviations from its mean over all orders, and itself.

    With ``S = sum_t a_t a_{t+1}`` and ``A_k = sum_t a_t^k``: ``E S = -A_2 / n``, and the variance follows from the
    means of products of two, three and four of the scores.

    Source: Wald and Wolfowitz (1943), for a series that is not closed to a circle.
    """
    n = len(scores)
    scores = scores - scores.mean()
    second, fourth = float((scores**2).sum()), float((scores**4).sum())
    observed = float(scores[1:] @ scores[:-1])
    squares = (n - 1) * (second**2 - fourth) / math.perm(n, 2)
    neighbours = 2 * (n - 2) * (2 * fourth - second**2) / math.perm(n, 3)
    apart = (n - 2) * (n - 3) * (3 * second**2 - 6 * fourth) / math.perm(n, 4)
    mean = -second / n
    return _standardised(observed, mean, squares + neighbours + apart - mean**2), observed / second


def alike_followers(codes: NDArray[np.int64]) -> tuple[float, float]:
    """Rows with the label of the row before, (n,) codes, in standard deviations from the mean over all orders.

    The second number is the share of them beyond that mean, of the most possible.
    """
    n = len(codes)
    counts = np.bincount(codes).astype(float)
    two, three, four = (_falling(counts, order) for order in (2, 3, 4))
    alike = float(two.sum()) / math.perm(n, 2)
    thrice = float(three.sum()) / math.perm(n, 3)
    apart = float(four.sum() + two.sum() ** 2 - (two**2).sum()) / math.perm(n, 4)
    observed = float((codes[1:] == codes[:-1]).sum())
    mean = (n - 1) * alike
    square = mean + 2 * (n - 2) * thrice + (n - 2) * (n - 3) * apart
    most = n - len(counts)
    share = (observed - mean) / (most - mean) if most > mean else 0.0
    return _standardised(observed, mean, square - mean**2), share


def _falling(counts: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """``c (c - 1) ... (c - order + 1)`` of each count."""
    return np.asarray(math.prod((counts - at for at in range(1, order)), start=counts))


def _standardised(observed: float, mean: float, variance: float) -> float:
    return (observed - mean) / math.sqrt(variance) if variance > 0 else 0.0
