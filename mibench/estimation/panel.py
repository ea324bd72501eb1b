"""The panel for two continuous sides: every member on one sample, and what the members' values are judged by.

Notable: the user's sample and those of known mutual information that are made to look like it go through the same
function, so that what is found wrong with the panel there is wrong with it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.estimation.crossfitting import Progress, Reading, Rows, Task, cross_fit, cuts_of, hash_of

Array = NDArray[np.float64]

STEPS, QUICK_STEPS = 1500, 400
"""Of training at most, and of a first look."""


@dataclass(frozen=True)
class Critics:
    """Readings of the trained critics of a sample.

    Parameters
    ----------
    full, half
        InfoNCE with all training rows and half of them.
    """

    full: Reading
    half: Reading

    @property
    def gap(self) -> float:
        """What doubling the training rows gained, nats, at least 0."""
        return max(0.0, self.full.lower - self.half.lower)


@dataclass(frozen=True)
class Beside:
    """Readings of what is trained on the user's sample alone: no value rests on it.

    Parameters
    ----------
    quarter
        InfoNCE with a quarter of the training rows.
    again
        InfoNCE with all of them, in other folds and from other first weights.
    js
        The Jensen-Shannon critics with all of them.
    """

    quarter: Reading
    again: Reading
    js: Reading


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
        for share in (1.0, 0.5)
    ]
    readings = cross_fit(tasks, "infonce", steps=steps, progress=progress)
    return [Critics(full, half) for full, half in zip(readings[::2], readings[1::2], strict=True)]


def beside(sample: tuple[Array, Array], fold: Rows, other_fold: Rows, order: Rows, name: int, *, steps: int) -> Beside:
    """Train and read what stands beside the value; parameters as in `critics_of`, with another division of the rows."""
    quarter, whole = (Task(*sample, cuts_of(fold, order, share), hash_of(name, 0)) for share in (0.25, 1.0))
    again = Task(*sample, cuts_of(other_fold, order, 1.0), hash_of(name, 1))
    (growth,) = cross_fit([quarter], "infonce", steps=steps)
    (other,) = cross_fit([again], "infonce", steps=steps)
    (js,) = cross_fit([whole], "js", steps=steps)
    return Beside(growth, other, js)
