"""What must not go wrong when things do: kills, crashes, hangs, full disks and two invocations at once."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mibench.core.errors import MibenchError
from mibench.experiments.grid import resolve
from mibench.running import supervision
from mibench.running.plan import Plan
from mibench.running.runner import execute, run
from mibench.store.columns import TABLES
from mibench.store.folders import load_curves, load_runs
from mibench.store.maintenance import verify
from mibench.store.paths import stems
from tests.support.paths import SUPPORT
from tests.support.processes import Script, needs_proc, wait_until

GRID: dict[str, Any] = {
    "task": "gaussian20d:dim=2",
    "estimator": "nwj",
    "mi": 1.0,
    "batch": 8,
    "critic": "separable",
    "hidden": "1x8",
    "steps": 20,
    "seeds": 1,
}
pytestmark = pytest.mark.usefixtures("fresh_registries")  # plug-ins are loaded

BAD_PLUGIN = """
import os, signal, sys, time
import mibench
from mibench.estimators.nwj import NWJ

def bad(name):
    def decorate(loss):
        body = {"__doc__": name, "__module__": __name__, "loss": loss}
        mibench.register_estimator(name)(type(name, (NWJ,), body))
    return decorate

@bad("bad-raises")
def _(self, scores):
    raise ValueError("a loss that raises \\udc80")

@bad("bad-leaves")
def _(self, scores):
    sys.exit(3)

@bad("bad-exits")
def _(self, scores):
    os._exit(7)

@bad("bad-dies")
def _(self, scores):
    print("last words", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

@bad("bad-kills-its-worker")
def _(self, scores):
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)

@bad("bad-hangs")
def _(self, scores):
    if os.fork():
        time.sleep(600)
    time.sleep(600)  # a process that it started hangs too

@bad("bad-turns-nan")
def _(self, scores):
    return scores.pos.mean(-1) * float("nan")
