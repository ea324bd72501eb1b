"""What ``mibench check`` found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mibench.cli.terminal.console import show_table

if TYPE_CHECKING:
    from mibench.conformance.findings import Finding


def show_findings(findings: Sequence[Finding]) -> None:
    """Print conformance findings, one table per component."""
    for subject in dict.fromkeys(f.subject for f in findings):
        rows = [("passed" if f.passed else "FAILED", f.check, f.sentence) for f in findings if f.subject == subject]
        show_table((subject, "check", "finding"), rows)
