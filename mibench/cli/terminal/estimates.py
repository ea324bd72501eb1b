"""What ``mibench estimate`` says: tables, warnings, the number and its verdict, or JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mibench.cli.terminal.console import say, show_table
from mibench.core.version import __version__
from mibench.estimation.result import Estimate
from mibench.estimation.wording import (
    MEMBER_COLUMNS,
    NUMBERS,
    bits,
    failed_checks,
    limit_text,
    member_rows,
    value_text,
    verdict_text,
)


def show_estimate(estimate: Estimate, page: Path | None) -> None:
    """Print the panel, what was found in the data, the checks that failed, and last the number and its verdict.

    Parameters
    ----------
    page
        Where the page lies that was written; None where none was.
    """
    say(estimate.sizes.sentence)
    show_table(MEMBER_COLUMNS, member_rows(estimate.members), numbers=NUMBERS)
    for kind, sentences in (("warning", estimate.report.warnings), ("note", estimate.report.notes)):
        for sentence in sentences:
            say(f"{kind}: {sentence}")
    for word, sentence in failed_checks(estimate.checks):
        say(f"check failed, {word}: {sentence}")
    if page is not None:
        say(f"page: {page}")
    known = math.isfinite(estimate.value)
    in_bits = f"; that is {bits(estimate.value)}" if known else ""
    say(f"\nmutual information: {value_text(estimate.value, estimate.low, estimate.high)}{in_bits}")
    say(limit_text(estimate.limit))
    say(verdict_text(estimate.word, estimate.verdict))
    if estimate.advice:
        say(f"what would help: {estimate.advice}")


def estimate_json(estimate: Estimate) -> str:
    """Write an estimate as JSON, tables as lists of rows; what is not finite, as the ceiling of none, is null."""
    return json.dumps({"mibench": __version__, "unit": "nats", **_plain(estimate)}, indent=2, allow_nan=False)


def _plain(value: Any) -> Any:
    """What JSON can hold of a value."""
    match value:
        case pd.DataFrame():
            return [_plain(row) for row in value.to_dict("records")]
        case np.generic():
            return _plain(value.item())
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case tuple() | list():
            return [_plain(item) for item in value]
        case float():
            return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    return value
