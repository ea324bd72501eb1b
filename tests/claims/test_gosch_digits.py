"""Verdicts on digits: rows that show a claim, rows that contradict it, and too few of them; and their figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest

from mibench.claims.gosch_digits import LN_10, decoder_codes, judge_bracket, judge_decoders, judge_noise
from mibench.core.errors import UsageError
from mibench.figures.papers.gosch_5 import codes_of_decoders
from mibench.figures.papers.gosch_noise import noise_of_bounds, noise_of_plug_ins
from mibench.store.columns import empty_row

NONE = pd.DataFrame(columns=["run_id"])
NOISES = (0.0, 0.5, 0.8, 1.0)
COMMON = {
    "task_version": 1, "estimator_version": 1, "estimator_params": "{}", "kind": "lower", "critic": "joint",
    "critic_version": 1, "critic_params": "{}", "hidden": "2x256", "activation": "relu", "dropout": "0.0",
    "negatives": "shuffle", "negatives_version": 1, "negatives_params": "{}", "schedule": "[]", "stair": 0,
    "regime": "stream", "batch": 128, "steps": 100, "lr": 1e-3, "weight_decay": 0.0, "precision": "float32",
    "optimiser": "adam", "window": 50, "protocol": 1, "status": "ok", "capped_by_sampler": 1, "torch_version": "2",
    "mibench_version": "0", "own_critic": 0, "own_negatives": 0,
}  # fmt: skip


def truth(noise: float) -> float:
    return LN_10 * (1 - noise)


def noisy(
    values: Mapping[str, Callable[[float], float]], seeds: int = 3, noises: tuple[float, ...] = NOISES
) -> pd.DataFrame:
    rows = []
    for estimator, value in values.items():
        for noise in noises:
            for seed in range(seeds):
                estimate = value(noise) + 0.005 * (seed - 1)
                row = {
                    "run_id": f"{len(rows):032x}", "task": "digits-label", "estimator": estimator, "seed": seed,
                    "task_params": json.dumps({"grey": False, "noise": noise}), "mi_true": truth(noise),
                    "estimate_train_median": estimate, "estimate_fresh": estimate, "estimate_fresh_large": estimate,
                    "predicted_optimum": 2.2,
                }  # fmt: skip
                rows.append(empty_row("runs", **{**COMMON, **row}))
    return pd.DataFrame(rows)


def codes(linear: Mapping[str, float], mlp: Mapping[str, float], seeds: int = 5) -> pd.DataFrame:
    rows = []
    for decoder, outcomes in (("linear", linear), ("mlp", mlp)):
        for seed in range(seeds):
            apart = 0.001 * seed + 0.0002 * (seed % 2) * (decoder == "mlp")
            moved = {name: value + apart for name, value in outcomes.items()}
            for family in ("linear", "mlp"):
                row = {
                    "run_id": f"{len(rows):032x}", "task": "digits-v-information", "seed": 0,
                    "estimator": "v-information",
                    "task_params": json.dumps({"code": 8, "decoder": decoder, "seed": seed}), "mi_true": LN_10,
                    "estimator_params": json.dumps({"family": "softmax", "mean": family}),
                    "outcomes": json.dumps(moved), "estimate_fresh_large": 1.5, "estimate_train_median": 1.4,
                }  # fmt: skip
                rows.append(empty_row("runs", **{**COMMON, **row}))
    return pd.DataFrame(rows)


def test_estimates_that_follow_the_noise_hold_and_others_do_not() -> None:
    good = noisy({"nwj": lambda noise: 0.95 * truth(noise)})
    assert judge_noise(good, NONE).verdict == "holds"
    assert "2.19 [2.18, 2.20] nats without noise" in judge_noise(good, NONE).finding
    low = noisy({"nwj": lambda noise: 0.5 * truth(noise)})  # falls to 0, but starts far from ln 10
    assert judge_noise(low, NONE).verdict == "holds in part"
    rising = noisy({"nwj": lambda noise: 1.0 + noise})
    assert judge_noise(rising, NONE).verdict == "does not hold"
    assert judge_noise(good[good["task_params"].str.contains("0.5")], NONE).verdict == "open"


def test_the_truth_between_both_ways_of_reading_a_critic() -> None:
    good = noisy({"js-nwj": lambda noise: 0.9 * truth(noise), "js": lambda noise: 1.1 * truth(noise)})
    judgement = judge_bracket(good, NONE)
    assert judgement.verdict == "holds"
    assert "The truth lies between at 3 of 3 shares of noise" in judgement.finding
    both_below = noisy({"js-nwj": lambda noise: 0.9 * truth(noise), "js": lambda noise: 0.95 * truth(noise)})
    assert "at 0 of 3" in judge_bracket(both_below, NONE).finding
    assert judge_bracket(both_below, NONE).verdict == "holds in part"  # monotone all the same
    assert judge_bracket(good[good["estimator"] == "js"], NONE).verdict == "open"
    damped = good.assign(estimate_train_median=0.5 * good["estimate_train_median"])  # as dropout does in training
    assert judge_bracket(damped, NONE) == judgement
    assert "dropout is off" in judgement.finding


def test_codes_are_compared_half_by_half() -> None:
    better = {"x_linear": 0.95, "x_mlp": 0.90, "v_information": 3.0}
    worse = {"x_linear": 0.90, "x_mlp": 0.95, "v_information": 4.0}
    runs = codes(better, worse)
    assert len(decoder_codes(runs)) == 10  # once a task, though two families read each
    assert judge_decoders(runs, NONE).verdict == "holds"
    assert "linear probe +0.050" in judge_decoders(runs, NONE).finding
    assert judge_decoders(codes(worse, better), NONE).verdict == "does not hold"
    only = runs[runs["task_params"].str.contains("linear")]
    assert judge_decoders(only, NONE).verdict == "open"
    assert judge_decoders(codes(better, worse, seeds=1), NONE).verdict == "open"  # no interval


@pytest.mark.parametrize("draw", [noise_of_bounds, noise_of_plug_ins, codes_of_decoders])
def test_rows_of_other_tasks_are_refused_in_a_sentence(draw: Callable[..., object]) -> None:
    other = noisy({"nwj": truth})
    other["task"] = "gaussian20d"
    with pytest.raises(UsageError, match="needs finished runs of task"):
        draw(other, NONE)


def test_the_figures_draw_their_rows_in_any_order() -> None:
    runs = noisy({"js-nwj": lambda noise: 0.9 * truth(noise), "js": lambda noise: 1.1 * truth(noise)})
    drawing = noise_of_plug_ins(runs, NONE)
    again = noise_of_plug_ins(runs.sample(frac=1, random_state=1), NONE)
    pd.testing.assert_frame_equal(drawing.table, again.table)
    assert set(drawing.table["value"]) == {"estimate_fresh", "estimate_fresh_large"}
    assert set(noise_of_bounds(runs, NONE).table["value"]) == {"estimate_train_median", "estimate_fresh_large"}
    assert "after training and without dropout" in drawing.caption
    assert drawing.figure.axes[0].get_title(loc="left") == "fresh batches, without dropout"
    left = drawing.figure.axes[0]
    assert (left.get_xlabel(), left.get_ylabel()) == ("share of noisy pixels", "estimate, nats")
    (line,) = [one for one in left.lines if len(one.get_xdata()) == len(NOISES) and one.get_marker() == "None"]
    np.testing.assert_allclose(line.get_ydata(), [truth(noise) for noise in NOISES])
    alike = {"x_linear": 0.9, "x_mlp": 0.9, "v_information": 3.0}
    table = codes_of_decoders(codes(alike, {**alike, "x_linear": 0.8}), NONE).table
    panels = ["linear probe", "MLP probe", "about the image"]
    assert set(table["panel"]) == {*panels, "about the label, linear softmax", "about the label, mlp softmax"}
