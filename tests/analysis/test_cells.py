"""The cells of a grid among stored rows: found by columns alone, at the budget that was run, missing ones named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mibench.analysis.cells import rows_of_grid
from mibench.core.registry import CRITICS, ESTIMATORS
from mibench.experiments.grid import at_budget, load_grid, resolve, shipped_grids
from mibench.store.columns import empty_row
from mibench.training.rows import spec_columns

GRID = """# A grid of four cells, sixteen at its longer budget.
task = "gaussian20d"
mi = [2, "4bits"]
estimator = ["smile:tau=1", "smile"]
batch = 64
steps = 100
seeds = 2

[paper]
batch = [64, 256, 512, 1024]
steps = 1000
"""


def rows_of(options: dict[str, Any]) -> pd.DataFrame:
    """Rows as the engine fills them from specifications."""
    rows = []
    for spec in resolve(options):
        critic = CRITICS.create(spec.critic, dict(spec.critic_params))
        own = ESTIMATORS.create(spec.estimator, dict(spec.estimator_params)).own_critic
        more = {"own_critic": int(own is not None and not critic.needs_log_ratio), "own_negatives": 0}
        rows.append(empty_row("runs", **spec_columns(spec), **more, stair=0, status="ok"))
    return pd.DataFrame(rows)


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    path = tmp_path / "grid.toml"
    path.write_text(GRID, encoding="utf-8")
    return path


def test_a_grid_finds_its_own_rows_and_no_others(grid: Path) -> None:
    own = rows_of(load_grid(grid))
    changes: list[dict[str, Any]] = [
        {"task": "gaussian20d:dim=3"}, {"estimator": "smile:tau=5.5"}, {"batch": 128}, {"mi": 3}, {"steps": 101},
        {"critic": "separable"}, {"hidden": "1x8"}, {"lr": 1e-3}, {"optimiser": "sgd"}, {"dropout": 0.5},
        {"samples": 1000},
    ]  # fmt: skip
    mixed = pd.concat([*(rows_of({**load_grid(grid), "window": 5, "every": 5, **c}) for c in changes), own])
    found = rows_of_grid(mixed.reset_index(drop=True), str(grid))
    assert set(found.runs["run_id"]) == set(own["run_id"])
    assert (found.budget, found.expected, found.found, found.missing, found.note()) == ("standard", 4, 4, (), "")


def test_what_is_missing_is_named_by_what_differs_within_the_grid(grid: Path) -> None:
    own = rows_of(load_grid(grid))
    smile5 = own["estimator_params"].str.contains("5")
    high = own["task_params"].str.contains("2.77")
    left = own[~(smile5 & high)].copy()
    left.loc[left["estimator_params"].str.contains("1.0") & (left["seed"] == 0), "status"] = "crashed"  # seed 1 is left
    found = rows_of_grid(left, str(grid))
    assert (found.found, found.missing) == (3, ("smile, 2.77259 nats",))
    assert found.note() == "Missing: 1 cell of 4 (smile, 2.77259 nats)."
    left["status"] = "timeout"
    assert rows_of_grid(left, str(grid)).found == 0


def test_the_budget_with_the_larger_share_counts_and_of_complete_ones_the_grid_s_own(grid: Path) -> None:
    standard, paper = (rows_of(at_budget(load_grid(grid), budget)) for budget in ("standard", "paper"))
    assert rows_of_grid(standard, str(grid)).budget == "standard"
    part = pd.concat([standard[:4], paper[:4]], ignore_index=True)
    assert rows_of_grid(part, str(grid)).budget == "standard"  # 2 of 4 cells against 2 of 16
    both = rows_of_grid(pd.concat([standard, paper], ignore_index=True), str(grid))
    assert (both.budget, both.found, set(both.runs["run_id"])) == ("standard", 4, set(standard["run_id"]))
    more = rows_of_grid(pd.concat([standard[:4], paper], ignore_index=True), str(grid))
    assert (more.budget, more.found, set(more.runs["run_id"])) == ("paper", 16, set(paper["run_id"]))
    assert rows_of_grid(standard[:0], str(grid)).budget == "standard"


def test_a_grid_without_other_budgets_keeps_its_own_steps(tmp_path: Path) -> None:
    path = tmp_path / "plain.toml"
    path.write_text('task = "gaussian20d"\nmi = 1\nestimator = "nwj"\nsteps = 30\nseeds = 1\n', encoding="utf-8")
    own, longer = rows_of(load_grid(path)), rows_of({**load_grid(path), "steps": 60})
    found = rows_of_grid(pd.concat([own, longer], ignore_index=True), str(path))
    assert set(found.runs["run_id"]) == set(own["run_id"])


@pytest.mark.parametrize("shipped", [g.name for g in shipped_grids()])
def test_the_runs_of_every_shipped_grid_are_found(shipped: str) -> None:
    runs = rows_of(load_grid(shipped))
    found = rows_of_grid(runs, shipped)
    assert found.missing == ()
    assert set(found.runs["run_id"]) == set(runs["run_id"])


def test_neither_grids_nor_cells_import_torch() -> None:
    code = "import sys, mibench.analysis.cells; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
