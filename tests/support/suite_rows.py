"""Made-up rows of runs that a suite asks for, with the ids that they would be stored under."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from mibench.experiments.specs import RunSpec
from mibench.ranking.matrix import WITHOUT_CRITIC
from mibench.store.columns import empty_row
from mibench.store.parquet import write_pack
from mibench.training.rows import spec_columns


def rows_of_specs(specs: Iterable[RunSpec], **columns: Any) -> pd.DataFrame:
    """Rows of lower bounds that read 1 nat and a tenth more with every seed.

    Parameters
    ----------
    specs
        The runs.
    columns
        What is stored in place of that.
    """
    return pd.DataFrame([empty_row("runs", **{**_columns(spec), **columns}) for spec in specs])


def store_rows(runs: pd.DataFrame, folder: Path, pack: str = "pack") -> None:
    """Write rows into a results folder as one pack."""
    runs = runs.assign(finished_at=pd.Timestamp("2026-01-01", tz="UTC"))
    write_pack(folder, pack, runs.astype(object).where(runs.notna(), None).to_dict("records"), [])


def _columns(spec: RunSpec) -> dict[str, Any]:
    named = spec_columns(spec)
    value = 1.0 + 0.1 * spec.seed
    return {
        **named,
        **dict.fromkeys(("own_critic", "own_negatives"), int(named["critic"] == WITHOUT_CRITIC)),
        **{"stair": 0, "kind": "lower", "status": "ok", "session_id": "s", "seconds": 1.0},
        "mi_true": dict(spec.task_params).get("mi", 2.0),
        **{"estimate_train_median": value, "estimate_test": value},
    }
