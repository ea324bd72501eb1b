"""Errors explained: parts that add up on real runs, causes by rule on made-up ones, and rows that explain nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mibench
from mibench.cli.app import main
from mibench.core.errors import UsageError
from mibench.figures.registry import FIGURES, Drawing
from mibench.ranking.boards import Ranking, rank_methods
from mibench.ranking.columns import ESTIMATOR
from mibench.ranking.explained import CAUSES, NEAR, SECOND, WIDE, relative_means
from mibench.ranking.publication import publish
from mibench.ranking.rows import read_ranking_rows
from mibench.report import reports
from tests.support.boards import rows, run
from tests.support.paths import ROOT

EXACT: dict[str, Any] = {
    "critic": "oracle", "hidden": None, "activation": None, "dropout": None, "lr": None, "weight_decay": None,
    "steps": 500, "window": 500,
}  # fmt: skip
PARTS = ["exact", "estimator_part", "critic_gap"]


def ranked(*made: dict[str, Any]) -> Ranking:
    return rank_methods(pd.DataFrame(made))


def pair(estimator: str, truth: float, trained: float, exact: float, **columns: Any) -> list[dict[str, Any]]:
    """Two seeds with a trained critic, and one with the exact critic."""
    trained_rows = [run(estimator, truth, trained, seed, **columns) for seed in range(2)]
    return [*trained_rows, run(estimator, truth, exact, 0, **{**columns, "own_critic": 0, **EXACT})]


def cell(*made: dict[str, Any]) -> pd.Series:
    (found,) = ranked(*made).explained.cells.to_dict("records")
    return pd.Series(found)


def methods_of(ranking: Ranking) -> pd.DataFrame:
    """Rows of a ranking's table without those of baselines, which have no parts."""
    table = ranking.table()
    return table[table["role"] == ESTIMATOR]


def check_identity(cells: pd.DataFrame) -> None:
    """Expect the two parts to be the error wherever one of them is known."""
    known = cells[cells["estimator_part"].notna() | cells["critic_gap"].notna()]
    parts = known["estimator_part"] + known["critic_gap"]
    assert ((parts - known["error"]).abs() <= 1e-9).all()
    held = cells[cells["trained"].notna()]
    assert ((held["trained"] - held["mi_true"] - held["error"]).abs() <= 1e-9).all()


# --- real runs ----------------------------------------------------------------------------------------------------


SUITE = """# Two tasks, three samplers, both regimes, estimators of every kind.
suite.version = 1

estimator = ["nwj-v1", "infonce-v1", "smile-v1:tau=1", "club-v1", "barber-agakov-v1", "tre-v1", "cca-v1"]
task = ["gaussian20d-v1:dim=4", "student-t-v1:dim_x=2,dim_y=2"]
mi = [1, 4]
batch = 32
critic = "separable-v1"
hidden = "1x8"
steps = 40
window = 20
every = 20
seeds = 2

[[include]]
negatives = ["all-pairs-v1", "shuffle-v1"]

[[include]]
samples = 400
negatives = "all-pairs-v1"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a suite and its rows, those of the exact critic among them, made by two commands."""
    home = tmp_path_factory.mktemp("explained")
    (home / "tiny.toml").write_text(SUITE, encoding="utf-8")
    for options in ([], ["--exact", "--seeds", "1"]):
        given = ["run", "--suite", str(home / "tiny.toml"), "--results", str(home / "results"), "--jobs", "1"]
        assert main([*given, "--device", "cpu", *options]) == 0
    return home


def test_the_parts_are_the_error_in_every_cell_of_real_runs(folder: Path) -> None:
    runs = mibench.load_runs(folder / "results")
    ranking = rank_methods(runs)
    cells = ranking.explained.cells
    check_identity(cells)
    assert cells[PARTS[1:]].notna().all(axis=None)  # every cell has runs of the exact critic, or no critic
    assert set(cells["track"]) == {"lower", "plug-in", "upper", "dataset"}
    exact = runs[(runs["critic"] == "oracle")]
    assert not exact.empty
    without = rank_methods(runs[runs["critic"] != "oracle"])
    same = [name for name in ranking.table().columns if name not in ("estimator_part", "critic_gap", "stopped_by")]
    pd.testing.assert_frame_equal(ranking.table()[same], without.table()[same])  # they are no methods and no cells
    assert without.explained.cells.loc[lambda c: c["method"] != "cca", PARTS].isna().all(axis=None)


