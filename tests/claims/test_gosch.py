"""Verdicts on Gosch's claims from made-up rows that satisfy them, violate them, and are too few."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from mibench.claims.gosch import judge_divergence, judge_jensen_shannon, judge_saturation
from mibench.claims.gosch_all_pairs import judge_capacity, judge_js_all_pairs, judge_mine_all_pairs, judge_nwj_all_pairs
from mibench.claims.gosch_levels import fall_of
from mibench.store.columns import CURVES, empty_row

NO_CURVES = pd.DataFrame(columns=[c.name for c in CURVES])


def row(estimator: str, negatives: str, level: float, value: float, **columns: Any) -> dict[str, Any]:
    """One run; two seeds make a cell."""
    base = {
        "run_id": f"{estimator}-{negatives}-{level}-{columns.get('batch', 64)}-{columns.get('hidden', '1x64')}",
        "estimator": estimator, "negatives": negatives, "mi_true": level, "batch": 64, "hidden": "1x64",
        "dropout": "0", "weight_decay": 0.0, "status": "ok", "estimate_train": value, "estimate_train_median": value,
        "estimate_train_iqr": 1.0, "wide": 0, "fixed_points": float(negatives == "shuffle"), "stair": 0,
        "predicted_optimum": 4.0, "schedule": "[]",
    }  # fmt: skip
    return empty_row("runs", **{**base, **columns})


def pairs(*rows: dict[str, Any]) -> pd.DataFrame:
    """Every row with two seeds that differ a little."""
    table = []
    for seed in (0, 1):
        for own in rows:
            value = own["estimate_train_median"] + 0.02 * seed
            table.append({**own, "seed": seed, "run_id": f"{own['run_id']}-{seed}", "estimate_train_median": value})
    return pd.DataFrame(table)


def diverging(estimator: str, negatives: str, *, above: bool, below: bool) -> list[dict[str, Any]]:
    found = []
    for level in (2.5, 10.0):
        gone = above if level > math.log(64) else below
        columns = {"status": "diverged", "diverged_at": 700} if gone else {}
        found.append(row(estimator, negatives, level, 50.0 if gone else 2.0, **columns))
    return found


@pytest.mark.parametrize(
    ("above", "below", "verdict"),
    [(True, False, "holds"), (False, False, "does not hold"), (True, True, "does not hold")],
)
def test_divergence_must_happen_above_log_n_and_not_below(above: bool, below: bool, verdict: str) -> None:
    judged = judge_divergence(pairs(*diverging("dv", "derangement", above=above, below=below)), NO_CURVES)
    assert judged.verdict == verdict
    assert f"{2 * above} of 2 runs above log N" in judged.finding


def test_divergence_under_one_sampler_holds_for_it() -> None:
    rows = diverging("dv", "derangement", above=True, below=False) + diverging(
        "dv", "shuffle", above=False, below=False
    )
    judged = judge_divergence(pairs(*rows), NO_CURVES)
    assert judged.verdict == "holds in part"
    assert "first at step 700" in judged.finding


def saturating(negatives: str, at: Callable[[int], float]) -> list[dict[str, Any]]:
    return [row("nwj", negatives, 30.0, at(n), batch=n, predicted_optimum=math.log(n)) for n in (64, 128, 256, 512)]


def test_saturation_under_one_sampler_holds_for_it_and_names_the_cause() -> None:
    rows = saturating("shuffle", lambda n: math.log(n) - 0.03) + saturating("derangement", lambda n: 12.0)
    judged = judge_saturation(pairs(*rows), NO_CURVES)
    assert judged.verdict == "holds in part"
    assert "slope 1.00" in judged.finding
    assert "belongs to the sampler" in judged.finding


def test_a_slope_of_one_far_from_log_n_is_no_saturation() -> None:
    rows = saturating("shuffle", lambda n: math.log(n) + 2) + saturating("derangement", lambda n: 12.0)
    assert judge_saturation(pairs(*rows), NO_CURVES).verdict == "does not hold"


def plug_in(values: tuple[float, ...], negatives: str = "shuffle", estimator: str = "js") -> list[dict[str, Any]]:
    return [row(estimator, negatives, m, v) for m, v in zip((2.5, 5.0, 10.0, 20.0, 30.0), values, strict=True)]


def test_a_fall_is_one_from_the_highest_mean_to_the_highest_level() -> None:
    falling = fall_of(pairs(*plug_in((2, 4, 5.8, 5.4, 5.0))))
    noise = fall_of(pairs(*plug_in((2, 4, 5.0, 5.005, 5.0))))  # less than seeds differ
    rising = fall_of(pairs(*plug_in((2, 4, 5.0, 5.4, 5.8))))
    assert falling is not None
    assert noise is not None
    assert rising is not None
    assert (falling.answer, noise.answer, rising.answer) == ("shown", "undecided", "contrary")
    assert falling.peak == 10
    assert falling.drop.mean == pytest.approx(0.8)


def test_jensen_shannon_holds_where_the_plug_in_falls_and_nwj_ends_near_log_n() -> None:
    good = plug_in((2, 4, 5.8, 5.4, 5.0)) + plug_in((2, 3, 4, 4.2, 4.3), estimator="js-nwj")
    bad = plug_in((2, 4, 6, 8, 10)) + plug_in((2, 4, 8, 12, 14), estimator="js-nwj")
    assert judge_jensen_shannon(pairs(*good), NO_CURVES).verdict == "holds"
    assert judge_jensen_shannon(pairs(*bad), NO_CURVES).verdict == "does not hold"


def test_mine_against_all_pairs_is_judged_by_small_critics_above_log_n() -> None:
    large = row("dv", "all-pairs", 30.0, 90.0, hidden="2x128", status="diverged", diverged_at=100)
    gone = pairs(*diverging("dv", "all-pairs", above=True, below=False), large)
    stays = pairs(*diverging("dv", "all-pairs", above=False, below=False), large)
    assert judge_mine_all_pairs(gone, NO_CURVES).verdict == "holds"
    assert judge_mine_all_pairs(stays, NO_CURVES).verdict == "does not hold"


@pytest.mark.parametrize(
    ("reads", "spread", "verdict"), [(14, 4, "holds"), (14, 0.5, "holds in part"), (3, 0.5, "does not hold")]
)
def test_nwj_against_all_pairs_must_read_above_log_n_and_spread(reads: float, spread: float, verdict: str) -> None:
    rows = pairs(row("nwj", "all-pairs", 30.0, reads, estimate_train_iqr=spread), row("nwj", "shuffle", 30.0, 4.0))
    assert judge_nwj_all_pairs(rows, NO_CURVES).verdict == verdict


def test_js_against_all_pairs_must_be_unstable_and_fall() -> None:
    falling, rising = plug_in((2, 4, 5.8, 5.4, 5.0), "all-pairs"), plug_in((2, 4, 6, 8, 10), "all-pairs")
    calm = row("js-nwj", "all-pairs", 30.0, 5.0)
    spikes = row("js-nwj", "all-pairs", 30.0, 5.0, estimate_train=-40.0)
    assert judge_js_all_pairs(pairs(*falling, spikes), NO_CURVES).verdict == "holds"
    assert judge_js_all_pairs(pairs(*falling, calm), NO_CURVES).verdict == "holds in part"
    assert judge_js_all_pairs(pairs(*rising, calm), NO_CURVES).verdict == "does not hold"


@pytest.mark.parametrize(("end", "verdict"), [(2.0, "holds"), (9.9, "does not hold")])
def test_capacity_is_judged_by_the_fall_of_large_critics_curves(end: float, verdict: str) -> None:
    runs = pairs(*(row("js-nwj", "shuffle", 30.0, 5.0, hidden=h) for h in ("1x64", "2x512")))
    curves = pd.DataFrame(
        {
            **dict.fromkeys((c.name for c in CURVES), math.nan), "run_id": run, "step": step, "stair": 0,
            "estimate_train_median": 10.0 if step <= 2000 or hidden == "1x64" else end,
        }
        for run, hidden in zip(runs["run_id"], runs["hidden"], strict=True) for step in range(20, 4001, 20)
    )  # fmt: skip
    assert judge_capacity(runs, curves).verdict == verdict


@pytest.mark.parametrize(
    "judge",
    [judge_divergence, judge_saturation, judge_jensen_shannon, judge_mine_all_pairs, judge_nwj_all_pairs,
     judge_js_all_pairs, judge_capacity],
)  # fmt: skip
def test_too_few_rows_leave_a_claim_open(judge: Any) -> None:
    one = pd.DataFrame([row("nwj", "shuffle", 2.5, 2.0)])
    assert judge(one, NO_CURVES).verdict == "open"
    assert judge(one[:0], NO_CURVES).verdict == "open"
