"""Claims of Gosch (2020) on digits, figures 5, 8 and 9: their rows, and the verdicts that these give.

Notable: codes of the two decoders are compared on equal halves of the images (one seed of the task), pair by pair.
"""

from __future__ import annotations

import json
import math

import pandas as pd

from mibench.analysis.comparisons import Answer, above, below, both, falls, interval, verdict_of, within
from mibench.analysis.labels import with_labels
from mibench.analysis.metrics import FINAL, finished, numbers
from mibench.claims.judgement import Judgement, open_judgement

LN_10 = math.log(10)
"""The entropy of the label, to 0.0001 nats."""

NEAR = 0.2
"""Nats within which an estimate without noise counts as close to ln 10: the distance of the paper's own estimates, at
most 0.11 (its table 7), nearly twice."""

ZERO = 0.05
"""Nats within which an estimate at full noise counts as 0."""

FRESH = "estimate_fresh"
"""What a regularised critic is judged by: without dropout, which acts on training batches."""

OUTCOMES = ("x_linear", "x_mlp", "v_information")


# --- figures 8 and 9: noisy digits ----------------------------------------------------------------------------


def noisy_digits(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the finished rows of ``digits-label``, labelled, with `noise`, sorted by estimator, noise and seed."""
    rows = with_labels(finished(runs[runs["task"] == "digits-label"]))
    rows["noise"] = [float(json.loads(text)["noise"]) for text in rows["task_params"]]
    return rows.sort_values(["estimator_label", "noise", "seed", "run_id"], ignore_index=True)


def judge_noise(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 8: close to ln 10 without noise, 0 at full noise, falling in between."""
    answers, found = [], []
    for estimator, rows in noisy_digits(runs).groupby("estimator_label"):
        if rows["noise"].nunique() < 2:
            continue
        answer, text = _one_estimator(rows, FINAL)
        answers += answer
        found.append(f"{estimator}: {text}")
    if not answers:
        return open_judgement("that needs an estimator at two shares of noisy pixels")
    rule = f"Close: within {NEAR:g} nats of ln 10 = {LN_10:.2f}; zero: within {ZERO:g}. Intervals: 95 %, over seeds."
    return Judgement(verdict_of(answers), " ".join([*found, rule]))


def _one_estimator(rows: pd.DataFrame, value: str) -> tuple[list[Answer], str]:
    """Answers to the three parts of figure 8's claim, and what a value of the rows of one estimator shows."""
    cells = {float(str(noise)): numbers(cell, value) for noise, cell in rows.groupby("noise")}
    answers: list[Answer] = []
    parts = []
    for noise, centre, margin, words in ((0.0, LN_10, NEAR, "without noise"), (1.0, 0.0, ZERO, "at full noise")):
        if noise in cells:
            end = interval(cells[noise])
            answers.append(within(end, centre, margin))
            parts.append(f"{end.written()} nats {words}")
    trend = falls(list(cells.values()))
    answers.append(trend.answer)
    way = {"shown": "falling throughout", "contrary": "not falling throughout", "undecided": "perhaps falling"}
    parts.append(f"{way[trend.answer]} over {len(cells)} shares of noise")
    return answers, f"{', '.join(parts)}."


def judge_bracket(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 9: NWJ of a Jensen-Shannon critic lies below the truth and its plug-in above it; both fall."""
    rows = noisy_digits(runs)
    inner = rows[(rows["noise"] < 1) & rows["estimator"].isin(["js-nwj", "js"])]
    answers: list[Answer] = []
    found = []
    for noise, cell in inner.groupby("noise"):
        gaps = {
            name: interval(numbers(part, FRESH) - numbers(part, "mi_true")) for name, part in cell.groupby("estimator")
        }
        if len(gaps) < 2:
            continue
        answers.append(both(below(gaps["js-nwj"]), above(gaps["js"])))
        found.append(f"{float(str(noise)):g}: {gaps['js-nwj'].written(signed=True)}, {gaps['js'].written(signed=True)}")
    if not answers:
        return open_judgement("that needs js-nwj and js at a common share of noisy pixels")
    bracketed = f"The truth lies between at {answers.count('shown')} of {len(answers)} shares of noise below 1."
    listed = f"Estimate less truth of js-nwj and js by share of noise: {'; '.join(found)} nats."
    rule = "Values on fresh batches, on which dropout is off. Intervals: 95 %, over seeds."
    ends = []
    for estimator, part in rows.groupby("estimator_label"):
        parts, text = _one_estimator(part, FRESH)
        answers.append(parts[-1])
        ends.append(f"{estimator}: {text}")
    return Judgement(verdict_of(answers), " ".join([bracketed, listed, *ends, rule]))


# --- figure 5: codes of autoencoders --------------------------------------------------------------------------


def decoder_codes(runs: pd.DataFrame) -> pd.DataFrame:
    """Return what was measured of every autoencoder's codes, once each.

    Returns
    -------
    DataFrame
        A row per decoder, code size and seed of the task, sorted: `decoder`, `code`, `seed`, `x_linear` and `x_mlp`
        (held-out accuracies of the probes), `v_information` (about held-out images, nats).
    """
    done = finished(runs[(runs["task"] == "digits-v-information") & runs["outcomes"].notna()])
    records = [
        {**{k: json.loads(task)[k] for k in ("decoder", "code", "seed")}, **json.loads(outcomes)}
        for task, outcomes in done[["task_params", "outcomes"]].drop_duplicates("task_params").itertuples(index=False)
    ]
    columns = ["decoder", "code", "seed", *OUTCOMES]
    table = pd.DataFrame(records, columns=columns)
    return table.sort_values(["code", "decoder", "seed"], ignore_index=True)


def judge_decoders(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 5: each decoder's codes are read best by a probe of its own family; the MLP has more information."""
    table = decoder_codes(runs)
    answers: list[Answer] = []
    found = []
    for code, part in table.groupby("code"):
        sides = part.pivot_table(index="seed", columns="decoder", values=list(OUTCOMES)).dropna()
        if sides.empty or part["decoder"].nunique() < 2:
            continue
        gaps = {name: interval(sides[name, "linear"] - sides[name, "mlp"]) for name in OUTCOMES}
        answers += [above(gaps["x_linear"]), below(gaps["x_mlp"]), below(gaps["v_information"])]
        found.append(
            f"Codes of {code} numbers, linear less MLP decoder: linear probe "
            f"{gaps['x_linear'].written(3, signed=True)}, MLP probe {gaps['x_mlp'].written(3, signed=True)}, "
            f"V-information about the image {gaps['v_information'].written(signed=True)} nats."
        )
    if not answers:
        return open_judgement("that needs codes of both decoders for the same images")
    seeds = table["seed"].nunique()
    return Judgement(
        verdict_of(answers), " ".join([*found, f"Pairs over {seeds} halves of the images; 95 % intervals."])
    )


def label_information(runs: pd.DataFrame) -> pd.DataFrame:
    """Rows of the estimator ``v-information`` on codes: `decoder`, `code`, `family` of the probe's mean and `value`."""
    rows = finished(runs[(runs["task"] == "digits-v-information") & (runs["estimator"] == "v-information")])
    task, own = ([json.loads(text) for text in rows[f"{name}_params"]] for name in ("task", "estimator"))
    return pd.DataFrame(
        {
            "decoder": [t["decoder"] for t in task],
            "code": [t["code"] for t in task],
            "seed": [t["seed"] for t in task],
            "family": [e["mean"] for e in own],
            "value": numbers(rows, "estimate_fresh_large"),
            "status": rows["status"].to_numpy(object),
        }
    ).sort_values(["family", "decoder", "code", "seed"], ignore_index=True)
