"""What figures of a report share is found once for the same rows, and kept no longer than the report."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pandas as pd
import pytest

from mibench.figures.boards import panels
from mibench.figures.shared import once, shared
from mibench.report import reports as report
from tests.support.boards import rows


def count(table: pd.DataFrame) -> list[int]:
    return [len(table)]


def test_the_same_rows_are_looked_at_once_within_a_block() -> None:
    table = pd.DataFrame({"x": [1]})
    with shared():
        assert once(count, table) is once(count, table)
        assert once(count, table) is not once(count, table.copy())


def test_nothing_is_kept_outside_a_block() -> None:
    table = pd.DataFrame({"x": [1]})
    with shared():
        before = once(count, table)
    assert once(count, table) is not once(count, table)
    with shared():
        assert once(count, table) is not before


def test_a_block_lets_go_of_its_rows() -> None:
    table = pd.DataFrame({"x": [1]})
    kept = weakref.ref(table)
    with shared():
        once(count, table)
        del table
        gc.collect()
        assert kept() is not None  # or another table could come by its identity
    gc.collect()
    assert kept() is None


def test_a_report_ranks_its_rows_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[int] = []
    rank = panels.rank_methods

    def counted(runs: pd.DataFrame) -> object:
        calls.append(len(runs))
        return rank(runs)

    monkeypatch.setattr(panels, "rank_methods", counted)
    runs = rows({"nwj": 0.2, "dv": 0.3})
    for _ in range(2):
        report.render(runs, pd.DataFrame(columns=["run_id"]), ["leaderboard", "leaderboard-wins"], tmp_path)
    assert calls == [len(runs)] * 2
