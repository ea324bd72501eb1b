"""Publishing rows and recomputing them: what is kept, what is left out, and that numbers come out again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mibench
from mibench.cli.app import main
from mibench.core.errors import UsageError
from mibench.ranking.publication import CURVE_POINTS, publish, thinned
from mibench.running.recomputing import Recomputed, all_as_they_must, draw_runs, recompute, tolerance
from mibench.store.folders import load_curves, load_runs, load_sessions
from mibench.store.maintenance import verify
from mibench.store.parquet import write_pack

SUITE = """# Two estimators, on fresh pairs and on fixed samples.
suite.version = 1

task = "gaussian20d-v1:dim=2"
mi = 1
estimator = ["nwj-v1", "infonce-v1"]
batch = 16
critic = "separable-v1"
negatives = "shuffle-v1"
hidden = "1x8"
activation = "relu"
lr = 2e-3
steps = 50
window = 20
every = 1
seeds = 2

[[include]]
samples = 160
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a suite's file, and its rows and another one in ``results``."""
    folder = tmp_path_factory.mktemp("publication")
    (folder / "small.toml").write_text(SUITE, encoding="utf-8")
    mibench.run(suite=str(folder / "small.toml"), results=folder / "results", device="cpu")
    other = {"batch": 8, "critic": "separable", "hidden": "1x8", "steps": 10, "seeds": 1}
    mibench.run(task="gaussian20d:dim=2", mi=1, estimator="nwj", results=folder / "results", device="cpu", **other)
    return folder


def publish_to(folder: Path, home: Path, suite: str) -> Path:
    publish(home / "results", folder, suite)
    return folder


class TestThinning:
    def test_first_last_and_evenly_between(self) -> None:
        curves = pd.DataFrame({"run_id": ["a"] * 101 + ["b"] * 5, "step": [*range(101), *range(5)]})
        kept = thinned(curves, points=5)
        assert kept.loc[kept["run_id"] == "a", "step"].tolist() == [0, 25, 50, 75, 100]
        assert kept.loc[kept["run_id"] == "b", "step"].tolist() == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("length", [1, 2, 20, 21, 22, 100, 137, 1000])
    def test_never_more_than_asked_for(self, length: int) -> None:
        curves = pd.DataFrame({"run_id": ["a"] * length, "step": range(1, length + 1)})
        steps = thinned(curves)["step"].tolist()
        assert len(steps) == min(length, CURVE_POINTS)
        assert (steps[0], steps[-1]) == (1, length)
        assert np.ptp(np.diff(steps)) <= 1 if length > 1 else True


