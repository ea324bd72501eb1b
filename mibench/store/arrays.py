"""Arrow arrays of plain values, equal to what ``pyarrow.array`` makes of them.

Notable: ``pyarrow.array`` imports pandas, whatever it is given, to tell whether that is of pandas. A worker's child,
which stores one pack and ends, would take longer for that than for training a short one. So buffers are filled here,
and ``pyarrow.array`` is asked only where a value is not plain.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

_EXACT = 2**53
"""Whole numbers up to here are exact as float64."""

_LARGEST_STRINGS = 2**31 - 1
"""Bytes of text that one Arrow array can hold."""

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


def array_of(values: np.ndarray) -> pa.Array:
    """Return a numpy array (P,) as an Arrow array of its type; float64 and int64 without a copy. NaN stays NaN."""
    kind = {np.dtype(np.float64): pa.float64(), np.dtype(np.int64): pa.int64()}.get(values.dtype)
    if kind is None or values.ndim != 1:
        return pa.array(values)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def array_from(values: Sequence[Any], wanted: pa.DataType) -> pa.Array:
    """Return values as an Arrow array of a type, None as null; raises what ``pyarrow.array`` raises."""
    plain, fill = _FILLS.get(wanted, (_never, _fill_strings))
    if not all(value is None or plain(value) for value in values):
        return pa.array(values, wanted)
    if all(value is None for value in values):
        return pa.nulls(len(values), wanted)
    buffers = fill(values)
    if buffers is None:
        return pa.array(values, wanted)
    valid = np.array([value is not None for value in values])
    bitmap = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(wanted, len(values), [bitmap, *map(pa.py_buffer, buffers)])


def _fill_strings(values: Sequence[str | None]) -> list[Any] | None:
    """Offsets and bytes of texts; None where they are too long for one array."""
    texts = [(value or "").encode() for value in values]
    offsets = np.cumsum([0, *map(len, texts)])
    return [offsets.astype(np.int32), b"".join(texts)] if offsets[-1] <= _LARGEST_STRINGS else None


def _fill_floats(values: Sequence[float | None]) -> list[Any]:
    return [np.array([math.nan if value is None else value for value in values], np.float64)]


def _fill_integers(values: Sequence[int | None]) -> list[Any]:
    return [np.array([value or 0 for value in values], np.int64)]


def _fill_times(values: Sequence[datetime.datetime | None]) -> list[Any]:
    return _fill_integers([None if value is None else (value - _EPOCH) // _MICROSECOND for value in values])


def _never(value: object) -> bool:
    return False


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, float) or (type(value) is int and abs(value) <= _EXACT)


def _is_integer(value: object) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


def _is_time(value: object) -> bool:
    return type(value) is datetime.datetime and value.tzinfo is datetime.UTC


_Fill = Callable[[Sequence[Any]], list[Any] | None]

_FILLS: dict[pa.DataType, tuple[Callable[[object], bool], _Fill]] = {
    pa.string(): (_is_text, _fill_strings),
    pa.float64(): (_is_number, _fill_floats),
    pa.int64(): (_is_integer, _fill_integers),
    pa.timestamp("us", tz="UTC"): (_is_time, _fill_times),
}
"""Of a type, whether a value is a plain one, and the buffers behind the bitmap of what is null."""
