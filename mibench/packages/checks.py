"""What is asked of a package: small samples of known mutual information, and the same again in other units or orders.

Notable: this runs in the packages' environments by its path, on the standard library and numpy alone, and for mibench's
own estimators as a module. The numbers come from `numpy.random.RandomState`, which are promised to stay what they are.
"""

from __future__ import annotations

import dataclasses
import math
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Estimate = Callable[[Array, Array], float]

PAIRS = 1000
MANY = 10_000
"""Pairs of the sample that is timed."""

TIME, COLUMNS = "seconds for 10,000 pairs", "10 columns a side"
"""Names of checks that not every package is asked, or not with the others."""

SMALL = 0.02
"""Nats that a value may move by where nothing should move it."""

NEAR = 0.1
"""Nats that a value may miss the truth by where the sample is easy: its own error is 0.03 at most."""

WIDE = 0.5
"""The same of ten columns a side, where the mean log ratio of the pairs themselves has a standard error of 0.1."""


@dataclasses.dataclass(frozen=True)
class Found:
    """What one check found.

    Parameters
    ----------
    check
        Its name; `CHECKS` says what each asks.
    value
        What the package answered, in nats, or seconds of the check of time; NaN where it answered with an error.
    reference
        What it is compared with: the truth, or the value of the sample as it was.
    holds
        ``yes``, ``no``, ``refuses`` where it raised an error, or empty where nothing is judged.
    said
        The error, in a line.
    """

    check: str
    value: float
    reference: float
    holds: str
    said: str = ""


def normal_pairs(correlation: float, n: int, columns: int = 1, seed: int = 0) -> tuple[Array, Array]:
    """Pairs of normals, (n, columns) each, column by column of one correlation."""
    x, noise = np.random.RandomState(seed).standard_normal((2, n, columns))
    return x, correlation * x + math.sqrt(1 - correlation**2) * noise


def truth(correlation: float, columns: int = 1) -> float:
    """Mutual information of such pairs, nats."""
    return -columns * math.log1p(-(correlation**2)) / 2


