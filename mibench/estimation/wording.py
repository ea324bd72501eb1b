"""How an estimate is written wherever it is shown: numbers, the sentence of the interval, and its tables as text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MEMBER_COLUMNS = ("member", "kind", "value", "95 % interval", "ceiling", "used for", "seconds", "protocol")
CHECK_COLUMNS = ("check", "result", "finding", "measured", "threshold")
NUMBERS = ("value", "95 % interval", "ceiling", "seconds", "measured", "threshold")
"""Columns of either table that are aligned to the right."""


def number(value: float) -> str:
    """Write nats with three decimals, powers of ten for what is large; nothing for NaN."""
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:z.3f}" if abs(value) < 1e4 else f"{value:.1e}"


def interval(low: float, high: float) -> str:
    """Write an interval: ``1.101 to 1.352``; nothing where an end is NaN."""
    return "" if math.isnan(low) or math.isnan(high) else f"{number(low)} to {number(high)}"


def value_text(value: float, low: float, high: float) -> str:
    """Write a value with its interval: ``1.226 nats, 95 % interval 1.101 to 1.352``."""
    if math.isnan(value):
        return "no value"
    between = interval(low, high)
    return f"{number(value)} nats, " + (f"95 % interval {between}" if between else "without an interval")


def limit_text(limit: float) -> str:
    """Write the one-sided lower limit: ``at least 1.101 nats (95 %, one-sided)``."""
    return "no lower limit" if math.isnan(limit) else f"at least {number(limit)} nats (95 %, one-sided)"


def verdict_text(word: str, verdict: str) -> str:
    """Write a verdict after its word, unless the sentence begins with it."""
    return verdict if verdict.lower().startswith(word) else f"{word}: {verdict}"


def bits(nats: float) -> str:
    """Write nats in bits."""
    return f"{number(nats / math.log(2))} bits"


def member_rows(members: pd.DataFrame) -> list[tuple[str, ...]]:
    """Write the members of a panel, a row each, in `MEMBER_COLUMNS`; the ceiling of one that has none is empty."""
    return [
        (
            str(row["member"]),
            str(row["kind"]),
            number(row["value"]),
            interval(row["low"], row["high"]),
            "" if math.isinf(row["ceiling"]) else number(row["ceiling"]),
            str(row["part"]),
            f"{row['seconds']:.1f}",
            str(row["protocol"]),
        )
        for row in members.to_dict("records")
    ]


def check_rows(checks: pd.DataFrame) -> list[tuple[str, ...]]:
    """Write checks, a row each, in `CHECK_COLUMNS`."""
    return [
        (
            str(row["check"]),
            "passed" if row["passed"] else "failed",
            str(row["sentence"]),
            number(row["measured"]),
            number(row["threshold"]),
        )
        for row in checks.to_dict("records")
    ]


def failed_checks(checks: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the word and the sentence of every check that failed, in order."""
    return [(str(row["check"]), str(row["sentence"])) for row in checks.to_dict("records") if not row["passed"]]
