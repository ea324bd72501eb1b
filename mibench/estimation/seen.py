"""What the panel saw on one sample of two continuous sides: the values that a number is judged from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.estimation.checks import GROWTH
from mibench.estimation.copula import copula_error, copula_value
from mibench.estimation.matched import Likeness, scaled
from mibench.estimation.members import standard_error
from mibench.estimation.neighbours import Neighbours
from mibench.estimation.panel import Critics
from mibench.estimation.sample import Sample

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """The panel's values on one sample.

    Parameters
    ----------
    critics, neighbours
        As they are.
    copula, copula_se
        The Gaussian copula's value, nan where there are too few rows, and its standard error.
    rows, columns
        Of the sample, both sides' columns together.
    se
        Standard error of the critics' bound, over rows or over blocks.
    """

    critics: Critics
    neighbours: Neighbours
    copula: float
    copula_se: float
    rows: int
    columns: int
    se: float

    @property
    def reach(self) -> float:
        """Where the critics' bound would come with many more rows, nats."""
        return self.critics.full.lower + GROWTH * self.critics.gap

    @property
    def level_se(self) -> float:
        """Standard error of the neighbours' level, nats."""
        return self.neighbours.se / max(self.neighbours.slope, 0.05)


def seen_of(sample: Sample, sides: tuple[Array, Array], critics: Critics, near: Neighbours, like: Likeness) -> Seen:
    """Put together what the panel gives on one sample of the rows' sizes: the user's, or a matched one."""
    n, (d_x, d_y) = len(sample), (side.shape[1] for side in sides)
    copula = copula_value(*sides)
    rho = scaled(like.rho, copula if copula > 0 else 0.0)
    alone, se = (standard_error(critics.full.influence, units) for units in (None, sample.blocks))
    wider = max(1.0, se / alone) if alone > 0 else 1.0  # rows of one block say less than as many others
    return Seen(critics, near, copula, wider * copula_error(rho, n, d_x, d_y), n, d_x + d_y, se)
