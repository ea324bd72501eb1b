"""A member of the panel: one estimate of the mutual information of a sample, with what it rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

MemberKind = Literal["lower", "upper", "plug-in"]
"""Whether a member's expectation is at most, or at least, the mutual information; a plug-in promises neither."""


@dataclass(frozen=True)
class Member:
    """One estimate. All values in nats.

    Parameters
    ----------
    name
        As tables call it: ``"classifier"``.
    kind
        See `MemberKind`.
    value
        The estimate.
    se
        Its standard error: of chance alone, none of the member's bias.
    protocol
        Which rows were used for what, a sentence.
    seconds
        Time taken.
    ceiling
        What it cannot exceed, whatever the data; inf where there is nothing.
    terms
        One for each row, (n,), whose mean is the value; of cross-fitted members each is by a fit that has not seen its
        row. None where the value is no mean.
    training
        The same value on the rows that were fitted, to be set against it; None where nothing is fitted.
    """

    name: str
    kind: MemberKind
    value: float
    se: float
    protocol: str
    seconds: float
    ceiling: float = float("inf")
    terms: NDArray[np.float64] | None = field(default=None, repr=False)
    training: float | None = None


def mean_of(terms: NDArray[np.float64]) -> float:
    """Mean of terms, (n,), the same for every order of them."""
    return math.fsum(terms) / len(terms)


def standard_error(terms: NDArray[np.float64], units: NDArray[np.int64] | None = None) -> float:
    """Standard error of the mean of terms, (n,), over rows, or over units of rows that belong together.

    ``sqrt(U / (U - 1) sum_u S_u^2) / n``, where ``S_u`` is the sum of a unit's terms less their mean: U = n units of
    one row give the usual standard error. The same for every order of the rows.

    Parameters
    ----------
    units
        Which rows belong together, (n,), numbered in any way: blocks of a series, copies of a row.
    """
    sums = terms - mean_of(terms)
    if units is not None:
        members = np.unique(units, return_inverse=True)[1]
        order = np.lexsort((sums, members))  # sums of floats depend on their order
        sums = np.bincount(members[order], sums[order]).astype(np.float64)
    return math.sqrt(len(sums) / (len(sums) - 1) * math.fsum(sums**2)) / len(terms)
