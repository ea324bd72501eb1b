"""What is known of every file of runs, in small Parquets beside the tables: who plans, lists or ranks opens no other.

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
import dataclasses
import functools
import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mibench.core.errors import StoreWriteError
from mibench.core.files import FILE, kind_of
from mibench.store.columns import LISTED, RANKED, RUNS
from mibench.store.copies import CHOICE, Stacked, stack
from mibench.store.parquet import encode, schema, write_bytes
from mibench.store.paths import FileMark, marks
from mibench.store.reading import read_files


@dataclasses.dataclass(frozen=True)
class Index:
    """One of a folder's indices: a file whose name begins with a dot, which keeps it from those who look for tables.

    Parameters
    ----------
    name
        Of the file.
    columns
        Of runs, in the order of the schema.
    """

    name: str
    columns: tuple[str, ...]


def _index(name: str, columns: Collection[str]) -> Index:
    return Index(name, tuple(column.name for column in RUNS if column.name in {*columns, *CHOICE}))


INDICES = (_index(".index.parquet", LISTED), _index(".index-boards.parquet", {*LISTED, *RANKED}))
"""What a plan and a listing read, and what boards read; the small one first."""

FEWEST = 50
"""Files of runs from which on a folder has an index."""

_KEYS = ("stem", "size", "mtime_ns")
"""What tells a file, and that it is still the same."""

_FORMAT = b"1"
"""Version of its layout; one of another version is made anew."""

_SETTLED = 2_000_000_000
"""Nanoseconds that a file must have been left alone for; FAT's clock is the slowest, at two seconds."""


def index_of(columns: Collection[str]) -> Index | None:
    """Return the smallest index that has some columns of runs; None where none has."""
    return next((index for index in INDICES if set(columns) <= set(index.columns)), None)


def known_runs(folder: str | Path, columns: Sequence[str]) -> Stacked:
    """Return the rows of all files of runs, in some of the columns that an index has.

    Raises
    ------
    KeyError
        Where none has them all; see `index_of`.
    FileNotFoundError
        Where a file vanished on the way; see `mibench.store.folders.stable`.
    StoreError
        Where a file cannot be read.
    """
    if (index := index_of(columns)) is None:
        raise KeyError(f"no index has all of the columns {', '.join(columns)}")
    folder = Path(folder)
    found = marks(folder, "runs")
    if len(found) < FEWEST:
        return stack(read_files(folder, "runs", found, columns))
    entries = _load(folder, index, columns)
    if entries is None or _marks_of(entries) != found:
        entries = _renewed(folder, index, found)
    return _stacked(entries, columns)


def remove_indices(folder: str | Path) -> None:
    """Remove a folder's indices, where there are any that can be."""
    for index in INDICES:
        with contextlib.suppress(OSError):
            (Path(folder) / index.name).unlink(missing_ok=True)


@functools.cache
def _schema(index: Index) -> pa.Schema:
    """One row a file, with its name, size, time, and a list of the values of each column."""
    fields = [field for field in schema("runs") if field.name in index.columns]
    lists = [pa.field(field.name, pa.list_(pa.field("element", field.type))) for field in fields]  # as Parquet names it
    keys = zip(_KEYS, (pa.binary(), pa.int64(), pa.int64()), strict=True)  # a name may be no valid Unicode
    return pa.schema([*keys, *lists], metadata={b"mibench_index": _FORMAT})


def _load(folder: Path, index: Index, columns: Sequence[str]) -> pa.Table | None:
    """Read the index; None where it is of no use."""
    path = folder / index.name
    try:
        if kind_of(path) != FILE:
            return None
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if not file.schema_arrow.equals(_schema(index), check_metadata=True):
                return None
            names = [*_KEYS, *columns]
            entries = file.read(columns=names).select(names).combine_chunks()
    except Exception:  # whatever Arrow makes of a file that is damaged: one that can be read is to be had
        return None
    lengths = [pc.list_value_length(entries[name]) for name in columns]
    return entries if all(length.equals(lengths[0]) for length in lengths) else None


def _marks_of(entries: pa.Table) -> dict[str, FileMark | None]:
    """Return what is noted of the files, by stem, in the order of the entries."""
    stems, sizes, times = (entries[name].to_pylist() for name in _KEYS)
    return dict(zip(map(os.fsdecode, stems), map(FileMark, sizes, times), strict=True))


def _renewed(folder: Path, index: Index, found: Mapping[str, FileMark | None]) -> pa.Table:
    """Read the files that disagree, note them beside the others, and return what is known of all, sorted by stem."""
    now = time.time_ns()
    noted = _load(folder, index, index.columns)
    if noted is None:
        noted = _schema(index).empty_table()
    before = _marks_of(noted)
    agrees = [mark is not None and found.get(stem) == mark for stem, mark in before.items()]
    known = {stem for stem, same in zip(before, agrees, strict=True) if same}
    tables = read_files(folder, "runs", [stem for stem in found if stem not in known], index.columns)
    entries = pa.concat_tables([noted.filter(pa.array(agrees, pa.bool_())), _entries(index, tables, found)])
    names = [os.fsdecode(stem) for stem in entries["stem"].to_pylist()]
    entries = entries.take(pa.array(sorted(range(len(names)), key=names.__getitem__), pa.int64())).combine_chunks()
    settled = [abs(now - time_ns) > _SETTLED for time_ns in entries["mtime_ns"].to_pylist()]
    lasting = entries.filter(pa.array(settled, pa.bool_()))
    if _marks_of(lasting) != before:
        with contextlib.suppress(StoreWriteError):  # it would have saved time, no more
            write_bytes(folder / index.name, encode(lasting, checksums=True))
    return entries


def _entries(index: Index, tables: Mapping[str, pa.Table], found: Mapping[str, FileMark | None]) -> pa.Table:
    """Turn files that were read into rows of the index."""
    stacked = stack(tables)
    if not stacked.stems:
        return _schema(index).empty_table()
    ends = np.append(0, np.cumsum([len(tables[stem]) for stem in stacked.stems])).astype(np.int32)
    # Of a file that was gone when it was looked at, and is there now, nothing is known to compare with.
    sizes, times = zip(*(found[stem] or FileMark(-1, -1) for stem in stacked.stems), strict=True)
    arrays = [pa.array(map(os.fsencode, stacked.stems), pa.binary()), pa.array(sizes), pa.array(times)]
    for field in _schema(index):
        if field.name in index.columns:
            values = stacked.rows[field.name].combine_chunks()
            arrays.append(pa.ListArray.from_arrays(pa.array(ends), values).cast(field.type))
    return pa.table(arrays, schema=_schema(index))


def _stacked(entries: pa.Table, columns: Sequence[str]) -> Stacked:
    """Turn the index's rows into those of the files."""
    lists = {name: entries[name].combine_chunks() for name in columns}
    lengths = lists[columns[0]].value_lengths().to_numpy(zero_copy_only=False)
    rows = pa.table({name: values.flatten() for name, values in lists.items()})
    stems = [os.fsdecode(stem) for stem in entries["stem"].to_pylist()]
    return Stacked(stems, np.repeat(np.arange(len(stems)), lengths), rows)
