"""Claims of FlatNCE (Chen et al., 2021), figures 1, 6 and 7: their rows, and the verdicts that these give.

Notable: InfoNCE and FlatNCE are compared run by run over equal seeds, and a statement counts as shown only where the
whole 95 % interval of the mean difference has it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mibench.analysis.comparisons import Answer, Interval, above, below, both, difference, interval, verdict_of, within
from mibench.analysis.labels import listing, number
from mibench.analysis.metrics import finished, numbers
from mibench.claims.judgement import Judgement, open_judgement
from mibench.experiments.specs import stored_numbers

LOSSES = ("infonce", "flatnce")
"""The losses that are compared; their difference is always the second's value less the first's."""

LARGE_POOL = "estimate_fresh_large"
BATCH = "estimate_train"

TIED = 0.1
"""Nats within which the values on the batch count as tied: a few per cent of log N at N = 32."""

EARLY = 0.05
"""Share of the training that the effective sample size of its beginning is taken over."""

MODERATE = (0.2, 0.4)
"""Targets of the effective sample size that the paper calls moderate."""

HELD = 0.05
"""Distance from its target within which the effective sample size counts as held."""

_NAMES = {"infonce": "InfoNCE", "flatnce": "FlatNCE"}
_EDGE = 1e-9


def with_settings(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows of the two losses that have a result, with `scale` of their critic and `target` of their ESS.

    `target` is NaN where the effective sample size is left alone.
    """
    rows = finished(runs)
    rows = rows[rows["estimator"].isin(LOSSES)].copy()
    rows["scale"] = stored_numbers(rows["critic_params"], "scale")
    rows["target"] = stored_numbers(rows["estimator_params"], "ess")
    return rows.sort_values(["scale", "estimator", "seed", "run_id", "stair"], kind="stable", ignore_index=True)


def differences(rows: pd.DataFrame, values: list[str]) -> pd.DataFrame:
    """FlatNCE's values less InfoNCE's at the same scale, stair and seed.

    Parameters
    ----------
    rows
        Rows of `with_settings`.
    values
        Columns that are compared.

    Returns
    -------
    DataFrame
        A row per pair that both losses have, sorted: `scale`, `stair`, `steps_done`, `seed`, and the differences.
    """
    keys = ["scale", "stair", "steps_done", "seed"]
    first, second = (
        rows[rows["estimator"] == loss].drop_duplicates(keys).set_index(keys)[values].astype("float64")
        for loss in LOSSES
    )
    return (second - first).dropna(how="all").sort_index().reset_index()


def of_loss(rows: pd.DataFrame, loss: str, value: str) -> np.ndarray:
    """One loss's values, a number per run."""
    return numbers(rows[rows["estimator"] == loss], value)


# --- figure 1 -------------------------------------------------------------------------------------------------


