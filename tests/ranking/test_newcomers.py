"""`mibench compare`, end to end on a tiny suite: a newcomer lands where it must, and what does not fit is refused."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import mibench
from mibench.cli.app import main
from mibench.cli.terminal.comparison import comparison_json, show_comparison
from mibench.core.errors import UsageError
from mibench.experiments.code import codes_of
from mibench.ranking.newcomers import Comparison, compare
from mibench.report.comparison import draw_newcomer, standing_sentence, write_comparison_page
from mibench.running.failures import Failure, write_failure
from mibench.running.plan import Plan
from mibench.store.folders import load_runs
from mibench.store.parquet import write_pack
from mibench.store.paths import stems
from tests.support.constant_plugin import constant_plugin

pytestmark = pytest.mark.usefixtures("fresh_registries")  # plug-ins are loaded

SUITE = """# Three estimators at five levels, on fresh pairs and on fixed samples.
suite.version = 1

task = "gaussian20d-v1:dim=4"
mi = [1, 2, 3, 4, 5]
estimator = ["nwj-v1", "smile-v1", "js-v1"]
batch = 32
critic = "separable-v1"
negatives = "derangement-v1"
hidden = "1x16"
activation = "relu"
lr = 2e-3
steps = 60
window = 20
every = 20
seeds = 2

[[include]]
samples = 320
window = 6
every = 6
"""

EXACT = '''
import mibench


@mibench.register_estimator("exact-ratio")
class ExactRatio(mibench.Estimator):
    """The mean of the exact log density ratio over the positive pairs.

    Source: the definition of mutual information.
    """

    kind = "plug-in"
    own_critic = "oracle"

    def estimate(self, scores):
        return scores.pos.mean(-1)
'''


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the suite, the rows of its estimators in ``published``, and the newcomers' files."""
    folder = tmp_path_factory.mktemp("newcomers")
    for name, text in (("tiny.toml", SUITE), ("exact.py", EXACT), ("zero.py", constant_plugin("constant-zero"))):
        (folder / name).write_text(text, encoding="utf-8")
    mibench.run(suite=str(folder / "tiny.toml"), results=folder / "published", device="cpu")
    return folder


@functools.cache
def compared(home: Path, name: str) -> Comparison:
    """Compare a newcomer of ``home``, once for all tests that look at what is found."""
    return compared_anew(home, name)


def compared_anew(home: Path, name: str) -> Comparison:
    return compare(
        home / name, suite=str(home / "tiny.toml"), published=home / "published", results=home / "mine"
    )  # fmt: skip


def copy_of(home: Path, folder: Path, **columns: object) -> Path:
    """Store the published rows with other values in some columns."""
    runs = load_runs(home / "published").assign(**columns)
    write_pack(folder, "pack", runs.astype(object).where(runs.notna(), None).to_dict("records"), [])
    return folder


def test_the_exact_critic_comes_first_and_leaves_the_others_where_they_were(home: Path) -> None:
    before = mibench.leaderboard(load_runs(home / "published"))
    comparison = compared(home, "exact.py")
    assert [standing.board.track for standing in comparison.standings] == ["plug-in", "dataset"]
    for standing in comparison.standings:
        assert standing.row["rank"] == 1
        assert standing.row["error"] < 0.15
        assert standing.row["group"].startswith("a")
        assert standing.ahead == len(standing.cells) == 5
        assert standing.row["cost"] > 0
        assert standing.row["runs"] == 10
        assert set(standing.better) == set()
    fresh = comparison.standings[0]
    assert set(fresh.worse) == {"smile", "js"}
    assert fresh.row["error"] < 0.06  # sd of a batch's mean over 32 pairs, a median of 20 of them, over the truth
    after = comparison.ranking.table()
    columns = ["error", "error_low", "error_high", "bias", "variance", "saturation", "monotonicity"]
    for track in ("lower", "plug-in", "dataset"):
        old = before[before["track"] == track].set_index("method")[columns]
        new = after[after["track"] == track].set_index("method")[columns].loc[old.index]
        pd.testing.assert_frame_equal(old, new)