def test_exact_values_are_those_of_the_rows_that_are_alike(folder: Path) -> None:
    runs = mibench.load_runs(folder / "results")
    cells = rank_methods(runs).explained.cells
    exact = runs[(runs["critic"] == "oracle") & (runs["estimator"] == "smile")]
    fixed = exact[exact["regime"] == "dataset"]
    ours = cells[(cells["track"] == "dataset") & (cells["method"] == "smile")]
    assert sorted(ours["exact"]) == pytest.approx(sorted(fixed["estimate_test"]), abs=1e-12)
    fresh = exact[(exact["regime"] == "stream") & (exact["task"] == "gaussian20d") & (exact["mi_true"] == 4)]
    ours = cells.query("track == 'plug-in' and method == 'smile' and family.str.startswith('gauss') and mi_true == 4")
    wanted = dict(zip(fresh["negatives"], fresh["estimate_train_median"], strict=True))
    assert {
        ("shuffle" if "shuffle" in name else "all-pairs"): value for name, value in ours[["cell", "exact"]].values
    } == (pytest.approx(wanted, abs=1e-12))


def test_positives_among_the_negatives_leave_the_best_critic_its_optimum(folder: Path) -> None:
    runs = mibench.load_runs(folder / "results")
    cells = rank_methods(runs).explained.cells.query("method == 'nwj' and track == 'lower'")
    shuffled = cells["cell"].str.contains("shuffle")
    own = runs[(runs["estimator"] == "nwj") & (runs["negatives"] == "shuffle") & (runs["critic"] != "oracle")]
    optima = own.groupby(["task", "mi_true"])["predicted_optimum"].mean()
    assert sorted(cells.loc[shuffled, "optimum"]) == pytest.approx(sorted(optima))
    attained = cells["mi_true"] + cells["estimator_part"]
    assert attained[shuffled].to_numpy() == pytest.approx(cells.loc[shuffled, "optimum"].to_numpy())
    assert attained[~shuffled].to_numpy() == pytest.approx(cells.loc[~shuffled, "exact"].to_numpy())


def test_the_command_prints_a_sentence_for_every_method(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["leaderboard", "--results", str(folder / "results"), "--suite", str(folder / "tiny.toml"), "--explain"]
    assert main(given) == 0
    said = capsys.readouterr().out
    table = rank_methods(mibench.load_runs(folder / "results")).explained.methods
    for sentence in table["sentence"]:
        assert sentence in said
    assert main([*given, "--json"]) == 0
    explained = json.loads(capsys.readouterr().out)["explained"]
    check_identity(pd.DataFrame(explained["cells"]))
    assert [one["sentence"] for one in explained["methods"]] == list(table["sentence"])


def test_rows_of_the_exact_critic_are_published_with_the_suite(folder: Path, tmp_path: Path) -> None:
    done = publish(folder / "results", tmp_path / "published", str(folder / "tiny.toml"))
    stored = mibench.load_runs(folder / "results")
    assert (done.runs, done.missing) == (stored["run_id"].nunique(), "")
    published = rank_methods(read_ranking_rows(tmp_path / "published", str(folder / "tiny.toml")).runs).explained
    pd.testing.assert_frame_equal(published.cells, rank_methods(stored).explained.cells)


@pytest.mark.parametrize("option", [["--csv"], ["--latex"], ["--markdown"], ["--by", "family"]])
def test_explanations_are_of_whole_boards_and_plain(option: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "--explain", *option]) == 2
    assert "--explain" in capsys.readouterr().err


def test_the_figure_draws_the_parts_of_the_table(folder: Path, tmp_path: Path) -> None:
    runs = mibench.load_runs(folder / "results")
    assert reports.resolve_names(["explained"]) == ["explained"]
    drawing = Drawing(*FIGURES["explained"].draw(runs, pd.DataFrame(columns=["run_id"])))
    explained = rank_methods(runs).explained
    means = relative_means(explained.cells).set_index(["track", "method"])
    table = drawing.table.set_index(["track", "method"])
    for name in means.columns:
        assert table[name].to_dict() == pytest.approx(means[name].loc[table.index].to_dict())
    words = [text.get_text() for ax in drawing.figure.axes for text in ax.texts]
    for word in table["stopped_by"]:
        assert any(text.startswith(word) for text in words)
    (result,) = reports.render(runs, pd.DataFrame(columns=["run_id"]), ["explained"], tmp_path)
    assert len(result.files) == 4
    with pytest.raises(UsageError, match="--exact"):
        FIGURES["explained"].draw(runs[runs["critic"] != "oracle"], pd.DataFrame(columns=["run_id"]))


# --- causes by rule -----------------------------------------------------------------------------------------------

DENSITY: dict[str, Any] = {"critic": "conditional-gaussian", "own_critic": 1}
WHOLE: dict[str, Any] = {"critic": "none", "own_critic": 1, "own_negatives": 1, "negatives": "none"}


