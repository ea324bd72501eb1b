"""Claims of FlatNCE on made-up rows: what holds, what does not, and what cannot be said."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mibench.claims.flatnce import (
    BATCH,
    LARGE_POOL,
    differences,
    ess_changes,
    ess_curves,
    judge_ess,
    judge_large_pool,
    judge_scheduling,
    with_settings,
)
from mibench.figures.registry import FIGURES
from mibench.report import reports as report
from mibench.store.columns import CURVES, empty_row

NOISE = (-0.01, 0.0, 0.01)
"""What the three seeds are apart."""
_T = 4.302653  # Student's, two degrees of freedom, 95 %


def run(estimator: str, seed: int, **columns: Any) -> dict[str, Any]:
    row = {
        "run_id": f"{estimator}-{seed}-{columns.get('estimator_params', '')}-{columns.get('critic_params', '')}",
        "stair": 0, "task": "gaussian20d", "task_version": 1, "task_params": '{"dim":20}', "schedule": "[]",
        "mi_true": 8.0, "estimator": estimator, "estimator_version": 1, "estimator_params": '{"ess":null}',
        "kind": "lower", "critic": "cosine", "critic_version": 1, "critic_params": '{"embed":32,"scale":20.0}',
        "hidden": "2x256", "activation": "relu", "negatives": "all-pairs", "negatives_version": 1,
        "negatives_params": "{}", "n_negatives": 31, "batch": 32, "regime": "stream", "steps": 600, "window": 50,
        "lr": 5e-4, "seed": seed, "protocol": 1, "status": "ok", "precision": "float32", "fresh_pool": 8192,
        "steps_done": 600, "mibench_version": "0.1.0", "torch_version": "2.13.0",
    }  # fmt: skip
    return empty_row("runs", **{**row, **columns})


def stairs(
    *, batch_gap: float = 0.02, pool_gap: float = 0.5, seeds: int = 3, scale: float = 20.0, early_gap: float = 0.6,
    ess: Mapping[str, tuple[float, float]] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Two stairs of 8 nats; FlatNCE is ahead of InfoNCE by the gaps; the ESS runs straight between two values."""
    ess = ess or {"infonce": (0.1, 0.05), "flatnce": (0.1, 0.2)}
    runs, curves = [], []
    for loss in ("infonce", "flatnce"):
        for seed in range(seeds):
            for stair in range(2):
                gap = {BATCH: batch_gap, LARGE_POOL: pool_gap if stair else early_gap}
                lead = {name: value * (loss == "flatnce") + NOISE[seed % 3] * seed for name, value in gap.items()}
                row = run(
                    loss, seed, stair=stair, steps_done=300 * (stair + 1), schedule="[8.0, 8.0]",
                    critic_params=json.dumps({"scale": scale}), estimate_train=3.2 + lead[BATCH],
                    estimate_fresh_large=5.5 + lead[LARGE_POOL],
                )  # fmt: skip
                runs.append(row)
                for step in range(300 * stair + 10, 300 * stair + 301, 10):
                    start, end = ess[loss]
                    point = {"run_id": row["run_id"], "stair": stair, "step": step, "mi_true": 8.0, BATCH: 3.2}
                    point["ess"] = start + (end - start) * step / 600 + 0.1 * NOISE[seed % 3]
                    curves.append({**dict.fromkeys(c.name for c in CURVES), **point})
    return pd.DataFrame(runs), pd.DataFrame(curves)


