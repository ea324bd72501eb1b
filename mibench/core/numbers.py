"""From what a user wrote to a number: every reader of text and numbers that stand for one.

Notable: text is a number in the digits 0 to 9 alone, not in every script that Python reads, nor with underscores
(``1_0``). Whole numbers end at what a column of the store can hold. What is larger, or has more digits than Python
converts, is refused like anything else that does not fit: in one sentence.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

from mibench.core.errors import UsageError, shown

LARGEST_WHOLE = 2**63 - 1
"""The largest whole number that is read."""

LARGEST_PARAMETER = 2**53
"""The largest whole number that a component's parameter takes: up to it each is a float too, as which reports read
parameters out of JSON."""


def as_float(value: Any) -> float:
    """Return text or a number as a float; NaN for what is no number."""
    try:
        return math.nan if isinstance(value, bool) or _is_foreign(value) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def as_integer(value: object) -> int | None:
    """Return an integer of Python or NumPy as Python's; None for anything else, text and ``2.0`` included."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        return None
    return int(value)


def as_whole(value: Any) -> int | None:
    """Return text or a number as a whole number: ``512``, ``"512"``, ``1e4``; None for anything else."""
    number = _as_int(value)
    if number is None and as_float(value).is_integer():  # 1e4 is a whole number too
        number = int(as_float(value))
    return number if number is not None and abs(number) <= LARGEST_WHOLE else None


def _as_int(value: Any) -> int | None:
    """Read digits as they are: by way of float, large seeds would be rounded."""
    if isinstance(value, bool) or not isinstance(value, str | numbers.Integral) or _is_foreign(value):
        return None
    try:
        return int(value)
    except ValueError:  # no digits, or more of them than Python converts
        return None


def _is_foreign(value: Any) -> bool:
    """Whether Python would read a number that nobody writes on purpose."""
    return isinstance(value, str) and ("_" in value or not value.isascii())


def given_value(value: Any) -> str:
    """Spell what was given in place of a number, for a message; blank text in quotation marks, to be seen."""
    return repr(value) if isinstance(value, str) and not value.strip() else shown(value)


def whole(name: str, value: Any, least: int) -> int:
    """Read a whole number of at least ``least``, as `as_whole`.

    Raises
    ------
    UsageError
        For anything else, and for what is larger than `LARGEST_WHOLE`.
    """
    number = as_whole(value)
    if number is None or number < least:
        raise UsageError(f"{name} must be a whole number of at least {least}, not {given_value(value)}")
    return number


def positive(name: str, value: Any) -> float:
    """Read a finite number above 0, or raise `UsageError`."""
    number = as_float(value)
    if not 0 < number < math.inf:
        raise UsageError(f"{name} must be a finite number above 0, not {given_value(value)}")
    return number


def non_negative(name: str, value: Any) -> float:
    """Read a finite number of at least 0, or raise `UsageError`."""
    number = as_float(value)
    if not 0 <= number < math.inf:
        raise UsageError(f"{name} must be a finite number of at least 0, not {given_value(value)}")
    return number + 0.0  # -0.0 is 0.0


def to_number(value: Any, label: str) -> float:
    """Read a number that is not NaN, infinite ones included, or raise `UsageError`."""
    number = as_float(value)
    if math.isnan(number):
        raise UsageError(f"{label}: '{shown(value)}' is not a number")
    return number
