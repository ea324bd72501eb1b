"""Made-up rows of a leaderboard, with known errors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mibench.store.columns import empty_row


def run(estimator: str, truth: float, estimate: float, seed: int, **columns: Any) -> dict[str, Any]:
    """One row as the engine writes it."""
    row = {
        "stair": 0, "task": "gaussian20d", "task_version": 1, "task_params": json.dumps({"dim": 20, "mi": truth}),
        "schedule": "[]", "mi_true": truth, "mi_se": 0.0, "estimator": estimator, "estimator_version": 1,
        "estimator_params": "{}", "kind": "lower", "ceiling": math.inf, "critic": "separable", "critic_version": 1,
        "critic_params": "{}", "own_critic": 0, "own_negatives": 0, "hidden": "2x128", "activation": "relu",
        "dropout": "0", "lr": 5e-4, "weight_decay": 0.0, "optimiser": "adam", "precision": "float32",
        "negatives": "all-pairs", "negatives_version": 1, "negatives_params": "{}", "capped_by_sampler": 0,
        "predicted_ceiling": math.inf, "regime": "stream", "batch": 64, "steps": 400, "window": 100, "every": 10,
        "seed": seed, "protocol": 1, "status": "ok", "estimate_train": estimate, "estimate_train_median": estimate,
        "estimate_train_sd": 0.1, "seconds": 2.0, "device": "cpu",
    }  # fmt: skip
    row |= columns
    row["run_id"] = "-".join(str(row[name]) for name in (
        "estimator", "estimator_params", "task", "task_params", "critic", "hidden", "negatives", "batch", "regime",
        "steps", "seed",
    ))  # fmt: skip
    return empty_row("runs", **row)


def rows(
    errors: Mapping[str, float],
    *,
    tasks: tuple[str, ...] = ("gaussian20d", "student-t"),
    levels: tuple[float, ...] = (2.0, 5.0, 10.0),
    seeds: int = 2,
    noise: float = 0.01,
    **columns: Any,
) -> pd.DataFrame:
    """Rows of methods that are under the truth by a share of it, and by noise of their own."""
    made = []
    for number, (estimator, error) in enumerate(errors.items()):
        draws = np.random.default_rng(number)
        for task in tasks:
            for truth in levels:
                made += [
                    run(estimator, truth, truth * (1 - error - draws.normal(0, noise)), seed, task=task, **columns)
                    for seed in range(seeds)
                ]
    return pd.DataFrame(made)
