"""The results folder: many small Parquet files read as three tables.

Layout: ``runs/<stem>.parquet`` and ``curves/<stem>.parquet`` for every finished pack, ``sessions/<session>.parquet``
for every invocation. Notable:

- A run may lie in several files, of which readers keep one copy; see `mibench.store.copies`. A run's curve comes from
  the file whose row was kept.
- Of many files only those are opened that are asked for, and of these only the columns; see `mibench.store.index`.
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
from mibench.store.columns import RESULT_STATUSES, RUNS, TABLES
from mibench.store.copies import CHOICE, Stacked, kept, select, sorted_unique, stack
from mibench.store.index import index_of, known_runs
from mibench.store.parquet import (
    TEMPORARY_PREFIX,
    curves_table,
    file_of,
    pack_stem,
    schema,
    verify_command,
    write_pack,
    write_table,
)
from mibench.store.paths import check_results, existing_results, stems
from mibench.store.reading import read_all, read_files

__all__ = [
    "Stored",
    "check_writable",
    "curves_table",
    "load_curves",
    "load_runs",
    "load_sessions",
    "pack_stem",
    "read_results",
    "read_runs",
    "statuses",
    "write_pack",
    "write_session",
]

COMPACTED = "compact-"
"""How the stems of files begin that `mibench.store.maintenance.compact` wrote."""

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


def read_runs(
    folder: str | Path, columns: Iterable[str] | None = None, run_ids: Collection[str] | None = None
) -> pd.DataFrame:
    """As `load_runs`, without rows where there is no such folder.

    Parameters
    ----------
    columns
        The columns to read, in any order; all by default. What an index has is taken from there.
    run_ids
        The runs to read; all by default. Ids that the folder does not hold are passed over.
    """
    wanted = None if columns is None else set(columns)
    names = [column.name for column in RUNS if wanted is None or column.name in wanted]
    frame: pd.DataFrame = stable(folder, lambda: _read_runs(folder, names, run_ids)).to_pandas()
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


def statuses(folder: str | Path, run_ids: Collection[str] | None = None) -> dict[str, Stored]:
    """Return what is known of stored runs, of all or of some; a folder that does not exist holds none."""
    frame: pd.DataFrame = stable(folder, lambda: _known(folder, (*CHOICE, "stair"), run_ids)).to_pandas()
    frame["done"] = frame["status"].isin(RESULT_STATUSES)
    found = frame.groupby("run_id").agg(done=("done", "all"), rows=("done", "size"), code=("code", "first"))
    return {
        str(run): Stored("done" if done else "failed", int(rows), code if isinstance(code, str) else None)
        for run, done, rows, code in found.itertuples()
    }


def _known(folder: str | Path, columns: Sequence[str], run_ids: Collection[str] | None) -> pa.Table:
    """Return the kept rows in columns that the index has, sorted by (run_id, stair)."""
    stacked = known_runs(folder, columns)
    return kept_runs(stacked if run_ids is None else stacked.of_runs(run_ids))


def _read_runs(folder: str | Path, names: Sequence[str], run_ids: Collection[str] | None) -> pa.Table:
    """Return the kept rows, sorted by (run_id, stair)."""
    needed = list(dict.fromkeys([*CHOICE, "stair", *names]))
    if index_of(needed) is not None:
        return _known(folder, needed, run_ids).select(names)
    if run_ids is None:
        return kept_runs(stack(read_all(folder, "runs", needed))).select(names)
    owners: dict[str, list[str]] = {}
    for run, stem in select(known_runs(folder, CHOICE).of_runs(run_ids)).items():
        owners.setdefault(stem, []).append(run)
    tables = read_files(folder, "runs", owners, needed)
    return kept_runs(stack({stem: _of_runs(table, owners[stem]) for stem, table in tables.items()})).select(names)


def kept_runs(stacked: Stacked) -> pa.Table:
    """Return one copy of every run, sorted by (run_id, stair)."""
    return sorted_unique(kept(stacked).rows, "stair")


def kept_curves(folder: str | Path, run_ids: Collection[str] | None) -> pa.Table:
    """Read the curves of the runs that `kept_runs` keeps, sorted by (run_id, step).

    Raises
    ------
    UsageError
        For ids of runs that are not in the folder; those without a result have no curve, and are no error.
    """
    stacked = known_runs(folder, CHOICE)
    chosen = kept(stacked if run_ids is None else stacked.of_runs(run_ids))
    if run_ids is not None:
        found = set(chosen.rows["run_id"].to_pylist())
        if unknown := [run for run in run_ids if run not in found]:
            names = ", ".join(f"'{shown(run)}'" for run in sorted(unknown)[:3])
            more = f" and {len(unknown) - 3:,} others" if len(unknown) > 3 else ""
            raise UsageError(f"results folder '{folder}' holds no run {names}{more}; take ids from mibench.load_runs")
    results = chosen.where(pc.is_in(chosen.rows["status"], value_set=pa.array(RESULT_STATUSES)).to_numpy())
    owners: dict[str, list[str]] = {}
    for run, place in zip(results.rows["run_id"].to_pylist(), results.place, strict=True):
        owners.setdefault(results.stems[place], []).append(run)
    tables = read_files(folder, "curves", owners)
    parts = [_of_runs(table, owners[stem]) for stem, table in tables.items()]
    return sorted_unique(_concatenated("curves", parts), "step")


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


def _of_runs(table: pa.Table, run_ids: Sequence[str]) -> pa.Table:
    return table.filter(pc.is_in(table["run_id"], value_set=pa.array(list(run_ids), pa.string())))


def _concatenated(table: str, parts: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts) if parts else schema(table).empty_table()
