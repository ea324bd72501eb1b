"""Seconds, processor time and memory of the commands that read a results folder of 100,000 runs in 6,250 files.

python benchmarks/store.py                    make the folder, measure, and remove it
python benchmarks/store.py --folder PATH      keep it there, or measure the one that is there
python benchmarks/store.py --runs 10000       a smaller one
python benchmarks/store.py --rounds 5         medians of so many
python benchmarks/store.py --kills 200        processes killed while they write the index, in place of the times

Every command is a process of its own: the seconds are the clock's, the processor time and the peak of resident memory
the system's account of it. A folder is measured with a cold index, which the first command after it is deleted makes,
and with a warm one. Of the folder's files the system holds as much in memory as it likes.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mibench.core.registry import ESTIMATORS
from mibench.experiments.grid import resolve
from mibench.experiments.specs import RunSpec
from mibench.store import index
from mibench.store.columns import empty_row
from mibench.store.folders import Stored, statuses, write_session
from mibench.store.parquet import TEMPORARY_PREFIX, curves_table, pack_stem, write_pack
from mibench.store.paths import stems
from mibench.store.sessions import describe_session
from mibench.training.rows import spec_columns

RUNS, PACK = 100_000, 16
NAMES = ("nwj", "infonce", "js", "dv", "flatnce", "alpha-ml-cpc", "js-nwj", "tuba")
GRID: dict[str, Any] = {
    "task": [f"gaussian20d:dim={dim}" for dim in (2, 4, 8, 16, 20)],
    "mi": [2, 5, 10, 20],
    "estimator": [*NAMES, "smile:tau=1", "smile:tau=5"],
    "batch": [32, 64, 128, 256, 512],
    "negatives": ["shuffle", "derangement"],
    "critic": ["joint", "separable"],
}  # fmt: skip
CELLS = 4000
POINTS = 20
SESSION = "0" * 32
_ERROR = 'Traceback (most recent call last):\n  File "estimators/nwj.py", line 30, in loss\nValueError: not finite'


def make_folder(folder: Path, runs: int) -> None:
    """Fill a results folder with packs of made-up rows, as `mibench run` would have written them."""
    specs = resolve({**GRID, "seeds": math.ceil(runs / CELLS)})[:runs]
    draws = np.random.default_rng(0)
    write_session(folder, empty_row("sessions", session_id=SESSION))
    for first in range(0, len(specs), PACK):
        pack = specs[first : first + PACK]
        rows = [_row(spec, draws) for spec in pack]
        curves = {row["run_id"]: _curve(row) for row in rows if row["status"] != "crashed"}
        stem = pack_stem([spec.run_id for spec in pack], SESSION)
        write_pack(folder, stem, rows, curves_table(curves))


def _row(spec: RunSpec, draws: np.random.Generator) -> dict[str, Any]:
    """A run's row: of 1,000 runs 5 crashed and 25 diverged."""
    chance = draws.random()
    facts: dict[str, Any] = {
        "stair": 0, "session_id": SESSION, "finished_at": pd.Timestamp("2026-01-01", tz="UTC"), "seconds": 12.5,
        "mibench_version": "0.1.0", "torch_version": "2.13.0", "device": "cpu", "threads": 1, "pack_size": PACK,
    }  # fmt: skip
    if chance < 0.005:
        return empty_row("runs", **spec_columns(spec), **facts, status="crashed", error=_ERROR)
    kind = ESTIMATORS.create(spec.estimator, dict(spec.estimator_params)).kind
    truth = float(dict(spec.task_params)["mi"])
    capped = spec.negatives.startswith("shuffle") and spec.estimator in ("nwj-v1", "dv-v1", "tuba-v1", "js-nwj-v1")
    estimate = (min(truth, math.log(spec.batch)) if capped else truth) * 0.9 + draws.normal(0, 0.1)
    numbers = dict.fromkeys(("estimate_train", "estimate_train_median", "estimate_fresh", "estimate_fresh_median"))
    facts |= {name: estimate + draws.normal(0, 0.01) for name in numbers}
    facts |= {
        "status": "diverged" if chance < 0.03 else "ok", "kind": kind, "mi_true": truth, "mi_method": "closed-form",
        "mi_se": 0.0, "dim_x": 20, "dim_y": 20, "ceiling": math.inf, "own_critic": 0, "own_negatives": 0,
        "n_negatives": 1, "fixed_points": 1.0, "capped_by_sampler": int(capped), "predicted_ceiling": math.inf,
        "predicted_optimum": truth, "estimate_train_sd": 0.3, "estimate_train_iqr": 0.4, "estimate_fresh_sd": 0.3,
        "estimate_fresh_large": estimate, "fresh_pool": 8192, "fresh_pool_negatives": 8191, "bias": estimate - truth,
        "ess": draws.random(), "nonfinite_steps": 0, "wide": 0, "steps_done": spec.steps, "seconds_per_step": 2.5e-3,
        "peak_rss_mb": 400.0, "matmul_mode": "highest",
    }  # fmt: skip
    return empty_row("runs", **spec_columns(spec), **facts)


