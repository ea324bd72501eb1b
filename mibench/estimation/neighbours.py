"""Nearest neighbours on normal scores, and what they would have given on Gaussian data like the user's.

Notable: neighbours are right in few columns and far too low in many, and nothing in their spread says so. What they
give on matched Gaussian data of known mutual information does: the level at which they give what was seen is a second
opinion, and how much they still answer to it says what that is worth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.estimation.matched import Likeness
from mibench.estimators.nearest_neighbours import KSG

Array = NDArray[np.float64]

K = 3

MOST_MATCHED = 2_000
"""Rows of matched samples, whose distances are computed again and again."""

_NOISE = 1e-9
_PARTS = 8
_LEVELS = 7
_FIRST = 0.3  # nats at which it is seen whether neighbours answer to any
_FLAT = 0.12  # nats that neighbours answer with to a nat, below which their level says nothing


@dataclass(frozen=True)
class Neighbours:
    """The neighbours' value.

    Parameters
    ----------
    value, se
        Nats; the error is that of the mean of disjoint parts.
    level
        Mutual information of matched Gaussian data on which neighbours give the same, nats; inf where they answer too
        little to it.
    slope
        How much they answer with to a nat there.
    """

    value: float
    se: float
    level: float
    slope: float


def neighbour_value(u: Array, v: Array, random: np.random.Generator) -> float:
    """KSG, variant 1 with three neighbours, of scores (n, d_x) and (n, d_y), nats.

    Equal numbers are told apart by noise far below the distance of others, which leaves the mutual information as it
    is: rows that repeat by rounding are neighbours at distance 0, copies none (`mibench.estimation.copies`).
    """
    u, v = (side + _NOISE * random.random(side.shape) for side in (u, v))
    return KSG(k=K).of_arrays(u, v)


def neighbours(u: Array, v: Array, like: Likeness | None, random: np.random.Generator) -> Neighbours:
    """Take the neighbours' value, its error, and its level on matched Gaussian data (where ``like`` is given).

    Rows are in a random order.
    """
    n = len(u)
    value = neighbour_value(u, v, random)
    parts = min(_PARTS, n // 16)
    spread = [neighbour_value(u[k::parts], v[k::parts], random) for k in range(parts)]
    se = float(np.std(spread, ddof=1) / math.sqrt(parts))
    if like is None:
        return Neighbours(value, se, math.inf, 0.0)
    m = min(n, MOST_MATCHED)
    seen = (
        value
        if m == n
        else float(np.mean([neighbour_value(u[k : k + m], v[k : k + m], random) for k in range(0, n - m + 1, m)]))
    )
    level, slope = _level(seen, like, m, random)
    return Neighbours(value, se, level, slope)


def _level(seen: float, like: Likeness, m: int, random: np.random.Generator) -> tuple[float, float]:
    """The level of matched Gaussian data at which neighbours give ``seen``, and the slope there."""
    seeds = random.integers(0, 2**63, 2)

    def given(mi: float) -> float:
        values = []
        for seed in seeds:  # the same draws at every level, so that the curve is smooth
            draws = np.random.default_rng(int(seed))
            x, y = like.draw("gaussian", mi, draws)
            values.append(neighbour_value(x[:m], y[:m], draws))
        return float(np.mean(values))

    floor = given(0.0)
    if seen <= floor:
        slope = (given(_FIRST) - floor) / _FIRST
        return (0.0, slope) if slope >= _FLAT else (math.inf, slope)
    low, at_low, high = 0.0, floor, max(0.5, 2 * seen)
    at_high = given(high)
    while at_high < seen and high < 16:
        low, at_low, high = high, at_high, 2 * high
        at_high = given(high)
    if at_high < seen:
        return math.inf, 0.0
    for _ in range(_LEVELS):
        if high - low < 0.02 + 0.02 * low:
            break
        share = min(0.9, max(0.1, (seen - at_low) / max(at_high - at_low, 1e-9)))
        middle = low + share * (high - low)
        at_middle = given(middle)
        if at_middle < seen:
            low, at_low = middle, at_middle
        else:
            high, at_high = middle, at_middle
    level = low + (high - low) * (seen - at_low) / max(at_high - at_low, 1e-9)
    step = max(0.3, 0.1 * level)
    slope = (given(level + step) - given(max(0.0, level - step))) / (level + step - max(0.0, level - step))
    return (level, slope) if slope >= _FLAT else (math.inf, slope)