@pytest.mark.parametrize(
    ("cause", "made"),
    [
        ("at the truth", pair("nwj", 10.0, 9.6, 10.0)),
        ("critic", pair("nwj", 10.0, 6.0, 10.5)),
        ("critic", pair("js", 2.0, 3.0, 2.1, kind="plug-in")),
        ("densities", pair("club", 10.0, 6.0, 10.5, kind="upper", **DENSITY)),
        ("bias", pair("club", 10.0, 14.0, 14.5, kind="upper", **DENSITY)),
        ("ceiling", pair("infonce", 10.0, 4.0, 4.1, ceiling=math.log(64))),
        ("bias", pair("infonce", 4.5, 3.0, 3.2, ceiling=math.log(64))),  # less than half of 1.3 is above the ceiling
        ("bias", pair("smile", 10.0, 12.5, 12.0, kind="plug-in", ceiling=8.0)),  # a ceiling keeps no value above
        ("variance", pair("dv", 10.0, 12.0, 11.5, estimate_train_sd=4.0)),
        ("bias", pair("dv", 10.0, 12.0, 11.5, estimate_train_sd=1.4)),  # the part is larger than its spread
        ("variance", [run("js", 4.0, 2.0, 0), run("js", 4.0, 6.0, 1), run("js", 4.0, 4.0, 0, **EXACT)]),
        ("sampler", pair("nwj", 10.0, 3.5, -50.0, capped_by_sampler=1, predicted_ceiling=4.2, predicted_optimum=4.0)),
        ("critic", pair("nwj", 10.0, -3.5, -50.0, capped_by_sampler=1, predicted_ceiling=4.2, predicted_optimum=4.0)),
        ("critic", pair("smile", 10.0, 3.5, 9.0, predicted_ceiling=4.2, predicted_optimum=4.0)),  # it is not capped
        ("no critic", [run("ksg", 10.0, 5.0, 0, **WHOLE)]),
        ("no critic", [run("exact-ratio", 10.0, 5.0, 0, critic="oracle", own_critic=1)]),
        ("divergence", [*pair("dv", 10.0, 6.0, 10.0)[1:], run("dv", 10.0, -500.0, 0)]),
        ("not known", [run("nwj", 10.0, 6.0, 0)]),
        ("not known", pair("js", 10.0, 6.0, -500.0)),  # the exact critic's run ran away
        ("not known", [run("nwj", 10.0, 6.0, 0), run("nwj", 10.0, 9.9, 0, **EXACT, status="crashed")]),
    ],
)  # fmt: skip
def test_what_stops_a_method_follows_from_the_numbers(cause: str, made: list[dict[str, Any]]) -> None:
    ranking = ranked(*made)
    (found,) = ranking.explained.cells["stopped_by"]
    assert found == cause
    check_identity(ranking.explained.cells)
    (word,) = methods_of(ranking)["stopped_by"]
    assert word == ("" if cause == "not known" else cause)
    (sentence,) = ranking.explained.methods["sentence"]
    assert sentence.startswith(cause)
    assert "nan" not in sentence


def test_every_cause_has_a_rule_that_is_tried() -> None:
    (marks,) = test_what_stops_a_method_follows_from_the_numbers.pytestmark
    assert {cause for cause, _ in marks.args[1]} == set(CAUSES)


def test_the_numbers_of_a_cell_by_hand() -> None:
    found = cell(*pair("infonce", 10.0, 3.5, 4.1, ceiling=4.15), run("infonce", 10.0, 4.3, 1, **EXACT))
    assert found[["trained", "exact", "estimator_part", "critic_gap", "error"]].tolist() == pytest.approx(
        [3.5, 4.2, -5.8, -0.7, -6.5]
    )
    assert math.isnan(found["optimum"])


def test_sentences_hold_the_numbers_of_their_cells_and_shares_of_the_error() -> None:
    made = [*pair("infonce", 10.0, 3.0, 4.0, ceiling=4.1), *pair("infonce", 2.0, 1.0, 1.9, ceiling=4.1)]
    found = ranked(*made).explained.methods.iloc[0]  # errors 0.7 and 0.5
    assert found["sentence"] == (
        "ceiling (58% of its error): 4.10 nats, and the exact critic would be there too: 4.00 of 10.00 nats; "
        "critic (42% of its error): its gap is -0.90 nats; with the exact critic the error would be -0.10"
    )
    assert found[["estimator_part", "critic_gap", "share"]].tolist() == pytest.approx([-3.05, -0.95, 0.7 / 1.2])
    made[3:] = pair("infonce", 2.0, 1.8, 1.9, ceiling=4.1)  # an error of 0.1: 12.5 % are no second cause
    assert SECOND > 0.125
    assert ranked(*made).explained.methods["sentence"].item().count("of its error") == 1