def _curve(row: dict[str, Any]) -> dict[str, np.ndarray]:
    share = np.arange(1, POINTS + 1) / POINTS
    values = row["estimate_train"] * (1 - np.exp(-5 * share))
    names = ("estimate_train", "estimate_train_median", "estimate_fresh")
    steps = np.round(share * row["steps_done"]).astype(np.int64)
    return {"step": steps, "stair": np.zeros(POINTS, np.int64), **dict.fromkeys(names, values), "loss": -values}


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a command took: seconds of the clock, seconds of processors, and MB of memory at its peak."""

    clock: float
    processor: float
    memory: float


def cost_of(arguments: Sequence[str]) -> Cost:
    """Run a command of mibench in a process of its own."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "mibench", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    if status:
        sys.exit(f"mibench {' '.join(arguments)} ended with status {status}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def commands_of(folder: Path) -> dict[str, list[str]]:
    """Return the commands to measure: a plan of a stored run and a new one, a listing, a board, and two first calls."""
    results = ["--results", str(folder)]
    cell = ["--task", "gaussian20d:dim=2", "--mi", "5", "--estimator", "nwj", "--batch", "64", "--critic", "joint"]
    cell += ["--negatives", "shuffle"]
    return {
        "plan of two runs": ["run", *cell, "--seed", "0", "--seed", "1000", *results, "--dry-run"],
        "results ls": ["results", "ls", *results],
        "leaderboard": ["leaderboard", *results],
    }  # fmt: skip


def measure(folder: Path, rounds: int) -> None:
    """Print medians of each command: nothing to read, without the index, and with it."""
    with tempfile.TemporaryDirectory() as empty:
        _show(
            "plan of two runs, empty folder",
            [cost_of(commands_of(Path(empty))["plan of two runs"]) for _ in range(rounds)],
        )
    for name, arguments in commands_of(folder).items():
        cold = []
        for _ in range(rounds):
            index.remove_indices(folder)
            cold.append(cost_of(arguments))
        _show(f"{name}, cold index", cold)
        _show(name, [cost_of(arguments) for _ in range(rounds)])
    for one in index.INDICES:
        if (folder / one.name).exists():  # a command makes the one that it reads
            print(f"{one.name}: {(folder / one.name).stat().st_size / 1e6:.1f} MB")


def _show(name: str, costs: Sequence[Cost]) -> None:
    columns = zip(*map(dataclasses.astuple, costs), strict=True)
    clock, processor, memory = (statistics.median(values) for values in columns)
    print(f"{name:32} {clock:7.1f} s {processor:7.1f} s of processor {memory:7.0f} MB", flush=True)


def kill_writers(folder: Path, kills: int, seed: int) -> None:
    """Kill processes amid the index's file until so many have left one behind, and read the folder after each.

    Each process makes the index anew in a loop, as a plan does, some of them two at a time. It is killed at a random
    moment after a file of it was begun. After each death the statuses are those that the files give, and at the end
    every file is what it was.
    """
    draws = random.Random(seed)
    truth, files = _statuses_of_files(folder), _contents(folder)
    deaths = amid = lost = 0
    while amid < kills:
        writers = [_writer(folder) for _ in range(draws.choice((1, 1, 2)))]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()  # it has made one
        for writer in writers:
            time.sleep(draws.random() * 0.05)
            while not _begun(folder):
                time.sleep(1e-4)
            time.sleep(draws.random() * 0.003)
            writer.kill()
            writer.wait()
        deaths += len(writers)
        lost += statuses(folder) != truth
        for path in _begun(folder):
            amid += 1
            path.unlink()
        if deaths % 20 < len(writers) or amid >= kills:
            print(f"{deaths} kills, {amid} of them amid the file; after {lost} anything was lost", flush=True)
    changed = _contents(folder) != files
    print(f"files of results {'have changed' if changed else 'are what they were'}")
    sys.exit(bool(lost or changed))


def _begun(folder: Path) -> list[Path]:
    return list(folder.glob(f"{TEMPORARY_PREFIX}*"))


_WRITER = """
import functools, sys
from mibench.store import index
read = index.read_files
known = functools.cache(lambda names: read(sys.argv[1], "runs", names, index.INDICES[0].columns))
index.read_files = lambda folder, table, names, columns: known(tuple(names))  # so that the time goes into writing
while True:
    index.remove_indices(sys.argv[1])
    index.known_runs(sys.argv[1], index.INDICES[0].columns)
    print(flush=True)
"""


def _writer(folder: Path) -> subprocess.Popen[bytes]:
    """Start a process that makes the index again and again."""
    return subprocess.Popen([sys.executable, "-c", _WRITER, str(folder)], stdout=subprocess.PIPE)


def _statuses_of_files(folder: Path) -> dict[str, Stored]:
    """Return what the files give, without an index."""
    index.remove_indices(folder)
    return statuses(folder)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*.parquet") if path.parent != folder}


def main() -> None:
    """Make the folder where there is none, and measure or kill."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="a results folder to make and keep, or one made before")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    runs = given.runs or (2000 if given.kills else RUNS)  # kills need many files, not the most
    with tempfile.TemporaryDirectory(prefix="mibench-store-") as scratch:
        folder = given.folder or Path(scratch) / "results"
        if not folder.exists():
            begun = time.perf_counter()
            make_folder(folder, runs)
            print(f"made in {time.perf_counter() - begun:.0f} s")
        settle(folder)
        count = len(stems(folder, "runs"))
        print(f"{count:,} files of runs, {describe_session('', (), 'cpu')['cpu']}")
        if given.kills:
            kill_writers(folder, given.kills, given.seed)
        else:
            measure(folder, given.rounds)


def settle(folder: Path) -> None:
    """Wait until the newest file is old enough for the index."""
    newest = max(path.stat().st_mtime for path in (folder / "runs").iterdir())
    time.sleep(max(0.0, newest + 3 - time.time()))


if __name__ == "__main__":
    main()
