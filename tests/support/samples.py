"""Samples of two variables as users hold them, and what is compared of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibench.estimation.columns import Column
from mibench.estimation.sides import Side, side_of


def numbers(n: int = 60, d: int = 2, seed: int = 0) -> NDArray[np.float64]:
    """Independent normals, (n, d)."""
    return np.random.default_rng(seed).standard_normal((n, d))


def continuous(name: str, values: NDArray[Any]) -> Side:
    """A side of numbers, (n, d)."""
    columns = [Column(str(at), np.asarray(column, np.float64)) for at, column in enumerate(values.T)]
    return side_of(name, columns, "continuous")[0]


def label(name: str, values: NDArray[Any]) -> Side:
    """A side of one label a row, (n,)."""
    return side_of(name, [Column(name, np.asarray(values, np.float64))], "label")[0]
