"""Values of a critic on held-out pairs, from the matrix of its scores, with the error of each.

Notable: both directions are averaged, so that exchanging x and y changes nothing. A row's influence on a value holds
what it does to its own term and to the denominators of all others: its variance is the jackknife's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

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
    rows, columns = logsumexp(scores, axis=1), logsumexp(scores, axis=0)
    infonce = positives - (rows + columns) / 2 + math.log(m)
    # a row's share of each other's denominator, beyond what each has on average
    shares = np.exp(scores - rows[:, None]).sum(0) + np.exp(scores - columns[None, :]).sum(1)
    others = scores.copy()
    np.fill_diagonal(others, -np.inf)
    left = positives - (logsumexp(others, axis=1) + logsumexp(others, axis=0)) / 2 + math.log(m - 1)
    return Contrast(infonce, left, infonce - (shares / 2 - 1), positives)
