"""Claims of Gosch (2020) on Gaussians, figures 1 to 3: the verdicts that their rows give.

Notable: every series is judged under its negative sampler by itself, since it is the sampler that most of these
claims turn on. Critics without and with regularisation are apart, too.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mibench.analysis.comparisons import Answer, above, interval, slope_of, verdict_of, within
from mibench.analysis.labels import listing, number, plural, sampler_order
from mibench.analysis.metrics import FINAL, finished
from mibench.analysis.saturation import fit_saturation
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

NEAR = 0.3
"""Nats from log N within which a final median counts as saturated: a few per cent of log N at N = 64 and above."""


def regularised(rows: pd.DataFrame) -> pd.Series:
    """Mark the rows whose critics have dropout or decay."""
    dropout = rows["dropout"].fillna("0").astype(str).map(lambda text: any(float(rate) for rate in text.split("/")))
    decay: pd.Series = rows["weight_decay"].fillna(0).astype("float64") > 0
    return dropout.astype(bool) | decay


def divergence_by_side(runs: pd.DataFrame) -> pd.DataFrame:
    """Count diverged runs above and below log N.

    Returns
    -------
    DataFrame
        A row per estimator, sampler and batch size: `estimator`, `negatives`, `batch`, `above`, `below` (runs),
        `above_diverged`, `below_diverged`, `first_at` (step; NaN where none diverged) and `wide` (of the others).
    """
    rows = finished(runs)
    rows = rows.assign(diverged=rows["status"] == "diverged", over=rows["mi_true"] > np.log(rows["batch"]))
    found = []
    for (estimator, negatives, batch), cell in rows.groupby(["estimator", "negatives", "batch"], sort=True):
        over, under = cell[cell["over"]], cell[~cell["over"]]
        found.append(
            {
                "estimator": estimator,
                "negatives": negatives,
                "batch": batch,
                "above": len(over),
                "below": len(under),
                "above_diverged": int(over["diverged"].sum()),
                "below_diverged": int(under["diverged"].sum()),
                "first_at": float(cell["diverged_at"].astype("float64").min()),
                "wide": int((cell["wide"].fillna(0).astype(bool) & ~cell["diverged"]).sum()),
            }
        )
    columns = ["estimator", "negatives", "batch", "above", "below", "above_diverged", "below_diverged"]
    return pd.DataFrame(found, columns=[*columns, "first_at", "wide"])


def judge_divergence(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 1: above log N all runs diverge, below none."""
    table = divergence_by_side(runs)
    answers: list[Answer] = []
    found = []
    series = {(e, s) for e, s in zip(table["estimator"], table["negatives"], strict=True)}
    for estimator, negatives in sorted(series, key=lambda key: (key[0], sampler_order(key[1]))):
        cells = table[(table["estimator"] == estimator) & (table["negatives"] == negatives)]
        if not cells["above"].sum() or not cells["below"].sum():
            continue
        sums = {name: int(cells[name].sum()) for name in ("above", "below", "above_diverged", "below_diverged", "wide")}
        answers.append(_splits_at_log_n(sums))
        name = f"{ESTIMATORS.get(estimator, estimator)} with {negatives}"
        text = f"{name}: {sums['above_diverged']} of {plural(sums['above'], 'run')} above log N diverge "
        text += f"and {sums['below_diverged']} of {sums['below']} below"
        if np.isfinite(cells["first_at"]).any():
            text += f" (first at step {number(cells['first_at'].min())})"
        if sums["wide"]:
            text += f"; {sums['wide']} more spread over more than 5 nats"
        found.append(f"{text}; medians at the end {_readings(runs, estimator, negatives)}.")
    if not answers:
        return open_judgement("that needs runs with a true MI above and below log N")
    sizes = ", ".join(f"log {b:,} = {math.log(b):.2f}" for b in sorted(map(int, table["batch"].unique())))
    return Judgement(verdict_of(answers), " ".join([*found, f"({sizes}.)"]))


def _splits_at_log_n(sums: dict[str, int]) -> Answer:
    if sums["below_diverged"] or not sums["above_diverged"]:
        return "contrary"
    return "shown" if sums["above_diverged"] == sums["above"] else "undecided"


