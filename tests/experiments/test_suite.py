from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mibench
from mibench.cli.app import main
from mibench.core import registry
from mibench.core.errors import UsageError
from mibench.core.parameters import split_name
from mibench.experiments.components import REGISTRIES
from mibench.experiments.grid import load_grid
from mibench.experiments.suite import read_suite, requested_runs, shipped_suites
from mibench.tasks.beyond_normal import published_names

SUITES = {suite.id: suite for suite in shipped_suites()}

# Hash of the suite's run ids. A change of a suite's runs is a new version of the suite: with it comes a new line here.
HASHES = {
    "beyond-normal-v1": "0f7bbdece8850aeb",
    "high-mi-v1": "bcece110c1c07f81",
    "negatives-v1": "39c5299065ba37e4",
    "quick-v1": "029fe4ae8c023545",
    "staircase-v1": "b0f29dffaf3c8bf6",
    "standard-v1": "c81829026a037f3d",
    "standard-v2": "b8d59be787c3e6d3",
    "standard-tuned-v1": "1cbad6f6d01b4ddb",
}

# Suites that estimators may be added to: what cannot change are the cells, seen by estimators that bring no critic, a
# critic, a sampler, or neither.
OPEN = {
    "standard-v1": ["nwj-v1", "barber-agakov-v1", "tre-v1", "ksg-v1"],
    "standard-v2": ["nwj-v1", "doe-v1", "tre-v1", "ksg-v2"],
    "standard-tuned-v1": ["nwj-v1", "doe-v1", "tre-v1", "ksg-v2"],
}

SMALL = """# Two estimators on next to nothing.
suite.version = 3

mi = 1
estimator = ["nwj-v1", "dv-v1"]
batch = 16
critic = "separable-v1"
hidden = "1x8"
steps = 2
seeds = 1

[[include]]
task = "gaussian20d-v1:dim=2"
"""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_registries: None) -> Path:
    """Go to an empty folder, where a suite named small is the only one."""
    folder = tmp_path / "suites"
    folder.mkdir()
    (folder / "small.toml").write_text(SMALL, encoding="utf-8")
    monkeypatch.setattr("mibench.experiments.suite.SUITES", folder)
    monkeypatch.chdir(tmp_path)
    return folder / "small.toml"


def test_the_suites_are_there() -> None:
    names = ["beyond-normal", "high-mi", "negatives", "quick", "staircase", "standard", "standard-tuned"]
    assert mibench.list_suites() == names
    assert [mibench.get_suite(name).name for name in names] == names


@pytest.mark.parametrize("name", SUITES)
def test_the_runs_of_a_version_never_change(name: str) -> None:
    specs = SUITES[name].specs({"estimator": OPEN[name]} if name in OPEN else None)
    ids = sorted(spec.run_id for spec in specs)
    assert len(set(ids)) == len(ids)
    assert hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16] == HASHES[name]


@pytest.mark.parametrize("name", SUITES)
def test_names_carry_their_versions(name: str) -> None:
    grid = SUITES[name].grid
    for table in (grid, *grid.get("include", ()), *grid.get("exclude", ())):
        for option in REGISTRIES.keys() & table.keys():
            written = table[option] if isinstance(table[option], list) else [table[option]]
            for text in written:
                assert re.search(r"-v\d+$", split_name(text)[0]), text


@pytest.mark.parametrize("name", SUITES)
def test_what_ids_are_made_of_is_written_down(name: str) -> None:
    stated = [
        "estimator",
        "batch",
        "critic",
        "negatives",
        "hidden",
        "activation",
        "lr",
        "steps",
        "window",
        "every",
        "seeds",
    ]
    assert set(stated) <= SUITES[name].grid.keys()


@pytest.mark.parametrize("name", SUITES)
def test_tasks_are_built_and_cover_the_runs(name: str) -> None:
    suite = SUITES[name]
    tasks = suite.tasks
    assert len(set(tasks)) == len(tasks)
    assert all(task.mi >= 0 for task in tasks)
    ids = [registry.TASKS.id_of(task) for task in tasks]
    assert set(ids) == {spec.task for spec in suite.specs()}


