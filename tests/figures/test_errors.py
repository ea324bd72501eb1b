"""Figures of errors: the exact-critic split, bias and variance, violations, survival, cost, sample size."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from mibench.analysis.accuracy import (
    FRESH_BATCHES,
    bias_variance,
    cost,
    pareto_front,
    split_by_exact_critic,
    violation_shares,
)
from mibench.analysis.divergence import divergence_by_run, not_diverged
from mibench.core.errors import UsageError
from mibench.figures.panels import MAX_PANELS
from mibench.figures.registry import FIGURES
from mibench.report import reports as report
from mibench.store.columns import empty_row

COMMON = {
    "task": "gaussian20d", "task_version": 1, "task_params": "{}", "schedule": "[]", "mi_true": 5.0, "mi_se": 0.0,
    "estimator": "nwj", "estimator_version": 1, "estimator_params": "{}", "kind": "lower", "critic": "joint",
    "critic_version": 1, "critic_params": "{}", "hidden": "2x64", "activation": "relu", "dropout": "0",
    "negatives": "shuffle", "negatives_version": 1, "negatives_params": "{}", "regime": "stream", "batch": 64,
    "capped_by_sampler": 0, "predicted_ceiling": math.inf, "steps": 1000, "steps_done": 1000, "lr": 1e-3,
    "weight_decay": 0.0, "precision": "float32", "window": 100, "every": 10, "seed": 0, "protocol": 1, "status": "ok",
    "seconds": 2.0, "estimate_train_median": 4.0, "estimate_train": 4.0, "estimate_train_sd": 0.5,
    "estimate_fresh": 4.0, "estimate_fresh_sd": 0.5, "wide": 0, "stair": 0, "torch_version": "2",
    "mibench_version": "0",
}  # fmt: skip


def rows(*values: dict[str, Any]) -> pd.DataFrame:
    """Rows of the runs table, a run each."""
    return pd.DataFrame([empty_row("runs", **{**COMMON, "run_id": f"{i:032x}", **v}) for i, v in enumerate(values)])


def draw(name: str, runs: pd.DataFrame) -> Any:
    """Draw a figure."""
    (name,) = report.resolve_names([name])
    return FIGURES[name].draw(runs, pd.DataFrame(columns=["run_id"]))


class TestExactSplit:
    def runs(self) -> pd.DataFrame:
        exact = {"critic": "oracle", "hidden": None, "activation": None, "lr": None, "steps": 10}
        return rows(
            {**exact, "estimate_train_median": 4.0},
            {**exact, "estimate_train_median": 5.0},
            {"estimate_train_median": 2.0},
            {"estimate_train_median": 4.0, "status": "diverged"},
            {"estimate_train_median": math.inf},
            {"estimate_train_median": 1.0, "batch": 32},
        )

    def test_parts_by_hand(self) -> None:
        parts = split_by_exact_critic(self.runs(), ["mi_true", "batch"], "critic")
        assert len(parts) == 1  # N = 32 has no exact critic
        cell = parts.iloc[0]
        assert cell["estimator_part"] == pytest.approx(-0.5)
        assert cell["critic_gap"] == pytest.approx(-1.5)
        assert cell["total"] == pytest.approx(-2.0)
        assert cell["total_high"] - cell["total"] == pytest.approx(12.7062, abs=1e-3)  # t(1) = 12.706, sd / sqrt 2 = 1
        assert cell[["oracle_runs", "n_runs", "n_nonfinite", "n_diverged"]].tolist() == [2, 3, 1, 1]

    def test_the_drawing_holds_the_parts_and_counts_what_diverged(self) -> None:
        drawing = draw("exact-split", self.runs())
        assert drawing.table["critic_gap"].tolist() == pytest.approx([-1.5])
        assert "1 trained run diverged" in drawing.caption
        assert "1 run without a finite estimate" in drawing.caption

    def test_settings_that_only_training_has_tell_critics_apart(self) -> None:
        runs = pd.concat([self.runs(), rows({"hidden": "2x128"}).assign(run_id="f" * 32)])
        assert sorted(draw("exact-split", runs.reset_index(drop=True)).table["critic"]) == [
            "joint, 2x128",
            "joint, 2x64",
        ]

    def test_on_a_fixed_sample_parts_are_those_of_test_values_at_that_size(self) -> None:
        exact = {"critic": "oracle", "hidden": None, "activation": None, "lr": None}
        fixed = [{"regime": "dataset", "samples": n, "estimate_test": value} for n, value in ((500, 4.0), (2000, 5.0))]
        drawing = draw("exact-split", rows(*({**exact, **one} for one in fixed), *fixed))
        assert drawing.table[["n", "estimator_part", "critic_gap"]].to_numpy().tolist() == [[500, -1, 0], [2000, 0, 0]]
        assert "value of the test part" in drawing.caption

    def test_an_estimator_with_its_own_critic_stands_beside_every_trained_critic(self) -> None:
        own = {"estimator": "tre", "critic": "bridges", "own_critic": 1, "estimate_train_median": 3.0}
        runs = rows(
            {"critic": "oracle"}, {}, {"critic": "separable"}, own, {**own, "critic": "oracle", "own_critic": 0}
        )
        drawing = draw("exact-split", runs)
        pairs = drawing.table[["critic", "estimator"]].to_numpy().tolist()
        assert pairs == [[c, e] for c in ("joint", "separable") for e in ("nwj", "tre")]
        assert "5 runs: 5 ok" in drawing.caption
        assert "a critic of their own: tre (bridges)" in drawing.caption

    def test_runs_without_an_exact_critic_are_refused(self) -> None:
        with pytest.raises(UsageError, match="oracle"):
            draw("exact-split", rows({}))


class TestBiasVariance:
    def test_parts_by_hand(self) -> None:
        runs = rows(
            {"estimate_train": 4.0, "estimate_train_sd": 1.0},
            {"estimate_train": 2.0, "estimate_train_sd": 2.0, "status": "diverged"},
            {"estimate_train": math.nan},
        )
        cell = bias_variance(runs, ["mi_true"]).iloc[0]
        assert cell[["bias", "variance", "mse"]].tolist() == pytest.approx([-2.0, 2.5, 7.5])
        assert cell["bias_high"] == pytest.approx(-2 + 12.7062, abs=1e-3)
        assert cell[["n_runs", "n_nonfinite", "n_diverged"]].tolist() == [3, 1, 1]

    def test_the_ceiling_is_that_of_the_sampler_minus_the_truth(self) -> None:
        capped = {"capped_by_sampler": 1, "predicted_ceiling": math.log(64)}
        drawing = draw("bias-variance", rows(capped, {"estimator": "smile", "kind": "plug-in"}))
        ceiling = drawing.table.set_index("estimator")["ceiling_bias"]
        assert ceiling["nwj"] == pytest.approx(math.log(64) - 5)
        assert math.isnan(ceiling["smile"])

    def test_an_estimator_that_runs_away_stays_in_view(self) -> None:
        away = [{"estimator": "js-nwj", "batch": n, "estimate_train": 5.0 - b} for n, b in ((64, 19.3), (256, 151.9))]
        drawing = draw("bias-variance", rows({}, *away))
        low, high = drawing.figure.axes[0].get_ylim()
        assert low < -151.9
        assert drawing.figure.axes[0].get_yscale() == "symlog"
        assert "outside the view" not in drawing.caption.replace("biases outside the view", "")
        at = drawing.figure.axes[0].transData.transform([(0, low), (0, -1), (0, high)])[:, 1]
        assert (at[1] - at[0]) / (at[2] - at[0]) > 0.3  # what lies beyond does not crush what lies near

    @pytest.mark.parametrize("name", ["bias-variance", "error-by-mi"])
    def test_runs_on_fixed_samples_are_left_out_in_a_sentence(self, name: str) -> None:
        fixed = {"regime": "dataset", "samples": 1000, "estimate_test": 3.0, "estimate_train": 20.0}
        drawing = draw(name, rows({}, fixed, {**fixed, "seed": 1}))
        assert drawing.table["bias"].tolist() == [-1.0]
        assert "2 runs on fixed samples left out" in drawing.caption
        with pytest.raises(UsageError, match="draw sample-size"):
            draw(name, rows(fixed))

    @pytest.mark.parametrize("name", ["bias-variance", "error-by-mi"])
    def test_an_estimator_with_its_own_critic_and_sampler_stands_in_every_panel(self, name: str) -> None:
        own = {
            "estimator": "l1out", "critic": "conditional-gaussian", "hidden": "1x8", "negatives": "all-pairs",
            "own_critic": 1, "own_negatives": 1, "status": "diverged",
        }  # fmt: skip
        hosts = [{"critic": c, "negatives": s} for c in ("joint", "separable") for s in ("shuffle", "derangement")]
        drawing = draw(name, rows(*hosts, own))
        assert len(drawing.figure.axes) == 4 * 3
        assert drawing.table["estimator"].value_counts().to_dict() == {"nwj": 4, "l1out": 4}
        assert "1 run of 5 diverged" in drawing.caption  # copies count once
        assert "l1out (conditional-gaussian)" in drawing.caption
        assert "critic conditional-gaussian 1x8 relu" in drawing.caption  # the grid is that of the runs themselves

    def test_runs_without_finite_values_are_refused(self) -> None:
        with pytest.raises(UsageError, match="finite"):
            draw("bias-variance", rows({"estimate_train": math.nan}))


class TestViolations:
    def test_beyond_three_standard_errors_of_the_fresh_mean(self) -> None:
        error = 0.5 / math.sqrt(32)
        runs = rows(
            {"estimate_fresh": 5 + 3.1 * error},
            {"estimate_fresh": 5 + 2.9 * error},
            {"estimate_fresh": 5 + 3.1 * error, "mi_se": error},  # the truth is uncertain too
            {"estimate_fresh": math.inf},
            {"estimate_fresh": 5 - 3.1 * error, "kind": "upper"},
            {"estimate_fresh": 50.0, "kind": "plug-in"},
        )
        shares = violation_shares(runs, ["kind"]).set_index("kind")
        counted = shares[["n_judged", "n_violations", "n_nonfinite"]].to_numpy()
        assert dict(zip(shares.index, counted.tolist(), strict=True))["lower"] == [3, 1, 1]
        assert shares.loc["upper", "share"] == 1
        assert shares.loc["plug-in", "n_judged"] == 0

    def test_wilson_by_hand(self) -> None:
        cell = violation_shares(rows(*[{}] * 8), ["kind"]).iloc[0]
        assert float(cell["high"]) == pytest.approx(1.95996**2 / (8 + 1.95996**2), abs=1e-5)

    def test_plug_ins_alone_are_refused(self) -> None:
        with pytest.raises(UsageError, match="bounds"):
            draw("violations", rows({"kind": "plug-in"}))

    def test_the_engine_draws_as_many_fresh_batches(self) -> None:
        from mibench.training.regimes import Stream

        assert Stream.final_batches == FRESH_BATCHES


class TestCost:
    def test_root_mean_squared_error_and_seconds_by_hand(self) -> None:
        runs = rows(
            {"estimate_train_median": 2.0, "seconds": 1.0},
            {"estimate_train_median": 1.0, "seconds": 3.0},
            {"estimate_train_median": math.inf, "seconds": 2.0},
        )
        cell = cost(runs, ["batch"]).iloc[0]
        assert cell[["seconds", "rmse"]].tolist() == pytest.approx([2.0, math.sqrt(12.5)])
        assert cell["n_nonfinite"] == 1

    def test_cells_of_another_truth_or_batch_size_are_on_a_front_of_their_own(self) -> None:
        worse = {"negatives": "all-pairs", "estimate_train_median": 3.0, "seconds": 3.0}
        drawing = draw("cost", rows({}, worse, {**worse, "mi_true": 4.0}, {**worse, "batch": 256}))
        cells = drawing.table.set_index(["mi_true", "batch", "negatives"])["on_front"]
        assert cells.to_dict() == {
            (4.0, 64, "all-pairs"): True, (5.0, 64, "all-pairs"): False, (5.0, 64, "shuffle"): True,
            (5.0, 256, "all-pairs"): True,
        }  # fmt: skip
        titles = [ax.get_title(loc="left") for ax in drawing.figure.axes]
        assert titles[1:] == [f"gaussian20d, I = 5 nats\nN = {n} (log N = {math.log(n):.2f})" for n in (64, 256)]

    def test_on_a_fixed_sample_the_error_is_that_of_the_test_value_whatever_the_batch(self) -> None:
        fixed = {"regime": "dataset", "samples": 1000, "estimate_test": 3.0, "estimate_train_median": 4.9}
        whole = {**fixed, "estimator": "ksg", "critic": "none", "own_critic": 1, "batch": 1000, "estimate_test": 4.5}
        drawing = draw("cost", rows({}, fixed, {**fixed, "batch": 32}, whole))
        assert drawing.table.query("n == 1000")["rmse"].tolist() == [2.0, 2.0, 0.5]
        assert [len(ax.collections) > 0 for ax in drawing.figure.axes] == [True, True]  # fresh pairs; n = 1,000
        assert "value of the test part" in drawing.caption

    def test_front_by_hand(self) -> None:
        assert pareto_front([3, 1, 2, 2, 4], [1, 5, 5, 2, math.nan]).tolist() == [1, 3, 0]


class TestSurvival:
    def runs(self) -> pd.DataFrame:
        stop = {"status": "diverged", "divergence": "median"}
        return rows({**stop, "diverged_at": 200}, {"steps_done": 400}, {**stop, "diverged_at": 600}, {})

    def test_the_band_by_hand(self) -> None:
        # Greenwood at 200: 1 / (4 * 3); on the scale of log(-log S), S = 3/4.
        line = not_diverged(divergence_by_run(self.runs()))
        factor = math.exp(1.959964 * math.sqrt(1 / 12) / abs(math.log(0.75)))
        assert line["share"].tolist() == [1, 0.75, 0.375, 0.375]
        assert line["low"][1] == pytest.approx(0.75**factor)
        assert line["high"][1] == pytest.approx(0.75 ** (1 / factor))
        assert math.isnan(line["low"][0])  # nothing has happened yet: the band is undefined

    def test_the_drawing_counts_runs_and_divergences(self) -> None:
        drawing = draw("survival", self.runs())
        assert "2 runs of 4 diverged" in drawing.caption
        assert drawing.table["share"].tolist() == [1, 0.75, 0.375, 0.375]

    def test_too_many_panels_are_cut_in_a_sentence(self) -> None:
        drawing = draw("survival", rows(*({"batch": n} for n in range(2, MAX_PANELS + 4))))
        assert drawing.table["batch"].nunique() == len(drawing.figure.axes) == MAX_PANELS
        assert f"Only the first {MAX_PANELS} of {MAX_PANELS + 2} panels are drawn" in drawing.caption

    def test_no_finished_run_is_refused(self) -> None:
        with pytest.raises(UsageError, match="finished"):
            draw("survival", rows({"status": "crashed"}))

    def test_no_seconds_are_refused_by_the_cost(self) -> None:
        with pytest.raises(UsageError, match="seconds"):
            draw("cost", rows({"seconds": math.nan}))


def test_stairs_and_constant_runs_share_the_axis_of_true_mi() -> None:
    stairs = {"schedule": "[2, 4]", "run_id": "f" * 32}
    drawing = draw("error-by-mi", rows({}, {**stairs, "mi_true": 2.0}, {**stairs, "mi_true": 4.0, "stair": 1}))
    assert drawing.table[["mi_true", "bias"]].to_numpy().tolist() == [[2, 2], [4, 0], [5, -1]]
