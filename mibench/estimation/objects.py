"""Objects in memory as sources: NumPy arrays, torch tensors, pandas and Arrow tables, and lists.

Notable: nothing is imported to recognise an object of another package. Tensors are known by ``detach``; polars, Arrow
and DuckDB by the Arrow C stream that their tables and columns export; what is left by ``__array__``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mibench.core.errors import UsageError, shown
from mibench.estimation.sources import Raw, Source

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_GIVE = "give an array, a table, or the name of a file"


def source_of(value: Any, label: str) -> Source:
    """Return the columns of an object; one-dimensional ones are one column.

    Raises
    ------
    UsageError
        For what is no array or table, and for arrays of more than two dimensions.
    """
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        return _of_frame(value, label)
    if isinstance(value, pd.Series):
        return _of_series(value, label)
    if isinstance(value, pd.Index | pd.api.extensions.ExtensionArray):
        return _of_series(pd.Series(value), label)
    if isinstance(value, Mapping):
        return _of_mapping(value, label)
    if hasattr(value, "__arrow_c_stream__"):
        return _of_stream(value, label)
    if isinstance(value, list | tuple):
        return _of_list(value, label)
    return of_array(_as_array(value, label), label)


def of_array(array: NDArray[Any], label: str, name: str = "") -> Source:
    """Return the columns of an array (n,) or (n, d), or the fields of a structured one.

    Parameters
    ----------
    name
        What its columns are called; by default numbers from 0, and one column like the source.

    Raises
    ------
    UsageError
        For arrays of more than two dimensions or none.
    """
    if array.dtype.names is not None:
        return _of_fields(array, label)
    if array.ndim not in (1, 2):
        dimensions = f"{array.ndim} dimensions" if array.ndim else "no dimension"
        raise UsageError(f"{label} has {dimensions}, shape {array.shape}; give one row a pair: (n,) or (n, columns)")
    table = array[:, None] if array.ndim == 1 else array
    count = table.shape[1]
    if not count:
        raise UsageError(f"{label} has no columns, shape {array.shape}; {_GIVE}")
    names = tuple(f"{name}[{number}]" if name and count > 1 else name or str(number) for number in range(count))
    return Source(
        label,
        names,
        lambda positions: [[Raw(names[at], _series(table[:, at]))] for at in positions],
        named=bool(name),
    )


def of_arrow(table: pa.Table, label: str) -> Source:
    """Return the columns of an Arrow table."""
    names = tuple(table.column_names)
    return Source(
        label,
        names,
        lambda positions: [[Raw(names[at], arrow_series(table.column(at)))] for at in positions],
        named=True,
    )


def arrow_series(column: pa.ChunkedArray) -> pd.Series[Any]:
    """Return an Arrow column as pandas has it: decimals as floats, dates as such, dictionaries as categories."""
    import pyarrow as pa

    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    series: pd.Series[Any] = column.to_pandas(date_as_object=False)
    return series


def _of_frame(frame: pd.DataFrame, label: str) -> Source:
    if not frame.shape[1]:
        raise UsageError(f"{label} is a table without columns; {_GIVE}")
    names = tuple(str(name) for name in frame.columns)
    return Source(
        label,
        names,
        lambda positions: [[Raw(names[at], frame.iloc[:, at])] for at in positions],
        named=not all(isinstance(name, int | np.integer) for name in frame.columns),
        index=frame.index,
    )


def _of_series(series: pd.Series[Any], label: str) -> Source:
    name = "0" if series.name is None else str(series.name)
    return Source(
        label,
        (name,),
        lambda positions: [[Raw(name, series)] for _ in positions],
        named=series.name is not None,
        index=series.index,
    )


def _of_mapping(columns: Mapping[Any, Any], label: str) -> Source:
    import pandas as pd

    try:
        frame = pd.DataFrame(dict(columns))
    except (ValueError, TypeError) as error:
        raise UsageError(f"{label} is no table of columns of one length ({_first_line(error)}); {_GIVE}") from error
    return _of_frame(frame, label)


def _of_stream(value: Any, label: str) -> Source:
    import pyarrow as pa

    try:
        if _exports_table(value):
            return of_arrow(pa.table(value), label)
        series = arrow_series(pa.chunked_array(value))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise UsageError(f"{label} cannot be read as an Arrow table ({_first_line(error)}); {_GIVE}") from error
    name = getattr(value, "name", None)
    return _of_series(series.rename(name if isinstance(name, str) and name else None), label)


def _exports_table(value: Any) -> bool:
    """Whether an exporter of a stream is a table: only tables have names of columns."""
    return hasattr(value, "columns") or hasattr(value, "column_names") or hasattr(value, "schema")


def _of_list(rows: Sequence[Any], label: str) -> Source:
    """Read a list of numbers or texts, or of rows of one length."""
    import pandas as pd

    if not rows:
        raise UsageError(f"{label} is empty; {_GIVE}")
    nested = [isinstance(row, list | tuple) or getattr(row, "ndim", 0) > 0 for row in rows]
    if not any(nested):
        values = [row.item() if hasattr(row, "detach") else row for row in rows]
        return _of_series(pd.Series(values), label)
    lengths = {len(row) if is_row else -1 for row, is_row in zip(rows, nested, strict=True)}
    if len(lengths) > 1:
        raise UsageError(f"the rows of {label} differ in length; give each the same columns")
    if hasattr(rows[0], "ndim"):
        return of_array(np.stack([_as_array(row, label) for row in rows]), label)
    if lengths == {0}:
        raise UsageError(f"{label} has rows without columns; {_GIVE}")
    return _of_frame(pd.DataFrame(list(rows)), label)


def _of_fields(array: NDArray[Any], label: str) -> Source:
    """Read a structured array: its fields are columns."""
    names = tuple(array.dtype.names or ())
    flat = array.reshape(-1) if array.ndim != 1 else array
    return Source(
        label, names, lambda positions: [[Raw(names[at], _series(flat[names[at]]))] for at in positions], named=True
    )


def _as_array(value: Any, label: str) -> NDArray[Any]:
    """Return a tensor, or anything that NumPy reads, as an array; masked numbers are missing."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        try:
            return np.asarray(value.numpy())
        except TypeError:  # bfloat16, which NumPy lacks
            return np.asarray(value.double().numpy())
    if isinstance(value, np.ma.MaskedArray):
        if not np.issubdtype(value.dtype, np.number):
            raise UsageError(f"{label} is a masked array of {value.dtype}; give a pandas column with missing values")
        return np.asarray(np.ma.filled(value.astype(float), np.nan))
    if hasattr(value, "toarray"):
        raise UsageError(f"{label} is a sparse matrix; give its toarray()")
    if not hasattr(value, "__array__"):
        raise UsageError(f"{label} is {shown(value, repr)}, no array or table; {_GIVE}")
    return np.asarray(value)


def _series(column: NDArray[Any]) -> pd.Series[Any]:
    """Return a column of an array for pandas, in this machine's order of bytes."""
    import pandas as pd

    if column.ndim > 1:
        return pd.Series(list(column))
    if column.dtype.kind == "S":
        column = np.char.decode(column, "utf-8", "replace")
    return pd.Series(column.astype(column.dtype.newbyteorder("="), copy=False), copy=False)


def _first_line(error: BaseException) -> str:
    return shown(str(error).partition("\n")[0])
