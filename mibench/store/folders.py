"""The results folder: many small Parquet files read as three tables.

Layout: ``runs/<stem>.parquet`` and ``curves/<stem>.parquet`` for every finished pack, ``sessions/<session>.parquet``
for every invocation. Notable:

- A run may lie in several files: two invocations trained it at once, or it failed before it succeeded. Readers keep one
  copy: of the code from outside that was used last (`code`) results win over failures, then the later one. A run's
  curve comes from the file whose row was kept.
- Files come and go while a folder is read (`compact` replaces many by one); readers then start over.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mibench.core.errors import StoreError, StoreWriteError, UsageError, shown
from mibench.store.columns import RESULT_STATUSES, TABLES
from mibench.store.parquet import (
    TEMPORARY_PREFIX,
    curves_table,
    file_of,
    pack_stem,
    read_table,
    schema,
    verify_command,
    write_pack,
    write_table,
)
from mibench.store.paths import check_results, existing_results, stems

__all__ = [
    "CHOICE",
    "Stored",
    "check_writable",
    "curves_table",
    "load_curves",
    "load_runs",
    "load_sessions",
    "pack_stem",
    "read_all",
    "read_results",
    "read_runs",
    "select",
    "statuses",
    "write_pack",
    "write_session",
]

COMPACTED = "compact-"
"""How the stems of files begin that `mibench.store.maintenance.compact` wrote."""

CHOICE = ("run_id", "status", "finished_at", "code")
"""Columns of runs that say which of several copies is kept."""

_ATTEMPTS = 100
_T = TypeVar("_T")


def load_runs(folder: str | Path = "results") -> pd.DataFrame:
    """Read the runs of a results folder: one row per run and stair, sorted by (run_id, stair).

    Raises
    ------
    StoreError
        Where the folder does not exist, or a file is truncated, foreign or of another schema.
    """
    return read_runs(existing_results(folder))


def read_runs(folder: str | Path) -> pd.DataFrame:
    """As `load_runs`, without rows where there is no such folder."""
    frame: pd.DataFrame = stable(folder, lambda: kept_runs(read_all(folder, "runs"))).to_pandas()
    return frame


def load_curves(folder: str | Path = "results", run_ids: Iterable[str] | None = None) -> pd.DataFrame:
    """Read the training curves: long format, sorted by (run_id, step).

    Parameters
    ----------
    run_ids
        The runs to read; all by default.

    Raises
    ------
    UsageError
        Where ``run_ids`` is no list of ids, or holds one that the folder does not.
    StoreError
        As `load_runs`, and where the curves of a stored result are missing.
    """
    if isinstance(run_ids, str) or not isinstance(run_ids, Iterable | None):
        raise UsageError(f"run_ids must be a list of ids, not {shown(run_ids, repr)}; write [run_id]")
    wanted = None if run_ids is None else set(map(str, run_ids))  # of a Series, `in` would ask the index
    folder = existing_results(folder)
    frame: pd.DataFrame = stable(folder, lambda: kept_curves(folder, wanted)).to_pandas()
    return frame


def load_sessions(folder: str | Path = "results") -> pd.DataFrame:
    """Read the environments of all invocations, oldest first; raises as `load_runs`."""
    folder = existing_results(folder)
    tables = stable(folder, lambda: list(read_all(folder, "sessions").values()))
    frame: pd.DataFrame = _concatenated("sessions", tables).to_pandas()
    return frame.drop_duplicates("session_id").sort_values(["started_at", "session_id"], ignore_index=True)


def read_results(folder: str | Path) -> tuple[dict[str, pa.Table], pa.Table]:
    """Read a folder for compaction: its runs files by stem, and the curves to keep, from one consistent state."""

    def read() -> tuple[dict[str, pa.Table], pa.Table]:
        return read_all(folder, "runs"), kept_curves(folder, None)

    return stable(folder, read)


class Stored(NamedTuple):
    """What a plan needs to know of a stored run.

    Parameters
    ----------
    status
        ``"done"`` or ``"failed"``.
    rows
        How many rows it has, one per stair.
    code
        The code from outside that trained it, the column ``code``; None where all was mibench's own.
    """

    status: str
    rows: int
    code: str | None


def statuses(folder: str | Path) -> dict[str, Stored]:
    """Return what is known of every stored run; a folder that does not exist holds none."""
    tables = stable(folder, lambda: read_all(folder, "runs", [*CHOICE, "stair"]))
    frame: pd.DataFrame = kept_runs(tables).to_pandas()
    frame["done"] = frame["status"].isin(RESULT_STATUSES)
    found = frame.groupby("run_id").agg(done=("done", "all"), rows=("done", "size"), code=("code", "first"))
    return {
        str(run): Stored("done" if done else "failed", int(rows), code if isinstance(code, str) else None)
        for run, done, rows, code in found.itertuples()
    }


def select(tables: Mapping[str, pa.Table]) -> dict[str, str]:
    """Choose for every run the file to take it from: the code used last, results before failures, then the later one.

    Parameters
    ----------
    tables
        Runs tables by stem, with at least the columns of `CHOICE`.

    Returns
    -------
    dict
        run id -> stem; ties go to the stem that sorts last, so that the choice does not depend on the reader.
    """
    frames = [
        table.select(list(CHOICE)).to_pandas().assign(stem=stem) for stem, table in tables.items() if table.num_rows
    ]
    if not frames:
        return {}
    rows = pd.concat(frames, ignore_index=True)
    rows["result"] = rows["status"].isin(RESULT_STATUSES)
    rows["code"] = rows["code"].fillna("")
    copies = rows.groupby(["run_id", "stem"], as_index=False).agg(
        {"result": "all", "finished_at": "max", "code": "first"}
    )
    copies = copies.sort_values(["finished_at", "stem"], na_position="first")
    copies["current"] = copies["code"] == copies.groupby("run_id")["code"].transform("last")
    copies = copies.sort_values(["current", "result"], kind="stable")
    best = copies.drop_duplicates("run_id", keep="last")
    return dict(zip(best["run_id"].astype(str), best["stem"].astype(str), strict=True))


def kept_runs(tables: Mapping[str, pa.Table]) -> pa.Table:
    """Concatenate runs tables, one copy of every run, sorted by (run_id, stair)."""
    best = select(tables)
    parts = [_of_runs(table, [run for run, owner in best.items() if owner == stem]) for stem, table in tables.items()]
    return _sorted_unique(_concatenated("runs", parts), "stair")


def kept_curves(folder: str | Path, run_ids: Collection[str] | None) -> pa.Table:
    """Read the curves of the runs that `kept_runs` keeps, sorted by (run_id, step).

    Raises
    ------
    UsageError
        For ids of runs that are not in the folder; those without a result have no curve, and are no error.
    """
    tables = read_all(folder, "runs", CHOICE)
    owners: dict[str, list[str]] = {}
    results = {run for table in tables.values() for run in _results_in(table)}
    chosen = select(tables)
    if unknown := [run for run in run_ids or () if run not in chosen]:
        names = ", ".join(f"'{shown(run)}'" for run in sorted(unknown)[:3])
        more = f" and {len(unknown) - 3:,} others" if len(unknown) > 3 else ""
        raise UsageError(f"results folder '{folder}' holds no run {names}{more}; take ids from mibench.load_runs")
    for run, stem in chosen.items():
        if run in results and (run_ids is None or run in run_ids):
            owners.setdefault(stem, []).append(run)
    parts = [_of_runs(read_table(file_of(folder, "curves", stem), "curves"), runs) for stem, runs in owners.items()]
    return _sorted_unique(_concatenated("curves", parts), "step")


def read_all(folder: str | Path, table: str, columns: Sequence[str] | None = None) -> dict[str, pa.Table]:
    """Read all files of a table, by stem.

    Raises
    ------
    FileNotFoundError
        Where a file vanished on the way; see `stable`.
    """
    return {stem: read_table(file_of(folder, table, stem), table, columns) for stem in stems(folder, table)}


def stable(folder: str | Path, read: Callable[[], _T]) -> _T:
    """Repeat a reading until no file was compacted away under it.

    Raises
    ------
    StoreError
        Where a file that should be there is missing.
    """
    for _ in range(_ATTEMPTS):
        before = _listing(folder)
        try:
            result = read()
        except FileNotFoundError as error:
            if _listing(folder) == before:  # nobody took it: it is not there
                raise StoreError(
                    f"results folder '{folder}' is incomplete ({error}); run '{verify_command(folder)}'"
                ) from error
            continue
        if _compacted(_listing(folder)) == _compacted(before):
            return result
    raise StoreError(f"results folder '{folder}' changes faster than it can be read; try again in a moment")


def check_writable(folder: str | Path) -> None:
    """Make sure that results can be stored, before any work is done.

    Raises
    ------
    UsageError
        Where the folder cannot be made or written to.
    StoreWriteError
        Where there is no room.
    """
    check_results(folder)
    probe = Path(folder) / "runs" / f"{TEMPORARY_PREFIX}{os.getpid()}-{uuid.uuid4().hex}"
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        kind = StoreWriteError if error.errno in (errno.ENOSPC, errno.EDQUOT) else UsageError
        raise kind(
            f"results folder '{folder}' cannot be written to ({error.strerror or error}); name another with --results"
        ) from error


def write_session(folder: str | Path, row: Mapping[str, object]) -> None:
    """Store the environment of one invocation; raises `StoreWriteError`."""
    table = pa.Table.from_pylist([dict(row)], schema=schema("sessions"))
    write_table(file_of(folder, "sessions", str(row["session_id"])), table)


def _listing(folder: str | Path) -> list[tuple[str, str]]:
    return [(table, stem) for table in TABLES for stem in stems(folder, table)]


def _compacted(listing: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(table, stem) for table, stem in listing if stem.startswith(COMPACTED)]


def _results_in(table: pa.Table) -> list[str]:
    mask = pc.is_in(table["status"], value_set=pa.array(RESULT_STATUSES, pa.string()))
    runs: list[str] = table.filter(mask)["run_id"].to_pylist()
    return runs


def _of_runs(table: pa.Table, run_ids: Sequence[str]) -> pa.Table:
    return table.filter(pc.is_in(table["run_id"], value_set=pa.array(run_ids, pa.string())))


def _concatenated(table: str, parts: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts) if parts else schema(table).empty_table()


def _sorted_unique(table: pa.Table, second: str) -> pa.Table:
    """Sort by (run_id, second) and drop rows that repeat both."""
    keys: pd.DataFrame = table.select(["run_id", second]).to_pandas()
    kept = keys.drop_duplicates().sort_values(["run_id", second], kind="stable").index
    return table.take(pa.array(kept.to_numpy(), pa.int64()))
