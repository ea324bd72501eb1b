"""Made-up rows for tests of reports."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd

from mibench.store.columns import CURVES, empty_row


def make(
    *,
    estimators: tuple[str, ...] = ("nwj",),
    negatives: tuple[str, ...] = ("shuffle", "derangement"),
    batches: tuple[int, ...] = (64, 256),
    levels: tuple[float, ...] = (2.0, 10.0),
    seeds: int = 2,
    schedule: tuple[float, ...] = (),
    steps: int = 400,
    **columns: Any,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows as the engine writes them: curves that rise to log N (shuffle) or the truth, with noise of their own."""
    runs, curves = [], []
    cells = [
        (e, s, b, m, seed)
        for e in estimators for s in negatives for b in batches for m in ((None,) if schedule else levels)
        for seed in range(seeds)
    ]  # fmt: skip
    for index, (estimator, sampler, batch, level, seed) in enumerate(cells):
        run_id = f"{index:032x}"
        generator = np.random.default_rng(index)
        stairs = schedule or (level,)
        each = steps // len(stairs)
        for stair, truth in enumerate(stairs):
            assert truth is not None
            best = min(truth, math.log(batch)) if sampler == "shuffle" else truth
            at = np.arange(10, each + 1, 10)
            median = best * (1 - np.exp(-5 * at / each)) + generator.normal(0, 0.1, at.size)
            row = {
                "run_id": run_id, "stair": stair, "task": "gaussian20d", "task_version": 1, "mi_true": truth,
                "task_params": json.dumps({"dim": 20} if schedule else {"dim": 20, "mi": truth}),
                "schedule": json.dumps(schedule), "estimator": estimator, "estimator_version": 1,
                "estimator_params": "{}", "kind": "upper" if estimator == "club" else "lower",
                "critic": "joint", "critic_version": 1, "critic_params": "{}",
                "hidden": "2x128", "activation": "relu", "dropout": "0", "negatives": sampler, "negatives_version": 1,
                "negatives_params": "{}", "predicted_optimum": best, "regime": "stream", "batch": batch,
                "capped_by_sampler": int(estimator in ("dv", "js-nwj", "mine", "nwj", "tuba")),
                "steps": steps, "lr": 5e-4, "weight_decay": 0.0, "precision": "float32", "window": 100, "every": 10,
                "seed": seed, "protocol": 1, "status": "ok", "estimate_train_median": float(np.median(median[-10:])),
                "wide": 0, "steps_done": (stair + 1) * each, "torch_version": "2.13.0", "mibench_version": "0.1.0",
            }  # fmt: skip
            runs.append(empty_row("runs", **{**row, **columns}))
            for step, value in zip(at, median, strict=True):
                point = {"run_id": run_id, "step": stair * each + int(step), "stair": stair, "mi_true": truth}
                curves.append({**dict.fromkeys(c.name for c in CURVES), **point, "estimate_train_median": value})
    return pd.DataFrame(runs), pd.DataFrame(curves)
