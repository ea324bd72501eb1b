"""Rows of runs that gave no result: what the specification says, what else is known, and why it failed.

Notable: no component is asked here. This is the runner's own process, which a component that hangs or ends its process
must not take along; what the run's process knew of them before it trained has come with the failure.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Mapping, Sequence
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
    known
        Columns of each stair that the process knew before it trained; empty where it knew nothing.
    """

    spec: RunSpec
    status: Status
    error: str
    memory: float | None = None
    known: Sequence[Mapping[str, Any]] = ()


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
    rows = [{**columns, **facts} for columns in _columns(failure)]
    stem = pack_stem([failure.spec.run_id], session_id, failure.status)
    write_pack(folder, stem, rows, [])


def _columns(failure: Failure) -> list[dict[str, Any]]:
    """Fill what the specification says and what is known beside it, stair by stair."""
    from mibench.training.rows import spec_columns

    spec = failure.spec
    levels = spec.schedule or (dict(spec.task_params).get("mi"),)
    columns = [
        empty_row("runs", **spec_columns(spec), stair=stair, mi_true=_truth(level))
        for stair, level in enumerate(levels)
    ]
    known: Sequence[Mapping[str, Any]] = failure.known or [{}] * len(columns)
    return [{**row, **more} for row, more in zip(columns, known, strict=True)]


def _truth(level: object) -> float | None:
    """The level that a run asks for, where it is one that mutual information can have."""
    return float(level) if isinstance(level, int | float) and 0 <= level < math.inf else None