def test_families_count_equally_in_the_columns_which_are_the_bias() -> None:
    made = [
        *pair("nwj", 2.0, 1.0, 2.2), *pair("nwj", 10.0, 6.0, 10.4), *pair("nwj", 5.0, 4.0, 3.0, task="student-t"),
    ]  # fmt: skip
    row = methods_of(ranked(*made)).iloc[0]
    assert row["estimator_part"] == pytest.approx(((0.2 + 0.4) / 2 - 2.0) / 2)
    assert row["critic_gap"] == pytest.approx(((-1.2 - 4.4) / 2 + 1.0) / 2)
    assert row["estimator_part"] + row["critic_gap"] == pytest.approx(row["bias"])


def test_a_cell_without_runs_of_the_exact_critic_leaves_the_columns_empty() -> None:
    made = [*pair("nwj", 2.0, 1.0, 2.2), *pair("nwj", 10.0, 6.0, 10.4)[:2]]
    ranking = ranked(*made)
    assert methods_of(ranking)[["estimator_part", "critic_gap"]].isna().all(axis=None)
    assert ranking.explained.cells["critic_gap"].notna().tolist() == [True, False]
    assert ranking.explained.methods[["explained", "cells"]].to_numpy().tolist() == [[1, 2]]


@pytest.mark.parametrize(
    "other",
    [
        {"batch": 128}, {"negatives": "shuffle"}, {"estimator_params": '{"tau":1.0}'}, {"task_version": 2},
        {"regime": "dataset", "samples": 1000}, {"negatives_params": '{"m":2}'}, {"estimator_version": 2},
        {"task_params": '{"dim":10,"mi":10.0}'}, {"precision": "float16-scores"}, {"protocol": 2},
    ],
)  # fmt: skip
def test_the_exact_critic_explains_only_runs_that_are_alike(other: dict[str, Any]) -> None:
    assert cell(*pair("nwj", 10.0, 6.0, 10.4))["exact"] == 10.4
    made = [run("nwj", 10.0, 6.0, 0), run("nwj", 10.0, 10.4, 0, **EXACT, **other)]
    assert math.isnan(cell(*made)["exact"])


@pytest.mark.parametrize("other", [{"critic": "joint"}, {"hidden": "1x8"}, {"lr": 0.1}, {"precision": "bfloat16"}])
def test_whatever_the_trained_critic_the_exact_one_is_the_same(other: dict[str, Any]) -> None:
    made = [run("nwj", 10.0, 6.0, 0, **other), run("nwj", 10.0, 10.4, 0, **EXACT)]
    assert cell(*made)["exact"] == 10.4


def test_a_fixed_sample_is_explained_by_its_test_value() -> None:
    fixed = {"regime": "dataset", "samples": 1000, "patience": 10}
    made = pd.DataFrame(pair("nwj", 5.0, 3.0, 5.5, **fixed))
    made["estimate_test"] = made["estimate_train_median"]
    made["estimate_train_median"] = 99.0
    (found,) = rank_methods(made).explained.cells.to_dict("records")
    assert (found["track"], found["exact"], found["estimator_part"]) == ("dataset", 5.5, 0.5)


def test_exact_critics_alone_make_a_board_of_their_own() -> None:
    table = methods_of(rank_methods(rows({"nwj": 0.1, "dv": 0.2}, **EXACT)))
    assert table["method"].tolist() == ["nwj", "dv"]
    assert table["estimator_part"].to_numpy() == pytest.approx(table["bias"].to_numpy())


def test_an_estimator_that_was_run_with_the_exact_critic_alone_is_not_on_the_board() -> None:
    made = pd.concat([rows({"nwj": 0.1}), rows({"nwj": 0.0, "dv": 0.0}, **EXACT)])
    ranking = rank_methods(made)
    assert methods_of(ranking)["method"].tolist() == ["nwj"]
    assert ranking.left_out.empty


def test_the_page_names_every_cause_in_the_order_of_the_rules() -> None:
    page = (ROOT / "docs" / "reading-the-board.md").read_text(encoding="utf-8")
    table = page.partition("| cause | when |\n|---|---|\n")[2].partition("\n\n")[0]
    assert [line.split(" | ")[0].strip("| ") for line in table.splitlines()] == list(CAUSES)
    assert f"the normalised error is at most {NEAR:g} |" in table
    assert f"varies between batches by {WIDE:g} nat or more" in table
