"""The runner on real processes: plan, train, store, continue."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mibench
from mibench.core.errors import UsageError
from mibench.experiments.grid import resolve
from mibench.running.messages import Job
from mibench.running.plan import Plan, in_shard, make_plan
from mibench.running.runner import execute, resolve_device, run
from mibench.running.workers import Host
from mibench.store.folders import load_curves, load_runs, load_sessions
from mibench.store.maintenance import verify

GRID: dict[str, Any] = {
    "task": "gaussian20d:dim=2",
    "estimator": ["nwj", "dv"],
    "mi": [1.0, 2.0],
    "batch": 8,
    "critic": "separable",
    "hidden": "1x8",
    "steps": 20,
    "seeds": 1,
}
# What a repetition of a run must reproduce to the last bit.
NUMBERS = [
    "run_id",
    "stair",
    "status",
    "mi_true",
    "estimate_train",
    "estimate_train_median",
    "estimate_fresh",
    "estimate_fresh_large",
    "ess",
]


def same_numbers(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left[NUMBERS], right[NUMBERS], check_exact=True)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the grid's results."""
    folder = tmp_path_factory.mktemp("stored")
    run(**GRID, results=folder)
    return folder


def test_a_grid_is_run_once(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    rows = run(**GRID, results=tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert list(rows["status"]) == ["ok"] * 4
    assert list(rows["run_id"]) == [spec.run_id for spec in resolve(GRID)]
    assert seen[-1] == (80, 80)
    assert rows["finished_at"].notna().all()
    assert (rows["peak_rss_mb"] > 10).all()
    assert set(load_curves(tmp_path)["run_id"]) == set(rows["run_id"])
    assert verify(tmp_path) == []
    files = sorted(tmp_path.rglob("*"))
    again = run(**GRID, results=tmp_path)
    pd.testing.assert_frame_equal(again, rows, check_exact=True)
    assert sorted(tmp_path.rglob("*")) == files  # no new session, nothing touched


def test_a_grid_grows(tmp_path: Path, stored: Path) -> None:
    folder = tmp_path / "results"
    shutil.copytree(stored, folder)
    before = load_runs(stored)
    plans: list[Plan] = []
    larger = resolve({**GRID, "mi": [1.0, 2.0, 3.0]})
    outcome = execute(larger, results=folder, command="a test", on_plan=plans.append)
    assert str(plans[0]) == "6 runs: 4 done, 2 new"
    assert (outcome.finished, outcome.failed) == (2, 0)
    after = load_runs(folder)
    kept = after[after["run_id"].isin(before["run_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before, check_exact=True)
    assert len(after) == 6
    sessions = load_sessions(folder)
    assert list(sessions["command"]) == ["mibench.run", "a test"]
    assert sessions["session_id"].iloc[1] == outcome.session_id
    assert set(after["session_id"]) == set(sessions["session_id"])
    assert "torch" in json.loads(sessions["packages"].iloc[0])
    assert (sessions["cores"] >= 1).all()


def test_packs_workers_and_order_do_not_matter(tmp_path: Path, stored: Path) -> None:
    apart = {**GRID, "mi": [2.0, 1.0], "estimator": ["dv", "nwj"]}
    run(**apart, results=tmp_path, jobs=np.int64(2), timeout=np.float32(600))
    assert set(load_runs(tmp_path)["pack_size"]) == {2}
    assert set(load_runs(stored)["pack_size"]) == {4}
    same_numbers(load_runs(tmp_path), load_runs(stored))
    pd.testing.assert_frame_equal(load_curves(tmp_path), load_curves(stored), check_exact=True)


def test_a_dry_run_touches_nothing(tmp_path: Path) -> None:
    assert run(**GRID, results=tmp_path / "none", dry_run=True).empty
    assert not (tmp_path / "none").exists()


def test_a_shard_is_a_part_of_the_grid_and_a_stair_is_a_row(tmp_path: Path) -> None:
    grid = {name: value for name, value in GRID.items() if name not in ("mi", "seeds")}
    grid |= {"schedule": [1.0, 2.0], "seeds": 8}
    part = in_shard(resolve(grid), (1, 2))
    assert 0 < len(part) < 16
    rows = run(**grid, results=tmp_path, shard=(1, 2))
    assert list(rows["run_id"]) == [spec.run_id for spec in part for _ in range(2)]
    assert list(rows["stair"]) == [0, 1] * len(part)
    assert list(rows["mi_true"]) == [1.0, 2.0] * len(part)
    assert str(make_plan(resolve(grid), tmp_path)) == f"16 runs: {len(part)} done, {16 - len(part)} new"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"jobs": 0}, "jobs must be at least 1"),
        ({"timeout": 0}, "timeout must be a positive number"),
        ({"timeout": float("nan")}, "timeout must be a positive number"),
        ({"engine": "cloud"}, "unknown engine 'cloud'"),
        ({"scheduler": "tcp://here:1"}, "add --engine dask"),
        ({"device": "cdua"}, "did you mean 'cuda'"),
        ({"shard": (3, 2)}, "shard 3/2 does not exist"),
        ({"plugins": ["nowhere.py"]}, "does not exist"),
        ({"batch": 1}, "batch"),
        ({"colour": "red"}, "colour"),
        ({"grid": "nowhere.toml"}, "nowhere.toml"),
    ],
)
def test_bad_options_are_refused_before_any_work(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        run(**{**GRID, **options}, results=tmp_path / "none")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "none").exists()


def test_cuda_needs_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert resolve_device("auto") == "cpu"
    with pytest.raises(UsageError, match="needs a CUDA device"):
        resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert resolve_device("auto") == "cuda"


def test_dask_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)  # as if it were not installed
    with pytest.raises(UsageError, match=r"pip install 'mibench\[dask\]'"):
        run(**GRID, results=tmp_path / "none", engine="dask")
    assert not (tmp_path / "none").exists()


