"""The published rows: whole, of the present versions, small, ranked as the committed table says, and computed again."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mibench
from mibench.columns import FAILURE_STATUSES
from mibench.maintenance import verify
from mibench.publication import CURVE_POINTS
from mibench.ranking_rows import PUBLISHED, read_ranking_rows
from mibench.recomputing import all_as_they_must, draw_runs, recompute
from mibench.specs import PROTOCOL
from mibench.store import load_curves, load_runs, load_sessions

TABLE = Path(__file__).parents[1] / "reports" / "standard" / "leaderboard.csv"


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    return load_runs(PUBLISHED)


def test_every_run_of_the_suite_is_there_and_none_failed(runs: pd.DataFrame) -> None:
    specs = mibench.get_suite("standard").specs()
    assert {spec.run_id for spec in specs} <= set(runs["run_id"])
    assert set(runs["protocol"]) == {PROTOCOL}
    assert not runs["status"].isin(FAILURE_STATUSES).any()
    assert mibench.leaderboard(runs).attrs["left_out"] == []
    assert read_ranking_rows().note == ""


def test_the_folder_is_in_order_small_and_names_no_machine(runs: pd.DataFrame) -> None:
    assert verify(PUBLISHED) == []
    assert sum(file.stat().st_size for file in PUBLISHED.rglob("*.parquet")) < 20e6
    assert load_curves(PUBLISHED).groupby("run_id").size().max() <= CURVE_POINTS
    sessions = load_sessions(PUBLISHED)
    assert sessions[["hostname", "command"]].isna().all(axis=None)
    assert set(runs["session_id"]) == set(sessions["session_id"])


def test_the_command_prints_the_committed_table_without_torch() -> None:
    code = "import sys; from mibench.cli import main; main(['leaderboard', '--csv']); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    printed, committed = pd.read_csv(io.StringIO(done.stdout)), pd.read_csv(TABLE)
    pd.testing.assert_frame_equal(printed, committed, rtol=1e-6, atol=1e-9)


def test_three_runs_drawn_at_random_come_out_again(runs: pd.DataFrame) -> None:
    done = recompute(PUBLISHED, draw_runs(runs, 3, np.random.default_rng(2026)), jobs=1)
    assert all_as_they_must(done), "\n".join(map(str, done))
