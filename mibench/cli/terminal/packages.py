"""What probing found of a package, as a table."""

from __future__ import annotations

import math

from mibench.cli.terminal.console import say, show_table
from mibench.packages.checks import CHECKS
from mibench.packages.probing import Probe


def show_probe(probe: Probe) -> None:
    """Print a line a check: whether it holds, the value in nats, what it is compared with, and what it asks."""
    say(f"{probe.name} {probe.version}, which answers in {probe.unit}, on {probe.probed_at}; values in nats")
    rows = [
        (one.check, one.holds, _number(one.value), _number(one.reference), one.said or CHECKS[one.check])
        for one in probe.found
    ]
    show_table(("check", "holds", "value", "beside", "finding"), rows, numbers=("value", "beside"))


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"
