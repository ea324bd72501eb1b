"""The leaderboard's figures on made-up rows: they agree with the board, and say what they leave out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mibench
from mibench.core.errors import UsageError
from mibench.figures.boards.panels import unversioned
from mibench.figures.registry import FIGURES, Drawing
from mibench.report import reports as report
from tests.support.boards import rows

NAMES = ["leaderboard", "leaderboard-estimates", "leaderboard-parts", "leaderboard-wins"]


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    """Return rows of three lower bounds and two plug-ins; of the latter one has no value on one run."""
    bounds = rows({"nwj": 0.2, "dv": 0.3, "infonce": 0.4})
    plug_ins = rows({"smile": 0.1, "js": 0.5}, kind="plug-in")
    plug_ins.loc[plug_ins.index[0], ["status", "estimate_train_median"]] = ["diverged", np.nan]
    return pd.concat([bounds, plug_ins], ignore_index=True)


def draw(name: str, runs: pd.DataFrame) -> Drawing:
    assert report.resolve_names([name]) == [name]
    return Drawing(*FIGURES[name].draw(runs, pd.DataFrame(columns=["run_id"])))


def test_the_table_is_the_leaderboard(runs: pd.DataFrame) -> None:
    drawing = draw("leaderboard", runs)
    pd.testing.assert_frame_equal(drawing.table, mibench.leaderboard(runs), check_flags=False)
    table = drawing.table
    for ax, track in zip(drawing.figure.axes, ("lower", "plug-in"), strict=False):
        at = table.loc[(table["track"] == track) & (table["role"] == "baseline"), "error"]
        across = [line.get_xdata()[0] for line in ax.lines if list(line.get_ydata()) == [0, 1]]
        assert sorted(across) == pytest.approx(sorted(at))
    labels = [tick.get_text() for ax in drawing.figure.axes for tick in ax.get_yticklabels()]
    assert labels == ["nwj  1", "dv  2", "infonce  3", "smile  1", "js  2"]


def test_stars_mark_runs_without_a_value(runs: pd.DataFrame) -> None:
    drawing = draw("leaderboard", runs)
    table = drawing.table[drawing.table["role"] == "estimator"].set_index("method")
    texts = [text.get_text() for ax in drawing.figure.axes for text in ax.texts]
    assert [text.endswith("*") for text in texts] == [bool(n) for n in table["imputed_runs"]]


@pytest.mark.parametrize(("families", "said"), [
    (2, "95 % intervals over seeds"), (8, "95 % intervals over families, as a sample"),
])  # fmt: skip
def test_the_caption_says_over_what_intervals_are(families: int, said: str) -> None:
    runs = rows({"nwj": 0.2, "dv": 0.3}, tasks=tuple(f"family-{i}" for i in range(families)))
    caption = draw("leaderboard", runs).caption
    assert said in caption
    assert caption.count("95 % intervals") == 1


def test_wins_are_those_of_the_board(runs: pd.DataFrame) -> None:
    table = draw("leaderboard-wins", runs).table.set_index(["method", "against"])["share"]
    assert table["nwj", "dv"] == 1
    assert table["infonce", "nwj"] == 0
    assert len(table) == 3 * 2 + 2


def test_estimates_are_means_of_the_seeds_that_held(runs: pd.DataFrame) -> None:
    drawing = draw("leaderboard-estimates", runs)
    smile = drawing.table[drawing.table["method"] == "smile"]
    assert smile["imputed"].sum() == 1
    held = runs[(runs["estimator"] == "smile") & (runs["status"] == "ok")]
    wanted = held.groupby(["task", "mi_true"])["estimate_train_median"].mean()
    assert sorted(smile["estimate"]) == pytest.approx(sorted(wanted))


def test_parts_are_the_boards_of_parts(runs: pd.DataFrame) -> None:
    table = draw("leaderboard-parts", runs).table
    regimes = mibench.leaderboard(runs, by="regime")
    for part in regimes["part"].unique():
        ours = table[table["part"] == part].set_index(["track", "method"])["error"]
        theirs = regimes[regimes["part"] == part].set_index(["track", "method"])["error"]
        assert ours.loc[theirs.index].to_numpy() == pytest.approx(theirs.to_numpy())


@pytest.mark.parametrize("name", NAMES)
def test_panels_are_as_high_as_their_methods(name: str, runs: pd.DataFrame, tmp_path: Path) -> None:
    figure = draw(name, runs).figure
    heights = np.array([ax.get_position().height for ax in figure.axes])
    assert heights[0] / heights[1] == pytest.approx(3 / 2, rel=1e-6)
    (result,) = report.render(runs, pd.DataFrame(columns=["run_id"]), [name], tmp_path)
    assert len(result.files) == 4


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_which_no_method_has_all_make_none(name: str, runs: pd.DataFrame) -> None:
    one, other = runs[runs["estimator"] == "nwj"].iloc[1:], runs[runs["estimator"] == "dv"].iloc[:-1]
    with pytest.raises(UsageError, match="no method has all runs"):
        draw(name, pd.concat([one, other], ignore_index=True))


def test_who_is_left_out_is_named(runs: pd.DataFrame) -> None:
    lacking = runs[~((runs["estimator"] == "dv") & (runs["seed"] == 0))]
    assert "Left out, since runs are lacking: dv." in draw("leaderboard", lacking).caption


@pytest.mark.parametrize(("part", "shown"), [
    ("gaussian20d-v1", "gaussian20d"), ("gaussian20d-v2", "gaussian20d-v2"), ("shuffle-v2", "shuffle-v2"),
    ("transformed-v1:base=normal-pairs-v1:pairs=5,x=identity", "transformed:base=normal-pairs:pairs=5,x=identity"),
    ("transformed-v1:base=normal-pairs-v3:pairs=5", "transformed:base=normal-pairs-v3:pairs=5"),
    ("beyond-normal-v1:id=1v1-normal-0.75", "beyond-normal:id=1v1-normal-0.75"), ("above log N", "above log N"),
])  # fmt: skip
def test_versions_that_are_not_mibench_s_stay_in_the_names_of_parts(part: str, shown: str) -> None:
    assert unversioned(part) == shown
