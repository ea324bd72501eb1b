"""Files as sources: ``.npy``, ``.npz``, CSV and TSV, Parquet, and Arrow or Feather.

Notable: a file's suffix says what it is. The names of its columns are read first, and then only the columns that were
chosen. Text is read by pyarrow, which refuses rows of another length and infers a column's type from all of it.
"""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mibench.core.errors import UsageError, shown
from mibench.core.files import FILE, kind_of
from mibench.core.numbers import as_float
from mibench.estimation.objects import arrow_series, of_array
from mibench.estimation.sources import Raw, Source

if TYPE_CHECKING:
    import pyarrow as pa

_T = TypeVar("_T")

Reader = Callable[[Path, str, bool | None], Source]
"""Reads a file, what it is called in messages, and whether it has a header."""

_LARGEST_BLOCK = 2**31 - 1  # bytes of which pyarrow infers a column's type at once
_TRUTHS = ("true", "false")
_MISSING = ("na", "n/a", "nan", "null", "none", "#n/a")
_INDEX = re.compile(r"__index_level_\d+__")  # how pandas stores an index in Parquet and Feather


def open_file(path: Path, header: bool | None = None) -> Source:
    """Return the columns of a file.

    Parameters
    ----------
    header
        Whether the first line of a CSV or TSV file names its columns; None takes it for names where no cell of it is a
        number, true or false, or missing.

    Raises
    ------
    UsageError
        For a path that leads to no file, a suffix that is not known, and a file that cannot be read.
    """
    reader, label = check_file(path, header), f"file '{path}'"
    return _guarded(label, partial(reader, path, label, header))


def check_file(path: Path, header: bool | None = None) -> Reader:
    """Look at a file without opening it, and return what reads its format.

    Raises
    ------
    UsageError
        As `open_file`, but for what only shows when the file is read.
    """
    label = f"file '{path}'"
    try:
        kind = kind_of(path)
    except OSError as error:
        raise UsageError(f"file '{shown(path)}' cannot be looked up ({error.strerror}); name another") from error
    if not kind:
        raise UsageError(f"there is no {label}; name one that is there")
    if kind != FILE:
        raise UsageError(f"'{path}' is {kind}; name a file")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{label} has a suffix that says nothing of its format; use one of {', '.join(_READERS)}")
    if not path.stat().st_size:
        raise UsageError(f"{label} is empty; name another")
    if header is not None and path.suffix.lower() not in _DELIMITERS:
        raise UsageError(f"{label} is no CSV or TSV file, whose header could be stated; leave the option out")
    return reader


def _guarded(label: str, read: Callable[[], _T]) -> _T:
    """Read, and turn what the libraries raise at a damaged file into one sentence."""
    import pyarrow as pa

    try:
        return read()
    except UnicodeDecodeError as error:
        raise UsageError(f"{label} is not in UTF-8; save it in that encoding") from error
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, csv.Error, pa.ArrowException) as error:
        if any(word in str(error) for word in ("pickle", "Python objects")):
            raise UsageError(f"{label} holds Python objects, which are not read; save numbers or text") from error
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0] or "it ends too early"
        raise UsageError(f"{label} cannot be read ({_cut(reason)}); save it again") from error


def _cut(reason: str) -> str:
    return reason if len(reason) <= 90 else f"{reason[:90]}..."


def _npy(path: Path, label: str, header: bool | None) -> Source:
    with path.open("rb") as file:
        if not file.read(6).startswith(b"\x93NUMPY"):
            raise UsageError(f"{label} is no .npy file, whatever its suffix; save it again by numpy.save")
    return of_array(np.load(path, mmap_mode="r", allow_pickle=False), label)


def _npz(path: Path, label: str, header: bool | None) -> Source:
    def load(positions: Sequence[int]) -> list[list[Raw]]:
        return _guarded(label, lambda: [_columns(names[at]) for at in positions])

    def _columns(key: str) -> list[Raw]:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            source = of_array(arrays[key], f"array '{shown(key)}' of {label}", key)
        return [raw for found in source.load(range(len(source.names))) for raw in found]

    if not zipfile.is_zipfile(path):
        raise UsageError(f"{label} is no whole .npz file; save it again by numpy.savez")
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        names = tuple(archive.files)
    if not names:
        raise UsageError(f"{label} holds no array; name another")
    return Source(label, names, load, named=True)


