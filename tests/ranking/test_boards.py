"""The leaderboard on made-up rows with known answers: what it says, who is left out, and what does not move it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mibench
from mibench.analysis.cells import rows_of_suite
from mibench.cli.app import main
from mibench.core.errors import UnknownNameError, UsageError
from mibench.experiments.grid import override, resolve
from mibench.experiments.suite import read_suite
from mibench.ranking.boards import Options, rank_methods
from mibench.ranking.columns import COLUMNS
from mibench.ranking.rows import PUBLISHED
from tests.support.boards import rows, run
from tests.support.suite_rows import rows_of_specs, store_rows

NAN = math.nan
MOVED = ["rank", "best_rank", "worst_rank", "group", "win_rate", "log_rank"]
"""Columns that depend on which other methods there are."""

SUITE = """# Three tasks, two samplers.
suite.version = 1

estimator = ["nwj-v1", "dv-v1"]
negatives = ["shuffle-v1", "derangement-v1"]
steps = 100
window = 50
every = 10
seeds = 2

[[include]]
task = "gaussian20d-v1"
mi = [2, 10]

[[include]]
task = "transformed-v1:base=normal-pairs-v1:mi=2:dim_x=5:dim_y=5:pairs=5,x=identity,y=spiral"

[[exclude]]
estimator = "dv-v1"
negatives = "derangement-v1"
"""


def methods_of(runs: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """The leaderboard without its baselines, which are tested by themselves."""
    table = mibench.leaderboard(runs, **options)
    return table[table["role"] == "estimator"].reset_index(drop=True)


def board(runs: pd.DataFrame, **options: Any) -> pd.DataFrame:
    return methods_of(runs, **options).set_index("method")


def left_out(runs: pd.DataFrame) -> dict[str, str]:
    return {row["method"]: row["lacking"] for row in methods_of(runs).attrs["left_out"]}


THREE = {"nwj": 0.1, "dv": 0.2, "infonce": 0.4}


class TestNumbers:
    def test_a_board_by_hand(self) -> None:
        runs = pd.DataFrame([
            run("nwj", 2.0, 1.0, 0), run("nwj", 2.0, 2.0, 1),  # errors 0.5 and 0: bias -0.5, variance 0.5
            run("nwj", 10.0, 8.0, 0, ceiling=8.0), run("nwj", 10.0, 8.0, 1, ceiling=8.0),  # 0.2 twice, at the ceiling
            *(run("dv", truth, truth, seed, seconds=4.0) for truth in (2.0, 10.0) for seed in range(2)),
        ])  # fmt: skip
        nwj = board(runs).loc["nwj"]
        assert nwj["error"] == pytest.approx((0.25 + 0.2) / 2)
        assert nwj["bias"] == pytest.approx((-0.5 - 2.0) / 2)
        assert nwj["variance"] == pytest.approx((0.5 + 0.0) / 2)
        assert nwj["batch_variance"] == pytest.approx(0.01)
        assert nwj["saturation"] == pytest.approx((0.75 + 1.0) / 2)
        assert nwj[["monotonicity", "seconds", "cost", "diverged", "failed"]].tolist() == [1, 2, 1, 0, 0]
        assert nwj[["tasks", "cells", "runs", "imputed_runs", "stands_in"]].tolist() == [2, 2, 4, 0, 0]
        assert nwj["win_rate"] == 0
        assert board(runs).loc["dv", ["error", "cost", "rank"]].tolist() == [0, 2, 1]

    def test_the_log_error_by_hand_and_the_ranks_by_it(self) -> None:
        # At 3 and 15 nats: NWJ answers 1 and 15, a third and 0 of the truth off; DV 6 and 30, off by it, capped at 1.
        values = {"nwj": (1.0, 15.0), "dv": (6.0, 30.0), "infonce": (2.4, 7.5), "mine": (1.0, math.nan)}
        made = [
            run(name, truth, value, seed)
            for name, both in values.items() for truth, value in zip((3.0, 15.0), both, strict=True)
            for seed in range(2)
        ]  # fmt: skip
        table = board(pd.DataFrame(made))
        log = math.log
        assert table["error"].to_dict() == pytest.approx({"nwj": 1 / 3, "infonce": 0.35, "mine": 5 / 6, "dv": 1})
        assert table["log_error"].to_dict() == pytest.approx({
            "nwj": log(2) / 2, "infonce": (log(4 / 3.4) + log(16 / 8.5)) / 2,
            "mine": (log(2) + log(16)) / 2, "dv": (log(7 / 4) + log(31 / 16)) / 2,
        })  # fmt: skip
        assert table["rank"].to_dict() == {"nwj": 1, "infonce": 2, "mine": 3, "dv": 4}
        assert table["log_rank"].to_dict() == {"nwj": 1, "infonce": 2, "dv": 3, "mine": 4}

    def test_the_log_errors_interval_is_over_what_that_of_the_error_is(self) -> None:
        few, enough = (
            board(rows({"nwj": 0.2, "dv": 0.4}, tasks=tuple(f"family-{i}" for i in range(count)), noise=0.1))
            for count in (2, 8)
        )
        for table in (few, enough):
            assert (table["log_error_low"] < table["log_error"]).all()
            assert (table["log_error_high"] > table["log_error"]).all()
        by_task = few.loc["nwj"]
        runs = rows({"nwj": 0.2, "dv": 0.4}, noise=0.1)
        own = runs[runs["estimator"] == "nwj"]
        errors = np.abs(np.log((1 + own["estimate_train_median"]) / (1 + own["mi_true"]))).to_numpy().reshape(6, 2)
        spread = errors.var(axis=1, ddof=1) / 2 / 36  # six tasks of weight 1/6, two seeds each
        half = stats.t.ppf(0.975, spread.sum() ** 2 / (spread**2).sum()) * math.sqrt(spread.sum())
        assert by_task["log_error"] == pytest.approx(errors.mean())
        assert by_task["log_error_high"] - by_task["log_error"] == pytest.approx(half)

    def test_the_columns_are_those_that_are_documented(self) -> None:
        assert list(mibench.leaderboard(rows(THREE)).columns) == list(COLUMNS)

    def test_the_best_is_first_and_told_apart_from_the_others(self) -> None:
        table = methods_of(rows(THREE))
        assert table["method"].tolist() == ["nwj", "dv", "infonce"]
        assert table["rank"].tolist() == [1, 2, 3]
        assert table["group"].tolist() == ["a", "b", "c"]
        assert table["worst_rank"].tolist() == [1, 2, 3]
        assert (table["error_low"] < table["error"]).all()
        assert (table["error_high"] > table["error"]).all()

    def test_methods_alike_share_a_group_and_the_ranks_between_them(self) -> None:
        table = board(rows({"nwj": 0.2, "dv": 0.2, "infonce": 0.4}))
        assert table.loc[["nwj", "dv"], "group"].tolist() == ["a", "a"]
        assert table.loc[["nwj", "dv"], ["best_rank", "worst_rank"]].to_numpy().tolist() == [[1, 2], [1, 2]]

    def test_tasks_count_equally_however_many_cells_they_have(self) -> None:
        runs = pd.DataFrame([
            *(run("nwj", 2.0, 1.0, 0, critic=critic) for critic in ("separable", "joint", "bilinear")),
            run("nwj", 10.0, 10.0, 0),
        ])  # fmt: skip
        assert board(runs).loc["nwj", "error"] == pytest.approx(0.25)

    def test_violations_are_counted_on_the_side_that_a_bound_forbids(self) -> None:
        # Standard error of the mean 0.1 / sqrt(100) = 0.01: 0.02 over the truth is noise, 0.04 is not.
        over, noise = run("dv", 2.0, 2.04, 0), run("dv", 5.0, 5.02, 0)
        assert board(pd.DataFrame([over, noise])).loc["dv", "violations"] == 0.5
        upper = [run("club", 2.0, 1.9, 0, kind="upper"), run("club", 5.0, 9.0, 0, kind="upper")]
        assert board(pd.DataFrame(upper)).loc["club", "violations"] == 0.5
        assert math.isnan(board(pd.DataFrame([run("js", 2.0, 9.0, 0, kind="plug-in")])).loc["js", "violations"])

    def test_a_truth_that_is_known_with_an_error_gives_more_room(self) -> None:
        assert board(pd.DataFrame([run("dv", 2.0, 2.04, 0, mi_se=0.02)])).loc["dv", "violations"] == 0

    def test_saturation_is_against_the_least_of_truth_ceiling_and_sampler(self) -> None:
        def saturation(**columns: Any) -> float:
            return float(board(pd.DataFrame([run("nwj", 8.0, 2.0, 0, **columns)])).loc["nwj", "saturation"])

        assert saturation() == 0.25
        assert saturation(ceiling=4.0) == 0.5
        assert saturation(predicted_ceiling=4.0) == 0.25  # does not apply
        assert saturation(predicted_ceiling=4.0, capped_by_sampler=1, ceiling=5.0) == 0.5

    def test_cost_is_relative_on_the_same_cells_and_in_one_invocation(self) -> None:
        runs = pd.DataFrame([
            run("nwj", 2.0, 2.0, 0, seconds=1.0), run("nwj", 5.0, 5.0, 0, seconds=4.0),
            run("dv", 2.0, 2.0, 0, seconds=2.0), run("dv", 5.0, 5.0, 0, seconds=2.0),  # 2 and 1/2: 1
            run("js", 2.0, 2.0, 0, seconds=3.0), run("js", 5.0, 5.0, 0, seconds=9.0, session_id="elsewhere"),
        ])  # fmt: skip
        cost = board(runs)["cost"]
        assert (cost["nwj"], cost["dv"], cost["js"]) == pytest.approx((1, 1, 3))
        assert board(runs[runs["estimator"] != "nwj"])["cost"].isna().all()
        assert board(runs, reference="dv")["cost"]["nwj"] == pytest.approx(1)
        with pytest.raises(UsageError, match="unknown reference 'nothing'; known: dv, js, nwj"):
            board(runs, reference="nothing")

    def test_a_kind_that_is_none_is_named_and_ranks_nowhere(self) -> None:
        runs = pd.concat([rows(THREE), rows({"mine": 0.1}, kind="lowr")], ignore_index=True)
        assert "mine" not in board(runs).index
        said = left_out(runs)["mine"]
        assert said == "has runs of the unknown kind 'lowr'; known: lower, plug-in, upper"
        runs.loc[runs["estimator"] == "mine", "kind"] = None  # of runs that crashed before it was known
        assert board(runs).loc["mine", "track"] == "plug-in"

    def test_the_reference_is_the_built_in_version_unless_another_is_named(self) -> None:
        runs = pd.DataFrame([
            run("nwj", 2.0, 2.0, 0, seconds=2.0), run("nwj", 2.0, 2.0, 0, seconds=1.0, estimator_version=2),
            run("dv", 2.0, 2.0, 0, seconds=4.0),
        ])  # fmt: skip
        assert dict(board(runs)["cost"]) == pytest.approx({"nwj-v1": 1, "nwj-v2": 0.5, "dv": 2})
        assert dict(board(runs, reference="nwj-v2")["cost"]) == pytest.approx({"nwj-v1": 2, "nwj-v2": 1, "dv": 4})
        assert dict(board(runs, reference="nwj")["cost"]) == pytest.approx({"nwj-v1": 2, "nwj-v2": 1, "dv": 4})

    def test_monotonicity_is_that_of_mean_estimates_over_mi(self) -> None:
        falling = pd.DataFrame([run("nwj", t, e, 0) for t, e in ((2.0, 2.0), (5.0, 4.0), (10.0, 3.0))])
        assert board(falling).loc["nwj", "monotonicity"] == pytest.approx(1 / 3)


class TestImputation:
    @pytest.mark.parametrize(
        ("status", "value"),
        [("diverged", NAN), ("diverged", math.inf), ("ok", -math.inf), ("crashed", NAN), ("timeout", 2.0)],
    )
    def test_what_has_no_finite_answer_counts_as_one_and_is_marked(self, status: str, value: float) -> None:
        runs = rows(THREE, noise=0)
        first = runs.index[runs["estimator"] == "nwj"][0]
        runs.loc[first, ["status", "estimate_train", "estimate_train_median"]] = [status, value, value]
        found = board(runs).loc["nwj"]
        assert found["error"] == pytest.approx(0.1 + 0.9 / 12)
        assert found[["imputed_runs", "imputed_cells"]].tolist() == [1, 1]
        assert found["diverged" if status in ("ok", "diverged") else "failed"] == pytest.approx(1 / 12)
        assert found["bias"] == pytest.approx(board(rows(THREE, noise=0)).loc["nwj", "bias"])  # of the runs that held
        cells = rank_methods(runs).cells.query("method == 'nwj'")
        assert cells["imputed"].tolist() == [1, 0, 0, 0, 0, 0]

    def with_value(self, value: float, status: str, truth: float = 5.0, kind: str = "lower") -> pd.Series:
        """Return the row of a method with one run, on a board of its own."""
        return board(pd.DataFrame([run("nwj", truth, value, 0, status=status, kind=kind)])).loc["nwj"]

    @pytest.mark.parametrize("status", ["ok", "diverged"])
    def test_what_was_answered_is_scored_whatever_training_did_on_the_way(self, status: str) -> None:
        for value, error in ((4.9, 0.02), (5.1, 0.02), (8.0, 0.6), (30.0, 1.0), (-3.0, 1.0)):
            found = self.with_value(value, status)
            assert found["error"] == pytest.approx(error)
            assert found[["diverged", "imputed_runs"]].tolist() == [0, 0]
            assert found["bias"] == pytest.approx(value - 5)

    @pytest.mark.parametrize("status", ["ok", "diverged"])
    def test_as_far_over_the_truth_is_as_far_under_it(self, status: str) -> None:
        over, under = (self.with_value(value, status, truth=30.0) for value in (32.1, 27.9))
        assert over["error"] == pytest.approx(under["error"]) == pytest.approx(0.07)
        assert over["diverged"] == under["diverged"] == 0

    @pytest.mark.parametrize(
        ("value", "kind", "diverged"),
        [
            (-100.1, "lower", 1), (-99.9, "lower", 0), (105.1, "lower", 1), (104.9, "lower", 0),
            (105.1, "plug-in", 1), (-100.1, "upper", 1), (105.1, "upper", 0), (math.inf, "upper", 1),
        ],
    )  # fmt: skip
    def test_what_is_ranked_diverges_on_either_side_and_whatever_the_status(
        self, value: float, kind: str, diverged: int
    ) -> None:
        for status in ("ok", "diverged"):
            found = self.with_value(value, status, kind=kind)
            assert found[["error", "diverged"]].tolist() == [1, diverged]
            assert found["imputed_runs"] == (not math.isfinite(value))
            assert math.isnan(found["bias"]) == bool(diverged)

    def test_below_nothing_the_truth_does_not_matter(self) -> None:
        assert [self.with_value(-100.1, "ok", truth)["diverged"] for truth in (0.0, 5.0, 1000.0)] == [1, 1, 1]

    def test_a_run_that_crashed_before_anything_was_known_of_it_has_its_place(self) -> None:
        runs = rows(THREE)
        known = ["kind", "ceiling", "own_critic", "own_negatives", "mi_true", "seconds", "estimate_train_median"]
        runs[known] = runs[known].astype(object)
        runs.loc[0, [*known, "status"]] = [*[None] * len(known), "crashed"]
        assert board(runs).loc["nwj", ["tasks", "imputed_runs"]].tolist() == [6, 1]

    def test_a_method_that_never_holds_is_ranked_last_without_descriptions(self) -> None:
        runs = rows(THREE)
        runs.loc[runs["estimator"] == "dv", "estimate_train_median"] = 1e6
        found = board(runs).loc["dv"]
        assert found[["rank", "error", "error_low", "error_high", "diverged"]].tolist() == [3, 1, 1, 1, 1]
        assert np.isnan([found["bias"], found["variance"], found["saturation"]]).all()
        assert found["monotonicity"] == 0


class TestDenseMatrix:
    def test_a_method_with_one_missing_cell_is_named_and_left_out(self) -> None:
        runs = rows(THREE)
        gone = (runs["estimator"] == "dv") & (runs["task"] == "student-t") & (runs["mi_true"] == 5)
        assert left_out(runs[~gone]) == {"dv": "lacks 2 of 12 runs: student-t · 5 nats"}
        table = board(runs[~gone])
        assert table.index.tolist() == ["nwj", "infonce"]
        assert (table["cells"] == 6).all()

    def test_a_missing_seed_is_named(self) -> None:
        runs = rows(THREE)
        assert left_out(runs.drop(index=1)) == {"nwj": "lacks 1 of 12 runs: gaussian20d · 2 nats (seed 1)"}

    @pytest.mark.parametrize("lost", ["a seed", "a task", "all but one run"])
    def test_a_method_that_loses_runs_does_not_move_the_others(self, lost: str) -> None:
        runs = rows(THREE, seeds=3)
        own = runs["estimator"] == "dv"
        gone = (
            own
            & {
                "a seed": runs["seed"] == 1,
                "a task": (runs["task"] == "student-t") & (runs["mi_true"] == 10),
                "all but one run": runs.index != runs.index[own][0],
            }[lost]
        )
        before, after = board(runs).drop(index="dv"), board(runs[~gone])
        pd.testing.assert_frame_equal(before.drop(columns=MOVED), after.drop(columns=MOVED), check_exact=True)
        assert after["rank"].tolist() == [1, 2]

    def test_seeds_that_are_asked_for_must_be_there_and_others_do_not_count(self) -> None:
        runs = pd.concat([rows(THREE), rows({"nwj": 0.1}, seeds=4).query("seed > 1")], ignore_index=True)
        assert set(left_out(runs)) == {"dv", "infonce"}
        assert len(board(runs, seeds=range(2))) == len(board(runs, seeds=np.arange(2))) == 3
        assert board(runs, seeds=range(4)).index.tolist() == ["nwj"]

    def test_a_board_without_any_complete_method_is_empty_and_names_them(self) -> None:
        runs = rows({"nwj": 0.1, "dv": 0.2}).drop(index=[0, 13])
        assert methods_of(runs).empty
        assert list(mibench.leaderboard(runs).columns) == list(COLUMNS)
        assert set(left_out(runs)) == {"nwj", "dv"}

    def test_parameters_and_versions_make_methods(self) -> None:
        runs = pd.concat([
            rows({"smile": 0.1}, estimator_params='{"tau":1.0}'), rows({"smile": 0.3}, estimator_params='{"tau":5.0}'),
        ])  # fmt: skip
        assert methods_of(runs)["method"].tolist() == ["smile:tau=1", "smile:tau=5"]

    def test_a_run_that_is_stored_twice_counts_once(self) -> None:
        runs = rows(THREE)
        failed = runs.assign(status="crashed", estimate_train_median=NAN)
        pd.testing.assert_frame_equal(board(pd.concat([failed, runs])), board(runs))


def grid_of(
    critics: tuple[str, ...], samplers: tuple[str, ...], estimator: str = "nwj", **columns: Any
) -> pd.DataFrame:
    parts = [
        rows({estimator: 0.2}, critic=critic, negatives=sampler, **columns)
        for critic in critics
        for sampler in samplers
    ]
    return pd.concat(parts, ignore_index=True)


class TestStandingIn:
    SAMPLERS = ("shuffle", "derangement")

    def test_a_run_stands_for_every_critic_and_sampler_where_the_estimator_brings_its_own(self) -> None:
        own = {"own_critic": 1, "own_negatives": 1}
        runs = pd.concat([
            grid_of(("separable", "joint"), self.SAMPLERS),
            grid_of(("conditional-gaussian",), ("none",), "barber-agakov", **own),
            grid_of(("none",), ("none",), "ksg", **own, hidden=None, lr=None, activation=None),
        ])  # fmt: skip
        table = board(runs)
        assert table["cells"].tolist() == [24] * 3
        assert table.loc["barber-agakov", ["runs", "stands_in"]].tolist() == [12, 18]
        assert table.loc["nwj", ["runs", "stands_in"]].tolist() == [48, 0]

    def test_what_it_does_not_bring_must_be_there(self) -> None:
        runs = pd.concat([
            grid_of(("separable",), self.SAMPLERS),
            grid_of(("conditional-gaussian",), ("shuffle",), "club", own_critic=1),
        ])  # fmt: skip
        lacking = left_out(runs)["club"]
        assert lacking.startswith("lacks 12 of 24 runs: gaussian20d · 2 nats · derangement, gaussian20d · 5 nats · der")

    def test_its_own_runs_make_cells_where_nobody_else_has_any(self) -> None:
        own = {"own_critic": 1, "own_negatives": 1, "critic": "none", "negatives": "none"}
        runs = pd.concat([rows({"ksg": 0.1, "cca": 0.2}, **own), rows({"ksg": 0.1}, batch=256, **own)])
        assert list(left_out(runs)) == ["cca"]
        assert "N = 256" in left_out(runs)["cca"]
        assert board(runs).loc["ksg", "cells"] == 12

    def test_it_stands_beside_the_exact_critic_too(self) -> None:
        runs = pd.concat([
            grid_of(("oracle",), ("shuffle",), hidden=None, lr=None, activation=None, dropout=None, weight_decay=None),
            grid_of(("conditional-gaussian",), ("none",), "doe", own_critic=1, own_negatives=1),
        ])  # fmt: skip
        assert board(runs)["cells"].tolist() == [6, 6]

    def test_a_sample_taken_as_a_whole_stands_for_every_batch_size(self) -> None:
        fixed = {"regime": "dataset", "samples": 1000, "patience": 10}
        whole = {**fixed, "own_critic": 1, "own_negatives": 1, "critic": "none", "negatives": "none", "hidden": None}
        parts = [rows({"nwj": 0.2}, batch=batch, **fixed) for batch in (64, 128)]
        parts.append(
            rows({"ksg": 0.1}, **{**whole, "batch": 1000, "steps": 1, "window": 1, "every": 1, "patience": None})
        )
        runs = pd.concat(parts, ignore_index=True)
        runs["estimate_test"] = runs["estimate_train_median"]
        assert board(runs)["cells"].tolist() == [12, 12]

    def test_default_samplers_tell_no_cells_apart_but_a_grid_of_them_does(self) -> None:
        parts = [rows({"nwj": 0.2}, negatives="shuffle"), rows({"infonce": 0.3}, negatives="all-pairs")]
        assert len(board(pd.concat(parts))) == 2
        parts.append(rows({"nwj": 0.2}, negatives="derangement"))
        assert set(left_out(pd.concat(parts))) == {"nwj", "infonce"}


class TestTracks:
    def everything(self) -> pd.DataFrame:
        stream = [rows(THREE), rows({"smile": 0.1, "js": 0.2}, kind="plug-in"), rows({"club": 0.3}, kind="upper")]
        fixed = rows({"nwj": 0.3, "smile": 0.2}, regime="dataset", samples=1000, patience=10)
        fixed["estimate_test"] = fixed["estimate_train_median"]
        fixed["estimate_train_median"] = 99.0  # of batches that were trained on: nobody's estimate
        return pd.concat([*stream, fixed], ignore_index=True)

    def test_tracks_are_by_kind_and_regime(self) -> None:
        table = methods_of(self.everything())
        assert table.groupby("track", sort=False)["method"].agg(list).to_dict() == {
            "lower": ["nwj", "dv", "infonce"],
            "plug-in": ["smile", "js"],
            "upper": ["club"],
            "dataset": ["smile", "nwj"],
        }

    def test_one_track_is_what_it_is_among_all(self) -> None:
        table = methods_of(self.everything())
        alone = methods_of(self.everything(), track="dataset")
        expected = table[table["track"] == "dataset"].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, expected, check_exact=True)

    def test_what_is_no_bound_in_some_cells_is_a_plug_in(self) -> None:
        runs = rows({"vince": 0.1, "nwj": 0.2})
        runs.loc[0, "kind"] = "plug-in"
        assert methods_of(runs).set_index("method")["track"].to_dict() == {"nwj": "lower", "vince": "plug-in"}

    def test_what_does_not_exist_is_refused(self) -> None:
        with pytest.raises(UnknownNameError, match="unknown track 'lowr'; did you mean 'lower'"):
            methods_of(rows(THREE), track="lowr")
        with pytest.raises(UsageError, match="by family, regime or sampler, not by 'task'"):
            methods_of(rows(THREE), by="task")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="no runs to rank in track 'upper'"):
            methods_of(rows(THREE), track="upper")
        with pytest.raises(UsageError, match="no runs to rank;"):
            methods_of(rows(THREE).iloc[:0])


class TestParts:
    def test_a_board_for_each_sampler_holds_its_cells(self) -> None:
        runs = pd.concat([
            rows({"nwj": 0.2, "dv": 0.3}, negatives="shuffle"), rows({"nwj": 0.4, "dv": 0.1}, negatives="derangement"),
        ])  # fmt: skip
        boards = methods_of(runs, by="sampler")
        best = boards[boards["rank"] == 1].set_index("part")["method"]
        assert best.to_dict() == {"derangement": "dv", "shuffle": "nwj"}
        assert (boards["cells"] * 2 == methods_of(runs)["cells"].iloc[0]).all()

    def test_boards_by_family_hold_their_levels_and_speak_of_seeds(self) -> None:
        table = methods_of(rows(THREE), by="family")
        assert table["part"].unique().tolist() == ["gaussian20d-v1", "student-t-v1"]
        assert (table["tasks"] == 3).all()
        assert (table["families"] == 1).all()
        assert (table["over"] == "seeds").all()

    def test_boards_of_few_families_speak_of_seeds_and_those_of_eight_of_families(self) -> None:
        few, enough = (methods_of(rows(THREE, tasks=tuple(f"family-{i}" for i in range(count)))) for count in (7, 8))
        assert few[["families", "tasks", "over"]].drop_duplicates().to_numpy().tolist() == [[7, 21, "seeds"]]
        assert enough[["families", "tasks", "over"]].drop_duplicates().to_numpy().tolist() == [[8, 24, "families"]]

    def test_levels_are_no_families_however_many(self) -> None:
        table = methods_of(rows(THREE, tasks=("gaussian20d",), levels=tuple(range(2, 14))))
        assert table[["families", "tasks", "over"]].drop_duplicates().to_numpy().tolist() == [[1, 12, "seeds"]]

    def test_families_count_equally_however_many_levels_they_have(self) -> None:
        runs = pd.DataFrame([
            *(run("nwj", truth, truth / 2, 0) for truth in (2.0, 5.0, 10.0)),  # 0.5 on three levels
            run("nwj", 5.0, 4.5, 0, task="student-t"),  # 0.1 on one
        ])  # fmt: skip
        found = board(runs).loc["nwj"]
        assert found["error"] == pytest.approx(0.3)
        assert found["bias"] == pytest.approx((-17 / 6 - 0.5) / 2)

    def test_families_differ_in_their_parameters_but_not_in_mi(self) -> None:
        base = "normal-pairs-v1:dim_x=5:mi={}:pairs=5"
        made = [
            run("nwj", mi, mi, seed, task="transformed", task_params=json.dumps({"base": base.format(mi), "y": y}))
            for mi in (2.0, 5.0) for y in ("spiral", "cube") for seed in range(2)
        ]  # fmt: skip
        parts = methods_of(pd.DataFrame(made), by="family")["part"].tolist()
        assert parts == [f"transformed-v1:base=normal-pairs-v1:dim_x=5:pairs=5,y={y}" for y in ("cube", "spiral")]

    def test_boards_by_regime_lie_below_and_above_log_n(self) -> None:
        # log 64 = 4.2 and log 256 = 5.5: of 5 nats one cell is above and one below.
        runs = pd.concat([rows(THREE), rows(THREE, batch=256)])
        table = methods_of(runs, by="regime").set_index(["part", "method"])
        assert table.loc[("below log N", "nwj"), ["tasks", "cells"]].tolist() == [4, 6]
        assert table.loc[("above log N", "nwj"), ["tasks", "cells"]].tolist() == [4, 6]

    def test_a_board_of_one_task_has_an_interval_over_seeds(self) -> None:
        table = methods_of(rows(THREE, tasks=("gaussian20d",), levels=(5.0,), seeds=4))
        assert (table["over"] == "seeds").all()
        assert (table["error_high"] > table["error_low"]).all()

    def test_a_staircase_is_one_task(self) -> None:
        made = [
            run("nwj", mi, mi, seed, stair=stair, schedule="[2.0, 4.0]", task_params='{"dim":20}', task=task)
            for stair, mi in enumerate((2.0, 4.0)) for seed in range(2) for task in ("gaussian20d", "student-t")
        ]  # fmt: skip
        found = board(pd.DataFrame(made)).loc["nwj"]
        assert found[["tasks", "cells", "monotonicity"]].tolist() == [2, 4, 1]


READERS = ["ranking.rows", "ranking.boards", "cli.terminal.boards"]
"""Modules of boards, each below those after it."""


@pytest.fixture(scope="module")
def with_torch() -> set[str]:
    """Those after whose import torch is loaded, in one fresh process that imports them in order."""
    code = (
        "import importlib, sys\n"
        f"for name in {READERS}:\n"
        "    importlib.import_module(f'mibench.{name}')\n"
        "    print(name, 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    said = dict(line.split() for line in done.stdout.splitlines())
    assert list(said) == READERS
    return {name for name, found in said.items() if found == "True"}


class TestReproducibility:
    def test_the_order_of_rows_does_not_matter(self) -> None:
        runs = pd.concat([rows(THREE, seeds=3), rows(THREE, seeds=3, batch=256)], ignore_index=True)
        shuffled = runs.sample(frac=1, random_state=0)
        one, two = (rank_methods(table, Options(by="regime")) for table in (runs, shuffled))
        pd.testing.assert_frame_equal(one.table(), two.table(), check_exact=True)
        pd.testing.assert_frame_equal(one.cells, two.cells, check_exact=True)

    def test_the_generator_decides_the_draws_and_nothing_else(self) -> None:
        runs = rows(THREE, tasks=tuple(f"family-{i}" for i in range(8)))
        first, again, other = (board(runs, generator=np.random.default_rng(seed)) for seed in (5, 5, 6))
        pd.testing.assert_frame_equal(first, again, check_exact=True)
        assert (first["error_low"] != other["error_low"]).any()
        ends = ["error_low", "error_high", "log_error_low", "log_error_high"]
        pd.testing.assert_frame_equal(first.drop(columns=ends), other.drop(columns=ends), check_exact=True)

    def test_the_rows_are_not_changed(self) -> None:
        runs = rows(THREE)
        before = runs.copy()
        methods_of(runs)
        pd.testing.assert_frame_equal(runs, before)

    def test_a_frame_with_few_columns_will_do(self) -> None:
        few = ["estimator", "task", "mi_true", "seed", "kind", "status", "estimate_train_median"]
        table, full = methods_of(rows(THREE)[few]), methods_of(rows(THREE))
        for name in ("method", "rank", "error", "error_low", "group", "bias", "tasks"):
            assert table[name].tolist() == full[name].tolist(), name

    @pytest.mark.parametrize("name", READERS)
    def test_nothing_imports_torch(self, name: str, with_torch: set[str]) -> None:
        assert name not in with_torch


class TestSuites:
    @pytest.fixture
    def suite(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        folder = tmp_path / "suites"
        folder.mkdir()
        (folder / "small.toml").write_text(SUITE, encoding="utf-8")
        monkeypatch.setattr("mibench.experiments.suite.SUITES", folder)
        monkeypatch.chdir(tmp_path)
        return folder / "small.toml"

    def of(self, grid: Mapping[str, Any], **changes: Any) -> pd.DataFrame:
        return rows_of_specs(resolve(override(grid, changes)))

    def test_rows_of_a_suite_are_found_and_others_are_not(self, suite: Path) -> None:
        grid = read_suite(suite).grid
        own = self.of(grid)
        others = [self.of(grid, **change) for change in ({"seeds": 4}, {"window": 20}, {"batch": 128}, {"lr": 1e-3})]
        others += [
            own.assign(run_id="n" + own["run_id"].str[1:], **{f"{what}_version": 2}) for what in ("task", "critic")
        ]
        found = rows_of_suite(pd.concat([*others, own], ignore_index=True), grid)
        assert set(found.runs["run_id"]) == set(own["run_id"])
        assert (found.expected, found.found, found.note()) == (6, 6, "")

    def test_a_table_with_other_steps_has_the_window_that_follows_from_them(self, suite: Path) -> None:
        longer = '\n[[include]]\ntask = "gaussian20d-v1"\nmi = 5\nsteps = 200\n'
        suite.write_text(SUITE + longer, encoding="utf-8")
        grid = read_suite(suite).grid
        own = self.of(grid)
        assert own["window"].nunique() == 2
        assert set(rows_of_suite(own, grid).runs["run_id"]) == set(own["run_id"])

    def test_a_newcomer_is_found_that_no_registry_knows(self, suite: Path) -> None:
        grid = read_suite(suite).grid
        newcomer = self.of(grid, estimator="js").assign(estimator="my-bound")
        assert len(rows_of_suite(newcomer, grid).runs) == len(newcomer)

    def test_cells_that_nobody_ran_are_named(self, suite: Path) -> None:
        grid = read_suite(suite).grid
        found = rows_of_suite(self.of(grid).query("negatives == 'shuffle'"), grid)
        assert found.found == 3
        assert "derangement" in found.note()

    def test_the_command_ranks_a_suite(self, suite: Path, capfd: pytest.CaptureFixture[str]) -> None:
        grid = read_suite(suite).grid
        runs = pd.concat([self.of(grid), self.of(grid, batch=128), self.of(grid, estimator="js")], ignore_index=True)
        store_rows(runs, Path("results"))
        assert main(["leaderboard", "--results", "results", "--suite", "small", "--wins"]) == 0
        out = capfd.readouterr().out
        for part in (
            "lower bounds, fresh pairs at every step (track lower): 2 methods, 3 tasks of 2 families, 6 cells",
            "left out of track lower: dv lacks 6 of 12 runs",
            "share a letter",
            "Intervals and tests are over seeds: they speak of these tasks and of no others",
        ):
            assert part in out, part
        assert main(["leaderboard", "--results", "results", "--suite", "small", "--json"]) == 0
        answer = json.loads(capfd.readouterr().out)
        assert [method["method"] for method in answer["boards"][0]["methods"]] == ["js", "nwj"]
        assert [one["method"] for one in answer["boards"][0]["baselines"]] == ["(zero)", "(constant)"]
        assert answer["boards"][0]["constants"] == [2]
        assert answer["boards"][0]["wins"]["js"] == {"js": None, "nwj": 0.5}
        assert [one["method"] for one in answer["left_out"]] == ["dv"]
        assert len(answer["cells"]) == 12
        assert main(["leaderboard", "--results", "results", "--suite", "small", "--by", "regime", "--csv"]) == 0
        lines = capfd.readouterr().out.splitlines()
        assert lines[0] == ",".join(COLUMNS)
        assert main(["leaderboard", "--results", "results", "--json", "--csv"]) == 2
        assert main(["leaderboard", "--results", "results", "--suite", "smal"]) == 2
        assert "did you mean 'small'" in capfd.readouterr().err

    def test_a_folder_without_rows_of_the_suite_says_how_to_make_some(
        self, suite: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        store_rows(self.of(read_suite(suite).grid, batch=128), Path("results"))
        assert main(["leaderboard", "--results", "results", "--suite", "small"]) == 2
        assert "holds no rows of suite 'small'; make some with 'mibench run --suite small'" in capfd.readouterr().err


def test_without_published_rows_the_command_says_so_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert PUBLISHED.is_dir()
    monkeypatch.setattr("mibench.ranking.rows.PUBLISHED", tmp_path)
    assert main(["leaderboard"]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith(
        "mibench: no rows are published with this version of mibench; rank your own with --results"
    )
