"""What an estimate comes to: the number, its interval and verdict, and everything that it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mibench.estimation.notebook import html_block
from mibench.estimation.report import Report
from mibench.estimation.wording import MEMBER_COLUMNS, NUMBERS, limit_text, member_rows, value_text, verdict_text

if TYPE_CHECKING:
    import pandas as pd

WORDS = {
    "believable": "every check passed",
    "independent": "no dependence was found, and what could hide is small",
    "undetected": "no dependence was found, and much could hide",
    "ceiling": "the number is the estimator's limit, and not the data's",
    "rising": "the number still grows with the rows",
    "over-fitted": "the critic knows its training pairs, and not others",
    "disagreement": "members contradict one another",
    "miscalibrated": "on data of known mutual information that look like these the panel is wrong",
    "wide": "the interval is too wide to be of use",
    "series": "rows depend on each other",
}
"""The verdicts in one word each, and what they mean."""


@dataclass(frozen=True)
class Sizes:
    """How large a sample is.

    Parameters
    ----------
    rows
        Pairs that were kept.
    used
        Pairs that the panel took, at most `rows`.
    dim_x, dim_y
        Columns of each side that were used; of a label how many labels there are.
    kind_x, kind_y
        ``"continuous"`` or ``"label"``.
    """

    rows: int
    used: int
    dim_x: int
    dim_y: int
    kind_x: str
    kind_y: str

    @property
    def sentence(self) -> str:
        """Size and kinds: ``5,000 pairs, of which 4,000 were used; x: continuous, 3 columns; y: label, 4 labels``."""
        used = "" if self.used == self.rows else f", of which {self.used:,} were used"
        sides = (("x", self.kind_x, self.dim_x), ("y", self.kind_y, self.dim_y))
        return "; ".join([f"{self.rows:,} pairs{used}", *(f"{name}: {_side(kind, dim)}" for name, kind, dim in sides)])


def _side(kind: str, dim: int) -> str:
    what = "label" if kind == "label" else "column"
    return f"{kind}, {dim:,} {what}{'s' * (dim != 1)}"


@dataclass(frozen=True)
class Estimate:
    """Mutual information of a sample, with what it rests on. All values in nats.

    Parameters
    ----------
    value
        The mutual information, by the rule that `rule` states.
    low, high
        Its interval, 95 %.
    limit
        The one-sided lower limit, 95 %: stands whatever the verdict.
    word
        The verdict in one word, of `WORDS`.
    verdict
        The verdict in a sentence.
    believable
        Whether the number may be taken as the data's.
    advice
        What would help, a sentence; empty where nothing need.
    rule
        How the value was chosen, a sentence.
    members
        A row for each estimator of the panel: ``member``, ``kind`` (lower, upper, plug-in), ``value``, ``se``, ``low``,
        ``high``, ``ceiling`` (inf where there is none), ``protocol`` (a sentence), ``seconds``, ``part`` (what it is
        used for: value, limit, reach, check).
    checks
        A row for each check in the order in which they decide: ``check`` (its word, of `WORDS`), ``passed``,
        ``measured``, ``threshold``, ``sentence``.
    growth
        The value on parts of the sample: ``rows``, ``value``, ``low``, ``high``.
    calibration
        The panel on data of known mutual information made to look like the sample: ``family``, ``truth``, ``value``,
        ``low``, ``high``, ``covered``.
    null
        What members give where pairs were parted at random: ``member``, ``value``, a row for each permutation.
    p_value
        Of independence, by these permutations.
    sizes
        Of the sample.
    report
        What was found while it was read.
    seed, quick
        As called.
    seconds
        Time taken.
    """

    value: float
    low: float
    high: float
    limit: float
    word: str
    verdict: str
    believable: bool
    advice: str
    rule: str
    members: pd.DataFrame = field(repr=False)
    checks: pd.DataFrame = field(repr=False)
    growth: pd.DataFrame = field(repr=False)
    calibration: pd.DataFrame = field(repr=False)
    null: pd.DataFrame = field(repr=False)
    p_value: float
    sizes: Sizes
    report: Report = field(repr=False)
    seed: int
    quick: bool
    seconds: float

    def __str__(self) -> str:
        said = verdict_text(self.word, self.verdict)
        return f"{value_text(self.value, self.low, self.high)}; {limit_text(self.limit)}\n{said}"

    def _repr_html_(self) -> str:
        """Value, interval, verdict and members, for a notebook."""
        return html_block(str(self).splitlines(), MEMBER_COLUMNS, member_rows(self.members), NUMBERS)