class TestPublishing:
    def test_rows_of_the_suite_are_whole_and_curves_thin(self, home: Path, tmp_path: Path) -> None:
        done = publish(home / "results", tmp_path, str(home / "small.toml"))
        assert (done.runs, done.missing) == (8, "")
        ours, theirs = load_runs(tmp_path), load_runs(home / "results")
        pd.testing.assert_frame_equal(ours, theirs[theirs["batch"] == 16].reset_index(drop=True), check_dtype=False)
        curves = load_curves(tmp_path)
        assert len(curves) == done.points
        assert curves.groupby("run_id").size().max() == CURVE_POINTS
        whole = load_curves(home / "results", ours["run_id"])
        assert curves.groupby("run_id")["step"].max().equals(whole.groupby("run_id")["step"].max())
        assert verify(tmp_path) == []

    def test_machines_commands_and_folders_are_not_named(self, home: Path, tmp_path: Path) -> None:
        publish(home / "results", tmp_path, str(home / "small.toml"))
        sessions = load_sessions(tmp_path)
        assert sessions["hostname"].isna().all()
        assert sessions["command"].isna().all()
        assert sessions["cpu"].notna().all()
        for file in tmp_path.rglob("*.parquet"):
            assert str(home).encode() not in file.read_bytes()

    def test_of_a_failed_run_the_last_line_of_the_traceback_is_kept(self, home: Path, tmp_path: Path) -> None:
        runs = load_runs(home / "results")
        failed = runs.assign(status="crashed", error='Traceback:\n  File "/somewhere/bound.py"\nValueError: no\n')
        failed = failed.astype(object).where(failed.notna(), None)
        write_pack(tmp_path / "failed", "pack", failed.to_dict("records"), [])
        publish(tmp_path / "failed", tmp_path / "target", str(home / "small.toml"))
        assert set(load_runs(tmp_path / "target")["error"]) == {"ValueError: no"}

    def test_only_what_the_target_lacks_is_added(self, home: Path, tmp_path: Path) -> None:
        suite = str(home / "small.toml")
        publish(home / "results", tmp_path, suite)
        with pytest.raises(UsageError, match=r"that .* lacks to publish"):
            publish(home / "results", tmp_path, suite)
        more = mibench.get_suite(suite).specs({"estimator": "dv"})
        mibench.run(suite=suite, estimator="dv", results=home / "more", device="cpu")
        assert publish(home / "more", tmp_path, suite).runs == len(more)
        assert set(load_runs(tmp_path)["estimator"]) == {"nwj", "infonce", "dv"}

    def test_shards_of_two_machines_are_merged_and_published_as_one(
        self, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        suite = str(home / "small.toml")
        for shard in ("1/2", "2/2"):
            results = ["--results", str(tmp_path / shard[0]), "--jobs", "1", "--device", "cpu"]
            assert main(["run", "--suite", suite, "--shard", shard, *results]) == 0
        whole = tmp_path / "whole"
        assert main(["results", "merge", str(tmp_path / "1"), str(tmp_path / "2"), "--results", str(whole)]) == 0
        assert "8 runs in" in capfd.readouterr().out
        assert publish(whole, tmp_path / "target", suite).missing == ""
        columns = ["error", "bias", "variance", "saturation", "runs"]
        merged, alone = (
            mibench.leaderboard(load_runs(folder), seeds=[0, 1]).set_index(["track", "method"])[columns]
            for folder in (tmp_path / "target", publish_to(tmp_path / "alone", home, suite))
        )
        pd.testing.assert_frame_equal(merged, alone)

    def test_a_folder_without_rows_of_the_suite(self, home: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="holds no rows of suite 'standard' to publish"):
            publish(home / "results", tmp_path)

    def test_the_command(self, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        arguments = ["--results", str(home / "results"), "--suite", str(home / "small.toml")]
        assert main(["results", "publish", str(tmp_path / "p"), *arguments]) == 0
        assert capfd.readouterr().out.startswith("8 runs with ")


class TestRecomputing:
    def test_published_runs_come_out_again_to_the_bit(self, home: Path, tmp_path: Path) -> None:
        publish(home / "results", tmp_path, str(home / "small.toml"))
        runs = load_runs(tmp_path)
        drawn = draw_runs(runs, 3, np.random.default_rng(0))
        done = recompute(tmp_path, drawn)
        assert [one.run_id for one in done] == drawn
        for one in done:
            assert (one.same_machine, one.differing, one.passed) == (True, (), True)
            assert "the same to the bit" in str(one)

    @pytest.mark.parametrize("column", ["estimate_train_median", "ceiling", "nonfinite_steps", "spec"])
    def test_a_changed_number_is_found(self, home: Path, tmp_path: Path, column: str) -> None:
        runs, curves = load_runs(home / "results"), load_curves(home / "results")
        sessions = load_sessions(home / "results")
        run = runs.loc[runs["regime"] == "stream", "run_id"].iloc[0]
        if column == "spec":  # the same run, with other blanks in its specification
            runs[column] = runs[column].map(lambda text: json.dumps(json.loads(text)))
        else:
            runs.loc[runs["run_id"] == run, column] += 1
        self.store(tmp_path, runs, curves, sessions)
        (done,) = recompute(tmp_path, [run])
        assert column in done.differing
        assert not done.passed

    def test_a_changed_point_of_a_curve_is_found(self, home: Path, tmp_path: Path) -> None:
        runs, curves = load_runs(home / "results"), load_curves(home / "results")
        run = str(curves["run_id"].iloc[0])
        curves.loc[0, "loss"] = np.nextafter(curves.loc[0, "loss"], np.inf)
        self.store(tmp_path, runs, curves, load_sessions(home / "results"))
        (done,) = recompute(tmp_path, [run])
        assert done.differing == ("curve",)
        assert not done.passed

    def test_on_another_machine_type_the_estimate_must_be_within_its_tolerance(
        self, home: Path, tmp_path: Path
    ) -> None:
        runs, curves = load_runs(home / "results"), load_curves(home / "results")
        sessions = load_sessions(home / "results").assign(cpu="another processor")
        row = runs[runs["regime"] == "stream"].iloc[0]
        for part, passes in ((0.5, True), (2.0, False)):
            changed = runs.copy()
            own = changed["run_id"] == row["run_id"]
            changed.loc[own, "estimate_train_median"] += part * tolerance(row)
            self.store(tmp_path / str(part), changed, curves, sessions)
            (done,) = recompute(tmp_path / str(part), [row["run_id"]])
            assert (done.same_machine, done.passed) == (False, passes)
            assert "tolerance on another machine type" in str(done)

    def test_elsewhere_a_third_of_the_runs_may_be_beyond_the_tolerance_and_here_none(self) -> None:
        def one(*, same: bool, off: bool) -> Recomputed:
            differing = ("estimate_train_median",) if off else ()
            return Recomputed("id", "run", same, differing, 1.0, 2.0 if off else 1.0, 0.1)

        here = [one(same=True, off=False)]
        assert all_as_they_must(here)
        assert not all_as_they_must([*here, one(same=True, off=True)])
        elsewhere = [one(same=False, off=off) for off in (True, False, False)]
        assert all_as_they_must(here + elsewhere)
        assert not all_as_they_must([*elsewhere, one(same=False, off=True)])

    def test_drawing_more_than_there_are_and_naming_none(self, home: Path) -> None:
        runs = load_runs(home / "results")
        with pytest.raises(UsageError, match="10 runs cannot be drawn from 9"):
            draw_runs(runs, 10, np.random.default_rng(0))
        with pytest.raises(UsageError, match="holds no run '123'"):
            recompute(home / "results", ["123"])

    def test_the_command(self, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["results", "verify", "--results", str(home / "results"), "--recompute", "2"]) == 0
        assert capfd.readouterr().out.count("the same to the bit") == 2

    def store(self, folder: Path, runs: pd.DataFrame, curves: pd.DataFrame, sessions: pd.DataFrame) -> None:
        plain = runs.astype(object).where(runs.notna(), None)
        write_pack(folder, "pack", plain.to_dict("records"), curves)
        from mibench.store.folders import write_session

        for row in sessions.astype(object).where(sessions.notna(), None).to_dict("records"):
            write_session(folder, {str(key): value for key, value in row.items()})
