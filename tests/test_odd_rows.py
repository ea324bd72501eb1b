"""Every reader of rows takes any row that the store takes: failed without a truth or a kind, infinite, null."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mibench
from mibench.analysis.cells import rows_of_grid, rows_of_suite
from mibench.analysis.labels import caption, with_labels
from mibench.cli.app import main
from mibench.cli.terminal.boards import ranking_csv, ranking_json, show_ranking
from mibench.cli.terminal.rows import say_failures, say_next, show_contents, show_failed, show_results
from mibench.core.errors import UsageError
from mibench.experiments.grid import shipped_grids
from mibench.experiments.suite import get_suite, list_suites
from mibench.figures.registry import FIGURES, UNDRAWN, Drawing, load_figures
from mibench.ranking.boards import Options, rank_methods
from mibench.report.page import Source, page
from mibench.report.selection import select
from mibench.running.recomputing import draw_runs
from mibench.store.columns import RANKED
from mibench.store.copies import CHOICE
from mibench.store.maintenance import compact, merge, verify
from tests.support.odd_rows import ODD, write_odd_rows

load_figures()

Tables = tuple[pd.DataFrame, pd.DataFrame, Path]
Drawn = tuple[str, str] | str
"""A figure's table and caption, or why there are none."""


@pytest.fixture(scope="module", params=["among others", "alone"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Rows and curves of a folder of odd rows, and the folder."""
    folder = write_odd_rows(tmp_path_factory.mktemp("odd"), among=request.param == "among others")
    return mibench.load_runs(folder), mibench.load_curves(folder), folder


def board(runs: pd.DataFrame, **options: Any) -> None:
    ranking = rank_methods(runs, Options(**options))
    show_ranking(ranking, wins=True)
    ranking_json(ranking)
    ranking_csv(ranking)


READERS: dict[str, Callable[[pd.DataFrame], object]] = {
    "the table of a run": show_results,
    "what a folder holds": show_contents,
    "what failed": show_failed,
    "why it failed": lambda runs: say_failures(runs, Path("results")),
    "what comes next": lambda runs: say_next(runs, Path("results")),
    "labels": lambda runs: caption(with_labels(runs), estimate="none."),
    "the page": lambda runs: page([], runs, Source()),
    "the leaderboard": mibench.leaderboard,
    "boards": board,
    **{f"boards by {by}": lambda runs, by=by: board(runs, by=by) for by in ("family", "regime", "sampler")},
    "grids": lambda runs: [rows_of_grid(runs, grid.name) for grid in shipped_grids()],
    "suites": lambda runs: [rows_of_suite(runs, get_suite(name).grid) for name in list_suites()],
    "a condition": lambda runs: select(runs, {"estimator": ["nwj"], "mi": [2.0]}),
    "drawn runs": lambda runs: draw_runs(runs, 1, np.random.default_rng(0)),
}


@pytest.mark.parametrize("name", READERS)
def test_readers_take_odd_rows(name: str, stored: Tables) -> None:
    READERS[name](stored[0])


@pytest.mark.parametrize("by", [None, "family", "regime", "sampler"])
def test_boards_are_made_of_the_columns_that_they_say(by: str | None, stored: Tables) -> None:
    runs = stored[0]
    whole, part = (rank_methods(rows, Options(by=by)) for rows in (runs, runs[[*{*RANKED, *CHOICE}]]))
    pd.testing.assert_frame_equal(part.table(), whole.table(), check_exact=True)
    pd.testing.assert_frame_equal(part.cells, whole.cells, check_exact=True)
    pd.testing.assert_frame_equal(part.left_out, whole.left_out, check_exact=True)
    assert part.note == whole.note


def draw(name: str, runs: pd.DataFrame, curves: pd.DataFrame) -> Drawn:
    """Return a figure's table and caption, or say in a sentence why there are none; other errors are raised."""
    try:
        drawing = Drawing(*FIGURES[name].draw(runs, curves))
        return drawing.table.to_csv(), drawing.caption
    except UsageError as error:
        return str(error)


@pytest.fixture(scope="module")
def drawn(stored: Tables) -> Callable[[str], Drawn]:
    """Draw a figure from all columns, once for the tests that ask for it."""
    runs, curves, _ = stored
    return functools.cache(lambda name: draw(name, runs, curves))


@pytest.mark.parametrize("name", FIGURES)
def test_figures_draw_odd_rows_or_say_why_not(name: str, drawn: Callable[[str], Drawn]) -> None:
    drawn(name)


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_drawn_from_the_columns_that_they_say(
    name: str, stored: Tables, drawn: Callable[[str], Drawn]
) -> None:
    runs, curves, _ = stored
    assert FIGURES[name].own
    assert draw(name, runs.drop(columns=[*UNDRAWN]), curves) == drawn(name)


def test_the_store_takes_them_and_keeps_them(stored: Tables, tmp_path: Path) -> None:
    runs, _, folder = stored
    assert len(runs) >= len(ODD)
    verify(folder)
    merge(tmp_path / "merged", [folder])
    compact(tmp_path / "merged")
    pd.testing.assert_frame_equal(mibench.load_runs(tmp_path / "merged"), runs)


def test_commands_end_in_order(stored: Tables, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(stored[2])
    for command in (["results", "ls"], ["results", "ls", "--failed"], ["leaderboard", "--json"], ["leaderboard"]):
        assert main([*command, "--results", folder]) == 0, command
    assert main(["report", "divergence", "survival", "--results", folder, "--output", str(tmp_path / "reports")]) == 0
    assert (tmp_path / "reports" / "index.html").exists()
    assert capsys.readouterr().err == ""
