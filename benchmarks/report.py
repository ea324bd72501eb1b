"""Seconds that a report of all figures takes, page included, on made-up rows: 400 runs with 250 curve points each.

python benchmarks/report.py            the figures of any rows, 10^5 curve points
python benchmarks/report.py --grids    also the rows of every shipped grid, so that each claim is drawn
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mibench.core.registry import ESTIMATORS
from mibench.experiments.grid import at_budget, load_grid, resolve, shipped_grids
from mibench.experiments.specs import EXACT_CRITIC, RunSpec
from mibench.report.reports import draw_reports
from mibench.store.columns import empty_row
from mibench.store.parquet import write_pack
from mibench.training.rows import spec_columns

POINTS = 250
CONSTANT = {
    "task": "gaussian20d", "mi": [2, 5, 10, 30], "estimator": ["nwj", "infonce", "smile:tau=5", "club"],
    "batch": [64, 256], "negatives": ["shuffle", "derangement"], "seeds": 5, "steps": 5000,
}  # fmt: skip
STAIRCASE = {
    "task": "gaussian20d", "schedule": [[2, 4, 6, 8, 10]], "estimator": ["nwj", "infonce", "smile:tau=5", "js"],
    "batch": 64, "critic": ["joint", "separable"], "seeds": 10, "steps": 5000,
}  # fmt: skip


def rows_of(spec: RunSpec, generator: np.random.Generator) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """A run's rows and its curve, which rises to the truth or to log N and now and then runs away."""
    estimator = ESTIMATORS.create(spec.estimator, dict(spec.estimator_params))
    own_critic = estimator.own_critic is not None and spec.critic != EXACT_CRITIC
    away = generator.random() < 0.03
    runs, curves = [], []
    stairs = max(len(spec.schedule), 1)
    points = max(POINTS // stairs, 1)
    for stair in range(stairs):
        truth = float(spec.schedule[stair] if spec.schedule else dict(spec.task_params).get("mi") or 1.0)
        capped = estimator.capped_by_sampler and spec.negatives.startswith("shuffle")
        best = min(truth, math.log(spec.batch)) if capped else truth
        share = np.arange(1, points + 1) / points
        curve = best * (1 - np.exp(-5 * share)) + generator.normal(0, 0.2, points) + 100 * away * share**8
        steps = spec.steps // stairs * stair + np.round(share * (spec.steps // stairs)).astype(int)
        mean, sd = float(curve[-points // 5 :].mean()), 0.5
        values = {
            "stair": stair, "mi_true": truth, "kind": estimator.kind, "ceiling": math.inf,
            "capped_by_sampler": int(capped), "predicted_optimum": best,
            "own_critic": int(own_critic), "own_negatives": 0,
            "estimate_train": mean, "estimate_train_median": mean, "estimate_train_sd": sd, "bias": mean - truth,
            "estimate_train_iqr": 1.3 * sd, "estimate_fresh": mean, "estimate_fresh_large": mean - 0.1, "wide": 0,
            "steps_done": int(steps[-1]), "seconds": 12.5, "seconds_per_step": 2.5e-3, "status": "ok",
            "mibench_version": "0.1.0", "torch_version": "2.13.0", "session_id": "s",
            "finished_at": pd.Timestamp("2026-01-01", tz="UTC"),
        }  # fmt: skip
        if away:
            values |= {"status": "diverged", "divergence": "median", "diverged_at": int(steps[-1])}
        runs.append(empty_row("runs", **{**spec_columns(spec), **values}))
        points_of = {"run_id": spec.run_id, "step": steps, "stair": stair, "mi_true": truth}
        estimates = dict.fromkeys(("estimate_train", "estimate_train_median", "estimate_fresh"), curve)
        curves.append(pd.DataFrame({**points_of, **estimates, "ess": math.nan, "loss": -curve}))
    return runs, pd.concat(curves, ignore_index=True)


def write_rows(folder: Path, grids: bool) -> None:
    """Fill a results folder."""
    specs = {spec.run_id: spec for options in (CONSTANT, STAIRCASE) for spec in resolve(options)}
    for grid in shipped_grids() if grids else ():
        specs |= {spec.run_id: spec for spec in resolve(at_budget(load_grid(grid.name), "standard"))}
    generator = np.random.default_rng(0)
    made = [rows_of(spec, generator) for spec in specs.values()]
    curves = pd.concat([curve for _, curve in made], ignore_index=True)
    print(f"{len(made):,} runs, {len(curves):,} curve points")
    write_pack(folder, "pack", [row for rows, _ in made for row in rows], curves)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_rows(folder / "results", "--grids" in sys.argv)
        start = time.perf_counter()
        done = draw_reports(results=folder / "results", output=folder / "reports")
        seconds = time.perf_counter() - start
        print(f"{sum(bool(result.files) for result in done)} figures and the page: {seconds:.1f} s")
        for file in sorted((folder / "reports").iterdir(), key=lambda f: -f.stat().st_size)[:8]:
            print(f"{file.stat().st_size / 1e6:8.2f} MB  {file.name}")


if __name__ == "__main__":
    main()