def test_tasks_of_a_staircase_are_its_stairs() -> None:
    plain = [task.mi for task in mibench.get_suite("staircase").tasks]
    assert plain == 2 * [2.0, 4.0, 6.0, 8.0, 10.0]


def test_beyond_normal_holds_all_published_tasks_in_their_order() -> None:
    tasks = mibench.get_suite("beyond-normal").tasks
    assert tasks == tuple(mibench.get_task(name) for name in published_names())
    assert len(tasks) == 40


def test_standard_1_spans_levels_batches_critics_samplers_and_seeds() -> None:
    suite = mibench.get_suite("standard-v1")
    specs = [spec for spec in suite.specs() if spec.estimator == "nwj-v1"]
    assert {task.mi for task in suite.tasks} == {2.0, 5.0, 10.0, 20.0, 30.0}
    assert len({spec.task for spec in specs}) >= 5
    assert {spec.batch for spec in specs} == {64, 256}
    assert {spec.critic for spec in specs} == {"separable-v1", "joint-v1"}
    assert {spec.negatives for spec in specs} == {"shuffle-v1", "derangement-v1", "all-pairs-v1"}
    assert {spec.seed for spec in specs} == set(range(5))
    assert {spec.task for spec in specs if spec.samples == 5000} == {spec.task for spec in specs}


def test_standard_2_has_fifteen_families_on_fresh_pairs_and_on_fixed_samples() -> None:
    suite = mibench.get_suite("standard")
    specs = [spec for spec in suite.specs() if spec.estimator == "nwj-v1"]
    by_regime = [{(s.task, s.task_params) for s in specs if s.samples == samples} for samples in (None, 5000)]
    assert by_regime[0] == by_regime[1]
    assert len({spec.task for spec in specs}) == 13  # transformed makes three families
    assert sorted({task.mi for task in suite.tasks}) == [0.0, 0.2, 1.0, 2.0, 5.0, 10.0]
    assert len(suite.tasks) == 31
    assert all(task.has_log_ratio for task in suite.tasks)
    assert {spec.seed for spec in specs} == set(range(3))


@pytest.mark.parametrize("version", [1, 2])
def test_estimators_that_take_a_sample_as_a_whole_run_on_fixed_samples_alone(version: int) -> None:
    suite = mibench.get_suite(f"standard-v{version}")
    assert {spec.samples for spec in suite.specs({"estimator": "ksg"})} == {5000}
    assert {spec.samples for spec in suite.specs({"estimator": "nwj"})} == {5000, None}
    without_samples = mibench.get_suite("beyond-normal").specs({"estimator": "ksg"})
    assert {spec.samples for spec in without_samples} == {None}


@pytest.mark.parametrize(
    ("version", "without"),
    [
        (1, {"ksg-mixed", "ksg-label", "gaussian-copula", "discrete"}),  # later; a version stays what it is
        (
            2,
            {"vince", "gan-dime", "barber-agakov", "hybrid"},
        ),  # the suite says why
    ],
)
def test_standard_runs_every_estimator_that_learns_from_pairs_alone(version: int, without: set[str]) -> None:
    of_instances = {"annulus", "ball", "ir", "local-aggregation"}  # they need tasks whose y number instances
    suite = mibench.get_suite(f"standard-v{version}")
    names = {split_name(text)[0].rpartition("-v")[0] for text in suite.estimators}
    builtin = {e.name for e in registry.ESTIMATORS.entries() if e.module.startswith("mibench.")}
    assert names == builtin - of_instances - without


@pytest.mark.parametrize("name", ["quick", "standard", "standard-v1", "staircase"])
def test_one_estimator_on_a_suite_makes_the_runs_that_the_suite_has_of_it(name: str) -> None:
    suite = mibench.get_suite(name)
    specs = suite.specs()
    for text in suite.estimators:
        alone = suite.specs({"estimator": text})
        assert {s.run_id for s in alone} == {s.run_id for s in specs if s.estimator == split_name(text)[0]}


