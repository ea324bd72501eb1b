"""Figures of errors: the exact-critic split, bias and variance, violations, survival, cost, sample size."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from mibench.accuracy import split_by_exact_critic
from mibench.columns import empty_row
from mibench.errors import UsageError
from mibench.figures import FIGURES

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

    def test_runs_without_an_exact_critic_are_refused(self) -> None:
        with pytest.raises(UsageError, match="oracle"):
            draw("exact-split", rows({}))
