"""Claims of multi-label CPC on made-up rows: what holds, what does not, and what cannot be said."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mibench.claims.ml_cpc import (
    exact_moments,
    judge_bounds,
    judge_staircase,
    judge_trade_off,
    trade_off,
    trained_cells,
    with_alpha,
)
from mibench.figures.registry import FIGURES
from mibench.report import reports as report
from mibench.store.columns import CURVES, empty_row

TRUTH = math.log(2)
NONE = pd.DataFrame(columns=["run_id"])


def binary_run(
    estimator: str, alpha: float, n: int, bias: float, variance: float = 0.01, **columns: Any
) -> dict[str, Any]:
    """A run of the binary pair whose drawn mean is a standard error above the exact one."""
    row = {
        "run_id": f"{estimator}-{alpha}-{n}", "stair": 0, "task": "binary-exact", "task_version": 1,
        "task_params": '{"p":0.5}', "schedule": "[]", "mi_true": TRUTH, "estimator": estimator, "estimator_version": 1,
        "estimator_params": "{}" if estimator == "infonce" else json.dumps({"alpha": alpha}), "kind": "lower",
        "critic": "oracle", "critic_version": 1, "critic_params": "{}", "negatives": "all-pairs",
        "negatives_version": 1, "negatives_params": "{}", "n_negatives": n - 1, "batch": n, "regime": "stream",
        "steps": 2000, "window": 2000, "seed": 0, "protocol": 1, "status": "ok", "precision": "float32",
        "outcomes": json.dumps({"expected": TRUTH + bias, "variance": variance}),
        "estimate_train": TRUTH + bias + math.sqrt(variance / 2000), "estimate_train_sd": math.sqrt(variance),
        "steps_done": 2000, "mibench_version": "0.1.0", "torch_version": "2.13.0",
    }  # fmt: skip
    return empty_row("runs", **{**row, **columns})


def bounds(**changes: float) -> pd.DataFrame:
    """Rows in which claim 1 holds; `changes` are other biases of `cpc`, `ml` (proven) and `below` (not proven)."""
    bias = {"cpc": 0.02, "ml": -0.1, "below": 0.3, **changes}
    rows = [binary_run("alpha-cpc", 1.0, 3, -0.2), binary_run("alpha-cpc", 0.5, 3, bias["cpc"])]
    rows += [binary_run("alpha-ml-cpc", 0.5, 3, bias["ml"]), binary_run("alpha-ml-cpc", 0.1, 3, bias["below"])]
    return pd.DataFrame(rows)


def test_the_smallest_proven_alpha_is_that_of_theorem_1() -> None:
    rows = with_alpha(bounds())
    assert rows.loc[rows["family"] == "ML-CPC", "alpha_min"].tolist() == pytest.approx([3 / 7, 3 / 7])
    assert rows["proven"].tolist() == [True, False, True, False]
    least = pd.DataFrame([binary_run("alpha-ml-cpc", 0.007873531401857661, 128, 0.0)])
    assert with_alpha(least)["proven"].all()  # as the grid writes it


class TestBounds:
    def test_holds_where_cpc_passes_the_truth_and_ml_cpc_does_not(self) -> None:
        found = judge_bounds(bounds(), NONE)
        assert found.verdict == "holds"
        assert "passes the truth at 1 of 1 cell, by at most 0.02 nats (at alpha = 0.5, n = m = 3)" in found.finding
        assert "passes the truth at 0 of 1 cell (nearest to it at alpha = 0.5, n = m = 3: −0.1 nats)" in found.finding
        assert "|z| = 1.00 of 4" in found.finding

    def test_does_not_hold_where_ml_cpc_passes_the_truth_in_its_range(self) -> None:
        assert judge_bounds(bounds(ml=0.01), NONE).verdict == "does not hold"

    def test_holds_within_what_negatives_of_the_same_batch_allow(self) -> None:
        found = judge_bounds(bounds(ml=0.0015), NONE)
        assert found.verdict == "holds in part"
        assert "0.0022" in found.finding

    def test_rounding_is_no_violation(self) -> None:
        assert judge_bounds(bounds(ml=1e-13), NONE).verdict == "holds"

    def test_is_open_without_a_counterexample_or_without_one_of_the_estimators(self) -> None:
        assert judge_bounds(bounds(cpc=-0.1), NONE).verdict == "open"
        assert judge_bounds(bounds()[:2], NONE).verdict == "open"
        assert judge_bounds(bounds()[:0], NONE).verdict == "open"

    def test_is_open_where_drawn_and_exact_means_disagree(self) -> None:
        rows = bounds()
        rows.loc[0, "estimate_train"] += 0.1
        found = judge_bounds(rows, NONE)
        assert found.verdict == "open"
        assert "differ from the exact ones" in found.finding

    def test_failed_and_non_finite_runs_do_not_count(self) -> None:
        rows = bounds()
        rows.loc[0, "status"] = "crashed"
        rows.loc[1, "estimate_train"] = math.nan
        assert exact_moments(rows)["family"].tolist() == ["ML-CPC", "ML-CPC"]


def pair(n: int, bias_ratio: float, variance_ratio: float) -> list[dict[str, Any]]:
    alpha = n / (n * (n - 1) + 1)
    multi = binary_run("alpha-ml-cpc", alpha, n, -0.2 * bias_ratio, 0.01 * variance_ratio)
    return [binary_run("infonce", 1.0, n, -0.2), multi]


class TestTradeOff:
    def rows(self, ratios: Mapping[int, tuple[float, float]]) -> pd.DataFrame:
        return pd.DataFrame([row for n, ratio in ratios.items() for row in pair(n, *ratio)])

    def test_ratios_are_those_of_the_exact_moments(self) -> None:
        (row,) = trade_off(exact_moments(self.rows({4: (0.25, 1.5)}))).to_dict("records")
        assert [row["bias_ratio"], row["variance_ratio"]] == pytest.approx([0.25, 1.5])
        assert row["mse_ratio"] == pytest.approx((0.05**2 + 0.015) / (0.2**2 + 0.01))

    @pytest.mark.parametrize(
        ("ratios", "verdict"),
        [
            ({2: (0.4, 1.2), 3: (0.3, 1.5), 4: (0.1, 2.0)}, "holds"),
            ({2: (0.4, 1.2), 3: (0.3, 1.5), 4: (0.1, 3.0)}, "holds in part"),
            ({2: (0.9, 1.2), 3: (0.8, 1.5), 4: (0.7, 1.1)}, "does not hold"),
            ({2: (0.4, 1.2), 3: (0.3, 1.5)}, "open"),
        ],
    )
    def test_verdicts(self, ratios: dict[int, tuple[float, float]], verdict: str) -> None:
        assert judge_trade_off(self.rows(ratios), NONE).verdict == verdict

    def test_the_finding_names_the_batch_sizes(self) -> None:
        found = judge_trade_off(self.rows({2: (0.4, 1.2), 3: (0.3, 3.0), 4: (0.6, 1.1)}), NONE).finding
        assert "Much less bias (at most 0.5 times): at n = 2, 3" in found
        assert "slightly more variance (1 to 2 times): at n = 2, 4" in found

    def test_another_alpha_is_not_compared(self) -> None:
        rows = self.rows({2: (0.4, 1.2), 3: (0.3, 1.5), 4: (0.1, 2.0)})
        rows["estimator_params"] = rows["estimator_params"].mask(rows["estimator"] != "infonce", '{"alpha":0.9}')
        assert judge_trade_off(rows, NONE).verdict == "open"


STAIRS = (2.0, 10.0)


def stairs(
    readings: Mapping[tuple[str, float], float], critics: Iterable[str] = ("separable",), seeds: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs up two stairs: on the first all read 1.9 nats, on the last what is given."""
    runs, curves = [], []
    for critic in critics:
        for (estimator, alpha), last in readings.items():
            for seed in range(seeds):
                run_id = f"{critic}-{estimator}-{alpha}-{seed}"
                for stair, truth in enumerate(STAIRS):
                    value = (last if stair else 1.9) + 0.001 * seed
                    changes = {
                        "run_id": run_id, "stair": stair, "mi_true": truth, "schedule": json.dumps(STAIRS),
                        "seed": seed, "critic": critic, "hidden": "2x64", "activation": "relu", "task": "gaussian20d",
                        "task_params": '{"dim":20}', "steps": 80, "steps_done": 40 * (stair + 1), "window": 20,
                        "estimate_train": value, "estimate_train_median": value, "estimate_train_sd": 0.1, "lr": 1e-3,
                        "outcomes": None,
                    }  # fmt: skip
                    runs.append(binary_run(estimator, alpha, 128, 0.0, **changes))
                    for step in range(5, 41, 5):
                        point = {"run_id": run_id, "stair": stair, "step": 40 * stair + step, "mi_true": truth}
                        point["estimate_train_median"] = value
                        curves.append({**dict.fromkeys(c.name for c in CURVES), **point})
    return pd.DataFrame(runs), pd.DataFrame(curves)


