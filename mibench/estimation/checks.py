"""Checks of an estimate and the verdict that follows from them.

Notable: the checks stand in the order in which they decide; the first that fails is the verdict. What each is measured
by and its threshold are columns of the estimate's table, whatever the outcome.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

GROWTH = 1 / (math.sqrt(2) - 1)
"""What is still to be gained, in gains by the last doubling, where a deficit falls as the root of the rows."""

WIDEST = 3.0
"""Width of a useful interval, 95 %, in what an answer may be off by: of normal errors four in five are then less."""

SIGNIFICANT = 0.01
"""Of the permutation test, above which no dependence is said to be found."""


@dataclass(frozen=True)
class Check:
    """One check.

    Parameters
    ----------
    word
        Of `mibench.estimation.result.WORDS`: the verdict where it fails.
    passed
        Whether it did.
    measured, threshold
        What was looked at, and where it fails.
    sentence
        What was found.
    advice
        What would help where it fails.
    """

    word: str
    passed: bool
    measured: float
    threshold: float
    sentence: str
    advice: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the checks come to."""

    word: str
    sentence: str
    believable: bool
    advice: str


def below(word: str, measured: float, threshold: float, fine: str, wrong: str = "", advice: str = "") -> Check:
    """A check that fails where what is measured exceeds its threshold.

    Parameters
    ----------
    fine, wrong
        What was found where it passes, and where it fails; one sentence may serve for both.
    """
    passed = not measured > threshold
    return Check(word, passed, measured, threshold, fine if passed else wrong or fine, advice)


def in_series(found: bool, correlation: float) -> Check:
    """The check that rows are in a random order, or that it was said which belong together."""
    sentence = (
        "Rows that follow each other are alike: the interval takes a tenth of them as one block, which may be too few "
        "or too many."
        if found
        else "Rows that follow each other are no more alike than others, or blocks of them were stated."
    )
    advice = "State how many rows belong together, by blocks."
    return Check("series", not found, abs(correlation), 0.0, sentence, advice)


def rising(gap: float, allowed: float, more: str) -> Check:
    """The check that what is still to be gained, beyond one more doubling, is less than an answer may be off by."""
    gained = f"Twice the training rows gained {gap:.2f} nats"
    return below("rising", gap, allowed / (GROWTH - 1), f"{gained}.", f"{gained}, and more rows would gain more.", more)


def wide(low: float, high: float, allowed: float, more: str) -> Check:
    """The check that the interval is narrow enough to be of use."""
    span = f"The interval is from {low:.2f} to {high:.2f} nats"
    return below("wide", high - low, WIDEST * allowed, f"{span}.", f"{span}, too wide to be of use.", more)


def verdict_of(
    checks: Sequence[Check], *, value: float, low: float, high: float, p_value: float, tolerance: float
) -> Verdict:
    """Give the verdict.

    Where no dependence is found the number is not what is said, but how much could hide: it is believable where that
    is less than a useful answer may be off by.
    """
    failed = [check for check in checks if not check.passed]
    advice = next((check.advice for check in failed if check.advice), "")
    if p_value > SIGNIFICANT and not any(check.word == "series" for check in failed):
        if high <= tolerance:
            sentence = f"No dependence was found (p = {p_value:.2g}), and no more than {high:.2f} nats could hide."
            return Verdict("independent", sentence, True, "")
        sentence = f"No dependence was found (p = {p_value:.2g}), but up to {high:.2f} nats could hide."
        return Verdict("undetected", sentence, False, advice or "More rows would find less.")
    if not failed:
        sentence = f"Every check passed: {value:.2f} nats, from {low:.2f} to {high:.2f} with 95 % confidence."
        return Verdict("believable", sentence, True, "")
    return Verdict(failed[0].word, failed[0].sentence, False, advice)


def rows_needed(rows: int, gap: float, tolerance: float) -> str:
    """Say how many rows would help: the deficit falls as the root of the rows, and doubling them gained ``gap``."""
    factor = max(2.0, (GROWTH * gap / (tolerance / 2)) ** 2)
    need = rows * factor
    digits = 10 ** max(0, math.floor(math.log10(need)) - 1)
    return f"More rows: about {math.ceil(need / digits) * digits:,}, by how the value grew with them."
