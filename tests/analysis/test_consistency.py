"""Ratios of the self-consistency tests, on rows with known ones."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from mibench.analysis.consistency import self_consistency
from mibench.core.errors import UsageError
from mibench.store.columns import empty_row


def run(setting: str, rows: int, estimate: float | None, **values: Any) -> dict[str, Any]:
    params = {"rows": rows, "setting": setting, "grey": values.pop("grey", True)}
    truth = 7.0 * (rows > 0) * (2 if setting == "additivity" else 1)
    return empty_row(
        "runs",
        **{
            "task": "digits-rows",
            "task_params": json.dumps(params),
            "status": "ok",
            "seed": 0,
            "estimator": "nwj",
            "estimator_params": "{}",
            "mi_true": truth,
            "estimate_train_median": estimate,
            **values,
        },
    )


def of(table: pd.DataFrame, test: str, rows: int) -> pd.Series:
    found = table[(table["test"] == test) & (table["rows"] == rows)]
    assert len(found) == 1
    return found.iloc[0]


def test_ratios_are_those_of_runs_with_the_same_seed() -> None:
    runs = [
        *(run("baseline", 8, 4.0 + seed, seed=seed) for seed in range(3)),
        *(run("baseline", 4, 3.0 + seed, seed=seed) for seed in range(3)),
        *(run("processing", 4, 3.0, seed=seed) for seed in range(3)),
        *(run("additivity", 4, 4.5, seed=seed) for seed in (1, 2, 7)),  # seed 7 has no baseline
    ]
    table = self_consistency(pd.DataFrame(runs).sample(frac=1, random_state=0))
    assert list(table["test"]) == ["additivity", "baseline", "baseline", "processing"]
    assert of(table, "baseline", 8)["mean"] == 1
    ratios = [3 / 4, 4 / 5, 5 / 6]
    row = of(table, "baseline", 4)
    low, high = stats.t.interval(0.95, 2, loc=sum(ratios) / 3, scale=stats.sem(ratios))
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((sum(ratios) / 3, low, high))
    assert of(table, "processing", 4)["mean"] == pytest.approx((3 / 3 + 3 / 4 + 3 / 5) / 3)
    assert of(table, "additivity", 4)["mean"] == pytest.approx((4.5 / 4 + 4.5 / 5) / 2)
    assert of(table, "additivity", 4)["n_runs"] == 2
    assert table["ideal"].tolist() == [2, 1, 1, 1]


def test_the_ratios_of_the_truth_are_ideal() -> None:
    runs = [run("baseline", 8, 7.0), run("baseline", 4, 7.0), run("processing", 4, 7.0), run("additivity", 4, 14.0)]
    table = self_consistency(pd.DataFrame(runs))
    assert table["mean"].tolist() == table["ideal"].tolist()
    assert table["low"].isna().all()  # one seed


def test_cells_are_kept_apart() -> None:
    runs = [
        run(setting, 8, value * scale, estimator=name, grey=grey)
        for setting, value in (("baseline", 1.0), ("additivity", 1.5))
        for name, scale in (("nwj", 1.0), ("js", 3.0))
        for grey in (True, False)
    ]
    table = self_consistency(pd.DataFrame(runs))
    assert len(table) == 8
    assert table.loc[table["test"] == "additivity", "mean"].tolist() == [1.5] * 4
    with pytest.raises(UsageError, match="add to 'by'"):
        self_consistency(pd.DataFrame(runs), by=["critic"])


def test_without_information_below_the_line_there_is_no_ratio() -> None:
    runs = [run("baseline", 0, 0.01), run("processing", 0, 0.02), run("baseline", 8, 4.0)]
    table = self_consistency(pd.DataFrame(runs))
    assert list(zip(table["test"], table["rows"], strict=True)) == [("baseline", 0), ("baseline", 8)]
    assert of(table, "baseline", 0)["ideal"] == 0


def test_runs_without_a_result_do_not_count_and_divergence_is_counted() -> None:
    runs = [
        run("baseline", 8, 4.0),
        run("processing", 8, None, status="crashed"),
        run("additivity", 8, math.inf, status="diverged"),
        run("baseline", 8, 9.0, task="gaussian20d", task_params="{}"),
    ]
    table = self_consistency(pd.DataFrame(runs))
    assert list(table["test"]) == ["additivity", "baseline"]
    row = of(table, "additivity", 8)
    assert (row["n_runs"], row["n_nonfinite"], row["n_diverged"]) == (1, 1, 1)
    assert math.isnan(row["mean"])


def test_no_runs_give_no_rows() -> None:
    runs = pd.DataFrame([run("baseline", 8, 4.0)])
    table = self_consistency(runs.iloc[:0])
    assert table.empty
    assert list(table.columns) == list(self_consistency(runs).columns)
