"""Claims of Gosch (2020), figures 10 to 13: negatives from all pairs, and critics of high capacity.

Notable: against all pairs, "unstable" and "diverged" are counted level by level above log N with the smallest
critics, since the claims are made even for these.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mibench.analysis.comparisons import Answer, above, difference, interval, verdict_of
from mibench.analysis.labels import listing, number, plural, sampler_order
from mibench.analysis.metrics import FINAL, finished
from mibench.analysis.smoothing import CURVE, smooth_curve
from mibench.claims.gosch_levels import (
    ESTIMATORS,
    INTERVALS,
    ROUND,
    by_level,
    fall_of,
    median_text,
    values_of,
    written_fall,
)
from mibench.claims.judgement import Judgement, open_judgement
from mibench.experiments.specs import parse_hidden

SPIKES = 2.0
"""Nats between median and mean of the same batches above which rare spikes count as having ruined the mean."""


# --- figures 10 to 12: all pairs ------------------------------------------------------------------------------


def small_critic(runs: pd.DataFrame) -> pd.DataFrame:
    """The rows with a result of the smallest critics."""
    rows = finished(runs)
    smallest: pd.DataFrame = rows[rows["hidden"] == min(rows["hidden"], key=parse_hidden)] if len(rows) else rows
    return smallest


def judge_mine_all_pairs(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 10: above log N small critics diverge against all pairs, level by level."""
    answers: list[Answer] = []
    found = []
    small = small_critic(runs)
    over = small[(small["negatives"] == "all-pairs") & (small["mi_true"] > np.log(small["batch"]))]
    for _, cell in over.groupby(["estimator", "mi_true"], sort=True):
        diverged = cell["status"] == "diverged"
        answers.append("shown" if diverged.all() else "undecided" if diverged.any() else "contrary")
    if not answers:
        return open_judgement("that needs small critics against all pairs with a true MI above log N")
    rows = finished(runs)
    keys = ["estimator", "hidden", "negatives"]
    for _, cell in rows.groupby(keys, sort=True):
        estimator, hidden, negatives = map(str, cell[keys].iloc[0])
        beyond = cell[cell["mi_true"] > np.log(cell["batch"])]
        gone = beyond[beyond["status"] == "diverged"]
        text = f"{ESTIMATORS.get(estimator, estimator)}, {hidden}, {negatives}: {len(gone)} of "
        text += f"{plural(len(beyond), 'run')} above log N diverged"
        if len(gone):
            text += f" (at {listing(sorted(map(float, gone['mi_true'].unique())))} nats, first at step "
            text += f"{number(gone['diverged_at'].min())})"
        levels = by_level(beyond)
        found.append(f"{text}; medians {listing(map(median_text, levels.values()))} at {listing(levels)} nats.")
    return Judgement(verdict_of(answers), " ".join([*found, f"log N = {math.log(rows['batch'].max()):.2f}."]))