def test_a_constant_comes_last_and_is_told_apart(home: Path) -> None:
    fresh, fixed = compared(home, "zero.py").standings
    for standing in (fresh, fixed):
        assert standing.row["error"] == 1
        assert standing.row["rank"] == len(standing.board.table)
        assert standing.ahead == 0
        assert standing.worse == ()
    assert set(fresh.better) == set(fresh.board.table["method"]) - {"constant-zero"}
    assert fresh.row["over"] == fixed.row["over"] == "seeds"
    assert {"nwj", "smile", "js"} == {*fixed.better, *fixed.alike}  # two seeds of small samples cannot tell all apart


def test_a_newcomer_whose_runs_all_failed_is_last_whatever_is_known_of_them(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(home / "published", tmp_path / "mine")  # with the rows of the reference: nothing is left to run
    mibench.load_plugins([home / "zero.py"])
    specs = mibench.get_suite(str(home / "tiny.toml")).specs({"estimator": "constant-zero"})
    codes = codes_of(specs)
    for spec in specs:
        failure = Failure(spec, "crashed", "KeyError: 'x'")
        write_failure(failure, tmp_path / "mine", session_id="s", device="cpu", code=codes[spec.run_id])
    comparison = compare(
        home / "zero.py", suite=str(home / "tiny.toml"), published=home / "published", results=tmp_path / "mine"
    )
    assert comparison.failed == len(specs) == 20
    assert [standing.row["error"] for standing in comparison.standings] == [1, 1]
    show_comparison(comparison)
    said = capsys.readouterr().out
    assert "20 runs of constant-zero crashed" in said
    assert "most behind: " in said
    assert "most ahead" not in said
    comparison_json(comparison)
    assert write_comparison_page(comparison, tmp_path / "page", "mibench compare").exists()


def test_the_command_says_where_it_stands_and_writes_a_page(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--suite", str(home / "tiny.toml"), "--published", str(home / "published")]
    arguments += ["--results", str(home / "mine"), "--output", str(tmp_path / "page")]
    assert main(["compare", str(home / "exact.py"), *arguments]) == 0
    said = capfd.readouterr().out
    assert "Track plug-in: exact-ratio has rank 1 of 3 methods" in said
    assert "told apart, ahead of: smile, js" in said
    assert "as long as one of nwj on this machine" in said
    assert "most ahead: " in said
    assert "most behind" not in said
    assert main(["compare", str(home / "exact.py"), *arguments, "--json"]) == 0
    answer = json.loads(capfd.readouterr().out)
    first = answer["tracks"][0]
    assert (first["track"], first["rank"], first["not_told_apart"]) == ("plug-in", 1, [])
    for option, bold in (("--latex", r"\textbf{exact-ratio}"), ("--markdown", "| **exact-ratio** |")):
        assert main(["compare", str(home / "exact.py"), *arguments, option]) == 0
        table = capfd.readouterr().out
        assert table.count(bold) == 2  # it is on two boards
        assert " done, " not in table  # the plan is no part of the table
        assert "index.html" not in table
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "exact-ratio has rank 1 of 3 methods" in page
    for name in ("newcomer", "leaderboard", "leaderboard-parts", "leaderboard-wins"):
        assert (tmp_path / "page" / f"{name}.png").stat().st_size > 10_000
        assert f'id="figure-{name}"' in page


def test_a_second_time_nothing_is_run(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    compared(home, "exact.py")
    files = stems(home / "mine", "runs")
    compared_anew(home, "exact.py")
    assert stems(home / "mine", "runs") == files


def test_the_figure_holds_every_cell(home: Path) -> None:
    drawing = draw_newcomer(compared(home, "exact.py"))
    assert drawing.table["track"].value_counts().to_dict() == {"plug-in": 5, "dataset": 5}
    assert (drawing.table["place"] == 1).sum() >= 8
    assert len(drawing.figure.axes) == 2


def test_an_estimator_with_parameters_that_are_not_published_needs_no_file(home: Path) -> None:
    comparison = compare(
        estimator="smile:tau=1", suite=str(home / "tiny.toml"), published=home / "published", results=home / "mine"
    )
    assert comparison.method == "smile:tau=1"
    assert {standing.board.track for standing in comparison.standings} == {"plug-in", "dataset"}
    assert "smile:tau=5" in set(comparison.ranking.table()["method"])


NEWER = '''
import mibench
from mibench.estimators.nwj import NWJ


@mibench.register_estimator("nwj", version=2)
class Halved(NWJ):
    """NWJ with half of its value.

    Source: none.
    """

    def estimate(self, scores):
        return super().estimate(scores) / 2

    def loss(self, scores):
        return -super().estimate(scores)
'''


def test_a_newer_version_of_the_reference_is_run_beside_the_built_in_one(home: Path, tmp_path: Path) -> None:
    (tmp_path / "newer.py").write_text(NEWER, encoding="utf-8")
    few = SUITE.partition("\n[[include]]")[0].replace("[1, 2, 3, 4, 5]", "[1, 2]")
    (tmp_path / "few.toml").write_text(few, encoding="utf-8")
    options = {"suite": str(tmp_path / "few.toml"), "published": home / "published", "results": tmp_path / "mine"}
    comparison = compare(tmp_path / "newer.py", **options)  # type: ignore[arg-type]
    assert comparison.method == "nwj-v2"
    rows = load_runs(tmp_path / "mine")
    assert rows["run_id"].is_unique
    assert rows["estimator_version"].value_counts().to_dict() == {2: 4, 1: 2}  # of the reference one seed
    table = comparison.ranking.table()
    assert set(table.loc[table["role"] == "estimator", "method"]) == {"nwj-v1", "nwj-v2", "smile", "js"}
    assert (table.loc[table["method"] == "nwj-v2", "cost"] > 0).all()
    assert "as long as one of nwj on this machine" in standing_sentence(comparison, comparison.standings[0])


def test_what_is_compared_may_be_the_reference_itself(home: Path, tmp_path: Path) -> None:
    others = load_runs(home / "published")
    others = others[others["estimator"] != "nwj"]
    write_pack(tmp_path / "others", "pack", others.astype(object).where(others.notna(), None).to_dict("records"), [])
    plans: list[Plan] = []
    comparison = compare(
        estimator="nwj", suite=str(home / "tiny.toml"), published=tmp_path / "others", results=home / "published",
        on_plan=plans.append,
    )  # fmt: skip
    assert str(plans[0]) == "20 runs: 20 done, 0 new"
    assert comparison.method == "nwj"


class TestRefusals:
    def refused(self, home: Path, plugin: str | Path | None = None, **options: object) -> str:
        options = {"published": home / "published", "suite": str(home / "tiny.toml"), **options}
        with pytest.raises(UsageError) as error:
            compare(plugin, results=home / "refused", **options)  # type: ignore[arg-type]
        assert not (home / "refused").exists()  # before any work
        return str(error.value)

    def test_a_plug_in_that_fails_its_checks(self, home: Path, write_plugin: Callable[..., Path]) -> None:
        said = self.refused(home, write_plugin(name="no-good"))
        assert "fails" in said
        assert "see 'mibench check" in said

    def test_rows_of_another_version_of_a_task(self, home: Path, tmp_path: Path) -> None:
        said = self.refused(home, home / "exact.py", published=copy_of(home, tmp_path, task_version=2))
        assert "the published rows are of gaussian20d-v2, and suite 'tiny-v1' runs gaussian20d-v1" in said

    def test_rows_of_another_protocol(self, home: Path, tmp_path: Path) -> None:
        said = self.refused(home, home / "exact.py", published=copy_of(home, tmp_path, protocol=7))
        assert "trained by protocol 7" in said
        assert "trains by protocol 1" in said

    def test_rows_of_another_suite(self, home: Path, tmp_path: Path) -> None:
        said = self.refused(home, home / "exact.py", published=copy_of(home, tmp_path, batch=64))
        assert "holds no rows of suite 'tiny'" in said

    def test_what_is_on_the_board_already(self, home: Path) -> None:
        assert "is on the board already" in self.refused(home, estimator="smile:tau=5")

    def test_nothing_and_a_file_with_two_estimators(self, home: Path, tmp_path: Path) -> None:
        assert "nothing to compare" in self.refused(home)
        both = tmp_path / "both.py"
        second = EXACT.replace("exact-ratio", "exact-too").replace("ExactRatio", "ExactToo")
        both.write_text(EXACT.replace("exact-ratio", "exact-one") + second, encoding="utf-8")
        said = self.refused(home, both)
        assert "registers 2 estimators; name one with --estimator: exact-one, exact-too" in said
