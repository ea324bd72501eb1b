"""SMILE (Song and Ermon, 2020), figure 1: estimators up a staircase of true MI."""

from __future__ import annotations

import pandas as pd

from mibench.claims.judgement import Claim
from mibench.claims.smile import judge_smile
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.staircase import staircases


@register_figure(
    "smile-1",
    needs_curves=True,
    claim=Claim(
        "Song and Ermon (2020, SMILE), figure 1",
        "at high MI SMILE has less bias than InfoNCE and less variance than DV and NWJ.",
        judge_smile,
    ),
)
def draw_staircases(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw every estimator up a staircase of MI levels, a column of panels per task and critic."""
    return staircases(runs, curves, "smile-1", "SMILE and other bounds up a staircase", by_estimator=True)
