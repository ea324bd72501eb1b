"""From the panel's values to one value with an interval: the rule for two continuous sides.

Notable: the thresholds were measured on the half of the test bed that was looked at (benchmarks/estimation); what they
come to on the other half is in docs/estimating.md.

The rule, whose first line that applies is taken:

1. Where neighbours answer to the mutual information well, their level on matched data; their own value where that is
   higher and the network finds more than a Gaussian.
2. Where a Gaussian copula explains what was seen, its value. It does where the network finds nothing beyond it,
   neighbours agree with it, and critics give on Gaussian data of that mutual information what they give here.
3. Else the neighbours' level, where they answer at all, and where not the critics' bound with what doubling the rows
   gained once more.

Where that bound lies above the level, the value is the middle between the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from mibench.estimation.checks import GROWTH
from mibench.estimation.seen import Seen

Source = Literal["neighbours", "copula", "critics"]

SLOPE = 0.5
"""Nats that neighbours answer with to a nat from which on their level is taken first."""

LEAST_ROWS_PER_COLUMN = 3
_Z = 1.96
_Z_ONE_SIDED = 1.645
_NETWORK_Z = 3.0


def tolerance(value: float) -> float:
    """How far off a useful answer may be, nats: a fifth, and at least 0.2."""
    return max(0.2, 0.2 * value)


@dataclass(frozen=True)
class Judged:
    """The value. All in nats.

    Parameters
    ----------
    value, low, high
        With its interval, 95 %.
    limit
        One-sided lower limit, 95 %.
    floor
        The same, 97.5 %, and at least 0: the interval does not begin below it.
    source
        ``"neighbours"``, ``"copula"`` or ``"critics"``: which member the value follows.
    gaussian
        Whether a Gaussian copula explains what was seen.
    """

    value: float
    low: float
    high: float
    limit: float
    floor: float
    source: Source
    gaussian: bool


RULES: dict[Source, str] = {
    "neighbours": "the level at which nearest neighbours give on matched data what they give here, since they answer "
    "well to mutual information in so few columns",
    "copula": "the Gaussian copula's value, since neither the critics nor the neighbours see more than it",
    "critics": "the neighbours' level, where they answer at all, against the critics' bound with one more doubling's "
    "gain, since no family explains what was seen",
}


def may_be_gaussian(seen: Seen) -> bool:
    """Whether neither network nor neighbours speak against a Gaussian copula."""
    near, few = seen.neighbours, seen.rows < LEAST_ROWS_PER_COLUMN * seen.columns
    if not math.isfinite(seen.copula) or few or seen.critics.full.gain_z > _NETWORK_Z:
        return False
    if not math.isfinite(near.level):
        return True
    return abs(near.level - seen.copula) <= max(
        0.05 + 0.05 * seen.copula, 3 * math.hypot(seen.level_se, seen.copula_se)
    )


def reached(seen: Seen) -> bool:
    """Whether the critics come near the Gaussian copula's value, or would with more rows."""
    lacking = seen.copula - seen.critics.full.left_out
    return lacking <= GROWTH * seen.critics.gap + 2 * seen.se + 0.05


def explained(seen: Seen, matched: Seen) -> bool:
    """Whether critics give on Gaussian data at the value what they give here, to within their errors."""
    apart = seen.critics.full.lower - matched.critics.full.lower
    return abs(apart) <= 3 * math.hypot(seen.se, matched.se) + 0.05 + 0.05 * max(seen.copula, 0.0)


def judged(seen: Seen, *, gaussian: bool, source: Source | None = None) -> Judged:
    """Find the value and its interval.

    Parameters
    ----------
    seen
        The panel's values.
    gaussian
        Whether a Gaussian copula is taken to explain them.
    source
        The line of the rule that is taken; None takes the first that applies. Where a line does not apply, as on a
        matched sample on which neighbours answer less, its value is that of the next that does.
    """
    near, full, gap = seen.neighbours, seen.critics.full, seen.critics.gap
    gaussian = gaussian and math.isfinite(seen.copula)
    limit = full.lower - _Z_ONE_SIDED * seen.se
    answers = math.isfinite(near.level)
    once_more = full.lower + gap
    well = near.slope >= SLOPE if source is None else source == "neighbours"
    # A bound that lies above the level says that the level is too low; the two err in opposite directions there.
    level = near.level if near.level >= once_more else (near.level + once_more) / 2
    if answers and well:
        beyond = full.gain_z > _NETWORK_Z  # then matched Gaussian data are not like these, and the level may be too low
        source, value, se = "neighbours", max(level, near.value) if beyond else level, seen.level_se
    elif gaussian and (source is None or source == "copula"):
        source, value, se = "copula", max(seen.copula, 0.0), seen.copula_se
    else:
        source, value = "critics", level if answers else once_more
        se = math.hypot(seen.se, seen.level_se if answers else 0.0)
    ends = [value, *([near.level] if answers and source != "copula" else [])]
    if source != "copula":
        ends += [once_more, min(seen.reach, full.left_out + gap)]
    value = max(value, 0.0)
    margin = _Z * max(se, seen.se) + 0.05 + 0.05 * value
    floor = max(0.0, full.lower - _Z * seen.se)  # below it there is nothing to expect, whatever the members say
    low = min(max(floor, min(ends) - margin), value)
    return Judged(value, low, max(*ends, value) + margin, limit, floor, source, gaussian)