def _parquet(path: Path, label: str, header: bool | None) -> Source:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    return _of_schema(file.schema_arrow.names, label, lambda names: pq.read_table(path, columns=list(names)))


def _arrow(path: Path, label: str, header: bool | None) -> Source:
    import pyarrow as pa

    def read(names: Sequence[str]) -> pa.Table:
        with pa.memory_map(str(path)) as memory:
            try:
                table = pa.ipc.open_file(memory).read_all()
            except pa.ArrowInvalid:  # a stream has no footer
                memory.seek(0)
                table = pa.ipc.open_stream(memory).read_all()
        return table.select(list(names)) if names else table

    return _of_schema(read(()).column_names, label, read)


def _of_schema(columns: Sequence[str], label: str, read: Callable[[Sequence[str]], pa.Table]) -> Source:
    """Return the columns of an Arrow schema, the index that pandas stores beside them left out."""
    names = tuple(name for name in columns if not _INDEX.fullmatch(name))
    if not names:
        raise UsageError(f"{label} has no columns; name another")
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"{label} has two columns named '{shown(twice[0])}'; rename one")

    def load(positions: Sequence[int]) -> list[list[Raw]]:
        table = _guarded(label, lambda: read([names[at] for at in positions]))
        return [[Raw(names[at], arrow_series(table.column(names[at])))] for at in positions]

    return Source(label, names, load, named=True)


def _text(path: Path, label: str, header: bool | None) -> Source:
    import pyarrow as pa

    delimiter = _DELIMITERS[path.suffix.lower()] or _delimiter(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        first = next((record for record in reader if record), None)
        lines = reader.line_num
    if first is None:
        raise UsageError(f"{label} is empty; name another")
    has_names = _names_columns(first) if header is None else header
    names = tuple(cell.strip() for cell in first) if has_names else tuple(str(at) for at in range(len(first)))

    def load(positions: Sequence[int]) -> list[list[Raw]]:
        skipped = lines if has_names else 0
        table = _guarded(label, lambda: _read_text(path, delimiter, skipped, len(names), positions))
        if any(pa.types.is_binary(field.type) for field in table.schema):  # what pyarrow makes of other encodings
            raise UsageError(f"{label} is not in UTF-8; save it in that encoding")
        return [[Raw(names[at], arrow_series(table.column(str(at))))] for at in positions]

    return Source(label, names, load, named=has_names)


def _read_text(path: Path, delimiter: str, skipped: int, width: int, positions: Sequence[int]) -> pa.Table:
    from pyarrow import csv as text

    size = path.stat().st_size
    return text.read_csv(
        path,
        text.ReadOptions(
            # A whole file is one block, since a column's type is inferred from the first block alone.
            block_size=min(size + 1, _LARGEST_BLOCK),
            skip_rows=skipped,
            column_names=[str(at) for at in range(width)],
        ),
        text.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        text.ConvertOptions(include_columns=[str(at) for at in sorted(set(positions))], strings_can_be_null=True),
    )


def _delimiter(path: Path) -> str:
    """Return what divides the cells of a first line: the comma, or what divides it into more."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        line = next((line for line in file if line.strip()), "")
    return max(",;\t", key=lambda sign: len(next(csv.reader([line], delimiter=sign), [])))


def _names_columns(cells: Sequence[str]) -> bool:
    words = [cell.strip() for cell in cells]
    return any(words) and not any(_is_value(word) for word in words)


def _is_value(word: str) -> bool:
    """Whether a cell is a number, true or false, or a word for a missing one."""
    return word.lower() in (*_TRUTHS, *_MISSING) or not np.isnan(as_float(word))


_DELIMITERS: Mapping[str, str] = {".csv": "", ".tsv": "\t"}
"""What divides the cells of a text file, by suffix; empty where its first line tells."""

_READERS: Mapping[str, Reader] = {
    ".npy": _npy,
    ".npz": _npz,
    ".csv": _text,
    ".tsv": _text,
    ".parquet": _parquet,
    ".pq": _parquet,
    ".arrow": _arrow,
    ".feather": _arrow,
    ".ipc": _arrow,
}
