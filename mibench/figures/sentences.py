"""Sentences that captions share: what diverged, how curves are smoothed, and what lies outside the view."""

from __future__ import annotations

import pandas as pd

from mibench.analysis import smoothing
from mibench.analysis.labels import listing, plural
from mibench.analysis.metrics import finished


def diverged_sentence(runs: pd.DataFrame) -> str:
    """State how many of the runs drawn diverged; empty where none did."""
    count = runs.loc[runs["status"] == "diverged", "run_id"].nunique()
    return f"{plural(count, 'diverged run')} {'is' if count == 1 else 'are'} among them." if count else ""


def diverged_clause(table: pd.DataFrame) -> str:
    """State how many of the runs of `mibench.analysis.divergence.divergence_by_run` diverged, to be gone on from."""
    return f"{plural(int(table['diverged'].sum()), 'run')} of {len(table):,} diverged"


def fixed_sample_clause(runs: pd.DataFrame) -> str:
    """Say where an estimate is a test value, to follow on what it is elsewhere; empty where it nowhere is."""
    return "; on a fixed sample it is the value of the test part" if (runs["regime"] == "dataset").any() else ""


def smoothing_sentence(runs: pd.DataFrame, within: str = "") -> str:
    """State the smoothing rule, and where its epochs had to be shortened."""
    done = finished(runs)
    stairs = done.groupby("run_id")["stair"].transform("max") + 1
    short = sorted(
        {
            int(b)
            for b, s in zip(done["batch"], done["steps"] // stairs, strict=True)
            if smoothing.epoch_steps(int(b), int(s)) < smoothing.epoch_steps(int(b))
        }
    )
    text = (
        "Faint: the median over the training batches since the point before, one line a run. Bold: the same, smoothed "
        f"by the rule of Gosch (2020){within}: means over epochs of 51200/N training steps (100 from N = 512 on), then "
        "averages with weights (11 - d)/11 over up to 10 epochs either side, divided by the sum of the weights."
    )
    if short:
        text += (
            f" At N = {listing(short)} this would make fewer than {smoothing.MIN_EPOCHS} epochs; they are "
            f"shortened to make {smoothing.MIN_EPOCHS}."
        )
    return text


def outside_sentence(far: int, nonfinite: int, what: str) -> str:
    """State how many values the view does not show; empty where it shows all.

    Parameters
    ----------
    far, nonfinite
        Finite values outside the view, and values that are not finite.
    what
        What they are, in the singular.
    """
    parts = []
    if far:
        parts.append(f"{plural(far, what)} {'lies' if far == 1 else 'lie'} outside the view")
    if nonfinite:
        parts.append(f"{plural(nonfinite, what)} {'is' if nonfinite == 1 else 'are'} not finite")
    return f"{' and '.join(parts)}; the table holds all of them." if parts else ""
