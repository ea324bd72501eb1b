"""The script of the documentation for arrays of jobs, started as a queue starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from mibench.store.folders import load_runs, load_sessions

PAGE = Path(__file__).parents[2] / "docs" / "on-a-cluster.md"
PARTS = 2
OPTIONS = (
    "--task gaussian20d:dim=2 --estimator nwj --mi 1 --mi 2 --mi 3 --mi 4 --batch 8 --critic separable --hidden 1x8 "
    "--steps 20 --seeds 2"
)


def test_an_array_of_jobs_does_a_grid_in_parts(tmp_path: Path) -> None:
    script = tmp_path / "grid.sh"
    script.write_text(re.findall(r"```bash\n(#!/bin/bash\n.*?)```", PAGE.read_text(), re.DOTALL)[0])
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "mibench").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mibench "$@"\n')
    (commands / "mibench").chmod(0o755)
    queue = {
        "SLURM_ARRAY_TASK_COUNT": str(PARTS),
        "SLURM_CPUS_PER_TASK": "1",
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
    }
    tasks = [
        subprocess.Popen(
            ["bash", str(script), *OPTIONS.split()],
            cwd=tmp_path,
            env={**os.environ, **queue, "SLURM_ARRAY_TASK_ID": str(index)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for index in range(1, PARTS + 1)
    ]
    said = [task.communicate()[0].decode() for task in tasks]
    assert [task.returncode for task in tasks] == [0] * PARTS, said
    runs = load_runs(tmp_path / "results")
    assert list(runs["status"]) == ["ok"] * 8
    assert runs["run_id"].is_unique
    assert set(runs["session_id"]) == set(load_sessions(tmp_path / "results")["session_id"])
    assert runs["session_id"].nunique() == PARTS
