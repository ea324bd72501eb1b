"""`mibench compare` on suites that share a folder, that choose settings, or in which the newcomer is another's twin."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mibench
from mibench.cli.app import main
from mibench.core.errors import UsageError
from mibench.experiments.suite import get_suite
from mibench.ranking.columns import TUNED
from mibench.ranking.matrix import WITHOUT_CRITIC
from mibench.ranking.newcomers import Comparison, compare
from mibench.ranking.rows import rows_of
from mibench.ranking.tuning import choose_settings
from mibench.report.comparison import sentences
from mibench.store.folders import load_runs
from tests.support.suite_rows import rows_of_specs, store_rows

pytestmark = pytest.mark.usefixtures("fresh_registries")

HEAD = 'suite.version = 1\ntask = "gaussian20d-v1:dim=2"\nmi = [1, 2]\nbatch = 32\nhidden = "1x8"\n'
LENGTHS = 'activation = "relu"\nsteps = 20\nwindow = 4\nevery = 4\nseeds = 2\n'
ON_SAMPLES = f'{HEAD}{LENGTHS}samples = 160\ncritic = "separable-v1"\nnegatives = "derangement-v1"\n'
LISTED = f'# Fixed samples.\n{ON_SAMPLES}lr = 1e-3\nestimator = ["nwj-v1", "ksg-v2"]\n'
CHOSEN = f'# Two rates.\nsuite.tuned = true\n{ON_SAMPLES}lr = [1e-4, 1e-2]\nestimator = ["nwj-v1", "js-v1", "ksg-v2"]\n'
TWINS = f"""# One negative at every step on fresh pairs, and all on fixed samples.
{HEAD}{LENGTHS}
critic = "separable-v1"
lr = 1e-3
estimator = ["nwj-v1", "flatnce-v1"]
negatives = "shuffle-v1"

