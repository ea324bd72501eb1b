"""What is known of every file of runs, in one small Parquet beside the tables: who plans or lists opens no other file.

Notable:

- The files are the truth. A file whose size or time differs from what is noted of it, or of which nothing is noted, is
  read; an index that is lost, cut short, foreign or of another format is made anew. All that this costs is time.
- It is written to a temporary name and renamed, like results. Of two who write at once the last one wins, and where it
  cannot be written, as in a folder that may only be read, nothing is.
- A file is noted once it has been left alone for a moment: clocks of file systems tick slowly, and a second change
  within a tick would leave no trace.
- A folder of few files has none: they are read as quickly.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mibench.core.errors import StoreWriteError
from mibench.core.files import FILE, kind_of
from mibench.store.copies import CHOICE, Stacked, stack
from mibench.store.parquet import encode, schema, write_bytes
from mibench.store.paths import FileMark, marks
from mibench.store.reading import read_files

NAME = ".index.parquet"
"""The index of a results folder; the dot keeps it from those who look for tables."""

FEWEST = 50
"""Files of runs from which on a folder has an index."""

_COMPONENTS = ("task", "estimator", "critic", "negatives")
INDEXED = (*CHOICE, "stair", *_COMPONENTS, *(f"{name}_version" for name in _COMPONENTS), "batch")
"""Columns of runs that it holds: what a plan compares, and what a listing counts."""

_FORMAT = b"1"
"""Version of its layout; one of another version is made anew."""

_SETTLED = 2_000_000_000
"""Nanoseconds that a file must have been left alone for; FAT's clock is the slowest, at two seconds."""


def known_runs(folder: str | Path, columns: Sequence[str]) -> Stacked:
    """Return the rows of all files of runs, in some of the columns `INDEXED`.

    Raises
    ------
    FileNotFoundError
        Where a file vanished on the way; see `mibench.store.folders.stable`.
    StoreError
        Where a file cannot be read.
    """
    folder = Path(folder)
    found = marks(folder, "runs")
    if len(found) < FEWEST:
        return stack(read_files(folder, "runs", found, columns))
    entries = _load(folder, columns)
    if entries is None or _marks_of(entries) != found:
        entries = _renewed(folder, found)
    return _stacked(entries, columns)


def remove_index(folder: str | Path) -> None:
    """Remove a folder's index, where there is one that can be."""
    with contextlib.suppress(OSError):
        (Path(folder) / NAME).unlink(missing_ok=True)


@functools.cache
def _schema() -> pa.Schema:
    """One row a file, with its name, size, time, and a list of the values of each column."""
    fields = [field for field in schema("runs") if field.name in INDEXED]
    lists = [pa.field(field.name, pa.list_(pa.field("element", field.type))) for field in fields]  # as Parquet names it
    keys = [pa.field("stem", pa.binary()), pa.field("size", pa.int64()), pa.field("mtime_ns", pa.int64())]
    return pa.schema([*keys, *lists], metadata={b"mibench_index": _FORMAT})


def _load(folder: Path, columns: Sequence[str]) -> pa.Table | None:
    """Read the index; None where it is of no use."""
    path = folder / NAME
    try:
        if kind_of(path) != FILE:
            return None
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if not file.schema_arrow.equals(_schema(), check_metadata=True):
                return None
            return file.read(columns=["stem", "size", "mtime_ns", *columns]).combine_chunks()
    except (OSError, pa.ArrowException):
        return None


def _marks_of(entries: pa.Table) -> dict[str, FileMark | None]:
    """Return what is noted of the files, by stem, in the order of the entries."""
    names = map(os.fsdecode, entries["stem"].to_pylist())
    noted = map(FileMark, entries["size"].to_pylist(), entries["mtime_ns"].to_pylist())
    return dict(zip(names, noted, strict=True))


def _renewed(folder: Path, found: Mapping[str, FileMark | None]) -> pa.Table:
    """Read the files that disagree, note them beside the others, and return what is known of all, sorted by stem."""
    now = time.time_ns()
    noted = _load(folder, INDEXED)
    if noted is None:
        noted = _schema().empty_table()
    before = _marks_of(noted)
    agrees = [mark is not None and found.get(stem) == mark for stem, mark in before.items()]
    known = {stem for stem, same in zip(before, agrees, strict=True) if same}
    tables = read_files(folder, "runs", [stem for stem in found if stem not in known], INDEXED)
    entries = pa.concat_tables([noted.filter(pa.array(agrees, pa.bool_())), _entries(tables, found)])
    names = [os.fsdecode(stem) for stem in entries["stem"].to_pylist()]
    entries = entries.take(pa.array(sorted(range(len(names)), key=names.__getitem__), pa.int64())).combine_chunks()
    settled = [abs(now - time_ns) > _SETTLED for time_ns in entries["mtime_ns"].to_pylist()]
    lasting = entries.filter(pa.array(settled, pa.bool_()))
    if _marks_of(lasting) != before:
        with contextlib.suppress(StoreWriteError):  # it would have saved time, no more
            write_bytes(folder / NAME, encode(lasting, checksums=True))
    return entries


def _entries(tables: Mapping[str, pa.Table], found: Mapping[str, FileMark | None]) -> pa.Table:
    """Turn files that were read into rows of the index."""
    stacked = stack(tables)
    if not stacked.stems:
        return _schema().empty_table()
    ends = np.append(0, np.cumsum([len(tables[stem]) for stem in stacked.stems])).astype(np.int32)
    # Of a file that was gone when it was looked at, and is there now, nothing is known to compare with.
    sizes, times = zip(*(found[stem] or FileMark(-1, -1) for stem in stacked.stems), strict=True)
    arrays = [pa.array(map(os.fsencode, stacked.stems), pa.binary()), pa.array(sizes), pa.array(times)]
    for field in _schema():
        if field.name in INDEXED:
            values = stacked.rows[field.name].combine_chunks()
            arrays.append(pa.ListArray.from_arrays(pa.array(ends), values).cast(field.type))
    return pa.table(arrays, schema=_schema())


def _stacked(entries: pa.Table, columns: Sequence[str]) -> Stacked:
    """Turn the index's rows into those of the files."""
    lists = {name: entries[name].combine_chunks() for name in columns}
    lengths = lists[columns[0]].value_lengths().to_numpy(zero_copy_only=False)
    rows = pa.table({name: values.flatten() for name, values in lists.items()})
    stems = [os.fsdecode(stem) for stem in entries["stem"].to_pylist()]
    return Stacked(stems, np.repeat(np.arange(len(stems)), lengths), rows)
