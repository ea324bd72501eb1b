"""The panel for two continuous sides: every member on one sample, and what the members' values are judged by.

Notable: the user's sample and those of known mutual information that are made to look like it go through the same
function, so that what is found wrong with the panel there is wrong with it here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.estimation.crossfitting import PARTS, Progress, Reading, Rows, Task, cross_fit, cuts_of, hash_of
from mibench.estimators.canonical_correlation import GaussianCopula

Array = NDArray[np.float64]

OBJECTIVES = ("infonce", "js")


@dataclass(frozen=True)
class Critics:
    """Readings of the trained critics of a sample.

    Parameters
    ----------
    full, half, quarter
        InfoNCE with all training rows, half and a quarter of them.
    js
        The Jensen-Shannon critics with all training rows.
    """

    full: Reading
    half: Reading
    quarter: Reading
    js: Reading

    @property
    def gap(self) -> float:
        """What doubling the training rows gained, nats, at least 0."""
        return max(0.0, self.full.lower - self.half.lower)


def critics_of(
    samples: Sequence[tuple[Array, Array]],
    fold: Rows,
    order: Rows,
    names: Sequence[int],
    *,
    steps: int,
    progress: Progress | None = None,
) -> list[Critics]:
    """Train and read critics on samples of one size, all in one pack.

    Parameters
    ----------
    samples
        Scores of each, (n, d_x) and (n, d_y).
    fold, order
        Of the rows, as `mibench.estimation.crossfitting.cuts_of` takes them.
    names
        What the random numbers of each depend on.
    """
    tasks = [
        Task(u, v, cuts_of(fold, order, share), hash_of(name, 0))
        for (u, v), name in zip(samples, names, strict=True)
        for share in PARTS
    ]
    whole = tasks[:: len(PARTS)]
    infonce = cross_fit(tasks, OBJECTIVES[:1], steps=steps, progress=progress)[0]
    js = cross_fit(whole, OBJECTIVES[1:], steps=steps)[0]
    parts = len(PARTS)
    readings = [infonce[s * parts : (s + 1) * parts] for s in range(len(samples))]
    return [Critics(full, half, quarter, js[s]) for s, (full, half, quarter) in enumerate(readings)]


def copula_value(u: Array, v: Array) -> float:
    """Mutual information of the Gaussian copula, corrected; nan where there are too few rows for the columns."""
    estimator = GaussianCopula()
    if len(u) < estimator.smallest_sample(u.shape[1], v.shape[1]):
        return math.nan
    return estimator.of_arrays(u, v)
