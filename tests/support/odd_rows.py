"""A results folder of rows that a store takes though nothing can be made of them, among rows as they should be."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from mibench.store.columns import RUNS
from mibench.store.parquet import write_pack
from tests.support.rows import make

OF_TRAINING = (
    *("fixed_points", "predicted_optimum", "estimate_train", "estimate_train_median", "estimate_train_sd"),
    *("estimate_train_iqr", "estimate_fresh", "estimate_fresh_sd", "estimate_fresh_large", "bias", "ess"),
    *("nonfinite_steps", "wide", "steps_done", "seconds", "torch_version"),
)
"""Columns that a run which failed does not have."""

OF_COMPONENTS = (
    *("dim_x", "dim_y", "mi_true", "mi_method", "mi_se", "kind", "ceiling", "own_critic", "own_negatives"),
    *("n_negatives", "capped_by_sampler", "predicted_ceiling"),
)
"""Columns that such a run does not have either where its components did not say."""

_ERROR = "Traceback (most recent call last):\n  File \"mine.py\", line 3, in loss\n    x[0]\nKeyError: 'x'"
_FAILED = {"status": "crashed", "error": _ERROR, **dict.fromkeys(OF_TRAINING)}
_UNKNOWN = {**_FAILED, **dict.fromkeys(OF_COMPONENTS)}

ODD: tuple[dict[str, Any], ...] = (
    _FAILED,
    _UNKNOWN,
    {**_UNKNOWN, "status": "timeout", "error": "no result after 4 seconds"},
    {**_UNKNOWN, "status": "timeout", "error": None},
    {**_UNKNOWN, "task": "mine", "task_params": "{}"},
    {**_UNKNOWN, "estimator": "mine", "critic": "none", "hidden": None, "activation": None, "lr": None},
    {"mi_true": math.nan, "bias": math.nan},
    {"mi_true": None, "bias": None},
    {"mi_true": math.inf, "bias": -math.inf},
    {"mi_true": -1.0},
    {"kind": "lowr"},
    {"kind": "lowr", "estimator": "mine"},
    {"kind": None},
    {"status": "diverged", **dict.fromkeys(("estimate_train_median", "estimate_train", "estimate_fresh"), math.inf)},
    {"status": "diverged", **dict.fromkeys(("estimate_train_median", "estimate_train", "estimate_fresh"), -math.inf)},
    {"status": "diverged", **dict.fromkeys(("estimate_train_median", "estimate_train", "estimate_fresh"), math.nan)},
    dict.fromkeys(OF_TRAINING),
    dict.fromkeys(("task_params", "estimator_params", "critic_params", "negatives_params")),
    dict.fromkeys(("hidden", "activation", "dropout", "lr", "weight_decay", "optimiser", "schedule")),
    dict.fromkeys(("mibench_version", "session_id", "finished_at", "device", "spec")),
)
"""What each odd row has in place of what a run has."""


def write_odd_rows(folder: Path, *, among: bool = True) -> Path:
    """Fill a results folder with the odd rows, of estimators that have others too, and these others where asked for.

    The odd rows without a failure have curves like the others.
    """
    runs, curves = make(estimators=("nwj", "club", "js"), levels=(2.0, 10.0), seeds=1)
    more: dict[str, Any] = {
        **{"mi_se": 0.0, "mi_method": "closed-form", "ceiling": math.inf, "predicted_ceiling": math.inf},
        **{"own_critic": 0, "own_negatives": 0, "dim_x": 20, "dim_y": 20, "n_negatives": 1, "ess": 0.5},
        **{"estimate_train_sd": 0.3, "estimate_train_iqr": 0.4, "estimate_fresh_sd": 0.2, "seconds": 1.5},
        **{"fixed_points": 1.0, "nonfinite_steps": 0, "optimiser": "adam", "unit": "nats", "device": "cpu"},
        **{"session_id": "s", "finished_at": pd.Timestamp("2026-01-01", tz="UTC"), "spec": "{}"},
    }
    final = runs["estimate_train_median"]
    more |= dict.fromkeys(("estimate_train", "estimate_fresh", "estimate_fresh_large"), final)
    good = _records(runs.assign(**more, bias=final - runs["mi_true"]))
    odd = [{**good[i % len(good)], "run_id": f"{i:032x}".replace("0", "f", 1), **row} for i, row in enumerate(ODD)]
    points = [curves]
    for i, row in enumerate(odd):
        if row["status"] in ("ok", "diverged"):
            of_host = curves[curves["run_id"] == good[i % len(good)]["run_id"]]
            points.append(of_host.assign(run_id=row["run_id"]))
    all_points = pd.concat(points, ignore_index=True)
    rows = [*good, *odd] if among else odd
    kept = all_points[all_points["run_id"].isin([row["run_id"] for row in rows])]
    write_pack(folder, "pack", rows, _records(kept))
    return folder


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with None for what is null in whole numbers and text."""
    null = table.isna()
    columns = table.astype(object).where(~null, None)
    return [{str(name): value for name, value in row.items()} for row in columns.to_dict("records")]


assert set(OF_TRAINING) | set(OF_COMPONENTS) <= {column.name for column in RUNS}
