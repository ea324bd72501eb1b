"""Values of a critic on held-out pairs, from the matrix of its scores, with the error of each.

Notable: both directions are averaged, so that exchanging x and y changes nothing. A row's influence on a value holds
what it does to its own term and to the denominators of all others: its variance is the jackknife's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Contrast:
    """What one matrix says.

    Parameters
    ----------
    infonce, left_out
        Terms of InfoNCE (its positive among the candidates) and of the value without it, (m,).
    influence
        Of each row on the mean of `infonce`, (m,), with a mean of that.
    positives
        Scores of the pairs, (m,).
    """

    infonce: Array
    left_out: Array
    influence: Array
    positives: Array


def contrast(scores: Array) -> Contrast:
    """Read the scores of all pairs, (m, m), the positives on the diagonal.

    ``infonce_i = s_ii - [log mean_j e^{s_ij} + log mean_j e^{s_ji}] / 2``; `left_out` has the mean over ``j != i``.
    """
    m = len(scores)
    positives = np.diagonal(scores).copy()
    left_rows, from_rows = _denominators(scores)
    left_columns, from_columns = _denominators(scores.T)
    rows, columns = np.logaddexp(left_rows, positives), np.logaddexp(left_columns, positives)
    infonce = positives - (rows + columns) / 2 + math.log(m)
    # a row's share of each other's denominator, beyond what each has on average
    shares = from_rows(rows) + from_columns(columns)
    left = positives - (left_rows + left_columns) / 2 + math.log(m - 1)
    return Contrast(infonce, left, infonce - (shares / 2 - 1), positives)


def _denominators(scores: Array) -> tuple[Array, Callable[[Array], Array]]:
    """Log sums of each row's exponentials without the diagonal, (m,), and each column's share of given log sums.

    One exponential a score serves both: ``sum_i e^{s_ij - t_i}`` is a weighted sum of what was summed before.
    """
    others = scores.copy()
    np.fill_diagonal(others, -np.inf)
    top = others.max(1)
    others -= top[:, None]
    np.exp(others, out=others)
    left = top + np.log(others.sum(1))

    def shares(totals: Array) -> Array:
        return np.asarray(np.exp(top - totals) @ others + np.exp(np.diagonal(scores) - totals))

    return left, shares
