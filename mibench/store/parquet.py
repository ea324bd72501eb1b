"""One results file: its schema, writing it so that it is whole or absent, reading it with a sentence for what is wrong.

Notable: a file is written under a temporary name, flushed, synced and renamed, so a file that exists is complete. The
temporary names start with a dot, which Parquet readers skip: ``pandas.read_parquet("results/runs")`` works while runs
are being written. Of pandas this module knows nothing, and what it stores goes past it (`mibench.store.arrays`): a
worker's child imports pyarrow alone.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shlex
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mibench.core.errors import StoreError, StoreWriteError
from mibench.core.files import FILE, kind_of
from mibench.store.arrays import array_from, array_of
from mibench.store.columns import SCHEMA_VERSION, TABLES, unknown_columns

if TYPE_CHECKING:
    import pandas as pd

TEMPORARY_PREFIX = ".tmp-"
"""How the names of files begin that are being written, or were when their process was killed."""

_SMALL = 1000
"""Rows up to which a table is a small one: it is one pack's, or few."""

_MARKER = b"mibench_table"
_VERSION = b"schema_version"
_TYPES = {
    "string": pa.string(),
    "float64": pa.float64(),
    "int64": pa.int64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}

Rows: TypeAlias = "pa.Table | pd.DataFrame | Sequence[Mapping[str, Any]]"
"""What can be written as a table: columns may be missing (null) and in any order."""


@functools.cache
def schema(table: str, version: int = SCHEMA_VERSION) -> pa.Schema:
    """Return the Arrow schema of a table (``runs``, ``curves`` or ``sessions``), with mibench's marks."""
    fields = [pa.field(c.name, _TYPES[c.type]) for c in TABLES[table] if c.since <= version]
    return pa.schema(fields, metadata={_MARKER: table.encode(), _VERSION: str(version).encode()})


def as_table(table: str, rows: Rows) -> pa.Table:
    """Bring rows into a table's schema; columns that are missing become null.

    Raises
    ------
    KeyError
        For a column that the table does not have.
    """
    wanted = schema(table)
    if isinstance(rows, pa.Table):
        names = rows.column_names
    elif isinstance(rows, Sequence):
        names = sorted({name for row in rows for name in row})
    else:
        names = list(rows.columns)
        rows = pa.Table.from_pandas(rows, preserve_index=False)
    if unknown := unknown_columns(table, names):
        raise KeyError(f"{table} has no column {', '.join(unknown)}")
    if not isinstance(rows, pa.Table):
        columns = [array_from([row.get(field.name) for row in rows], field.type) for field in wanted]
        return pa.Table.from_arrays(columns, schema=wanted)
    return _completed(rows, wanted)


def curves_table(curves: Mapping[str, Mapping[str, np.ndarray]]) -> pa.Table:
    """Build the long table of curves from arrays.

    Parameters
    ----------
    curves
        For every run id its columns, arrays of one length (P,); NaN stays NaN.
    """
    parts = []
    for run_id, columns in curves.items():
        arrays = {name: array_of(np.asarray(values)) for name, values in columns.items() if name != "run_id"}
        points = len(next(iter(columns.values()))) if columns else 0
        parts.append(as_table("curves", pa.table({**arrays, "run_id": array_from([run_id] * points, pa.string())})))
    return pa.concat_tables(parts) if parts else schema("curves").empty_table()


def storable(text: str) -> str:
    """Replace what is no valid Unicode, as in names of files and messages that quote them."""
    return text.encode("utf-8", "backslashreplace").decode()


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table as a whole or not at all.

    Raises
    ------
    StoreWriteError
        Where it cannot be written, as on a full disk; a file that was there before is untouched.
    """
    write_bytes(path, encode(table))


def encode(table: pa.Table, *, checksums: bool = False) -> bytes:
    """Return a table as the bytes of a Parquet file, with a checksum of every page where asked for.

    A small one, as of a pack, has neither dictionaries nor statistics: it is a third smaller and read in less time.
    """
    sink = pa.BufferOutputStream()  # in memory, so that a full disk shows as a plain OSError of one write
    large = table.num_rows > _SMALL
    options = {"use_dictionary": large, "write_statistics": large, "write_page_checksum": checksums}
    pq.write_table(table, sink, compression="zstd", **options)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under a unique temporary name, flush, sync, rename; raises as `write_table`."""
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise StoreWriteError(
            f"'{path}' cannot be written ({error.strerror or error}); what was stored before is intact: "
            "make room and give the same command again"
        ) from error