def judge_nwj_all_pairs(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 11: at the highest MI all pairs read above log N, and spread more than shuffled pairs."""
    small = small_critic(runs)
    end = small[small["mi_true"] == small["mi_true"].max()]
    sides = {name: end[end["negatives"] == name] for name in ("all-pairs", "shuffle")}
    spreads = {name: values_of(rows, "estimate_train_iqr") for name, rows in sides.items()}
    if min(len(values_of(rows)) for rows in sides.values()) < 2:
        return open_judgement("that needs two small critics or more against all pairs and under shuffle")
    log_n = math.log(end["batch"].max())
    reads = {name: interval(values_of(rows)) for name, rows in sides.items()}
    wider = difference(spreads["all-pairs"], spreads["shuffle"])
    diverged = int((sides["all-pairs"]["status"] == "diverged").sum())
    gone = f", {diverged} of {len(sides['all-pairs'])} diverged" if diverged else ""
    text = (
        f"At {end['mi_true'].iloc[0]:g} nats and log N = {log_n:.2f}, critics {end['hidden'].iloc[0]}: all pairs read "
        f"{reads['all-pairs'].written()}{gone}, shuffle {reads['shuffle'].written()}; interquartile ranges over "
        f"batches {interval(spreads['all-pairs']).mean:.2f} and {interval(spreads['shuffle']).mean:.2f} nats "
        f"(difference {wider.written(signed=True)}). {INTERVALS}"
    )
    return Judgement(verdict_of([above(reads["all-pairs"], log_n), above(wider)]), text)


def unstable(rows: pd.DataFrame) -> pd.Series:
    """Mark runs that diverged, spread over more than 5 nats, or have a mean far below their median."""
    gap = rows[FINAL].astype("float64") - rows["estimate_train"].astype("float64")
    return (rows["status"] == "diverged") | rows["wide"].fillna(0).astype(bool) | ~(gap.abs() <= SPIKES)


def judge_js_all_pairs(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 12: against all pairs JS in NWJ is unstable above log N, and the plug-in falls with the MI."""
    small = small_critic(runs)
    answers: list[Answer] = []
    found = []
    for negatives in sorted(small["negatives"].unique(), key=sampler_order):
        part = small[small["negatives"] == negatives]
        nwj = part[(part["estimator"] == "js-nwj") & (part["mi_true"] > np.log(part["batch"]))]
        fall = fall_of(part[part["estimator"] == "js"])
        if nwj.empty or fall is None:
            continue
        rough = unstable(nwj)
        if negatives == "all-pairs":
            answers.append("shown" if rough.all() else "undecided" if rough.any() else "contrary")
            answers.append(fall.answer)
        spread = interval(values_of(nwj, "estimate_train_iqr")).mean
        found.append(
            f"{negatives}, {part['hidden'].iloc[0]}: in NWJ {rough.sum()} of {plural(len(nwj), 'run')} above log N "
            f"unstable (mean interquartile range {spread:.2f} nats); "
            f"plug-in {written_fall(fall, part['mi_true'].max())}."
        )
    if not answers:
        return open_judgement("that needs both estimates of small critics against all pairs at three levels")
    rule = (
        f"Unstable: diverged, an interquartile range over 5 nats, or mean and median more than {SPIKES:g} nats apart. "
        f"{INTERVALS}"
    )
    return Judgement(verdict_of(answers), " ".join([*found, rule]))


# --- figure 13 ------------------------------------------------------------------------------------------------


def peaks_and_ends(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Highest and last value of every run's smoothed curve.

    Returns
    -------
    DataFrame
        A row per run with a curve, sorted: `estimator`, `hidden`, `mi_true`, `seed`, `peak`, `end`, `drop` (nats).
    """
    names = ["estimator", "hidden", "mi_true", "seed"]
    found = []
    ordered = curves.sort_values(["run_id", "step"], kind="stable")
    points = {str(run): part for run, part in ordered.groupby("run_id")}
    for _, run in finished(runs).sort_values([*names, "run_id"]).iterrows():
        if run["run_id"] not in points:
            continue
        curve = points[run["run_id"]]
        _, smoothed = smooth_curve(curve["step"], curve[CURVE].astype("float64"), batch=int(run["batch"]))
        finite = smoothed[np.isfinite(smoothed)]
        if finite.size:
            peak, end = float(finite.max()), float(finite[-1])
            found.append({**run[names].to_dict(), "peak": peak, "end": end, "drop": peak - end})
    return pd.DataFrame(found, columns=[*names, "peak", "end", "drop"])


def judge_capacity(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 13: smoothed curves of large JS critics in NWJ end well below their peak, level by level."""
    table = peaks_and_ends(runs, curves)
    table = table[table["estimator"] == "js-nwj"]
    sizes = sorted(table["hidden"].unique(), key=parse_hidden)
    if len(sizes) < 2:
        return open_judgement("that needs the curves of NWJ with JS critics of two capacities")
    answers: list[Answer] = []
    found = []
    for hidden in sizes:
        levels = by_level(table[table["hidden"] == hidden], "drop")
        if hidden == sizes[-1]:
            answers = ["shown" if v.min() > ROUND else "undecided" if v.max() > ROUND else "contrary"
                       for v in levels.values()]  # fmt: skip
        drops = listing(f"{values.mean():.2f}" for values in levels.values())
        found.append(f"{hidden}: peak less end {drops} nats on average at {listing(levels)} nats.")
    rule = f"The estimate falls where every seed's smoothed curve ends more than {ROUND:g} nat below its peak."
    return Judgement(verdict_of(answers), " ".join([*found, rule]))