def judge_large_pool(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 1: tied on the batch at the end of training, FlatNCE ahead on a large pool."""
    rows = with_settings(runs)
    gaps = differences(rows, [BATCH, LARGE_POOL])
    answers: list[Answer] = []
    found = []
    for scale, pairs in gaps.groupby("scale"):
        last = pairs[pairs["stair"] == pairs["stair"].max()]
        first = pairs[pairs["stair"] == pairs["stair"].min()]
        batch, pool, early = interval(last[BATCH]), interval(last[LARGE_POOL]), interval(first[LARGE_POOL])
        tied, ahead = within(batch, 0.0, TIED), above(pool)
        answers.append(both(tied, ahead))
        end = rows[(rows["scale"] == scale) & (rows["steps_done"] == last["steps_done"].max())]
        found.append(
            f"Scale {scale:g}, N = {listing(sorted(map(int, end['batch'].unique())))}, after "
            f"{number(int(last['steps_done'].max()))} steps: FlatNCE less InfoNCE is "
            f"{batch.written(3, signed=True)} nats on the batch ({_means(end, BATCH)}) and "
            f"{pool.written(signed=True)} nats on the large pool ({_means(end, LARGE_POOL)}), where it was "
            f"{early.written(signed=True)} after {number(int(first['steps_done'].max()))}."
        )
    if not answers:
        return open_judgement("that needs InfoNCE and FlatNCE at the same scale and seed")
    rule = f"Tied: within {TIED:g} nats; intervals: 95 %, over {len(gaps['seed'].unique())} seeds."
    return Judgement(verdict_of(answers), " ".join([*found, rule]))


def _means(rows: pd.DataFrame, value: str) -> str:
    means = [interval(of_loss(rows, loss, value)).mean for loss in reversed(LOSSES)]
    return f"{means[0]:.2f} against {means[1]:.2f}"


# --- figure 6 -------------------------------------------------------------------------------------------------


def ess_curves(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Effective sample size of the training batches, with the settings of their runs.

    Returns
    -------
    DataFrame
        A row per point of a curve, sorted: `scale`, `estimator`, `seed`, `run_id`, `step`, `share` of the training that
        was done, and `ess`.
    """
    settings = with_settings(runs).drop_duplicates("run_id")[["run_id", "scale", "estimator", "seed", "steps"]]
    points = curves[["run_id", "step", "ess"]] if len(curves) else pd.DataFrame(columns=["run_id", "step", "ess"])
    table = points.merge(settings, on="run_id").astype({"ess": "float64", "step": "int64"})
    table["share"] = table["step"] / table["steps"].astype("float64")
    columns = ["scale", "estimator", "seed", "run_id", "step", "share", "ess"]
    kept: pd.DataFrame = table[np.isfinite(table["ess"])].sort_values(columns[:5], ignore_index=True)
    return kept[columns]


def ess_changes(points: pd.DataFrame) -> pd.DataFrame:
    """Mean effective sample size of every run at the beginning, in the second sixth and in the last of its training.

    Returns
    -------
    DataFrame
        A row per run, sorted: `scale`, `estimator`, `seed`, `early` (the first `EARLY` of the training), `second`,
        `last`, `change` = last - early and `later` = last - second. Runs without one of them are left out.
    """
    by = ["scale", "estimator", "seed"]
    parts = {"early": (0, EARLY), "second": (1 / 6, 2 / 6), "last": (5 / 6, 1)}
    means = {
        name: points[(points["share"] > low) & (points["share"] <= high + _EDGE)].groupby(by)["ess"].mean()
        for name, (low, high) in parts.items()
    }
    table = pd.DataFrame(means, columns=list(parts)).dropna()
    table["change"] = table["last"] - table["early"]
    table["later"] = table["last"] - table["second"]
    return table.rename_axis(by).sort_index().reset_index()


def judge_ess(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 6: over training InfoNCE's effective sample size falls and FlatNCE's rises."""
    changes = ess_changes(ess_curves(runs, curves))
    answers: list[Answer] = []
    found = []
    for scale, part in changes.groupby("scale"):
        change, later = ({loss: interval(of_loss(part, loss, name)) for loss in LOSSES} for name in ("change", "later"))
        if any(np.isnan(change[loss].mean) for loss in LOSSES):
            continue
        answers.append(both(below(change["infonce"]), above(change["flatnce"])))
        sides = part.pivot_table(index="seed", columns="estimator", values="last")
        level = interval(sides["flatnce"] - sides["infonce"])
        found.append(
            f"Scale {scale:g}: from the first {EARLY:.0%} of training to its last sixth the effective sample size "
            f"{_moves(part, 'infonce', change)}, and {_moves(part, 'flatnce', change)}; from the second sixth on by "
            f"{later['infonce'].written(4, signed=True)} and {later['flatnce'].written(4, signed=True)}. At the end "
            f"FlatNCE's is {_side(level)} ({level.written(4, signed=True)})."
        )
    if not answers:
        return open_judgement("that needs curves of InfoNCE and FlatNCE at the same scale, from beginning to end")
    return Judgement(verdict_of(answers), " ".join([*found, "Intervals: 95 %, over seeds."]))


def _moves(part: pd.DataFrame, loss: str, change: dict[str, Interval]) -> str:
    early, last = (float(np.mean(of_loss(part, loss, name))) for name in ("early", "last"))
    verb = {"shown": "rises", "contrary": "falls", "undecided": "neither rises nor falls"}[above(change[loss])]
    return f"of {_NAMES[loss]} {verb} ({early:.4f} to {last:.4f}: {change[loss].written(4, signed=True)})"


def _side(level: Interval) -> str:
    return {"shown": "higher", "contrary": "lower", "undecided": "neither higher nor lower"}[above(level)]


# --- figure 7 -------------------------------------------------------------------------------------------------


def is_moderate(target: float) -> bool:
    """Whether the paper calls a target moderate."""
    return MODERATE[0] - _EDGE <= target <= MODERATE[1] + _EDGE


def judge_scheduling(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 7: the large-pool estimate is highest at a moderate effective sample size."""
    rows = with_settings(runs).dropna(subset=["target"])
    answers: list[Answer] = []
    found = []
    for loss in LOSSES:
        values = {
            float(str(target)): of_loss(cell, loss, LARGE_POOL)
            for target, cell in rows[rows["estimator"] == loss].groupby("target")
        }
        moderate = {t: v for t, v in values.items() if is_moderate(t)}
        outside = {t: v for t, v in values.items() if not is_moderate(t)}
        if not moderate or not any(t < MODERATE[0] for t in outside) or not any(t > MODERATE[1] for t in outside):
            continue
        best = max(moderate, key=lambda t: interval(moderate[t]).mean)
        rival = max(outside, key=lambda t: interval(outside[t]).mean)
        answers.append(both(*(above(difference(moderate[best], other)) for other in outside.values())))
        gap = difference(moderate[best], outside[rival])
        found.append(
            f"{_NAMES[loss]}: {interval(moderate[best]).written()} nats at target {best:g}, the best of the moderate, "
            f"and {interval(outside[rival]).written()} at {rival:g}, the best of the others (difference "
            f"{gap.written(signed=True)}); lowest at {_worst(values)}."
        )
    if not answers:
        return open_judgement("that needs targets below, within and above 0.2 to 0.4 for one loss")
    return Judgement(verdict_of(answers), " ".join([*found, _held(rows), "Intervals: 95 %, over seeds."]))


def _worst(values: dict[float, np.ndarray]) -> str:
    worst = min(values, key=lambda t: interval(values[t]).mean)
    return f"{worst:g} ({interval(values[worst]).mean:.2f})"


def _held(rows: pd.DataFrame) -> str:
    """Say how well the effective sample sizes are held."""
    means = rows.groupby(["estimator", "target"])["ess"].mean().astype("float64").reset_index()
    off = (means["ess"] - means["target"]).abs()
    lost = means[off > HELD]
    missed = [
        f"{_NAMES[loss]} {target:g} ({ess:.2f})"
        for loss, target, ess in zip(lost["estimator"], lost["target"], lost["ess"], strict=True)
    ]
    text = f"The effective sample size is held within {off.max():.3f} of its target"
    return f"{text}." if not missed else f"{text}; not within {HELD:g}: {listing(missed)}."