def write_pack(folder: str | Path, stem: str, runs: Rows, curves: Rows) -> None:
    """Store the rows of one finished pack.

    The curves are written first and the runs last: a runs file proves that the pack is complete. A pack without a
    result has no curves and gets no curves file.

    Parameters
    ----------
    folder
        The results folder; made if it does not exist.
    stem
        Name of the two files without ``.parquet``; see `pack_stem`.

    Raises
    ------
    StoreWriteError
        Where a file cannot be written.
    """
    points = as_table("curves", curves)
    if points.num_rows:
        write_table(file_of(folder, "curves", stem), points)
    write_table(file_of(folder, "runs", stem), as_table("runs", runs))


def pack_stem(run_ids: Iterable[str], session_id: str, status: str = "") -> str:
    """Name a pack's files by what they hold: two packs never share a name, however many invocations write.

    Parameters
    ----------
    status
        Of a run that failed; keeps its row from replacing a result that the same session wrote.
    """
    content = "\n".join([session_id, status, *sorted(run_ids)])
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def file_of(folder: str | Path, table: str, stem: str) -> Path:
    """Return the path of a pack's file: ``folder/table/stem.parquet``."""
    return Path(folder) / table / f"{stem}.parquet"


def read_table(path: Path, table: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read one file of a table, in the schema of this version: columns that came later than the file are null.

    Raises
    ------
    FileNotFoundError
        Where the file is gone: another process may have compacted the folder.
    StoreError
        Where the file is truncated, foreign, of another table or of another schema version.
    """
    try:
        if (kind := kind_of(path)) not in (FILE, ""):  # a named pipe would never answer
            raise StoreError(f"'{path}' is {kind}, no Parquet file; {_next_step(path)}")
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow
            _check(path, table, found)
            wanted = _part(table, None if columns is None else tuple(columns))
            names = set(found.names)
            many = file.metadata.num_rows > _SMALL  # of few rows threads are slower
            return _completed(file.read([n for n in wanted.names if n in names], use_threads=many), wanted)
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:  # the second of a column's name
        raise StoreError(f"'{path}' is truncated or no Parquet file; {_next_step(path)}") from error


@functools.cache
def _part(table: str, columns: tuple[str, ...] | None) -> pa.Schema:
    """Some columns of a table's schema, in their order; all where none are named."""
    whole = schema(table)
    return whole if columns is None else pa.schema(map(whole.field, columns), metadata=whole.metadata)


def _check(path: Path, table: str, found: pa.Schema) -> None:
    marks = found.metadata or {}
    try:
        marker, version = marks[_MARKER].decode(), int(marks[_VERSION])
    except (KeyError, ValueError) as error:
        raise StoreError(f"'{path}' was not written by mibench; {_next_step(path)}") from error
    if not 1 <= version <= SCHEMA_VERSION:
        age = "newer" if version > SCHEMA_VERSION else "older"
        raise StoreError(
            f"'{path}' has schema {version}, {age} than the 1 to {SCHEMA_VERSION} that this version of mibench reads; "
            f"{_next_step(path)}"
        )
    if marker != table:
        raise StoreError(f"'{path}' holds the table '{marker}', not '{table}'; {_next_step(path)}")
    if not found.equals(schema(table, version)):
        raise StoreError(f"'{path}' does not have the columns of schema {version}; {_next_step(path)}")


def _completed(rows: pa.Table, wanted: pa.Schema) -> pa.Table:
    """Give a table all wanted columns in their order; null where it has none."""
    if rows.schema.equals(wanted):  # but for the marks: the common case, of which there may be thousands
        return rows.replace_schema_metadata(wanted.metadata)
    found = set(rows.column_names)
    columns = [_cast(rows[f.name], f.type) if f.name in found else pa.nulls(rows.num_rows, f.type) for f in wanted]
    return pa.table(columns, schema=wanted)


def _cast(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    return values if values.type == wanted else values.cast(wanted)  # Arrow's own check takes ten times as long


def verify_command(folder: str | Path) -> str:
    """Return the command that lists what is wrong in a results folder."""
    return shlex.join(["mibench", "results", "verify", "--results", str(folder)])


def _next_step(path: Path) -> str:
    return f"run '{verify_command(path.parent.parent)}' for a list of such files, and move them away"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