def test_a_name_may_carry_the_version() -> None:
    assert mibench.get_suite("standard-v2") == mibench.get_suite("standard")
    assert mibench.get_suite("standard-v1").id == "standard-v1"
    with pytest.raises(UsageError, match=r"unknown suite 'standard-v7'; did you mean .*'standard-v1'"):
        mibench.get_suite("standard-v7")
    with pytest.raises(UsageError, match=r"unknown suite 'x'; there are beyond-normal, .*standard"):
        mibench.get_suite("x")


def test_a_suite_may_leave_the_estimator_to_the_user(small: Path) -> None:
    small.write_text(SMALL.replace('estimator = ["nwj-v1", "dv-v1"]\n', ""), encoding="utf-8")
    suite = mibench.get_suite("small")
    assert [task.mi for task in suite.tasks] == [1.0]
    assert [spec.estimator for spec in suite.specs({"estimator": "smile"})] == ["smile-v1"]
    with pytest.raises(UsageError, match="no estimator is given; name one with --estimator"):
        suite.specs()


@pytest.mark.parametrize(("header", "message"), [
    ("", "suite 'small' has no header; write suite.version = 1 above its options"),
    ("suite = 1", "suite 'small' has no header"),
    ("suite.version = 0", "the version of suite 'small' must be a whole number of at least 1, not 0"),
    ("suite.version = 1.5", "must be a whole number of at least 1, not 1.5"),
    ("suite.version = true", "must be a whole number of at least 1, not True"),
    ("suite.name = 'small'", "must be a whole number of at least 1, not None"),
    ("suite.version = 1\nsuite.name = 'x'", "unknown entry 'name' in the header of suite 'small'; it takes version"),
    ("suite.version = 1\nestimater = 1", "unknown option 'estimater' in suite 'small'; did you mean 'estimator'?"),
    ("suite.version = ", "suite 'small' is not valid TOML"),
])  # fmt: skip
def test_a_wrong_header_is_refused_in_one_sentence(header: str, message: str, small: Path) -> None:
    small.write_text(SMALL.replace("suite.version = 3", header), encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        read_suite(small)
    assert message in str(refused.value)


def test_a_suite_and_a_grid_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="grid 'saturation' and suite 'quick' exclude each other; give one of them"):
        requested_runs("saturation", "quick", {})
    assert main(["run", "saturation", "--suite", "quick", "--dry-run"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_suite_given_as_a_grid_says_how_it_is_run() -> None:
    with pytest.raises(UsageError, match="'standard' is a suite, not a grid; run it with --suite standard"):
        load_grid("standard")


def test_run_takes_a_suite_and_one_estimator_on_it(small: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = mibench.run(suite="small", estimator="dv", device="cpu")
    assert rows[["estimator", "mi_true", "status"]].values.tolist() == [["dv", 1.0, "ok"]]
    assert main(["run", "--suite", "small-v3", "--dry-run"]) == 0
    assert capfd.readouterr().out.splitlines()[0] == "2 runs: 1 done, 1 new"  # what ran alone is a part of the suite


def test_a_newcomer_runs_on_a_suite_from_its_file(
    small: Path, write_plugin: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_plugin(name="newcomer")
    assert main(["run", "--suite", "small", "--estimator", "newcomer", "--plugin", str(path), "--dry-run"]) == 0
    assert capfd.readouterr().out.splitlines()[0] == "1 run: 0 done, 1 new"
    assert mibench.get_suite("small").estimators == ("nwj-v1", "dv-v1")


def test_suites_are_listed_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "suites"]) == 0
    listed = capsys.readouterr().out
    assert all(suite.name in listed and suite.summary in listed for suite in SUITES.values())
    assert main(["list", "suites", "--json"]) == 0
    assert [suite["id"] for suite in json.loads(capsys.readouterr().out)["suites"]] == list(SUITES)
    for name, suite in SUITES.items():
        assert main(["info", name]) == 0
        out = capsys.readouterr().out
        assert f"{name} (suite)\n" in out
        assert f"{len(suite.specs()):,} runs of {len(suite.estimators)} estimators" in out
    assert main(["info", "standrd"]) == 2
    assert "did you mean 'standard'" in capsys.readouterr().err


def test_listing_suites_does_not_import_torch() -> None:
    code = "import sys; from mibench.cli.app import main; main(['list', 'suites']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