class TestLargePool:
    def test_differences_are_flatnces_values_less_infonces_at_equal_seeds(self) -> None:
        runs, _ = stairs()
        gaps = differences(with_settings(runs), [BATCH, LARGE_POOL])
        assert gaps.loc[gaps["stair"] == 1, LARGE_POOL].tolist() == pytest.approx([0.5] * 3)
        assert gaps["steps_done"].tolist() == [300] * 3 + [600] * 3

    def test_a_seed_that_one_loss_lacks_is_left_out(self) -> None:
        runs, _ = stairs()
        runs.loc[(runs["estimator"] == "infonce") & (runs["seed"] == 1), "status"] = "crashed"
        assert set(differences(with_settings(runs), [BATCH])["seed"]) == {0, 2}

    def test_holds_where_tied_and_ahead(self) -> None:
        found = judge_large_pool(*stairs())
        assert found.verdict == "holds"
        assert "+0.50 [+0.50, +0.50] nats on the large pool" in found.finding
        assert "where it was +0.60 [+0.60, +0.60] after 300" in found.finding

    @pytest.mark.parametrize(
        ("changes", "verdict"),
        [
            ({"batch_gap": 0.3}, "does not hold"),  # not tied
            ({"batch_gap": -0.3}, "does not hold"),
            ({"pool_gap": -0.5}, "does not hold"),  # behind
            ({"seeds": 1}, "open"),  # no interval
        ],
    )
    def test_verdicts(self, changes: dict[str, Any], verdict: str) -> None:
        assert judge_large_pool(*stairs(**changes)).verdict == verdict

    def test_a_difference_within_noise_is_open(self) -> None:
        runs, curves = stairs(pool_gap=0.0)
        last = (runs["estimator"] == "flatnce") & (runs["stair"] == 1)
        runs.loc[last, LARGE_POOL] += [-0.5, 0.5, 0.2]
        assert judge_large_pool(runs, curves).verdict == "open"

    def test_holds_for_the_scale_that_has_it(self) -> None:
        good, bad = stairs(), stairs(scale=10.0, pool_gap=-0.5)
        both = [pd.concat(pair, ignore_index=True) for pair in zip(good, bad, strict=True)]
        assert judge_large_pool(*both).verdict == "holds in part"

    def test_one_loss_alone_is_open(self) -> None:
        runs, curves = stairs()
        for rows in (runs[runs["estimator"] == "flatnce"], runs[:0]):
            assert judge_large_pool(rows, curves).verdict == "open"


class TestEss:
    def test_changes_are_means_of_the_beginning_and_of_sixths(self) -> None:
        changes = ess_changes(ess_curves(*stairs(ess={"infonce": (0.0, 0.6), "flatnce": (0.6, 0.0)})))
        row = changes[(changes["estimator"] == "infonce") & (changes["seed"] == 1)].iloc[0]
        assert [row["early"], row["second"], row["last"]] == pytest.approx([0.02, 0.155, 0.555])  # of steps 10 to 30, …
        assert row["change"] == pytest.approx(0.535)

    @pytest.mark.parametrize(
        ("infonce", "flatnce", "verdict"),
        [
            ((0.1, 0.05), (0.1, 0.2), "holds"),
            ((0.1, 0.05), (0.1, 0.07), "does not hold"),
            ((0.1, 0.2), (0.1, 0.2), "does not hold"),
        ],
    )
    def test_verdicts(self, infonce: tuple[float, float], flatnce: tuple[float, float], verdict: str) -> None:
        found = judge_ess(*stairs(ess={"infonce": infonce, "flatnce": flatnce}))
        assert found.verdict == verdict
        assert ("of InfoNCE falls" if infonce[1] < infonce[0] else "of InfoNCE rises") in found.finding

    def test_is_open_without_intervals_curves_or_one_of_the_losses(self) -> None:
        runs, curves = stairs()
        assert judge_ess(*stairs(seeds=1)).verdict == "open"
        assert judge_ess(runs, curves[:0]).verdict == "open"
        assert judge_ess(runs[runs["estimator"] == "infonce"], curves).verdict == "open"
        assert judge_ess(runs, curves[curves["step"] < 300]).verdict == "open"


def targets(values: Mapping[float, float], *, seeds: int = 3, off: float = 0.0) -> pd.DataFrame:
    """Runs at held effective sample sizes, with the large-pool estimate that is given for each target."""
    return pd.DataFrame(
        [
            run(
                loss, seed, estimator_params=json.dumps({"ess": target}), ess=target + off, estimate_train=3.0,
                estimate_fresh_large=value + NOISE[seed],
            )
            for loss in ("infonce", "flatnce")
            for target, value in values.items()
            for seed in range(seeds)
        ]
    )  # fmt: skip


NO_CURVES = pd.DataFrame(columns=["run_id"])


