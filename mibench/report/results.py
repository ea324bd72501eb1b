"""What became of one report."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from mibench.claims.judgement import Judgement
from mibench.report.files import ShortTable


@dataclasses.dataclass(frozen=True)
class ReportResult:
    """What became of one report: its files, or the sentence that says why there are none."""

    name: str
    files: tuple[Path, ...] = ()
    reason: str = ""
    caption: str = ""
    """Everything that is printed under the figure."""
    missing: str = ""
    """What the figure's grid lacks, in a sentence; empty where nothing is missing."""
    judgement: Judgement | None = None
    title: str = ""
    explanation: str = ""
    """The caption without claim, verdict and what is missing."""
    grid: str = ""
    """Grid whose rows were drawn; empty where all were."""
    budget: str = ""
    """Budget of these rows."""
    table: ShortTable | None = dataclasses.field(default=None, compare=False, repr=False)
