"""What a claim is, and what a judgement of it: the types that the papers' modules and their figures share.

Notable: a claim belongs to a figure whose rows are those of a grid of the same name (``mibench run gosch-2`` makes what
``mibench report gosch-2`` draws); its judge is a pure function of these rows. Intervals and what they decide are those
of `mibench.analysis.comparisons`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pandas as pd

from mibench.analysis.comparisons import Verdict


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What a grid's rows say of a claim.

    Parameters
    ----------
    verdict
        The answer in a word or two.
    finding
        One to three sentences with the figures that it rests on, units and intervals included.
    """

    verdict: Verdict
    finding: str


Judge = Callable[[pd.DataFrame, pd.DataFrame], Judgement]
"""Turns the runs and the curves of a claim's grid, complete or not, into a judgement."""


@dataclasses.dataclass(frozen=True)
class Claim:
    """What a paper says, and how rows answer.

    Parameters
    ----------
    source
        Paper and figure: ``"Gosch (2020), figure 2"``.
    statement
        The claim in one sentence of ours.
    judge
        Gives the verdict.
    """

    source: str
    statement: str
    judge: Judge


def open_judgement(missing: str) -> Judgement:
    """Return the judgement of rows that are too few; ``missing`` says in a clause what would be needed."""
    return Judgement("open", f"The rows at hand do not say: {missing}.")