def test_dask_does_the_same(tmp_path: Path, stored: Path) -> None:
    pytest.importorskip("distributed", reason="dask is not installed")
    run(**GRID, results=tmp_path, engine="dask")
    same_numbers(load_runs(tmp_path), load_runs(stored))
    assert len(list((tmp_path / "runs").glob("*.parquet"))) == 3  # of one thread


def test_a_script_without_a_main_guard(tmp_path: Path) -> None:
    """Workers do not import the user's script again; nothing is printed by them or about forking."""
    script = tmp_path / "script.py"
    script.write_text(f"import mibench\nprint(len(mibench.run(**{GRID!r}, jobs=2)))\n")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("4\n", "", 0)
    assert len(mibench.load_runs(tmp_path / "results")) == 4


def test_a_component_of_the_running_script_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import mibench\nfrom mibench.estimators.nwj import NWJ\n"
        "@mibench.register_estimator('mine-here')\nclass Here(NWJ):\n    'Here.'\n"
        f"try:\n    mibench.run(**{{**{GRID!r}, 'estimator': 'mine-here'}})\n"
        "except mibench.UsageError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "'mine-here' is defined in the running script; move it to a file" in done.stdout


def test_a_component_of_a_module_or_a_plugin_reaches_the_workers(tmp_path: Path) -> None:
    for name in ("module", "plugin"):
        (tmp_path / f"my_{name}.py").write_text(
            "import mibench\nfrom mibench.estimators.nwj import NWJ\n"
            f"@mibench.register_estimator('from-{name}')\nclass Mine(NWJ):\n    'Mine.'\n"
        )
    script = tmp_path / "script.py"
    script.write_text(
        "import mibench, my_module\n"
        f"grid = {{**{GRID!r}, 'estimator': ['from-module', 'from-plugin']}}\n"
        "print(*mibench.run(**grid, plugins=['my_plugin.py'])['status'])\n"
    )
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["ok"] * 4
    (plugins,) = load_sessions(tmp_path / "results")["plugins"]
    assert [Path(path).name for path in json.loads(plugins)] == ["my_plugin.py"]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_a_worker_has_one_thread(tmp_path: Path) -> None:
    host = Host()
    try:
        bad = Job(("{}",), (None,), (), (), "cpu", 60.0, str(tmp_path), "stem", "session")
        reply = host.run(bad, lambda steps: None)
        threads = list(Path(f"/proc/{host.pid}/task").iterdir())
    finally:
        host.stop()
    assert reply.status == "crashed"
    assert "UsageError" in reply.error
    assert len(threads) == 1
