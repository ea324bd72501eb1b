"""Made-up packs in results folders."""

from __future__ import annotations

import dataclasses
import datetime
import math
from pathlib import Path
from typing import Any

import numpy as np

from mibench.experiments.specs import RunSpec
from mibench.store.columns import empty_row
from mibench.store.parquet import curves_table, pack_stem, write_pack

NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


def spec(seed: int = 0, schedule: tuple[float, ...] = (), **others: Any) -> RunSpec:
    """Specify a run; ``others`` are fields with other values."""
    run = RunSpec(
        task="gaussian20d-v1",
        task_params=(("dim", 20),) if schedule else (("dim", 20), ("mi", 5.0)),
        schedule=schedule,
        estimator="nwj-v1",
        estimator_params=(),
        critic="joint-v1",
        critic_params=(),
        hidden="2x8",
        activation="relu",
        dropout="0",
        negatives="shuffle-v1",
        negatives_params=(("fixed", None),),
        batch=8,
        steps=20,
        lr=5e-4,
        weight_decay=0.0,
        precision="float32",
        window=5,
        every=5,
        seed=seed,
    )
    return dataclasses.replace(run, **others)


def rows_of(run: RunSpec, *, status: str = "ok", at: datetime.datetime = NOON, **values: Any) -> list[dict[str, Any]]:
    facts = {"run_id": run.run_id, "spec": run.canonical, "status": status, "finished_at": at, **values}
    return [empty_row("runs", **facts, stair=stair) for stair in range(run.stairs)]


def store(folder: Path, *runs: RunSpec, session: str = "s", status: str = "ok", **values: Any) -> str:
    """Write one pack of runs, with curves of two points whose values tell sessions apart."""
    stem = pack_stem([run.run_id for run in runs], session, status)
    value = values.get("estimate_train", 0.0)
    curve = {"step": np.array([5, 10]), "estimate_train": np.array([value, math.nan])}
    curves = curves_table({run.run_id: curve for run in runs} if status in ("ok", "diverged") else {})
    rows = [row for run in runs for row in rows_of(run, status=status, session_id=session, **values)]
    write_pack(folder, stem, rows, curves)
    return stem