[[include]]
negatives = "all-pairs-v1"
samples = 160
"""


@pytest.fixture
def suite_file(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        file = tmp_path / "small.toml"
        file.write_text(text, encoding="utf-8")
        return str(file)

    return write


def rows_by(suite: str, *estimators: str, **columns: Any) -> pd.DataFrame:
    """Made-up rows of estimators on all of a suite."""
    specs = [spec for name in estimators for spec in get_suite(suite).specs({"estimator": name})]
    return rows_of_specs(specs, **columns)


class TestSuitesOfOneFolder:
    def test_an_estimator_of_another_suite_names_nobody(
        self, suite_file: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        suite, published = suite_file(LISTED), tmp_path / "published"
        older = rows_by(suite, "ksg-v1").query("mi_true == 1")  # of another suite, which has this level too
        store_rows(pd.concat([rows_by(suite, "nwj", "ksg"), older], ignore_index=True), published)
        store_rows(rows_by(suite, "js", "nwj"), tmp_path / "mine")  # so that nothing is left to run
        monkeypatch.setattr("mibench.ranking.rows.PUBLISHED", published)
        comparison = compare(estimator="js", suite=suite, published=published, results=tmp_path / "mine")
        (standing,) = comparison.standings
        assert set(standing.board.table["method"]) == {"nwj", "ksg", "js"}
        assert comparison.ranking.left_out.empty
        assert set(comparison.runs["estimator_version"]) == {1, 2}  # nwj and js, ksg

    def test_rows_of_a_newer_task_do_not_stand_in_the_way_of_an_older_suite(
        self, suite_file: Callable[[str], str], tmp_path: Path
    ) -> None:
        suite = suite_file(LISTED)
        own = rows_by(suite, "nwj", "ksg")
        newer = own.assign(task_version=2, protocol=2, run_id="n" + own["run_id"].str[1:])
        store_rows(pd.concat([own, newer], ignore_index=True), tmp_path / "published")
        store_rows(rows_by(suite, "js", "nwj"), tmp_path / "mine")
        comparison = compare(estimator="js", suite=suite, published=tmp_path / "published", results=tmp_path / "mine")
        assert comparison.method == "js"


class TestTuned:
    @pytest.fixture(scope="class")
    @staticmethod
    def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Return a folder with a suite of two rates, and its rows in ``published``."""
        folder = tmp_path_factory.mktemp("tuned")
        (folder / "chosen.toml").write_text(CHOSEN, encoding="utf-8")
        mibench.run(suite=str(folder / "chosen.toml"), results=folder / "published", device="cpu")
        return folder

    @staticmethod
    @functools.cache
    def compared(home: Path) -> Comparison:
        return compare(
            estimator="smile", suite=str(home / "chosen.toml"), published=home / "published", results=home / "mine"
        )

    def test_it_is_trained_with_every_setting_and_ranked_with_the_one_of_the_least_loss(self, home: Path) -> None:
        comparison = self.compared(home)
        mine = load_runs(home / "mine").query("estimator == 'smile'")
        assert len(mine) == 2 * 2 * 2  # levels, rates and seeds
        (standing,) = comparison.standings
        assert standing.board.track == TUNED
        assert set(standing.board.table["method"]) == {"nwj", "js", "ksg", "smile"}
        assert standing.row["runs"] == 4
        loss = mine.groupby("lr")["validation_loss"].mean()
        best = mine[mine["lr"] == loss.idxmin()]
        ranked = comparison.runs.query("estimator == 'smile'")
        assert set(ranked["run_id"]) == set(best["run_id"])
        assert standing.row["seconds"] == pytest.approx(mine["seconds"].sum() / 4)
        assert standing.row["cost"] > 0

    def test_the_others_have_the_settings_of_their_own_board(self, home: Path) -> None:
        alone = mibench.leaderboard(choose_settings(load_runs(home / "published")).runs).set_index("method")
        beside = self.compared(home).ranking.table().set_index("method")
        columns = ["error", "bias", "seconds"]
        pd.testing.assert_frame_equal(beside.loc[alone.index, columns], alone[columns])

    def test_the_command_prints_it_and_draws_the_board_of_chosen_settings(
        self, home: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        self.compared(home)
        arguments = ["--suite", str(home / "chosen.toml"), "--published", str(home / "published")]
        arguments += ["--results", str(home / "mine"), "--output", str(home / "page")]
        assert main(["compare", "--estimator", "smile", *arguments, "--json"]) == 0
        (track,) = json.loads(capfd.readouterr().out)["tracks"]
        assert (track["track"], track["method"], len(track["by_cell"])) == (TUNED, "smile", 2)
        board = pd.read_csv(home / "page" / "leaderboard.csv")
        assert set(board["track"]) == {TUNED}
        page = (home / "page" / "index.html").read_text(encoding="utf-8")
        assert "Track tuned: smile has rank" in page

    def test_rows_of_estimators_without_a_setting_are_no_rows_of_the_suite(
        self, home: Path, tmp_path: Path, write_plugin: Callable[..., Path], capfd: pytest.CaptureFixture[str]
    ) -> None:
        suite, others = str(home / "chosen.toml"), tmp_path / "others"
        runs = load_runs(home / "published")
        store_rows(runs[runs["critic"] == WITHOUT_CRITIC], others)
        arguments = ["--suite", suite, "--published", str(others), "--results", str(tmp_path / "mine")]
        plugin = write_plugin(name="no-good")  # whose checks, which train, are not gone through
        assert main(["compare", str(plugin), *arguments, "--output", str(tmp_path / "page")]) == 2
        said = capfd.readouterr()
        assert said.out == ""
        assert said.err == (
            f"mibench: '{others}' holds no rows of suite 'chosen' to compare with; name a folder that does by "
            "--published\n"
        )
        assert not (tmp_path / "mine").exists()
        assert not (tmp_path / "page").exists()
        with pytest.raises(UsageError, match="holds no rows of suite"):
            rows_of(suite, load_runs(others), others)


class TestTwins:
    def compared(self, suite: str, folder: Path, several: Mapping[str, int]) -> Comparison:
        """Compare Hoelder-FlatNCE, which is FlatNCE over one negative, by rows whose samplers have so many of them."""

        def made(*estimators: str) -> pd.DataFrame:
            rows = rows_by(suite, *estimators)
            return rows.assign(n_negatives=rows["negatives"].map(several))

        store_rows(made("nwj", "flatnce"), folder / "published")
        store_rows(made("holder-flatnce", "nwj"), folder / "mine")
        return compare(estimator="holder-flatnce", suite=suite, published=folder / "published", results=folder / "mine")

    def test_under_one_sampler_it_has_no_place_of_its_own_and_under_another_it_has(
        self, suite_file: Callable[[str], str], tmp_path: Path
    ) -> None:
        comparison = self.compared(suite_file(TWINS), tmp_path, {"shuffle": 1, "all-pairs": 31})
        assert comparison.method == "holder-flatnce"
        (standing,) = comparison.standings
        assert standing.board.track == "dataset"
        assert set(standing.board.table["method"]) == {"nwj", "flatnce", "holder-flatnce"}
        assert set(comparison.ranking.table().query("track == 'lower'")["method"]) >= {"nwj", "flatnce"}
        assert sentences(comparison)[1:] == [
            "Track lower: holder-flatnce has no place of its own, since flatnce is the same loss and estimate."
        ]

    def test_under_all_it_is_refused_by_the_other_s_name(
        self, suite_file: Callable[[str], str], tmp_path: Path
    ) -> None:
        with pytest.raises(UsageError, match="'holder-flatnce' is 'flatnce' under another name, which is on the board"):
            self.compared(suite_file(TWINS), tmp_path, {"shuffle": 1, "all-pairs": 1})
