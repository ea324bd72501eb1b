"""Claims of SMILE (Song and Ermon, 2020), figures 1 and 2: bias and variance of bounds up a staircase of MI levels.

Notable: bias and variance are those of single training batches at the end of a stair. Levels above log N are the
"high MI" of the first claim.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mibench.analysis.accuracy import window_errors
from mibench.analysis.comparisons import Answer, Interval, above, both, slope_of, verdict_of
from mibench.analysis.labels import listing, plural, with_labels
from mibench.analysis.metrics import finished
from mibench.analysis.saturation import least_squares
from mibench.claims.judgement import Judgement, open_judgement

PANEL = ["task_label", "critic", "hidden"]
"""What makes a panel: task and critic."""

NAMES = {"dv": "DV", "nwj": "NWJ", "infonce": "InfoNCE"}
"""What the findings call the bounds that the claims are about."""


def bias_and_variance(runs: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of `mibench.analysis.accuracy.window_errors`, a row per stair; unlike there none is left out.

    Returns
    -------
    DataFrame
        Sorted: `PANEL`, `estimator`, `estimator_label`, `batch`, `mi_true`, `seeds`, and `bias` (nats), `variance` and
        `mse` = bias squared + variance (nats squared), each the mean over seeds; NaN where a seed's is not finite.
    """
    rows = finished(with_labels(runs))
    errors = window_errors(rows)
    values = list(errors.columns)
    rows[values] = errors.where(np.isfinite(errors))
    keys = [*PANEL, "estimator", "estimator_label", "batch", "mi_true"]
    groups = rows.groupby(keys, sort=True)
    table = groups[values].mean().where(groups[values].count().eq(groups.size(), axis=0))
    table.insert(0, "seeds", groups["seed"].nunique())
    return table.reset_index()


def judge_smile(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 1: above log N SMILE has less bias than InfoNCE, and less variance than DV and NWJ."""
    table = bias_and_variance(runs)
    answers: list[Answer] = []
    found = []
    for key, panel in table[table["mi_true"] > np.log(table["batch"])].groupby(PANEL, sort=True):
        biases = panel.pivot_table(index="mi_true", columns="estimator_label", values="bias", dropna=False)
        spreads = panel.pivot_table(index="mi_true", columns="estimator_label", values="variance", dropna=False)
        if not {*NAMES} <= {*biases.columns}:
            continue
        end = biases.index.max()
        texts = []
        for label in sorted(panel.loc[panel["estimator"] == "smile", "estimator_label"].unique()):
            closer = biases[label].abs() < biases["infonce"].abs()
            rivals = spreads[["dv", "nwj"]].fillna(math.inf)  # a variance that is not finite is no smaller one
            calmer = spreads[label] < rivals.min(axis=1)
            answers += ["shown" if one and two else "contrary" for one, two in zip(closer, calmer, strict=True)]
            texts.append(
                f"{label} less biased than InfoNCE at {closer.sum()} and less variable than DV and NWJ at "
                f"{calmer.sum()} of {plural(len(closer), 'level')}"
            )
        if texts:
            bias, spread = (listing(f"{name} {v:.3g}" for name, v in t.loc[end].items()) for t in (biases, spreads))
            found.append(
                f"{', '.join(map(str, key))}: {'; '.join(texts)}. At {end:g} nats bias {bias}; variance {spread}."
            )
    if not answers:
        return open_judgement("that needs SMILE, InfoNCE, DV and NWJ in one panel above log N")
    seeds = int(table["seeds"].min())
    rule = f"Levels above log N = {math.log(table['batch'].max()):.2f}; {plural(seeds, 'seed')}, so that "
    rule += "differences have no interval." if seeds == 1 else "means over seeds are compared."
    return Judgement(verdict_of(answers), " ".join([*found, rule]).replace(" -", " −"))


def judge_trade(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 2: InfoNCE's bias grows above log N, the logarithm of DV's and NWJ's variance grows with the MI."""
    table = bias_and_variance(runs)
    answers: list[Answer] = []
    found = []
    for key, panel in table.groupby(PANEL, sort=True):
        texts = []
        for name, called in NAMES.items():
            part = panel[panel["estimator"] == name].sort_values("mi_true")
            over = part[part["mi_true"] > np.log(part["batch"])]
            if len(part) < 3 or len(over) < 2:
                continue
            if name == "infonce":
                grows = bool((over["bias"].abs().diff().iloc[1:] > 0).all())
                answers.append("shown" if grows else "contrary")
                texts.append(f"bias of InfoNCE {listing(f'{v:.2f}' for v in part['bias'])}")
                continue
            if part["variance"].isna().any():
                answers.append("undecided")
                texts.append(
                    f"variance of {called} not finite at {plural(int(part['variance'].isna().sum()), 'level')}"
                )
                continue
            slope = _growth(part)
            rises = part["variance"].diff().iloc[1:] > 0
            answers.append(both(above(slope), "shown" if rises.iloc[-1] else "contrary"))
            texts.append(
                f"variance of {called} {listing(f'{v:.3g}' for v in part['variance'])}, its logarithm by "
                f"{slope.written(signed=True)} per nat"
            )
        if texts:
            levels = listing(sorted(panel["mi_true"].unique()))
            found.append(f"{', '.join(map(str, key))}, at {levels} nats: {'; '.join(texts)}.")
    if not answers:
        return open_judgement("that needs InfoNCE, DV or NWJ at three levels, two of them above log N")
    rule = (
        "Growing: InfoNCE's bias at every stair above log N; the logarithm of a variance by the 95 % interval of its "
        "slope over stairs, and at the last stair."
    )
    return Judgement(verdict_of(answers), " ".join([*found, rule]).replace(" -", " −"))


def _growth(part: pd.DataFrame) -> Interval:
    """Slope of the logarithm of the variance against true MI."""
    x, y = part["mi_true"].to_numpy(np.float64), np.log(part["variance"].clip(lower=1e-300).to_numpy(np.float64))
    return slope_of(least_squares(x, y, 0.95))