class TestScheduling:
    @pytest.mark.parametrize(
        ("values", "verdict"),
        [
            ({0.05: 5.0, 0.2: 6.0, 0.4: 5.5, 0.8: 2.0}, "holds"),
            ({0.05: 7.0, 0.2: 6.0, 0.4: 5.5, 0.8: 2.0}, "does not hold"),
            ({0.05: 5.0, 0.2: 6.0, 0.4: 5.5, 0.8: 6.5}, "does not hold"),
            ({0.05: 6.0, 0.2: 6.0, 0.4: 5.5, 0.8: 2.0}, "open"),  # apart by noise alone
            ({0.05: 5.0, 0.2: 6.0}, "open"),  # nothing above
            ({0.2: 6.0, 0.4: 5.0}, "open"),
        ],
    )
    def test_verdicts(self, values: dict[float, float], verdict: str) -> None:
        assert judge_scheduling(targets(values), NO_CURVES).verdict == verdict

    def test_one_seed_decides_nothing(self) -> None:
        rows = targets({0.05: 5.0, 0.2: 6.0, 0.8: 2.0}, seeds=1)
        assert judge_scheduling(rows, NO_CURVES).verdict == "open"
        assert judge_scheduling(rows[:0], NO_CURVES).verdict == "open"

    def test_the_finding_has_intervals_and_says_what_was_not_held(self) -> None:
        values = {0.05: 7.0, 0.2: 6.0, 0.8: 2.0}
        found = judge_scheduling(targets(values), NO_CURVES).finding
        half = _T * 0.01 / math.sqrt(3)
        assert f"7.00 [{7 - half:.2f}, {7 + half:.2f}] at 0.05, the best of the others" in found
        assert "held within 0.000 of its target." in found
        assert "not within 0.05: FlatNCE 0.05 (0.15)" in judge_scheduling(targets(values, off=0.1), NO_CURVES).finding


class TestFigures:
    def test_the_pool_stands_beside_the_batch_and_the_truth(self) -> None:
        figure, table, caption, summary = FIGURES["flatnce-1"].draw(*stairs())
        above, below = figure.axes
        assert any("log N = 3.47" in text.get_text() for text in above.texts)
        assert any(np.allclose(line.get_ydata(), 8.0) for line in above.lines)
        assert any(np.allclose(line.get_ydata(), [0.6, 0.5]) for line in below.lines)
        assert "8,192 fresh pairs" in caption
        assert set(table["panel"]) == {"batch", "pool", "difference"}
        assert set(summary["panel"]) == {"pool", "difference"}

    def test_bands_of_the_ess_hold_their_means(self) -> None:
        _, table, *_ = FIGURES["flatnce-6"].draw(*stairs())
        assert ((table["low"] <= table["mean"]) & (table["mean"] <= table["high"])).all()
        assert set(table["n_runs"]) == {3}

    def test_targets_stand_beside_what_is_held(self) -> None:
        figure, table, *_ = FIGURES["flatnce-7"].draw(targets({0.05: 5.0, 0.2: 6.0, 0.8: 2.0}), NO_CURVES)
        held = table[table["panel"] == "held"]
        assert held["mean"].tolist() == pytest.approx(held["target"].tolist())
        assert [ax.get_title(loc="left") for ax in figure.axes] == ["held", "learnt"]

    @pytest.mark.parametrize("name", ["flatnce-1", "flatnce-6", "flatnce-7"])
    def test_rows_in_any_order_draw_the_same_and_unfit_rows_give_a_reason(self, name: str, tmp_path: Path) -> None:
        runs, curves = (targets({0.05: 5.0, 0.2: 6.0, 0.8: 2.0}), NO_CURVES) if name == "flatnce-7" else stairs()
        draw = FIGURES[name].draw
        shuffled = draw(runs.sample(frac=1, random_state=1), curves.sample(frac=1, random_state=2))
        for one, two in zip(draw(runs, curves)[1:3], shuffled[1:3], strict=True):
            assert str(one) == str(two)
        (result,) = report.render(runs.assign(estimator="nwj"), curves, [name], tmp_path)
        assert result.files == ()
        assert result.reason
