"""Information about the component of a mixture of normal distributions, by quadrature.

Notable: with a component C and what is independent given it left aside, information is made of what points say about
C: ``I(X; Y) = I(X; Y | C) + I(C; X) + I(C; Y) - I(C; X, Y)``. The first term has a closed form and all others are at
most ``H(C)``, so that no digit is lost where information is large and densities are narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Array = NDArray[np.float64]

_REACH = 9.0  # standard deviations, beyond which a normal variable lies once in 10^18 draws
_STEP = 1 / 24
"""Of the grid: halving it moves information by less than 1e-10 nats."""


def label_information(weights: Array, *axes: tuple[Array, Array]) -> float:
    """``I(C; Z)``: what a point says about the component that it is from, nats.

    ``sum_c w_c E_c[-ln sum_j w_j p_j(z) / p_c(z)]``, by the trapezoid rule around each component in turn.

    Parameters
    ----------
    weights
        Probabilities of the K components, shape (K,), of sum 1.
    axes
        Means and standard deviations of the components along one or two axes, (K,) each. Along them coordinates are
        independent, given the component.
    """
    total = 0.0
    for c, weight in enumerate(weights):
        first, first_mass = _densities(*axes[0], c)
        second, second_mass = _densities(*axes[1], c) if len(axes) > 1 else (np.ones((len(weights), 1)), np.ones(1))
        mixture = (weights[:, None] * first).T @ second  # (n, m)
        total -= float(weight * (first_mass @ np.log(mixture) @ second_mass))
    return total


def _densities(means: Array, scales: Array, c: int) -> tuple[Array, Array]:
    """Densities of all components over that of component c, (K, n), at points of probabilities (n,) under it."""
    # Dense at the centre, where a narrower component may lie, by the width of the narrowest.
    narrow = min(float(scales.min() / scales[c]), 1.0)
    steps = math.ceil(math.asinh(_REACH / narrow) / _STEP)
    grid = _STEP * np.arange(-steps, steps + 1)
    z = narrow * np.sinh(grid)  # in standard deviations of c
    mass = narrow * np.cosh(grid) * _STEP * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    others = ((means[c] - means)[:, None] + scales[c] * z) / scales[:, None]
    return (scales[c] / scales)[:, None] * np.exp((z * z - others * others) / 2), mass


def solve_increasing(function: Callable[[float], float], value: float, high: float) -> float:
    """Return the argument between 0 and ``high`` at which a function that increases from 0 takes a value."""
    if value == 0:
        return 0.0
    return float(optimize.brentq(lambda t: function(t) - value if t else -value, 0.0, high, xtol=1e-13))
