"""Rows of runs that gave no result: what the specification says, and why it failed."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any

from mibench.core.version import __version__
from mibench.experiments.specs import RunSpec
from mibench.store.columns import Status, empty_row
from mibench.store.parquet import pack_stem, storable, write_pack


@dataclasses.dataclass(frozen=True)
class Failure:
    """A run that ended without a result.

    Parameters
    ----------
    error
        Traceback, signal or limit.
    memory
        Peak resident memory of the process that trained it, MB; None where nothing is known of it.
    """

    spec: RunSpec
    status: Status
    error: str
    memory: float | None = None


def write_failure(
    failure: Failure, folder: str | Path, *, session_id: str, device: str, code: str | None = None
) -> None:
    """Store one row per stair of a run that failed; raises `StoreWriteError` where that cannot be done."""
    facts = {
        "session_id": session_id,
        "device": device,
        "mibench_version": __version__,
        "finished_at": datetime.datetime.now(datetime.UTC),
        "status": failure.status,
        "error": storable(failure.error),
        "peak_rss_mb": failure.memory,
        "code": code,
    }
    rows = [{**columns, **facts} for columns in _spec_columns(failure.spec)]
    stem = pack_stem([failure.spec.run_id], session_id, failure.status)
    write_pack(folder, stem, rows, [])


def _spec_columns(spec: RunSpec) -> list[dict[str, Any]]:
    """Fill what is known without training, stair by stair."""
    from mibench.training.components import Run
    from mibench.training.rows import spec_columns, truth_columns

    levels = spec.schedule or (dict(spec.task_params).get("mi"),)
    rows = [empty_row("runs", **spec_columns(spec), stair=stair, mi_true=level) for stair, level in enumerate(levels)]
    try:
        run = Run.from_spec(spec)
        return [{**row, **truth_columns(run, stair)} for stair, row in enumerate(rows)]
    except Exception:  # what broke the run may break its components here; the specification's columns stand
        return rows