GOOD = {
    ("alpha-cpc", 1.0): 4.7, ("alpha-cpc", 0.001): 11.1,
    ("alpha-ml-cpc", 1.0): 4.2, ("alpha-ml-cpc", 0.1): 5.8, ("alpha-ml-cpc", 0.001): 7.2,
}  # fmt: skip


class TestStaircase:
    def test_holds_where_cpc_passes_ml_cpc_stays_and_gains(self) -> None:
        found = judge_staircase(*stairs(GOOD))
        assert found.verdict == "holds"
        assert "alpha-CPC reads 4.70, 11.10 (alpha = 1, 0.001) and alpha-ML-CPC reads 4.20, 5.80, 7.20" in found.finding
        assert "passes the truth at 1 of 2 stairs (highest mean: 1.1 nats past it)" in found.finding

    @pytest.mark.parametrize(
        ("change", "verdict"),
        [
            ({("alpha-ml-cpc", 0.001): 10.5}, "does not hold"),
            ({("alpha-cpc", 0.001): 9.0}, "does not hold"),
            ({("alpha-ml-cpc", 0.001): 5.0}, "holds in part"),
            ({("alpha-ml-cpc", 0.001): 5.81}, "holds"),  # within noise of the one before
        ],
    )
    def test_a_part_that_fails(self, change: dict[tuple[str, float], float], verdict: str) -> None:
        assert judge_staircase(*stairs({**GOOD, **change})).verdict == verdict

    def test_holds_for_where_only_one_critic_has_it(self) -> None:
        good, bad = stairs(GOOD), stairs({**GOOD, ("alpha-ml-cpc", 0.1): 10.6}, critics=("joint",))
        assert judge_staircase(pd.concat([good[0], bad[0]]), pd.concat([good[1], bad[1]])).verdict == "holds in part"

    def test_noise_past_the_truth_is_no_violation(self) -> None:
        assert judge_staircase(*stairs({**GOOD, ("alpha-ml-cpc", 0.001): 10.02})).verdict == "holds"

    def test_is_open_with_one_alpha_or_one_estimator(self) -> None:
        runs, curves = stairs(GOOD)
        assert judge_staircase(runs[runs["estimator"] == "alpha-cpc"], curves).verdict == "open"
        assert judge_staircase(runs[:0], curves).verdict == "open"

    def test_intervals_are_over_seeds_where_there_are_some_else_over_batches(self) -> None:
        one = trained_cells(stairs(GOOD)[0]).iloc[0]
        assert one["high"] - one["mean"] == pytest.approx(1.96 * 0.1 / math.sqrt(20))
        many = trained_cells(stairs(GOOD, seeds=3)[0]).iloc[0]
        assert many["n_runs"] == 3
        assert many["high"] - many["mean"] == pytest.approx(4.302653 * 0.001 / math.sqrt(3), rel=1e-5)

    def test_the_table_has_caps_and_independent_values(self) -> None:
        *_, summary = FIGURES["ml-cpc-3"].draw(*stairs(GOOD, critics=("separable", "joint")))
        row = summary[(summary["family"] == "ML-CPC") & (summary["alpha"] == 0.1)].set_index("critic")
        assert row["cap"].tolist() == pytest.approx([math.log(1280)] * 2)
        assert row.loc["separable", "reference"] == 5.8
        assert math.isnan(row.loc["joint", "reference"])


