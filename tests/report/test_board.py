"""The board of cells and the table of runs: known answers, nothing pooled that differs, nothing left out silently."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from mibench.report.board import CELL, board, table_of_runs
from tests.support.rows import make


def cell_of(estimates: list[float], sds: list[float], **columns: object) -> pd.DataFrame:
    """One cell at 2 nats, a run for each estimate."""
    runs, _ = make(negatives=("shuffle",), batches=(64,), levels=(2.0,), seeds=len(estimates), steps=20)
    runs["estimate_train"], runs["estimate_train_sd"] = estimates, sds
    runs["bias"], runs["seconds"] = runs["estimate_train"] - 2.0, 10.0
    return runs.assign(**columns)


def test_a_cell_has_the_statistics_of_its_runs() -> None:
    runs = cell_of([1.0, 2.0, 3.0, 4.0], [3.0, 0.0, 0.0, 4.0], estimate_train_median=[1.0, 1.5, 2.0, 9.0])
    (cell,) = board(runs).to_dict("records")
    assert (cell["task"], cell["mi_true"], cell["estimator"], cell["batch"]) == ("gaussian20d", 2.0, "nwj", 64)
    assert (cell["n_runs"], cell["n_diverged"], cell["n_nonfinite"], cell["n_failed"]) == (4, 0, 0, 0)
    assert (cell["estimate"], cell["bias"], cell["median"], cell["seconds"]) == (2.5, 0.5, 1.75, 10.0)
    half = 3.182446305 * math.sqrt(5 / 3) / 2  # Student t with 3 degrees of freedom; sd of 1 to 4 is sqrt(5/3)
    assert (cell["bias_low"], cell["bias_high"]) == pytest.approx((0.5 - half, 0.5 + half))
    assert cell["sd"] == pytest.approx(2.5)  # sqrt((9 + 16) / 4)
    assert cell["rmse"] == pytest.approx(math.sqrt(((1 + 9) + 0 + 1 + (4 + 16)) / 4))


def test_runs_without_a_finite_value_are_counted_and_in_no_mean() -> None:
    runs = cell_of([math.inf, math.nan, 3.0, 5.0, 9.0], [math.inf, math.nan, 1.0, 1.0, 1.0])
    runs["status"] = ["diverged", "diverged", "diverged", "ok", "crashed"]
    (cell,) = board(runs).to_dict("records")
    assert (cell["n_runs"], cell["n_diverged"], cell["n_nonfinite"], cell["n_failed"]) == (4, 3, 2, 1)
    assert (cell["estimate"], cell["bias"], cell["sd"]) == (4.0, 2.0, 1.0)
    runs["status"] = "timeout"
    (cell,) = board(runs).to_dict("records")
    assert (cell["n_runs"], cell["n_failed"]) == (0, 5)
    assert all(math.isnan(cell[name]) for name in ("estimate", "median", "bias", "sd", "rmse", "seconds"))


def test_one_run_has_no_interval_and_large_values_do_not_overflow() -> None:
    (one,) = board(cell_of([3.0], [1.0])).to_dict("records")
    assert one["bias"] == 1.0
    assert math.isnan(one["bias_low"])
    (huge,) = board(cell_of([1e300, 1e300], [1e300, 1e300])).to_dict("records")
    assert huge["rmse"] == pytest.approx(math.sqrt(2) * 1e300)


def test_on_a_fixed_sample_a_run_is_one_estimate() -> None:
    runs = cell_of([9.0, 9.0], [5.0, 5.0], regime="dataset", samples=100.0, estimate_test=[1.0, 4.0])
    runs["bias"] = runs["estimate_test"] - 2.0
    (cell,) = board(runs).to_dict("records")
    assert cell["estimate"] == 2.5
    assert math.isnan(cell["sd"])
    assert cell["rmse"] == pytest.approx(math.sqrt((1 + 4) / 2))
    assert sorted(table_of_runs(runs)["estimate"]) == [1.0, 4.0]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("steps", 4000, "4,000 steps"), ("lr", 1e-3, "lr 0.001"), ("hidden", "2x512", "2x512"),
        ("optimiser", "sgd", "sgd"), ("schedule", "[2.0, 4.0]", "staircase 2 4"), ("critic", "separable", ""),
    ],
)  # fmt: skip
def test_runs_of_unequal_settings_are_never_pooled(column: str, value: object, said: str) -> None:
    runs = cell_of([1.0, 2.0, 3.0, 4.0], [1.0] * 4, optimiser="adam")
    assert len(board(runs)) == 1
    assert set(board(runs)["settings"]) == {""}
    runs[column] = runs[column].astype(object)
    runs.loc[2:, column] = value
    cells = board(runs)
    assert cells["n_runs"].tolist() == [2, 2]
    assert any(said in settings for settings in cells["settings"])


def test_both_tables_hold_every_row_in_an_order_of_their_own() -> None:
    runs, _ = make(estimators=("nwj", "club"))
    runs["bias"] = np.arange(len(runs), dtype=float)
    mixed = runs.sample(frac=1, random_state=1)
    assert sorted(table_of_runs(runs)["run_id"]) == sorted(runs["run_id"])
    pd.testing.assert_frame_equal(table_of_runs(runs), table_of_runs(mixed))
    pd.testing.assert_frame_equal(board(runs), board(mixed))
    assert board(runs)["n_runs"].sum() == len(runs)
    assert not board(runs).duplicated(list(CELL)).any()
