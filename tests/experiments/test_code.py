"""Plug-ins that are edited under one name: the code that made a row is stored with it, and two never share a mean."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mibench
from mibench.cli.app import main
from mibench.core.errors import UsageError
from mibench.core.processes import python_command
from mibench.experiments.grid import resolve
from mibench.ranking.boards import rank_methods
from mibench.ranking.newcomers import compare
from mibench.running.plan import Plan
from mibench.running.runner import execute
from mibench.store.folders import load_runs
from mibench.store.maintenance import compact, merge, verify
from tests.support.constant_plugin import constant_plugin

pytestmark = pytest.mark.usefixtures("fresh_registries")  # plug-ins are loaded

GRID: dict[str, Any] = {
    "task": "gaussian20d:dim=2",
    "estimator": "shifted",
    "mi": 1.0,
    "batch": 8,
    "critic": "separable",
    "negatives": "derangement",
    "hidden": "1x8",
    "steps": 10,
    "window": 5,
}
SUITE = """suite.version = 1

task = "gaussian20d-v1:dim=2"
mi = [1, 2]
estimator = ["nwj-v1", "js-v1"]
batch = 8
critic = "separable-v1"
negatives = "derangement-v1"
hidden = "1x8"
activation = "relu"
lr = 5e-4
steps = 10
window = 5
every = 5
seeds = 2
"""


def write(folder: Path, shift: str = "0.0", *, version: int = 1, imports: str = "", before: str = "pass") -> Path:
    path = folder / "shifted.py"
    text = constant_plugin("shifted", shift, version=version, imports=imports, before=before)
    path.write_text(text, encoding="utf-8")
    return path


def in_new_process(folder: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the grid as a command would, in an interpreter of its own."""
    code = (
        "import mibench, sys\ntry:\n"
        f"    mibench.run(**{ {**GRID, **options, 'results': str(folder)}!r})\n"
        "except mibench.UsageError as error:\n    sys.exit(str(error))\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


REFUSED = "1 stored run was trained by other code of estimator shifted-v1 than there is now; raise its version"


def test_edited_between_two_runs(tmp_path: Path) -> None:
    results = tmp_path / "results"
    options = {"plugins": [str(write(tmp_path))], "results": results}
    first = mibench.run(**GRID, **options, seeds=1)
    assert list(first["code"].str.contains('"estimator shifted-v1":"sha256:')) == [True]
    write(tmp_path, "100.0")
    done = in_new_process(results, seeds=2, plugins=options["plugins"])
    assert done.returncode == 1
    assert REFUSED in done.stderr
    assert "--retrain (retrain=True)" in done.stderr
    pd.testing.assert_frame_equal(load_runs(results), first)  # nothing was done
    assert in_new_process(results, seeds=2, plugins=options["plugins"], retrain=True).returncode == 0
    again = load_runs(results)
    assert list(again["estimate_train"]) == [100.0, 100.0]
    assert again["code"].nunique() == 1
    assert set(again["code"]) != set(first["code"])
    assert verify(results) == []


def test_edited_in_one_process_as_in_a_notebook(tmp_path: Path) -> None:
    results = tmp_path / "results"
    mibench.load_plugins([write(tmp_path)])
    mibench.run(**GRID, results=results, seeds=1)
    write(tmp_path, "100.0")
    with pytest.raises(UsageError, match=REFUSED):
        mibench.run(**GRID, results=results, seeds=2)
    write(tmp_path, "100.0", version=2)
    rows = mibench.run(**GRID, results=results, seeds=2)
    assert list(rows["estimate_train"]) == [100.0, 100.0]
    assert list(rows["estimator_version"]) == [2, 2]
    assert list(load_runs(results)["estimate_train"].sort_values()) == [0.0, 100.0, 100.0]
    write(tmp_path, "0.0")
    assert list(mibench.run(**GRID, results=results, seeds=1)["estimate_train"]) == [0.0]  # it is the first code again


def test_edited_through_a_helper_module(tmp_path: Path) -> None:
    results = tmp_path / "results"
    helper = tmp_path / "shifts.py"
    helper.write_text("SHIFT = 0.0\n", encoding="utf-8")
    plugin = write(tmp_path, "SHIFT", imports="from shifts import SHIFT")
    assert list(mibench.run(**GRID, results=results, seeds=1, plugins=[plugin])["estimate_train"]) == [0.0]
    helper.write_text("SHIFT = 9.0\n", encoding="utf-8")  # of the same size, within the same second
    with pytest.raises(UsageError, match=REFUSED):
        mibench.run(**GRID, results=results, seeds=2, plugins=[plugin])
    rows = mibench.run(**GRID, results=results, seeds=2, plugins=[plugin], retrain=True)
    assert list(rows["estimate_train"]) == [9.0, 9.0]


def test_edited_in_a_component_that_another_fetches(tmp_path: Path) -> None:
    results = tmp_path / "results"
    inner = tmp_path / "inner.py"
    inner.write_text(constant_plugin("inner", "1.0") + "\n    shift = 1.0\n", encoding="utf-8")
    outer = write(tmp_path, "mibench.get_estimator('inner').shift")
    options = {**GRID, "results": results, "plugins": [inner, outer]}
    assert list(mibench.run(**options, seeds=1)["estimate_train"]) == [1.0]
    assert list(mibench.run(**options, seeds=1)["estimate_train"]) == [1.0]  # as it was stored
    inner.write_text(constant_plugin("inner", "1.0") + "\n    shift = 9.0\n", encoding="utf-8")
    with pytest.raises(UsageError, match="1 stored run was trained by other code of estimator inner-v1 than"):
        mibench.run(**options, seeds=2)
    assert list(mibench.run(**options, seeds=2, retrain=True)["estimate_train"]) == [9.0, 9.0]
    assert verify(results) == []


def test_edited_in_a_module_that_is_imported_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = tmp_path / "lib" / "late_shift.py"
    late.parent.mkdir()
    late.write_text("SHIFT = 1.0", encoding="utf-8")
    imports = "import importlib.util, sys\nsys.dont_write_bytecode = True"
    made = tmp_path / "made.py"
    made.write_text("x = 1", encoding="utf-8")
    before = (
        "value = importlib.import_module('late_' + 'shift').SHIFT; "
        f"spec = importlib.util.spec_from_file_location('made', {str(made)!r}); "  # as compilers load what they make
        "sys.modules['made'] = importlib.util.module_from_spec(spec)"
    )
    adding = f"sys.path.append({str(late.parent)!r}); {before}"
    options = {**GRID, "results": tmp_path / "adding"}
    rows = mibench.run(**options, seeds=1, plugins=[write(tmp_path, "value", imports=imports, before=adding)])
    assert "module 'late_shift' was imported while this run was trained, from a folder that is put" in rows["error"][0]
    monkeypatch.syspath_prepend(late.parent)
    options = {**GRID, "results": tmp_path / "results"}
    options["plugins"] = [write(tmp_path, "value", imports=imports, before=before)]
    for _ in range(2):
        rows = mibench.run(**{**options, "estimator": ["shifted", "nwj"]}, seeds=1, jobs=1).set_index("estimator")
        assert rows.loc["shifted", "estimate_train"] == 1.0
        assert '"module late_shift":"sha256:' in rows.loc["shifted", "code"]
        assert "made" not in rows.loc["shifted", "code"]
        assert pd.isna(rows.loc["nwj", "code"])
    late.write_text("SHIFT = 9.0", encoding="utf-8")
    with pytest.raises(UsageError, match="trained by other code of module late_shift than"):
        mibench.run(**options, seeds=2)


def test_an_imported_module_that_was_edited_is_refused_in_the_same_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write(tmp_path)
    importlib.import_module("shifted")
    write(tmp_path, "100.0")
    with pytest.raises(UsageError, match=r"^module 'shifted', or one that it imports, was edited since 'shifted' was"):
        mibench.run(**GRID, results=tmp_path / "results")
    assert not (tmp_path / "results").exists()
    write(tmp_path)
    assert len(mibench.run(**GRID, results=tmp_path / "results", dry_run=True)) == 0
    monkeypatch.delitem(sys.modules, "shifted")


def test_edited_between_run_and_compare(tmp_path: Path) -> None:
    suite = tmp_path / "tiny.toml"
    suite.write_text(SUITE, encoding="utf-8")
    mibench.run(suite=str(suite), results=tmp_path / "published")
    plugin = write(tmp_path, "1.0")
    mibench.run(suite=str(suite), estimator="shifted", plugins=[plugin], results=tmp_path / "mine")
    write(tmp_path, "2.0")
    where = {"suite": str(suite), "published": tmp_path / "published", "results": tmp_path / "mine"}
    with pytest.raises(UsageError, match="4 stored runs were trained by other code of estimator shifted-v1"):
        compare(plugin, **where)
    comparison = compare(plugin, **where, retrain=True)
    assert set(comparison.standings[0].cells["estimate"]) == {2.0}


def test_a_mended_plug_in_is_trained_again_without_being_asked_for(tmp_path: Path) -> None:
    plans: list[Plan] = []
    results = tmp_path / "results"
    plugin = write(tmp_path, before="raise RuntimeError('not yet')")
    mibench.load_plugins([plugin])
    assert execute(resolve({**GRID, "seeds": 1}), results=results).failed == 1
    write(tmp_path)
    mibench.load_plugins([plugin])
    outcome = execute(resolve({**GRID, "seeds": 1}), results=results, on_plan=plans.append)
    assert str(plans[0]) == "1 run: 0 done, 1 new"
    assert (outcome.finished, outcome.failed) == (1, 0)


def test_compare_tries_failed_runs_again(tmp_path: Path) -> None:
    suite = tmp_path / "tiny.toml"
    suite.write_text(SUITE, encoding="utf-8")
    mibench.run(suite=str(suite), results=tmp_path / "published")
    works = tmp_path / "works"
    plugin = write(tmp_path, imports="import pathlib, sys", before=f"assert pathlib.Path({str(works)!r}).exists()")
    works.touch()  # while it is checked
    where = {"suite": str(suite), "published": tmp_path / "published", "results": tmp_path / "mine"}
    comparison = compare(plugin, **where, on_plan=lambda plan: works.unlink())
    assert comparison.failed == 4
    works.touch()
    assert compare(plugin, **where).failed == 4
    assert compare(plugin, **where, retry_failed=True).failed == 0


def test_a_file_that_is_edited_while_its_grid_runs_makes_no_result(tmp_path: Path) -> None:
    mibench.load_plugins([write(tmp_path)])
    outcome = execute(
        resolve({**GRID, "seeds": 1}),
        results=tmp_path / "results",
        on_plan=lambda plan: write(tmp_path, "100.0") and None,
    )
    assert (outcome.finished, outcome.failed) == (0, 1)
    assert "the code from outside has changed since this run was planned" in load_runs(tmp_path / "results")["error"][0]


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder with one seed of the former code and two of the latter, of the same name and version."""
    results = tmp_path / "results"
    options = {**GRID, "plugins": [str(write(tmp_path, "1.0"))], "results": results}
    mibench.run(**options, seeds=3)
    write(tmp_path, "1.5")
    mibench.run(**options, seeds=2, retrain=True)
    return results


def test_boards_and_verify_never_take_two_for_one(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = load_runs(mixed)
    assert list(runs["estimate_train"].sort_values()) == [1.0, 1.5, 1.5]
    ranking = rank_methods(runs)
    assert set(ranking.cells["estimate"]) == {1.5}
    assert ranking.note == "Left out: 1 run of estimator shifted-v1 by other code than was used last."
    (problem,) = verify(mixed)
    assert "estimator shifted-v1 has runs by 2 states of its code" in str(problem)
    assert main(["leaderboard", "--results", str(mixed)]) == 0
    assert "Left out: 1 run of estimator shifted-v1" in " ".join(capsys.readouterr().out.split())
    drawn = mibench.draw_reports(["bias-variance"], results=mixed, output=mixed.parent / "reports")[0]
    assert "Left out: 1 run of estimator shifted-v1 by other code than was used last." in drawn.caption
    compact(mixed)
    pd.testing.assert_frame_equal(load_runs(mixed), runs)


def test_a_folder_takes_later_code_from_another(mixed: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    options = {**GRID, "plugins": [str(write(tmp_path, "7.0"))]}
    mibench.run(**options, results=other, seeds=3)
    merge(mixed, [other])
    assert set(load_runs(mixed)["estimate_train"]) == {7.0}
    merge(other, [mixed])
    assert set(load_runs(other)["estimate_train"]) == {7.0}


def test_rows_of_the_first_schema_count_as_other_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_plugin: Callable[..., Path]
) -> None:
    results = tmp_path / "results"
    mibench.run(**GRID, plugins=[write(tmp_path)], results=results, seeds=1)
    monkeypatch.setattr("mibench.experiments.code.codes_of", lambda specs: {})
    (file,) = (results / "runs").iterdir()
    table = pd.read_parquet(file).drop(columns="code")
    from mibench.store.parquet import as_table, schema, write_table

    write_table(file, as_table("runs", table).select(schema("runs", 1).names).cast(schema("runs", 1)))
    assert load_runs(results)["code"].isna().all()
    with pytest.raises(UsageError, match=REFUSED):
        mibench.run(**GRID, results=results, seeds=1)


def test_what_is_no_text_in_the_module_path_is_left_out_as_imports_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, Path("elsewhere")])
    assert "elsewhere" not in python_command("mibench.running.worker_process")[4]