def test_figures_hold_what_they_claim_to_show() -> None:
    figure, table, caption, _ = FIGURES["ml-cpc-1"].draw(bounds(), NONE)
    assert [ax.get_title(loc="left") for ax in figure.axes[:2]] == ["alpha-cpc", "alpha-ml-cpc"]
    assert len(table) == 4
    assert "m/(n(m-1)+1)" in caption
    rows = pd.DataFrame([row for n in (2, 3, 4) for row in pair(n, 0.3, 1.5)])
    figure, *_ = FIGURES["ml-cpc-2"].draw(rows, NONE)
    assert all(ax.get_yscale() == "log" for ax in figure.axes)
    exact = [line.get_ydata() for line in figure.axes[0].lines if line.get_marker() == "none"]
    assert np.allclose(exact, [[0.2] * 3, [0.06] * 3])
    figure, table, *_ = FIGURES["ml-cpc-3"].draw(*stairs(GOOD, critics=("separable", "joint")))
    assert [ax.get_title(loc="left").split(" ")[2] for ax in figure.axes] == ["separable"] * 2 + ["joint"] * 2
    assert set(table["series"]) == {"raw", "smoothed"}


@pytest.mark.parametrize("name", ["ml-cpc-1", "ml-cpc-2", "ml-cpc-3"])
def test_rows_in_any_order_give_the_same_bytes_and_unfit_rows_a_reason(name: str, tmp_path: Path) -> None:
    runs, curves = stairs(GOOD) if name == "ml-cpc-3" else (bounds(), NONE)
    draw = FIGURES[name].draw
    shuffled = draw(runs.sample(frac=1, random_state=1), curves.sample(frac=1, random_state=2))
    for one, two in zip(draw(runs, curves)[1:3], shuffled[1:3], strict=True):
        assert str(one) == str(two)
    (result,) = report.render(runs.assign(task="gaussian", estimator="nwj"), curves, [name], tmp_path)
    assert result.files == ()
    assert result.reason
