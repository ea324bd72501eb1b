"""Statistics of stored rows, against numbers worked out by hand and against simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mibench.analysis.divergence import divergence_by_run, not_diverged, summarise_divergence
from mibench.analysis.metrics import finished, summarise
from mibench.analysis.saturation import fit_saturation
from mibench.analysis.smoothing import MIN_EPOCHS, epoch_means, epoch_steps, smooth, smooth_curve
from mibench.store.columns import empty_row


def rows(*values: dict[str, Any]) -> pd.DataFrame:
    """Rows of the runs table, one run each unless a run_id is given."""
    common = {"stair": 0, "status": "ok", "mi_true": 10.0, "batch": 64, "steps_done": 1000, "wide": 0}
    return pd.DataFrame([empty_row("runs", **{**common, "run_id": f"{i:03}", **v}) for i, v in enumerate(values)])


class TestEpochs:
    @pytest.mark.parametrize(
        ("batch", "steps"), [(64, 800), (128, 400), (256, 200), (512, 100), (1024, 100), (32768, 100)]
    )
    def test_an_epoch_has_51200_pairs_below_512_and_100_steps_above(self, batch: int, steps: int) -> None:
        assert epoch_steps(batch) == steps

    def test_epochs_shorten_only_where_a_curve_would_have_too_few(self) -> None:
        assert epoch_steps(64, 4000) == 4000 // MIN_EPOCHS
        assert epoch_steps(64, 800 * MIN_EPOCHS) == 800
        assert epoch_steps(512, 100_000) == 100
        assert epoch_steps(64, 3) == 1

    def test_points_count_by_the_steps_that_they_stand_for(self) -> None:
        # Points at 10, 20, 40 stand for 10, 10 and 20 steps: (1 * 10 + 2 * 10 + 5 * 20) / 40 = 3.25.
        positions, means = epoch_means([10, 20, 40, 80], [1.0, 2.0, 5.0, 7.0], epoch=40)
        assert means.tolist() == [3.25, 7.0]
        assert positions.tolist() == [20.0, 60.0]

    def test_a_last_epoch_may_be_short(self) -> None:
        positions, means = epoch_means([10, 20, 30], [1.0, 3.0, 9.0], epoch=20)
        assert means.tolist() == [2.0, 9.0]
        assert positions.tolist() == [10.0, 25.0]

    def test_epochs_start_where_the_stair_starts(self) -> None:
        positions, means = epoch_means([110, 120], [4.0, 6.0], epoch=20, start=100)
        assert means.tolist() == [5.0]
        assert positions.tolist() == [110.0]

    def test_values_that_are_not_finite_are_left_out_and_never_made_up(self) -> None:
        _, means = epoch_means([1, 2, 3, 4], [1.0, math.nan, math.inf, -math.inf], epoch=2)
        assert means[0] == 1.0
        assert math.isnan(means[1])

    def test_huge_values_do_not_overflow(self) -> None:
        _, means = epoch_means([10, 20], [1e308, 1e308], epoch=20)
        assert means[0] == pytest.approx(1e308)

    def test_no_points_give_no_epochs(self) -> None:
        assert [len(a) for a in epoch_means([], [], epoch=10)] == [0, 0]
        assert [len(a) for a in smooth_curve([], [], batch=64)] == [0, 0]


class TestSmooth:
    @pytest.mark.parametrize("length", [1, 2, 5, 11, 40])
    def test_a_constant_is_preserved_at_the_edges_too(self, length: int) -> None:
        assert smooth(np.full(length, 3.7)) == pytest.approx(np.full(length, 3.7), rel=1e-14)

    def test_three_epochs_by_hand(self) -> None:
        # Weights 11/11, 10/11, 9/11 over what exists: (11 * 0 + 10 * 1 + 9 * 5) / 30, and so on.
        expected = [55 / 30, (10 * 0 + 11 * 1 + 10 * 5) / 31, (9 * 0 + 10 * 1 + 11 * 5) / 30]
        assert smooth([0.0, 1.0, 5.0]) == pytest.approx(expected, rel=1e-14)

    def test_an_impulse_shows_the_weights_and_their_sums(self) -> None:
        impulse = np.zeros(41)
        impulse[20] = 1.0
        result = smooth(impulse)
        assert result[20] == pytest.approx(1 / 11)  # 11/11 of weights that sum to 11
        assert result[15] == pytest.approx((6 / 11) / 11)
        assert result[10] == pytest.approx((1 / 11) / 11)
        assert result[9] == 0.0
        assert result[31] == 0.0

    def test_at_the_end_the_weights_sum_to_six(self) -> None:
        impulse = np.zeros(41)
        impulse[0] = 1.0
        assert smooth(impulse)[0] == pytest.approx(1 / 6)

    def test_what_is_not_finite_stays_a_gap_and_spreads_to_no_neighbour(self) -> None:
        result = smooth([2.0, math.nan, 2.0, math.inf, 2.0])
        assert result[[0, 2, 4]] == pytest.approx([2.0, 2.0, 2.0])
        assert np.isnan(result[[1, 3]]).all()

    def test_all_nan_gives_all_nan(self) -> None:
        assert np.isnan(smooth([math.nan, math.nan])).all()

    def test_a_curve_coarser_than_the_epoch_has_no_gaps(self) -> None:
        _, smoothed = smooth_curve([500, 1000, 1500, 2000], [1.0, 1.0, 1.0, 1.0], batch=64)
        assert smoothed == pytest.approx([1.0, 1.0, 1.0, 1.0])

    def test_a_full_length_curve_uses_the_epochs_of_the_paper(self) -> None:
        steps = np.arange(100, 100_001, 100)
        positions, smoothed = smooth_curve(steps, np.sqrt(steps), batch=512)
        assert len(positions) == 1000
        assert smoothed == pytest.approx(smooth(np.sqrt(steps)))


class TestSummarise:
    def test_mean_and_interval_by_hand(self) -> None:
        table = summarise(rows(*({"estimate_train_median": v} for v in (1.0, 2.0, 3.0))), ["batch"])
        half = 4.302653 * 1.0 / math.sqrt(3)  # t quantile of two degrees of freedom
        assert table.loc[0, ["mean", "low", "high", "sd"]].tolist() == pytest.approx(
            [2, 2 - half, 2 + half, 1], abs=1e-6
        )

    def test_failed_and_non_finite_runs_are_counted_not_averaged(self) -> None:
        table = summarise(
            rows(
                {"estimate_train_median": 4.0},
                {"estimate_train_median": math.inf, "status": "diverged"},
                {"status": "crashed"},
                {"status": "timeout"},
            ),
            ["batch"],
        )
        row = table.iloc[0]
        assert row["mean"] == 4.0
        assert math.isnan(row["low"])
        assert row[["n_runs", "n_nonfinite", "n_diverged", "n_failed"]].tolist() == [2, 1, 1, 2]

    def test_cells_with_null_keys_are_kept(self) -> None:
        table = summarise(rows({"hidden": None, "estimate_train_median": 1.0}), ["hidden", "batch"])
        assert len(table) == 1

    def test_no_rows_give_an_empty_table_with_its_columns(self) -> None:
        table = summarise(rows({"estimate_train_median": 1.0})[:0], ["batch"])
        assert table.empty
        assert {"batch", "n_runs", "mean", "low", "high"} <= set(table)

    def test_the_interval_covers_the_mean_at_its_level(self) -> None:
        generator = np.random.default_rng(3)
        samples = pd.DataFrame({"cell": np.repeat(np.arange(2000), 4), "value": generator.normal(5, 2, 8000)})
        samples["status"] = "ok"
        table = summarise(samples, ["cell"], "value")
        assert 0.935 < ((table["low"] < 5) & (table["high"] > 5)).mean() < 0.965


def saturating(slope: float, offset: float, noise: np.ndarray[Any, Any], batches: tuple[int, ...]) -> pd.DataFrame:
    """Runs with ``offset + slope log N`` plus noise, one row per noise value, batch sizes in turn."""
    batch = np.resize(batches, noise.size)
    values = offset + slope * np.log(batch) + noise
    return pd.DataFrame({"mi_true": 10.0, "status": "ok", "batch": batch, "estimate_train_median": values})


class TestFitSaturation:
    def test_an_exact_line_gives_its_slope_and_an_interval_of_no_width(self) -> None:
        fit = fit_saturation(saturating(0.75, -0.5, np.zeros(6), (64, 256, 1024)), ["mi_true"]).iloc[0]
        assert fit["slope"] == pytest.approx(0.75, abs=1e-12)
        assert fit["intercept"] == pytest.approx(-0.5, abs=1e-12)
        assert fit["slope_high"] - fit["slope_low"] == pytest.approx(0, abs=1e-12)
        assert (fit["n_runs"], fit["n_levels"], fit["levels"], fit["note"]) == (6, 3, "64, 256, 1024", "")

    def test_agrees_with_scipy(self) -> None:
        data = saturating(1.0, 0.0, np.random.default_rng(0).normal(0, 0.3, 15), (64, 128, 256, 512, 1024))
        fit = fit_saturation(data, ["mi_true"]).iloc[0]
        known = stats.linregress(np.log(data["batch"]), data["estimate_train_median"])
        half = stats.t.ppf(0.975, 13) * known.stderr
        assert fit["slope"] == pytest.approx(known.slope, rel=1e-12)
        assert fit["slope_high"] - fit["slope"] == pytest.approx(half, rel=1e-10)

    def test_the_interval_covers_the_slope_at_its_level(self) -> None:
        noise = np.random.default_rng(1).normal(0, 0.4, (1500, 8))
        data = pd.concat(
            [saturating(1.0, 0.2, row, (64, 256, 512, 1024)).assign(series=i) for i, row in enumerate(noise)]
        )
        fits = fit_saturation(data, ["series"])
        covered = ((fits["slope_low"] <= 1.0) & (fits["slope_high"] >= 1.0)).mean()
        assert 0.935 < covered < 0.965  # three standard errors are 0.017

    def test_too_few_points_are_said_to_be_too_few(self) -> None:
        one_level = fit_saturation(saturating(1, 0, np.zeros(3), (64,)), ["mi_true"]).iloc[0]
        two_runs = fit_saturation(saturating(1, 0, np.zeros(2), (64, 128)), ["mi_true"]).iloc[0]
        assert math.isnan(one_level["slope"])
        assert "two batch sizes" in one_level["note"]
        assert two_runs["slope"] == pytest.approx(1)
        assert math.isnan(two_runs["slope_low"])
        assert "three runs" in two_runs["note"]

    def test_diverged_failed_and_non_finite_runs_do_not_enter(self) -> None:
        data = saturating(1.0, 0.0, np.zeros(8), (64, 128, 256, 512))
        data.loc[0, "estimate_train_median"] = math.inf
        data.loc[1, "estimate_train_median"] = math.nan
        data.loc[2, ["estimate_train_median", "status"]] = [1e30, "diverged"]
        data.loc[3, ["estimate_train_median", "status"]] = [math.nan, "crashed"]
        fit = fit_saturation(data, ["mi_true"]).iloc[0]
        assert fit["slope"] == pytest.approx(1.0)
        assert fit["n_runs"] == 4

    def test_a_series_without_any_value_is_listed_with_its_note(self) -> None:
        data = saturating(1.0, 0.0, np.full(4, math.nan), (64, 128))
        fit = fit_saturation(data, ["mi_true"]).iloc[0]
        assert fit["n_runs"] == 0
        assert fit["levels"] == ""
        assert fit["note"] != ""


class TestDivergence:
    def runs(self) -> pd.DataFrame:
        return rows(
            {"estimate_train_median": 9.5},
            {
                "estimate_train_median": 40.0,
                "status": "diverged",
                "diverged_at": 600,
                "divergence": "median",
                "wide": 1,
            },
            {"estimate_train_median": math.inf, "status": "diverged", "diverged_at": 200, "divergence": "non-finite"},
            {"status": "crashed"},
            {"estimate_train_median": 8.0, "steps_done": 400},
        )

    def test_by_run(self) -> None:
        table = divergence_by_run(self.runs(), keep=["batch"]).set_index("run_id")
        assert table.index.tolist() == ["000", "001", "002", "004"]
        assert table["diverged"].tolist() == [False, True, True, False]
        assert table["followed"].tolist() == [1000, 600, 200, 400]
        assert table["excess"].tolist() == [-0.5, 30.0, math.inf, -2.0]
        assert table["wide"].tolist() == [False, True, False, False]
        assert table.loc["001", "divergence"] == "median"
        assert set(table["batch"]) == {64}

    def test_a_staircase_counts_once_from_its_first_divergence(self) -> None:
        stairs = rows(
            {"run_id": "s", "stair": 0, "mi_true": 2.0, "steps_done": 500, "estimate_train_median": 2.0},
            {"run_id": "s", "stair": 1, "mi_true": 4.0, "steps_done": 1000, "estimate_train_median": 9.0,
             "status": "diverged", "diverged_at": 700},
            {"run_id": "s", "stair": 2, "mi_true": 6.0, "steps_done": 1500, "estimate_train_median": 90.0,
             "status": "diverged", "diverged_at": 1100},
        )  # fmt: skip
        table = divergence_by_run(stairs)
        assert table[["diverged_at", "mi_true", "excess"]].to_numpy().tolist() == [[700.0, 6.0, 84.0]]

    def test_a_diverged_run_without_a_step_counts_at_its_end(self) -> None:
        table = divergence_by_run(rows({"status": "diverged", "estimate_train_median": 99.0}))
        assert table.loc[0, "diverged_at"] == 1000

    def test_share_not_diverged_with_censoring_by_hand(self) -> None:
        # Four watched; one diverges at 200 (3/4), one is censored at 400, one of the two left diverges at 600 (3/8).
        line = not_diverged(divergence_by_run(self.runs()))
        assert line["step"].tolist() == [0, 200, 600, 1000]
        assert line["share"].tolist() == [1, 0.75, 0.375, 0.375]

    def test_nothing_diverged_gives_a_flat_line(self) -> None:
        line = not_diverged(divergence_by_run(rows({"estimate_train_median": 9.5})))
        assert line[["step", "share"]].to_numpy().tolist() == [[0, 1], [1000, 1]]

    def test_summary_by_cell(self) -> None:
        cell = summarise_divergence(divergence_by_run(self.runs(), ["batch"]), ["batch"]).iloc[0]
        assert cell[["n_runs", "n_diverged", "n_nonfinite", "n_wide"]].tolist() == [4, 2, 1, 1]
        assert cell[["first_at", "median_at"]].tolist() == [200, 400]
        assert cell[["median_excess", "largest_excess"]].tolist() == [-0.5, 30.0]

    def test_summary_of_runs_that_all_hold(self) -> None:
        cell = summarise_divergence(divergence_by_run(rows({"estimate_train_median": 9.5})), ["mi_true"]).iloc[0]
        assert cell["n_diverged"] == 0
        assert math.isnan(cell["first_at"])

    def test_no_finished_run_gives_an_empty_table(self) -> None:
        assert divergence_by_run(rows({"status": "crashed"})).empty


def test_finished_keeps_divergence_and_drops_failures() -> None:
    table = rows(*({"status": s} for s in ("ok", "diverged", "timeout", "crashed")))
    assert finished(table)["status"].tolist() == ["ok", "diverged"]
