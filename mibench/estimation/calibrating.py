"""The panel on data of known mutual information that look like the sample, and what follows for the number."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mibench.estimation.crossfitting import hash_of
from mibench.estimation.judging import Judged, judged
from mibench.estimation.matched import FAMILIES, Family, Likeness, likeness
from mibench.estimation.neighbours import neighbours
from mibench.estimation.outcome import Calibrated
from mibench.estimation.panel import STEPS, critics_of
from mibench.estimation.sample import Sample
from mibench.estimation.seen import Seen, seen_of

Progress = Callable[[float, str], None]

_LEAST_STEP = 0.2  # nats between matched samples


def _known_samples(value: float) -> list[tuple[Family, float]]:
    """Families and mutual informations of the matched samples: a curve of the Gaussian one, the others at the value."""
    around = max(value / 2, _LEAST_STEP)
    levels = [*([value - around] if value > around else []), value, value + around]
    return [("gaussian", mi) for mi in levels] + [(family, value) for family in FAMILIES if family != "gaussian"]


def calibrate(
    sample: Sample, found: Judged, like: Likeness, seed: int, progress: Progress
) -> tuple[list[Calibrated], Seen]:
    """The panel on matched samples of known mutual information, at the value that was found and around it.

    Returns
    -------
    tuple
        What it gives on each, and all that it saw on the Gaussian one at the value.
    """
    asked = _known_samples(found.value)
    random = [np.random.default_rng([seed, 3, at]) for at in range(len(asked))]
    sides = [like.draw(family, mi, one) for (family, mi), one in zip(asked, random, strict=True)]
    critics = critics_of(
        sides,
        sample.fold,
        sample.order,
        [hash_of(seed, 1 + at) for at in range(len(asked))],
        steps=STEPS,
        progress=lambda share: progress(0.6 + 0.3 * share, "measuring the panel on data of known information"),
    )
    known, seen = [], []
    for (family, truth), side, one, generator in zip(asked, sides, critics, random, strict=True):
        own_like = likeness(*side, one.full.rho)
        seen.append(seen_of(sample, side, one, neighbours(*side, own_like, generator), own_like))
        own = judged(seen[-1], gaussian=found.source == "copula", source=found.source)
        known.append(Calibrated(family, truth, own.value, own.low, own.high))
    progress(0.97, "")
    return known, seen[asked.index(("gaussian", found.value))]


def corrected(found: Judged, known: Sequence[Calibrated]) -> tuple[float, float]:
    """Widen the interval by what the panel misses on the family that explains the sample, where one does."""
    low, high = found.low, found.high
    for one in known:
        if one.family == "gaussian" and one.truth == found.value and found.gaussian:
            low, high = (
                min(low, found.value - (one.value - one.truth)),
                max(high, found.value + (one.truth - one.value)),
            )
    return max(low, min(found.floor, found.value)), high


def missed(found: Judged, known: Sequence[Calibrated]) -> float:
    """How far off the panel is on matched Gaussian data at the value, or short of the truth where there is more."""
    own = [one for one in known if one.family == "gaussian" and one.truth >= found.value]
    return max(
        (abs(one.value - one.truth) if one.truth == found.value else one.truth - one.value for one in own), default=0.0
    )
