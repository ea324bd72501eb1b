"""A data set of known mutual information: what it is, which half it belongs to, and how it is drawn.

The halves: a data set is SEEN where the first byte of its name's SHA-256 is even. Thresholds and rules are chosen on
seen ones alone, and judged on the others. The name also gives the seed, so that no seed is ever chosen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

Sample = tuple[NDArray[Any], NDArray[Any]]
Draw = Callable[[int, int], Sample]
"""From a number of rows and a seed to x and y; labels are whole numbers, (n,)."""


def half_of(name: str) -> str:
    """``seen`` or ``unseen``, by the parity of the first byte of the name's SHA-256."""
    return "seen" if hashlib.sha256(name.encode()).digest()[0] % 2 == 0 else "unseen"


def seed_of(name: str) -> int:
    """Return the seed of a data set: the next four bytes of the same hash."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[1:5], "big")


@dataclass(frozen=True)
class Law:
    """A distribution of known mutual information.

    Parameters
    ----------
    family
        As tables call it: ``"student"``.
    parameters
        What tells it from others of its family: ``"2+2, 3 dof, 1 nat"``.
    truth
        Its mutual information, nats, and the standard error of that where it was simulated.
    draw
        See `Draw`.
    """

    family: str
    parameters: str
    truth: float
    draw: Draw = field(repr=False)
    truth_se: float = 0.0


@dataclass(frozen=True)
class DataSet:
    """One sample of a law.

    Parameters
    ----------
    series
        Which part of the test bed it belongs to: ``"grid"``, ``"null"``, ``"copies"``, ``"serial"``, ``"blocks"``.
    number
        Of the draw, where there are several.
    options
        Keyword arguments that go to the estimate.
    """

    law: Law
    n: int
    series: str = "grid"
    number: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What results are stored by."""
        return f"{self.series}: {self.law.family} ({self.law.parameters}), n = {self.n}, draw {self.number}"

    @property
    def half(self) -> str:
        """See `half_of`."""
        return half_of(self.name)

    @property
    def seed(self) -> int:
        """See `seed_of`."""
        return seed_of(self.name)

    def sample(self) -> Sample:
        """Draw it."""
        return self.law.draw(self.n, self.seed)

    def facts(self) -> dict[str, Any]:
        """Return what a row of results says of it."""
        return {
            "name": self.name,
            "series": self.series,
            "half": self.half,
            "family": self.law.family,
            "parameters": self.law.parameters,
            "n": self.n,
            "seed": self.seed,
            "truth": self.law.truth,
            "truth_se": self.law.truth_se,
        }
