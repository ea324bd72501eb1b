"""What the panel of one kind of data comes to, before it is put into the tables that a user sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mibench.estimation.checks import Check
from mibench.estimation.members import Member

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """The value on a part of the rows, nats."""

    rows: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Calibrated:
    """The panel on a sample of known mutual information, nats."""

    family: str
    truth: float
    value: float
    low: float
    high: float

    @property
    def covered(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.truth <= self.high


@dataclass(frozen=True)
class Outcome:
    """The panel's findings; fields as in `mibench.estimation.result.Estimate`.

    Parameters
    ----------
    members
        Each with what it is used for.
    null
        By member, what permutations give.
    """

    value: float
    low: float
    high: float
    limit: float
    rule: str
    members: Sequence[tuple[Member, str]]
    checks: Sequence[Check]
    null: dict[str, Array]
    p_value: float
    used: int
    growth: Sequence[Point] = ()
    calibration: Sequence[Calibrated] = field(default=())