def findings(estimate: Estimate, *, one_column: bool, factor: float) -> Iterator[Found]:
    """Yield what each check of `CHECKS` finds but the one of time, in their order.

    Parameters
    ----------
    estimate
        Takes x and y, (n, dim_x) and (n, dim_y), and returns a value in the package's unit.
    one_column
        Whether the package takes one column a side alone.
    factor
        The package's unit in nats.
    """
    asked = _Asked(estimate, factor)
    for correlation in (0.0, 0.6, 0.95):
        yield asked.near(f"correlation {correlation:g}", *normal_pairs(correlation, PAIRS), truth(correlation))
    if not one_column:
        yield asked.near(COLUMNS, *normal_pairs(0.9, PAIRS, 10), truth(0.9, 10), WIDE)
    x, y = normal_pairs(0.6, PAIRS)
    base = asked.value(x, y)
    if isinstance(base, str):  # there is nothing to compare with
        return
    yield asked.same("scale", x, 1e6 * y, base)
    yield asked.same("shift", x, y + 1e6, base)
    yield asked.same("symmetry", y, x, base)
    yield asked.same("order of rows", x[::-1].copy(), y[::-1].copy(), base)
    yield asked.same("float32", x.astype(np.float32), y.astype(np.float32), base)
    yield asked.same("one decimal", x.round(1), y.round(1), base, NEAR)
    half_x, half_y = normal_pairs(0.0, PAIRS // 2)
    yield asked.near("rows given twice", np.repeat(half_x, 2, 0), np.repeat(half_y, 2, 0), 0.0)
    labels = np.random.RandomState(1).randint(0, 10, (PAIRS, 1)).astype(float)
    yield asked.near("copy of ten labels", labels, labels.copy(), math.log(10))
    noise = np.random.RandomState(2).standard_normal((PAIRS, 1))
    yield asked.near("labels and numbers", labels, 20 * labels + noise, math.log(10))
    yield asked.near("constant y", x, np.ones_like(y), 0.0)
    missing = y.copy()
    missing[0] = np.nan
    yield asked.refusal("NaN", x, missing)
    yield asked.same("same again", x, y, base, 0.0)
    yield asked.indifferent("global seed", x, y)


def seconds_of(estimate: Estimate) -> Found:
    """Time one value of many pairs, of one column a side: the process's own time, whatever else the machine does."""
    sample = normal_pairs(0.6, MANY)
    estimate(*normal_pairs(0.6, PAIRS))  # what is imported, or compiled, at a first call is no part of it
    started = time.process_time()
    estimate(*sample)
    return Found(TIME, time.process_time() - started, math.nan, "")


CHECKS = {
    "correlation 0": "a normal pair, independent, within 0.1 nats of 0",
    "correlation 0.6": "a normal pair, within 0.1 nats of 0.223",
    "correlation 0.95": "a normal pair, within 0.1 nats of 1.164",
    COLUMNS: "ten normal pairs of correlation 0.9, within 0.5 nats of 8.304",
    "scale": "y x 1e6 moves nothing by 0.02 nats",
    "shift": "y + 1e6 moves nothing by 0.02 nats",
    "symmetry": "x and y exchanged move nothing by 0.02 nats",
    "order of rows": "rows in reverse move nothing by 0.02 nats",
    "float32": "numbers in float32 move nothing by 0.02 nats",
    "one decimal": "numbers rounded to one decimal move it by less than 0.1 nats",
    "rows given twice": "500 independent pairs, each given twice, within 0.1 nats of 0",
    "copy of ten labels": "x = y, ten labels, within 0.1 nats of 2.303",
    "labels and numbers": "ten labels and normals far apart around them, within 0.1 nats of 2.303",
    "constant y": "a constant y, within 0.1 nats of 0",
    "NaN": "a NaN among the numbers is refused, or said by the value NaN",
    "same again": "the same sample has the same value to the last bit",
    "global seed": "numpy's global seed moves nothing, and is not moved",
    TIME: "how much processor time a value takes",
}
"""What holds where a check says yes, by its name."""


class _Asked:
    """A package, and how its values are taken: in nats, errors as text."""

    def __init__(self, estimate: Estimate, factor: float) -> None:
        self._estimate, self._factor = estimate, factor

    def value(self, x: NDArray[Any], y: NDArray[Any]) -> float | str:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self._factor * float(self._estimate(x, y))
        except Exception as error:
            said = " ".join(str(error).split())
            return f"{type(error).__name__}: {said}"[:200]

    def near(self, check: str, x: Array, y: Array, expected: float, within: float = NEAR) -> Found:
        return self._compared(check, x, y, expected, within)

    def same(self, check: str, x: NDArray[Any], y: NDArray[Any], base: float, within: float = SMALL) -> Found:
        return self._compared(check, x, y, base, within)

    def _compared(self, check: str, x: NDArray[Any], y: NDArray[Any], reference: float, within: float) -> Found:
        value = self.value(x, y)
        if isinstance(value, str):
            return Found(check, math.nan, reference, "refuses", value)
        return Found(check, value, reference, "yes" if abs(value - reference) <= within else "no")

    def refusal(self, check: str, x: Array, y: Array) -> Found:
        value = self.value(x, y)
        if isinstance(value, str):
            return Found(check, math.nan, math.nan, "yes", value)
        return Found(check, value, math.nan, "yes" if math.isnan(value) else "no")

    def indifferent(self, check: str, x: Array, y: Array) -> Found:
        """Whether the value is the same after two seeds, and random numbers afterwards are as without the call."""
        values: list[float | str] = []
        moved = False
        for seed in (0, 1):
            np.random.seed(seed)
            values.append(self.value(x, y))
            moved = moved or np.random.random_sample() != np.random.RandomState(seed).random_sample()
        first, second = (math.nan if isinstance(value, str) else value for value in values)
        return Found(check, second, first, "yes" if first == second and not moved else "no")
