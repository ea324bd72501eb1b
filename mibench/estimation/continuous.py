"""Two continuous sides: the panel, the value, the checks, and the same on data of known mutual information."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.estimation.calibrating import calibrate, corrected, missed
from mibench.estimation.checks import Check, below, in_series, rising, rows_needed, wide
from mibench.estimation.copula import copula_null
from mibench.estimation.crossfitting import hash_of
from mibench.estimation.judging import (
    RULES,
    Judged,
    explained,
    judged,
    may_be_gaussian,
    reached,
    tolerance,
)
from mibench.estimation.matched import Likeness, likeness
from mibench.estimation.members import Member
from mibench.estimation.neighbours import K, neighbours
from mibench.estimation.null import permuted
from mibench.estimation.outcome import Calibrated, Outcome, Point
from mibench.estimation.pairs import Pair
from mibench.estimation.panel import QUICK_STEPS, STEPS, Beside, beside, critics_of
from mibench.estimation.permuted import p_value
from mibench.estimation.sample import Sample, sample_of
from mibench.estimation.seen import Seen, seen_of

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Progress = Callable[[float, str], None]

_Z = 1.96
_ROOT_2 = math.sqrt(2)
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
    time_order = sample.time if sample.blocks is not None else None
    progress(0.55 if not quick else 0.9, "permuting pairs")
    null, probability = _independence(sample, seen, seed, time_order)
    found, known = _judge(sample, seen, like, seed, quick, progress)
    low, high = corrected(found, known)
    members = _members(seen, second, seconds, len(sample))
    return Outcome(
        value=found.value,
        low=low,
        high=high,
        limit=found.limit,
        rule=f"The value is {RULES[found.source]}.",
        members=_with_parts(members, found),
        checks=_checks(pair, sample, seen, found, low, high, known),
        null=null,
        p_value=probability,
        used=len(sample),
        growth=_growth(seen, second, len(sample)),
        calibration=known,
    )


def _independence(sample: Sample, seen: Seen, seed: int, time_order: Rows | None) -> tuple[dict[str, Array], float]:
    """What permuted pairs give to the critic and to the Gaussian copula, and the p-value of both tests together."""
    changes = permuted(seen.critics.full.scores, np.random.default_rng([seed, 2]), time_order)
    null = {"InfoNCE critic": seen.critics.full.lower + changes}
    p_values = [p_value(0.0, changes)]
    if math.isfinite(seen.copula):
        own, others = copula_null(sample.u, sample.v, np.random.default_rng([seed, 4]), time_order)
        null["Gaussian copula"] = others - (own - seen.copula)
        p_values.append(p_value(own, others))
    return null, min(1.0, len(p_values) * min(p_values))


def _judge(
    sample: Sample, seen: Seen, like: Likeness, seed: int, quick: bool, progress: Progress
) -> tuple[Judged, list[Calibrated]]:
    """Find the value, with the panel on data of known information beside: what it gives there is a part of the rule."""
    gaussian = may_be_gaussian(seen)
    if quick:
        return judged(seen, gaussian=gaussian and reached(seen)), []
    found = judged(seen, gaussian=gaussian)
    known, matched = calibrate(sample, found, like, seed, progress)
    if gaussian and not explained(seen, matched):
        other = judged(seen, gaussian=False)
        if other.source != found.source:
            known, _ = calibrate(sample, other, like, seed, progress)
        found = other
    return found, known


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
    seen = seen_of(sample, sides, critics, near, like)
    return seen, like, _Seconds(trained - began, measured - trained, time.perf_counter() - measured)


def _still_rising(found: Judged, gap: float, lower: float) -> float:
    """What doubling the rows gained, as far as the value rests on it: of neighbours' value what would exceed it."""
    if found.gaussian:
        return 0.0
    return gap if found.source == "critics" else min(gap, max(0.0, lower + gap - found.value))


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
                "Gaussian copula", "plug-in", seen.copula, seen.copula_se,
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
    rests = free and found.source == "critics"
    allowed, short = tolerance(found.value), missed(found, known)
    more = rows_needed(n, gap, allowed)
    apart = (near.level if math.isfinite(near.level) else 0.0) - min(seen.reach, full.left_out + gap)
    most = min(full.ceiling, math.log(n / K))
    return [
        in_series(pair.report.serial.found and pair.blocks is None, pair.report.serial.correlation),
        below(
            "ceiling", found.value if free else 0.0, most - 1,
            f"The value does not rest on what {n:,} rows can tell at most.",
            f"With {n:,} rows no estimator here can tell much above {most:.1f} nats, and the truth may be far above.",
            "More rows; each nat takes 2.7 times as many.",
        ),
        rising(_still_rising(found, gap, full.lower), allowed, more),
        below(
            "over-fitted", full.train - full.lower if rests else 0.0, 1.5 * allowed,
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
            "miscalibrated", short, allowed,
            f"On matched Gaussian data of as much or more mutual information the panel misses {short:.2f} nats.",
            advice=f"{more} Or fewer columns.",
        ),
        wide(low, high, allowed, more),
    ]  # fmt: skip
