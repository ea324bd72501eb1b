"""Two continuous sides: the panel, the value, the checks, and the same on data of known mutual information."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.estimation.checks import Check, below, in_series, rising, rows_needed, wide
from mibench.estimation.crossfitting import hash_of
from mibench.estimation.judging import RULES, Judged, Seen, judged, tolerance
from mibench.estimation.matched import FAMILIES, Family, Likeness, likeness
from mibench.estimation.members import Member, standard_error
from mibench.estimation.neighbours import K, Neighbours, neighbours
from mibench.estimation.null import permuted
from mibench.estimation.outcome import Calibrated, Outcome, Point
from mibench.estimation.pairs import Pair
from mibench.estimation.panel import Beside, Critics, beside, copula_value, critics_of
from mibench.estimation.permuted import p_value
from mibench.estimation.sample import Sample, sample_of

Array = NDArray[np.float64]
Progress = Callable[[float, str], None]

STEPS, QUICK_STEPS = 1500, 400
_Z = 1.96
_ROOT_2 = math.sqrt(2)
_LEAST_STEP = 0.2  # nats between matched samples
_USER = 0  # what random numbers of the user's sample depend on; those of the families follow


def estimate_numbers(pair: Pair, *, seed: int, quick: bool, progress: Progress) -> Outcome:
    """Take the panel on two continuous sides."""
    sample = sample_of(pair, seed)
    random = np.random.default_rng([seed, 1])
    seen, like, seconds = _look(sample, (sample.u, sample.v), seed, quick, random, progress)
    began = time.perf_counter()
    second = beside(
        (sample.u, sample.v), sample.fold, sample.other_fold, sample.order, hash_of(seed, _USER), steps=_steps(quick)
    )
    seconds = dataclasses.replace(seconds, beside=(time.perf_counter() - began) / 2)
    # What the division into folds and the first weights do to the bound adds to its error.
    seen = dataclasses.replace(seen, se=math.hypot(seen.se, (seen.critics.full.lower - second.again.lower) / _ROOT_2))
    found = judged(seen)
    time_order = sample.time if sample.blocks is not None else None
    progress(0.55 if not quick else 0.9, "permuting pairs")
    changes = permuted(seen.critics.full.scores, np.random.default_rng([seed, 2]), time_order)
    probability = p_value(0.0, changes)
    known = [] if quick else _calibrate(sample, found, like, seed, progress)
    low, high = _corrected(found, known)
    members = _members(seen, second, seconds, len(sample))
    return Outcome(
        value=found.value,
        low=low,
        high=high,
        limit=found.limit,
        rule=f"The value is {RULES[found.source]}.",
        members=_with_parts(members, found),
        checks=_checks(pair, sample, seen, found, low, high, known),
        null={"InfoNCE critic": seen.critics.full.lower + changes},
        p_value=probability,
        used=len(sample),
        growth=_growth(seen, second, len(sample)),
        calibration=known,
    )


@dataclass(frozen=True)
class _Seconds:
    critics: float
    neighbours: float
    copula: float
    beside: float = 0.0


def _steps(quick: bool) -> int:
    return QUICK_STEPS if quick else STEPS


def _look(
    sample: Sample,
    sides: tuple[Array, Array],
    seed: int,
    quick: bool,
    random: np.random.Generator,
    progress: Progress,
) -> tuple[Seen, Likeness, _Seconds]:
    """Take the members that the value rests on."""
    until = 0.8 if quick else 0.4
    began = time.perf_counter()
    (critics,) = critics_of(
        [sides],
        sample.fold,
        sample.order,
        [hash_of(seed, _USER)],
        steps=_steps(quick),
        progress=lambda share: progress(until * share, "training critics"),
    )
    trained = time.perf_counter()
    like = likeness(*sides, critics.full.rho)
    progress(until, "measuring neighbours")
    near = neighbours(*sides, like, random)
    measured = time.perf_counter()
    copula = copula_value(*sides)
    seen = _seen(sample, critics, near, copula)
    return seen, like, _Seconds(trained - began, measured - trained, time.perf_counter() - measured)


def _seen(sample: Sample, critics: Critics, near: Neighbours, copula: float) -> Seen:
    columns = sample.u.shape[1] + sample.v.shape[1]
    return Seen(critics, near, copula, len(sample), columns, standard_error(critics.full.influence, sample.blocks))


def _known_samples(value: float) -> list[tuple[Family, float]]:
    """Families and mutual informations of the matched samples: a curve of the Gaussian one, the others at the value."""
    around = max(value / 2, _LEAST_STEP)
    levels = [*([value - around] if value > around else []), value, value + around]
    return [("gaussian", mi) for mi in levels] + [(family, value) for family in FAMILIES if family != "gaussian"]


def _calibrate(sample: Sample, found: Judged, like: Likeness, seed: int, progress: Progress) -> list[Calibrated]:
    """The panel on matched samples of known mutual information, at the value that was found and around it."""
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
    known = []
    for (family, truth), (u, v), one, generator in zip(asked, sides, critics, random, strict=True):
        near = neighbours(u, v, likeness(u, v, one.full.rho), generator)
        own = judged(_seen(sample, one, near, copula_value(u, v)), source=found.source)
        known.append(Calibrated(family, truth, own.value, own.low, own.high))
    progress(0.97, "")
    return known


def _corrected(found: Judged, known: Sequence[Calibrated]) -> tuple[float, float]:
    """Widen the interval by what the panel misses on the family that explains the sample, where one does."""
    low, high = found.low, found.high
    for one in known:
        if one.family == "gaussian" and one.truth == found.value and found.gaussian:
            low, high = (
                min(low, found.value - (one.value - one.truth)),
                max(high, found.value + (one.truth - one.value)),
            )
    return max(low, min(found.floor, found.value)), high


def _members(seen: Seen, second: Beside, seconds: _Seconds, n: int) -> list[Member]:
    full, js = seen.critics.full, second.js
    folds = "each of 5 folds by critics that were trained and stopped on the others"
    near = seen.neighbours
    members = [
        Member(
            "InfoNCE critic", "lower", full.lower, seen.se, folds, seconds.critics, full.ceiling, training=full.train,
        ),
        Member(
            "InfoNCE critic, positive left out", "plug-in", full.left_out, seen.se,
            "the same scores, the positive not among the candidates", 0.0,
        ),
        Member(
            "InfoNCE critic, other folds", "lower", second.again.lower, second.again.se,
            "the same in another division of the rows and from other first weights; what the two differ by is in the "
            "error of the first", seconds.beside, second.again.ceiling,
        ),
        Member("Jensen-Shannon critic", "plug-in", js.positives, js.positives_se, folds, seconds.beside),
        Member(
            "Gaussian density", "plug-in", full.base, seen.se,
            "the log ratio of a Gaussian with a ridge, fitted on the other folds", 0.0, full.ceiling,
        ),
        Member(
            "neighbours", "plug-in", near.value, near.se,
            f"{K} nearest neighbours on normal scores of all rows; the error from disjoint parts",
            seconds.neighbours, math.log(n) - math.log(K),
        ),
    ]  # fmt: skip
    if math.isfinite(near.level):
        members.append(
            Member(
                "neighbours' level", "plug-in", near.level, seen.level_se,
                "mutual information of matched Gaussian data on which neighbours give the same", 0.0,
            )
        )  # fmt: skip
    if math.isfinite(seen.copula):
        members.append(
            Member(
                "Gaussian copula", "plug-in", seen.copula, seen.se,
                "canonical correlations of normal scores, corrected; all rows", seconds.copula,
            )
        )  # fmt: skip
    return members


def _with_parts(members: Sequence[Member], found: Judged) -> list[tuple[Member, str]]:
    """What each member is used for."""
    values = {"neighbours": "neighbours' level", "copula": "Gaussian copula", "critics": "InfoNCE critic"}
    uses = {"InfoNCE critic": "limit", "InfoNCE critic, positive left out": "reach", values[found.source]: "value"}
    return [(member, uses.get(member.name, "check")) for member in members]


def _growth(seen: Seen, second: Beside, n: int) -> list[Point]:
    full = seen.critics.full
    return [
        Point(round(n * one.trained / full.trained), one.lower, one.lower - _Z * one.se, one.lower + _Z * one.se)
        for one in (second.quarter, seen.critics.half, full)
    ]


def _checks(
    pair: Pair,
    sample: Sample,
    seen: Seen,
    found: Judged,
    low: float,
    high: float,
    known: Sequence[Calibrated],
) -> list[Check]:
    """What may be wrong with the value, in the order in which it decides."""
    n, full, gap, near = len(sample), seen.critics.full, seen.critics.gap, seen.neighbours
    free = not found.gaussian  # where a Gaussian explains what was seen, the value does not rest on the critics
    allowed = tolerance(found.value)
    more = rows_needed(n, gap, allowed)
    apart = (near.level if math.isfinite(near.level) else 0.0) - min(seen.reach, full.left_out + gap)
    family = next((one for one in known if one.family == "gaussian" and one.truth == found.value), None)
    missed = abs(family.value - family.truth) if family and found.gaussian else 0.0
    most = min(full.ceiling, math.log(n / K))
    return [
        in_series(pair.report.serial.found and pair.blocks is None, pair.report.serial.correlation),
        below(
            "ceiling", found.value if free else 0.0, most - 1,
            f"The value does not rest on what {n:,} rows can tell at most.",
            f"With {n:,} rows no estimator here can tell much above {most:.1f} nats, and the truth may be far above.",
            "More rows; each nat takes 2.7 times as many.",
        ),
        rising(gap if free else 0.0, allowed, more),
        below(
            "over-fitted", full.train - full.lower if free else 0.0, 1.5 * allowed,
            f"Critics give {full.train:.2f} nats on pairs that they were trained on, {full.lower:.2f} on others.",
            advice=f"{more} Or fewer columns.",
        ),
        below(
            "disagreement", apart if free else 0.0, allowed + 2 * seen.se,
            f"Neighbours are as on data of {near.level:.2f} nats, and critics reach "
            f"{min(seen.reach, full.left_out + gap):.2f}."
            if math.isfinite(near.level)
            else "Neighbours do not answer to mutual information in so many columns.",
            advice="Another kind of estimator: the dependence is of a kind that critics do not find in so few rows.",
        ),
        below(
            "miscalibrated", missed, allowed,
            f"On matched Gaussian data of known mutual information the panel is off by {missed:.2f} nats.", advice=more,
        ),
        wide(low, high, allowed, more),
    ]  # fmt: skip
