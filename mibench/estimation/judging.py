"""From the panel's values to one value with an interval: the rule for two continuous sides.

Notable: the thresholds were measured on the half of the test bed that was looked at (benchmarks/estimation); what they
come to on the other half is in docs/estimating.md.

The rule, whose first line that applies is taken:

1. Where neighbours answer to the mutual information well, their level on matched data.
2. Where a Gaussian copula explains what was seen (the network finds nothing beyond it, and neighbours agree with
   it), the Gaussian copula's value.
3. Else the neighbours' level, where they answer at all, and where not the critics' bound with what doubling the rows
   gained once more.

Where that bound lies above the level, the value is the middle between the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from mibench.estimation.checks import GROWTH
from mibench.estimation.neighbours import Neighbours
from mibench.estimation.panel import Critics

Source = Literal["neighbours", "copula", "critics"]

SLOPE = 0.5
"""Nats that neighbours answer with to a nat from which on their level is taken first."""

LEAST_ROWS_PER_COLUMN = 5
_Z = 1.96
_Z_ONE_SIDED = 1.645
_NETWORK_Z = 3.0


def tolerance(value: float) -> float:
    """How far off a useful answer may be, nats: a fifth, and at least 0.2."""
    return max(0.2, 0.2 * value)


@dataclass(frozen=True)
class Seen:
    """The panel's values on one sample.

    Parameters
    ----------
    critics, neighbours
        As they are.
    copula
        The Gaussian copula's value; nan where there are too few rows.
    rows, columns
        Of the sample, both sides' columns together.
    se
        Standard error of the critics' bound, over rows or over blocks.
    """

    critics: Critics
    neighbours: Neighbours
    copula: float
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


def is_gaussian(seen: Seen) -> bool:
    """Whether a Gaussian copula explains what was seen."""
    near, full = seen.neighbours, seen.critics.full
    if not math.isfinite(seen.copula) or seen.rows < LEAST_ROWS_PER_COLUMN * seen.columns or full.gain_z > _NETWORK_Z:
        return False
    if seen.copula - full.left_out > GROWTH * seen.critics.gap + 2 * seen.se + 0.05:
        return False
    if not math.isfinite(near.level):
        return True
    return abs(near.level - seen.copula) <= max(0.05 + 0.05 * seen.copula, 3 * math.hypot(seen.level_se, seen.se))


def judged(seen: Seen, *, source: Source | None = None) -> Judged:
    """Find the value and its interval.

    Parameters
    ----------
    seen
        The panel's values.
    source
        The line of the rule that is taken; None takes the first that applies. Where a line does not apply, as on a
        matched sample on which neighbours answer less, its value is that of the next that does.
    """
    near, full, gap = seen.neighbours, seen.critics.full, seen.critics.gap
    gaussian = is_gaussian(seen) if source is None else source == "copula" and math.isfinite(seen.copula)
    limit = full.lower - _Z_ONE_SIDED * seen.se
    answers = math.isfinite(near.level)
    once_more = full.lower + gap
    well = near.slope >= SLOPE if source is None else source == "neighbours"
    # A bound that lies above the level says that the level is too low; the two err in opposite directions there.
    level = near.level if near.level >= once_more else (near.level + once_more) / 2
    if answers and well:
        source, value, se = "neighbours", level, seen.level_se
    elif gaussian:
        source, value, se = "copula", max(seen.copula, 0.0), seen.se
    else:
        source, value = "critics", level if answers else once_more
        se = math.hypot(seen.se, seen.level_se if answers else 0.0)
    ends = [value, *([near.level] if answers and source != "copula" else [])]
    if source != "copula":
        ends += [once_more, min(seen.reach, full.left_out + gap)]
    value = max(value, 0.0)
    margin = _Z * max(se, seen.se) + 0.03 + 0.03 * value
    floor = max(0.0, full.lower - _Z * seen.se)  # below it there is nothing to expect, whatever the members say
    low = min(max(floor, min(ends) - margin), value)
    return Judged(value, low, max(*ends, value) + margin, limit, floor, source, gaussian)
