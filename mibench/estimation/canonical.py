"""A sample written down in one way, whatever way it was given in: what makes a fit the same to the last bit.

Notable: sums of floats depend on their order, and a network's first weights meet its columns in their order. Estimators
that fit something therefore take rows, columns, directions and codes in an order that the contents alone decide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mibench.estimation.contents import Contents, Keys
from mibench.estimation.scores import centred_ranks, normal_scores
from mibench.estimation.sides import Side

_HALF = 2**63


def canonical_order(contents: Contents) -> NDArray[np.int64]:
    """Return where the rows stand, (n,), in an order that does not depend on the order they were given in.

    Rows of one key are equal, or may be exchanged without a change of the sample.
    """
    return np.argsort(contents.pairs, kind="stable")


def canonical_codes(side: Side, keys: Keys) -> NDArray[np.int64]:
    """Codes of a label, (n,), from 0, whose order does not depend on what the labels are called.

    Parameters
    ----------
    keys
        Of the rows of the side, (n,).
    """
    _, first = np.unique(side.values, return_index=True)
    place = np.empty(len(first), np.int64)
    place[np.argsort(keys[first], kind="stable")] = np.arange(len(first))
    return np.asarray(place[side.values])


def canonical_scores(side: Side, pairs: Keys) -> NDArray[np.float64]:
    """Normal scores of numbers, (n, d), of variance 1, in an order and direction of columns that contents decide.

    No increasing or decreasing map of a column and no exchange of columns alters them. Rows are left in their order.

    Parameters
    ----------
    pairs
        Keys of the pairs, (n,).
    """
    places = centred_ranks(side.values).astype(np.int64).view(np.uint64)
    weights = (places * pairs[:, None]).sum(0)  # modulo 2^64, and hence the same in any order of the rows
    turned = weights >= _HALF
    order = np.argsort(np.where(turned, np.negative(weights), weights), kind="stable")
    scores = normal_scores(side.values)[:, order] * np.where(turned[order], -1.0, 1.0)
    sizes = np.sort(np.abs(scores), 0)
    return np.asarray(scores / np.sqrt((sizes**2).mean(0)))
