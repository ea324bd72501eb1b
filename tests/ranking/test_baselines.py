"""Answers that need no estimator: what they are by hand, what they score, and that they move nothing of the others."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import mibench
from mibench.ranking import boards
from mibench.ranking.baselines import best_constants
from mibench.ranking.boards import Options, rank_methods
from mibench.ranking.sentences import baselines_sentence, constant_sentence
from tests.support.boards import rows, run

THREE = {"nwj": 0.1, "dv": 0.6, "infonce": 0.4}


def two_families() -> pd.DataFrame:
    """One family at 2 and 10 nats, one at 4 nats; NWJ is at the truth but for 1 nat of 4."""
    values = (("gaussian20d", 2.0, 2.0), ("gaussian20d", 10.0, 10.0), ("student-t", 4.0, 3.0))
    return pd.DataFrame([run("nwj", truth, value, 0, task=task) for task, truth, value in values])


class TestTheNumber:
    def test_a_family_is_answered_with_what_is_best_on_the_others(self) -> None:
        # The Gaussian is answered with 4, the only other truth. The other family with 2: of the Gaussian's levels 2
        # misses 10 by 0.8, and 10 misses 2 by 4, capped at 1.
        truth, tasks, families = np.array([2.0, 10.0, 4.0]), np.array([0, 1, 2]), np.array([0, 0, 1])
        assert best_constants(truth, tasks, families).tolist() == [4, 4, 2]
        board = mibench.leaderboard(two_families()).set_index("method")
        constant = board.loc["(constant)"]
        assert constant["error"] == pytest.approx((((4 - 2) / 2 + (10 - 4) / 10) / 2 + (4 - 2) / 4) / 2)
        assert constant["bias"] == pytest.approx(((2 - 6) / 2 + -2) / 2)
        logs = (math.log(5 / 3) + math.log(11 / 5)) / 2, math.log(5 / 3)
        assert constant["log_error"] == pytest.approx(sum(logs) / 2)
        zero = board.loc["(zero)"]
        assert zero["error"] == 1
        assert zero["bias"] == pytest.approx(-(6 + 4) / 2)
        assert zero["log_error"] == pytest.approx(((math.log(3) + math.log(11)) / 2 + math.log(5)) / 2)

    def test_families_count_equally_and_their_tasks_however_many_cells_they_have(self) -> None:
        # For the third family: 2 stands in three cells of a task, 10 in one of another, 10 in a family of its own.
        truth = np.array([2.0, 2.0, 2.0, 10.0, 10.0, 5.0])
        tasks, families = np.array([0, 0, 0, 1, 2, 3]), np.array([0, 0, 1, 2])
        assert best_constants(truth, tasks, families)[-1] == 10  # errors 0.25 of 10, and 0.6 of 2

    def test_on_one_family_a_task_is_answered_with_what_is_best_on_the_others(self) -> None:
        truth = np.array([2.0, 5.0, 10.0])
        found = best_constants(truth, np.arange(3), np.zeros(3, dtype=np.int64))
        assert found.tolist() == [5, 2, 2]  # of 5 and 10: 5 misses by 0.5, 10 by 1; of 2 and 10: 0.8; of 2 and 5: 0.6

    def test_no_number_on_a_fine_grid_is_better(self) -> None:
        draws = np.random.default_rng(4)
        truth = draws.uniform(0.1, 30, 12)
        tasks, families = np.arange(12), np.repeat([0, 1, 2], [2, 4, 6])
        answers = best_constants(truth, tasks, families)
        for family in range(3):
            others = families != family
            weights = 1 / np.bincount(families)[families[others]]
            numbers = np.append(np.linspace(0, 31, 5000), answers[~others][0])
            off = np.abs(numbers[:, None] - truth[others]) / np.maximum(truth[others], 1)
            means = np.minimum(off, 1) @ weights
            assert means[-1] <= means.min() + 1e-12

    def test_one_task_leaves_nothing_to_choose_it_by(self) -> None:
        runs = rows(THREE, tasks=("gaussian20d",), levels=(5.0,))
        (board,) = rank_methods(runs).boards
        assert board.baselines["method"].tolist() == ["(zero)"]
        assert constant_sentence(board) == "no (constant): one task leaves nothing to choose it by"
        assert "(constant)" not in baselines_sentence([board])


class TestTheirPlace:
    def test_they_stand_by_their_error_without_a_rank(self) -> None:
        table = mibench.leaderboard(rows(THREE, noise=0))
        assert table["method"].tolist() == ["nwj", "infonce", "(constant)", "dv", "(zero)"]
        assert table["rank"].tolist() == [1, 2, pd.NA, 3, pd.NA]
        assert table["role"].tolist() == ["estimator", "estimator", "baseline", "estimator", "baseline"]
        baselines = table[table["role"] == "baseline"]
        assert baselines[["estimator", "win_rate", "seconds", "log_rank"]].isna().all(axis=None)
        assert (baselines["runs"] == 0).all()

    def test_a_method_that_answers_the_same_is_not_worse(self) -> None:
        made = [
            run(name, truth, value, seed, task=task)
            for name, value in (("always-two", 2.0), ("always-three", 3.0))
            for task in ("gaussian20d", "student-t") for truth in (2.0, 5.0, 10.0) for seed in range(2)
        ]  # fmt: skip
        (board,) = rank_methods(pd.DataFrame(made)).boards
        # Always 3: 0.5, 0.4 and 0.7, a mean of 0.53; always 2: 0, 0.6 and 0.8, of 0.47.
        assert board.whole()["method"].tolist() == ["always-two", "(constant)", "always-three", "(zero)"]
        assert constant_sentence(board) == "1 of 2 methods is worse than (constant), which answers 2 nats"

    def test_a_method_of_the_same_name_is_another(self) -> None:
        table = mibench.leaderboard(rows({"constant": 0.3, "zero": 0.1}))
        assert table.set_index("role").loc["estimator", "method"].tolist() == ["zero", "constant"]

    @pytest.mark.parametrize("by", [None, "family", "regime", "sampler"])
    @pytest.mark.parametrize("families", [2, 8])
    def test_nothing_of_the_methods_depends_on_them(
        self, by: str | None, families: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runs = rows(THREE, tasks=tuple(f"family-{i}" for i in range(families)), seeds=3)
        beside = rank_methods(runs, Options(by=by))
        monkeypatch.setattr(boards, "baselines_of", lambda *arguments, **options: [])
        alone = rank_methods(runs, Options(by=by))
        assert len(beside.table()) > len(alone.table())
        for one, other in zip(beside.boards, alone.boards, strict=True):
            pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
            pd.testing.assert_frame_equal(one.wins, other.wins, check_exact=True)
            pd.testing.assert_frame_equal(one.apart, other.apart, check_exact=True)


class TestTheirIntervals:
    def test_over_families_they_have_one_and_over_seeds_none(self) -> None:
        few, enough = (
            mibench.leaderboard(
                pd.concat([
                    rows(THREE, tasks=(f"family-{i}",), levels=(2.0 + i, 5.0, 10.0)) for i in range(count)
                ])
            ).set_index("method").loc["(constant)"]
            for count in (7, 8)
        )  # fmt: skip
        ends = ["error_low", "error_high", "log_error_low", "log_error_high"]
        assert few[ends].isna().all()
        assert enough["error_low"] < enough["error"] < enough["error_high"]
        assert enough["log_error_low"] < enough["log_error"] < enough["log_error_high"]

    def test_it_is_that_of_a_method_that_answers_the_same(self) -> None:
        # A third of the families is at 2 nats alone, and all hold them: whichever is left out, 2 is best on the others.
        levels = [(2.0,), (2.0, 5.0, 10.0), (2.0, 3.0)] * 4
        made = [
            run("always-two", truth, 2.0, seed, task=f"family-{i}")
            for i, truths in enumerate(levels) for truth in truths for seed in range(3)
        ]  # fmt: skip
        (board,) = rank_methods(pd.DataFrame(made), Options(resamples=19_999)).boards
        assert set(board.constants) == {2}
        ours, theirs = board.baselines.set_index("method").loc["(constant)"], board.table.iloc[0]
        assert ours["error"] == pytest.approx(theirs["error"])
        for end in ("error_low", "error_high", "log_error_low", "log_error_high"):
            assert ours[end] == pytest.approx(theirs[end], abs=5e-3)  # of two sets of draws