"""


def code_for(grid: dict[str, Any], **options: Any) -> str:
    return f"import mibench\nmibench.run(**{grid!r}, **{options!r})\n"


def numbers(folder: Path) -> pd.DataFrame:
    """All columns of runs that a repetition must reproduce to the last bit."""
    circumstances = {"seconds", "seconds_per_step", "peak_rss_mb", "session_id", "finished_at", "pack_size"}
    return load_runs(folder)[[c.name for c in TABLES["runs"] if c.name not in circumstances]]


# Every batch size is a pack of its own: there is time to interrupt the second while the first is stored.
LONGER_GRID = {**GRID, "batch": [8, 16, 32], "mi": [1.0, 2.0], "steps": 300}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    run(**LONGER_GRID, results=folder)
    return folder


@needs_proc
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_grid_is_continued(tmp_path: Path, uninterrupted: Path, how: signal.Signals) -> None:
    folder = tmp_path / "results"
    script = Script(code_for(LONGER_GRID, jobs=2), tmp_path)
    script.wait_for(lambda: len(stems(folder, "runs")) > 0)
    os.killpg(script.process.pid, how)
    _, errors = script.finish()
    assert script.process.returncode != 0
    assert ("KeyboardInterrupt" in errors) == (how == signal.SIGINT)
    wait_until(lambda: not script.relatives(), 5)
    assert script.relatives() == []
    kept = {path: path.stat().st_mtime_ns for path in (folder / "runs").glob("*.parquet")}
    done = len(load_runs(folder))
    assert 0 < done < 6

    plans: list[Plan] = []
    outcome = execute(resolve(LONGER_GRID), results=folder, on_plan=plans.append)
    assert str(plans[0]) == f"6 runs: {done} done, {6 - done} new"
    assert (outcome.finished, outcome.failed) == (6 - done, 0)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert pd.read_parquet(folder / "runs")["run_id"].is_unique  # nothing was done twice
    pd.testing.assert_frame_equal(numbers(folder), numbers(uninterrupted), check_exact=True)
    pd.testing.assert_frame_equal(load_curves(folder), load_curves(uninterrupted), check_exact=True)
    assert verify(folder) == []


@needs_proc
def test_bad_runs_are_rows_and_take_nobody_with_them(
    tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "PAUSES", (0.1,))
    plugin = tmp_path / "bad.py"
    plugin.write_text(BAD_PLUGIN)
    bad = {
        "bad-raises": ("crashed", "ValueError: a loss that raises"),
        "bad-leaves": ("crashed", "SystemExit: 3"),
        "bad-exits": ("crashed", "exit code 7"),
        "bad-dies": ("crashed", "killed by signal 9 (Killed); last output:\nlast words"),
        "bad-kills-its-worker": (
            "crashed",
            "the worker was killed by signal 9 (Killed), 2 times; a signal",
        ),
        "bad-hangs": ("timeout", "no result after 4 seconds"),
        "bad-turns-nan": ("diverged", None),
    }
    good = ["nwj", "dv", "smile"]
    packs = [["bad-dies", "bad-hangs", "nwj"], ["bad-exits", "bad-raises", "dv"]]
    packs += [["bad-kills-its-worker", "bad-leaves", "bad-turns-nan", "smile"]]
    grid = {**GRID, "estimator": [name for names in packs for name in names]}
    seen: list[tuple[int, int]] = []
    rows = run(
        **grid, results=tmp_path / "r", plugins=[plugin], timeout=4, progress=lambda *counts: seen.append(counts)
    )
    found = rows.set_index("estimator")
    for name, (status, error) in bad.items():
        assert found.at[name, "status"] == status
        if error is not None:
            assert error in found.at[name, "error"]
    assert list(rows["status"]).count("ok") == len(rows) - len(bad) == len(good)
    assert seen[-1] == (20 * len(rows), 20 * len(rows))
    failed = rows[rows["status"].isin(["crashed", "timeout"])]
    for column in ("mi_true", "task_version", "batch", "hidden", "spec", "session_id"):
        assert failed[column].notna().all()
    assert failed["estimate_train"].isna().all()
    ended = failed[~failed["estimator"].isin(["bad-kills-its-worker"])]  # which takes with it who would know
    assert ended[["kind", "ceiling", "dim_x", "n_negatives"]].notna().all(axis=None)
    assert (ended["peak_rss_mb"] > 50).all()
    assert verify(tmp_path / "r") == []


@needs_proc
def test_components_that_hand_over_no_numbers_are_rows_and_take_nobody_with_them(tmp_path: Path, mark: str) -> None:
    """Their attributes are read where the run is trained, never by the runner: one that hangs stops no grid."""
    options = {**GRID, "results": tmp_path / "r", "plugins": [SUPPORT / "odd_components.py"], "timeout": 4}
    pack = ["nwj", "odd-ceiling", "odd-kind", "odd-numpy-ceiling"]
    rows = run(**{**options, "estimator": pack}).set_index("estimator")
    assert list(rows["status"]) == ["ok", "crashed", "crashed", "ok"]
    assert "UsageError: estimator 'odd-ceiling-v1': ceiling is tensor(2.); it must" in rows.at["odd-ceiling", "error"]
    assert "UsageError: estimator 'odd-kind-v1': kind is 'lowr'; it must" in rows.at["odd-kind", "error"]
    assert list(rows["kind"].isna()) == [False, False, True, False]
    assert list(rows["ceiling"].isna()) == [False, True, False, False]
    assert list(rows["dim_x"]) == [2] * 4
    tasks = ["odd-tensor", "odd-leaves", "odd-hangs", "odd-numpy"]
    rows = run(**{**options, "task": tasks, "mi": None}).set_index("task")
    assert list(rows["status"]) == ["crashed", "crashed", "timeout", "ok"]
    assert "UsageError: task 'odd-tensor-v1': mi is tensor(0.5000); it must" in rows.at["odd-tensor", "error"]
    assert list(rows["mi_true"].isna()) == [True, True, True, False]
    assert verify(tmp_path / "r") == []


def test_failed_runs_wait_for_retry_failed(tmp_path: Path) -> None:
    """A plug-in that is mended: its runs are tried again only when asked for, and the results then count."""
    plugin = tmp_path / "mended.py"
    plugin.write_text(
        "import mibench, pathlib\nfrom mibench.estimators.nwj import NWJ\n"
        "@mibench.register_estimator('mended')\nclass Mended(NWJ):\n    'Mended.'\n"
        "    def loss(self, scores):\n"
        f"        if not pathlib.Path({str(tmp_path / 'works')!r}).exists():\n"
        "            raise RuntimeError('not yet')\n"
        "        return super().loss(scores)\n"
    )
    grid = {**GRID, "estimator": "mended", "mi": [1.0, 2.0], "results": tmp_path / "r", "plugins": [plugin]}
    assert list(run(**grid)["status"]) == ["crashed", "crashed"]
    (tmp_path / "works").touch()
    assert list(run(**grid)["status"]) == ["crashed", "crashed"]
    assert list(run(**grid, retry_failed=True)["status"]) == ["ok", "ok"]


@needs_proc
def test_two_invocations_lose_nothing(tmp_path: Path) -> None:
    grids = [{**GRID, "mi": [1.0, 2.0], "seeds": 3}, {**GRID, "mi": [2.0, 3.0], "seeds": 3}]
    scripts = [Script(code_for(grid), tmp_path) for grid in grids]
    for script in scripts:
        assert script.finish() == ("", "")
        assert script.relatives() == []
    runs = load_runs(tmp_path / "results")
    assert sorted(zip(runs["mi_true"], runs["seed"], strict=True)) == [(m, s) for m in (1, 2, 3) for s in range(3)]
    assert set(runs["status"]) == {"ok"}
    assert runs["session_id"].nunique() == 2
    assert verify(tmp_path / "results") == []


@needs_proc
def test_a_full_disk_stops_the_work_and_spares_what_is_stored(tmp_path: Path, uninterrupted: Path) -> None:
    shutil.copytree(uninterrupted, tmp_path / "results")
    before = load_runs(tmp_path / "results")
    limit = 12_000  # bytes a file: enough for a session, too few for a pack
    more = {**GRID, "batch": [8, 16]}
    code = (
        f"import mibench, resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        f"try:\n    mibench.run(**{more!r}, jobs=2)\n"
        "except mibench.StoreError as error:\n    print(error)\n    sys.exit(error.exit_code)\n"
    )
    script = Script(code, tmp_path)
    output, errors = script.finish()
    assert (errors, script.process.returncode) == ("", 1)
    assert output.count("\n") == 1
    assert "File too large" in output
    assert "what was stored before is intact" in output
    assert script.relatives() == []
    pd.testing.assert_frame_equal(load_runs(tmp_path / "results"), before)
    left = list((tmp_path / "results").rglob(".tmp-*"))
    assert len(left) < 2  # that of the other worker, where it was stopped while it wrote


@needs_proc
def test_a_failure_that_cannot_be_stored_stops_the_work(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(BAD_PLUGIN)
    grid = {**GRID, "estimator": "bad-raises", "batch": [8, 16]}
    code = (
        "import mibench, resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))\n"
        f"try:\n    mibench.run(**{grid!r}, plugins=['bad.py'])\n"
        "except mibench.StoreError as error:\n    print(error)\n    sys.exit(error.exit_code)\n"
    )
    script = Script(code, tmp_path)
    output, errors = script.finish()
    assert (errors, script.process.returncode, output.count("\n")) == ("", 1, 1)
    assert "File too large" in output


def test_workers_that_do_not_start_are_no_failure_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(MibenchError, match=r"worker processes do not start \(exit code 1\)"):
        execute(resolve(GRID), results=tmp_path)
    assert load_runs(tmp_path).empty


def test_more_jobs_than_any_machine_can_start_are_as_many_as_there_are_packs(tmp_path: Path) -> None:
    assert len(run(**GRID, results=tmp_path, jobs=999_999_999)) == 1
