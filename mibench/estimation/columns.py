"""Columns as numbers or labels: what each type of pandas means, and what is refused.

Notable: nothing is guessed from few cells. A text among numbers is refused, not left out, since a column that was read
as text by one misprint would turn from numbers into labels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mibench.core.errors import UsageError, shown
from mibench.estimation.sources import Raw

if TYPE_CHECKING:
    import pandas as pd

_LARGEST_EXACT = 2**53  # up to which every whole number is a float of its own
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([T ].*)?|\d\d?[./]\d\d?[./]\d{2,4}")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_DATES = ("datetime", "datetime64", "date", "time", "timedelta", "timedelta64", "period")
_NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal", "empty")


@dataclass(frozen=True)
class Column:
    """A column of numbers, or of labels.

    Parameters
    ----------
    name
        As messages call it.
    values
        Shape (n,): float64 numbers, NaN where one is missing; or int64 codes of labels, -1 where one is missing.
    labels
        The label of each code, sorted; None of numbers.
    truths
        Whether the labels are False and True.
    """

    name: str
    values: NDArray[Any]
    labels: tuple[str, ...] | None = None
    truths: bool = False

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where there is no value, (n,)."""
        return np.asarray(np.isnan(self.values) if self.labels is None else self.values < 0)

    @property
    def infinite(self) -> NDArray[np.bool_]:
        """Where a number is infinite, (n,)."""
        return np.isinf(self.values) if self.labels is None else np.zeros(len(self.values), bool)

    def constant(self) -> bool:
        """Whether all values are one; none may be missing."""
        return bool(self.values.min() == self.values.max())

    def whole(self) -> bool:
        """Whether all values are whole numbers; none may be missing."""
        return self.labels is None and bool((self.values == np.rint(self.values)).all())

    def rows(self, kept: NDArray[np.bool_]) -> Column:
        """Return the column at some rows; a label that is on none of them is forgotten."""
        values = self.values if kept.all() else self.values[kept]
        if self.labels is None:
            return Column(self.name, values)
        codes, places = np.unique(values, return_inverse=True)
        labels = tuple(self.labels[code] if code >= 0 else "" for code in codes)
        return Column(self.name, places.astype(np.int64), labels, self.truths)

    def as_label(self) -> Column:
        """Return numbers as labels, one for each number; labels as they are."""
        if self.labels is not None:
            return self
        numbers, codes = np.unique(self.values, return_inverse=True)
        return Column(self.name, codes.astype(np.int64), tuple(f"{number:.17g}" for number in numbers))


def read_column(raw: Raw, where: str) -> Column:
    """Tell what a column holds, and read it.

    Numbers of every type, decimals included, are numbers; texts, bytes, categories, intervals, true and false are
    labels.

    Parameters
    ----------
    where
        What messages call the side: ``"x"``.

    Raises
    ------
    UsageError
        For complex numbers, dates, nested objects, texts among numbers, and whole numbers that floats merge.
    """
    import pandas as pd

    name, values = raw.name, raw.values
    label = f"column '{shown(name)}' of {where}"
    types = pd.api.types
    if isinstance(values.dtype, pd.SparseDtype):
        values = values.astype(values.dtype.subtype)
    dtype = values.dtype
    if types.is_complex_dtype(dtype):
        raise UsageError(f"{label} holds complex numbers; give their real and imaginary parts as two columns")
    if types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        raise _date_error(label)
    if types.is_bool_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype):
        return _truths(name, values)
    if types.is_numeric_dtype(dtype):
        return Column(name, _numbers(values, label))
    if isinstance(dtype, pd.CategoricalDtype | pd.IntervalDtype):
        return _labelled(name, values)
    return _of_objects(name, values, label)


def _of_objects(name: str, values: pd.Series[Any], label: str) -> Column:
    """Read a column of texts, or of Python objects."""
    import pandas as pd

    content = pd.api.types.infer_dtype(values.dropna(), skipna=False)
    if content in _NUMBERS:
        return Column(name, _numbers(values, label))
    if content == "boolean":
        return _truths(name, values)
    if content == "complex":
        raise UsageError(f"{label} holds complex numbers; give their real and imaginary parts as two columns")
    if content in _DATES:
        raise _date_error(label)
    if content == "bytes":
        values = values.map(lambda cell: cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell)
    elif content not in ("string", "interval"):
        raise _mixed_error(values, label)
    _refuse_odd_text(values, label)
    return _labelled(name, values)


def _numbers(values: pd.Series[Any], label: str) -> NDArray[np.float64]:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    if values.dtype.kind in "iu" and len(numbers) and np.abs(numbers).max() > _LARGEST_EXACT:
        raise UsageError(
            f"{label} holds whole numbers beyond 2^53, of which floats merge some; give labels as text, or smaller "
            "numbers"
        )
    return np.ascontiguousarray(numbers)


def _truths(name: str, values: pd.Series[Any]) -> Column:
    missing = values.isna().to_numpy()
    codes = np.where(missing, -1, values.to_numpy(dtype=object, na_value=False).astype(np.int64))
    return Column(name, codes, ("False", "True"), truths=True)


def _labelled(name: str, values: pd.Series[Any]) -> Column:
    """Give every text a code, in the order of the texts."""
    import pandas as pd

    texts = values.astype(object).map(str, na_action="ignore")
    codes, labels = pd.factorize(texts, sort=True)
    return Column(name, codes.astype(np.int64), tuple(labels))


def _refuse_odd_text(values: pd.Series[Any], label: str) -> None:
    """Refuse texts of which half or more are numbers, numbers with a decimal comma, and dates."""
    import pandas as pd

    texts = values.dropna().astype(object)
    numeric = pd.to_numeric(texts, errors="coerce").notna()
    if not numeric.all() and 2 * int(numeric.sum()) >= len(texts):
        odd = texts[~numeric].iloc[0]
        raise UsageError(
            f"{label} holds text ('{shown(odd)}') where {int(numeric.sum()):,} of {len(texts):,} values are numbers; "
            "correct it, or leave the cell empty"
        )
    first = str(texts.iloc[0]).strip() if len(texts) else ""
    if _DATE.fullmatch(first):
        raise _date_error(label)
    if _DECIMAL_COMMA.fullmatch(first):
        raise UsageError(f"{label} holds numbers with a decimal comma ('{shown(first)}'); write them with a point")


def _date_error(label: str) -> UsageError:
    return UsageError(f"{label} holds dates or times; give them as numbers, as days since the first")


def _mixed_error(values: pd.Series[Any], label: str) -> UsageError:
    present = values.dropna()
    texts = [cell for cell in present if isinstance(cell, str)]
    if texts and len(texts) < len(present):
        return UsageError(f"{label} holds text ('{shown(texts[0])}') among other values; give one or the other")
    kinds = sorted({type(cell).__name__ for cell in present})
    return UsageError(
        f"{label} holds objects ({', '.join(kinds[:3])}), neither numbers nor labels; give a column each for what is "
        "in them"
    )
