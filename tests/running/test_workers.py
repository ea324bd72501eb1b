"""Workers that are killed: another one takes the pack, and only what dies every time is a failure."""

from __future__ import annotations

import os
import signal
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from mibench.core.errors import WorkersKilledError
from mibench.experiments.grid import resolve
from mibench.running import supervision
from mibench.running.runner import execute
from mibench.store.folders import load_runs
from tests.support.processes import Script, needs_proc

GRID: dict[str, Any] = {
    "task": "gaussian20d:dim=2",
    "estimator": "nwj",
    "mi": [1.0, 2.0],
    "batch": 8,
    "critic": "separable",
    "hidden": "1x8",
    "seeds": 1,
}


def parents(pids: list[int]) -> dict[int, int]:
    found = {}
    for pid in pids:
        try:
            found[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
        except OSError:
            continue  # gone meanwhile
    return found


def workers(script: Script, *, busy: bool) -> list[int]:
    """The script's workers; only those that have forked a child where ``busy``."""
    family = parents(script.relatives())
    return [
        pid for pid, parent in family.items() if parent == script.process.pid and (not busy or pid in family.values())
    ]


@needs_proc
@pytest.mark.parametrize("busy", [False, True], ids=["as it starts", "in the midst of a pack"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_worker_is_replaced_and_the_grid_goes_on(tmp_path: Path, how: signal.Signals, busy: bool) -> None:
    grid = {**GRID, "steps": 2000}
    script = Script(f"import mibench\nmibench.run(**{grid!r}, results={str(tmp_path)!r})\n", tmp_path)
    script.wait_for(lambda: bool(workers(script, busy=busy)))
    for pid in workers(script, busy=busy):
        os.kill(pid, how)
    assert script.finish() == ("", "")
    assert script.process.returncode == 0
    assert script.relatives() == []
    assert list(load_runs(tmp_path)["status"]) == ["ok", "ok"]


def test_workers_that_are_killed_whenever_they_start_end_the_work_and_blame_no_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed = tmp_path / "python"
    doomed.write_text("#!/bin/sh\nkill -9 $$\n")
    doomed.chmod(doomed.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(doomed))
    monkeypatch.setattr(supervision, "PAUSES", (0.01, 0.02))
    with pytest.raises(WorkersKilledError) as caught:
        execute(resolve({**GRID, "steps": 20}), results=tmp_path / "results")
    message = str(caught.value)
    assert caught.value.exit_code == 1
    assert "killed by signal 9 (Killed), 3 times" in message
    assert "for want of memory" in message
    assert "0 of 2 runs are stored, and the same command goes on" in message
    assert "installation" not in message
    assert load_runs(tmp_path / "results").empty