def _readings(runs: pd.DataFrame, estimator: str, negatives: str) -> str:
    """Medians by level at the smallest batch size."""
    rows = finished(runs[(runs["estimator"] == estimator) & (runs["negatives"] == negatives)])
    levels = by_level(rows[rows["batch"] == rows["batch"].min()])
    return f"{listing(median_text(v) for v in levels.values())} at {listing(levels)} nats"


def highest_level(runs: pd.DataFrame) -> pd.DataFrame:
    """The rows with a result at the highest true MI."""
    rows = finished(runs)
    highest: pd.DataFrame = rows[rows["mi_true"] == rows["mi_true"].max()]
    return highest


def judge_saturation(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 2: at the highest MI the slope against log N is 1 and every median lies near log N."""
    rows = highest_level(runs)
    answers: list[Answer] = []
    found = []
    for negatives in sorted(rows["negatives"].unique(), key=sampler_order):
        part = rows[rows["negatives"] == negatives]
        fit = fit_saturation(part, ["mi_true"]).iloc[0]
        slope = slope_of(fit)
        if math.isnan(slope.low):
            continue
        medians = part.groupby("batch")[FINAL].median().astype("float64")
        gaps = (medians - np.log(medians.index.to_numpy(np.float64))).abs()
        answers.append("shown" if slope.low <= 1 <= slope.high and above(slope) == "shown" and gaps.max() <= NEAR
                       else "contrary")  # fmt: skip
        text = (
            f"{negatives}, {part['mi_true'].iloc[0]:g} nats, N = {listing(sorted(map(int, medians.index)))}: slope "
            f"{slope.written()}, medians up to {gaps.max():.2f} nats from log N "
            f"({listing(median_text(np.array([m])) for m in medians)})"
        )
        found.append(f"{text}{_optimum(part)}.")
    if len(answers) < 2:
        return open_judgement("that needs runs at two batch sizes or more under two negative samplers")
    cause = ""
    if set(answers) == {"shown", "contrary"}:
        cause = "Same estimator, same critics: the ceiling belongs to the sampler, and not to NWJ."
    rule = f"Saturated: the slope's interval holds 1 and not 0, and every median lies within {NEAR:g} nats of log N."
    return Judgement(verdict_of(answers), " ".join(filter(None, [*found, cause, rule])))


def _optimum(part: pd.DataFrame) -> str:
    best = part.groupby("batch")["predicted_optimum"].mean().astype("float64")
    if not (part["fixed_points"].astype("float64") > 0).all() or best.isna().any():
        return ""
    return f", where the best NWJ value under this sampler is {listing(f'{value:.2f}' for value in best)}"


def judge_jensen_shannon(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 3: the plug-in falls with the true MI, and NWJ of the same critics ends near log N."""
    rows = finished(runs)
    rows = rows.assign(plain=~regularised(rows))
    kinds = set(zip(rows["plain"], rows["negatives"], strict=True))
    answers: list[Answer] = []
    found = []
    for plain, negatives in sorted(kinds, key=lambda kind: (not kind[0], sampler_order(kind[1]))):
        part = rows[(rows["plain"] == plain) & (rows["negatives"] == negatives)]
        end = float(part["mi_true"].max())
        fall = fall_of(part[part["estimator"] == "js"])
        texts = []
        if fall is not None:
            answers.append(fall.answer)
            texts.append(f"plug-in {written_fall(fall, end)}")
        last = interval(values_of(part[(part["estimator"] == "js-nwj") & (part["mi_true"] == end)]))
        if math.isfinite(last.low):
            answers.append(within(last, math.log(part["batch"].max()), ROUND))
            texts.append(f"in NWJ {last.written()} at {end:g} nats")
        if texts:
            found.append(f"{negatives}, {'plain' if plain else 'regularised'}: {'; '.join(texts)}.")
    if not answers:
        return open_judgement("that needs the plug-in at three levels, or NWJ with two seeds at the highest")
    rule = (
        f"Near log N = {math.log(rows['batch'].max()):.2f}: within {ROUND:g} nat, the standard deviation of a batch at "
        f"the optimum. Falling: the highest mean lies above that at the highest level. {INTERVALS}"
    )
    return Judgement(verdict_of(answers), " ".join([*found, rule]))
