"""Sides: columns put together as numbers of shape (n, d), or as one label a row.

The kind of a side, where it is not stated:

- Texts, categories, true and false are labels; several columns of them are joined into one label, their combination.
- One column of whole numbers is a label if it has at most `MOST_LEVELS` different ones and each stands ten times or
  more on average; floats that are all whole are whole numbers.
- All else is continuous. Beside columns of numbers a label becomes indicator columns, one a label.

Where the limits come from: a normal y, correlated by 0.8 with a normal that was cut into K equal parts, n = 300 to
5,000. Counts that were taken for labels (`ksg-label`) had a root mean square error of at most 0.05 nats more than as
numbers (`ksg`) wherever n / K was 10 or more; names that were taken for numbers missed by 0.03 to 0.37 nats of 0.5
with K from 20 to 100. In doubt a label is the better reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mibench.core.errors import UsageError, did_you_mean, shown
from mibench.estimation.columns import Column

Kind = Literal["continuous", "label"]
KINDS: tuple[Kind, ...] = ("continuous", "label")

MOST_LEVELS = 100
"""Different whole numbers beyond which a column of them is continuous."""

ROWS_PER_LEVEL = 10
"""Rows that each of them stands on, on average, where they are labels."""

ROWS_PER_LABEL = 5
"""Rows that each label needs on average: fewer say next to nothing of what comes with it."""

_MOST_INDICATORS = 50


@dataclass(frozen=True)
class Side:
    """One of two variables.

    Parameters
    ----------
    name
        ``"x"`` or ``"y"``.
    kind
        Whether `values` are numbers or codes of labels.
    values
        Numbers, (n, d) float64, finite, no column constant; or codes, (n,) int64, from 0 without gaps.
    columns
        The names of the columns: d of them where the side is continuous, those that were joined where it is a label.
    labels
        The label of each code, sorted; empty where the side is continuous.
    indicators
        Which of the d columns are indicators of a label.
    """

    name: str
    kind: Kind
    values: NDArray[Any]
    columns: tuple[str, ...]
    labels: tuple[str, ...] = ()
    indicators: tuple[int, ...] = ()

    @property
    def is_label(self) -> bool:
        """Whether the side is a label."""
        return self.kind == "label"


def given_kind(kind: object, side: str) -> Kind | None:
    """Return a kind that a user stated, None where none is.

    Raises
    ------
    UsageError
        For any other.
    """
    for known in KINDS:
        if kind == known:
            return known
    if kind is None:
        return None
    raise UsageError(f"{side} cannot be of kind '{shown(kind)}'{did_you_mean(str(kind), KINDS)}")


def side_of(name: str, columns: Sequence[Column], kind: Kind | None) -> tuple[Side, list[str]]:
    """Put a side together.

    Parameters
    ----------
    columns
        At least one, of the same n, none constant, without missing or infinite values.
    kind
        As stated; None follows the rule above.

    Returns
    -------
    tuple
        The side, and a sentence for everything that was decided about it.

    Raises
    ------
    UsageError
        Where labels stand fewer than `ROWS_PER_LABEL` times on average, where the side is to be continuous and is text
        alone, and where a label beside numbers is one of more than 50.
    """
    if kind == "label" or (kind is None and all(column.labels is not None for column in columns)):
        return _joined(name, columns)
    if kind is None and len(columns) == 1 and _is_label(columns[0]):
        side, _ = _joined(name, columns)
        return side, [
            f"{name} is taken as a label, since its {len(side.labels)} different values are whole numbers; state the "
            "kind 'continuous' to take it as a number"
        ]
    return _continuous(name, columns)


def _is_label(column: Column) -> bool:
    if not column.whole():
        return False
    levels = len(np.unique(column.values))
    return levels <= min(MOST_LEVELS, len(column.values) / ROWS_PER_LEVEL)


def _joined(name: str, columns: Sequence[Column]) -> tuple[Side, list[str]]:
    """Return the combination of labels as one label."""
    first, *others = (column.as_label() for column in columns)
    codes, labels = first.values, list(first.labels or ())
    for column in others:
        own = column.labels or ()
        pairs, codes = np.unique(codes * len(own) + column.values, return_inverse=True)
        labels = [f"{labels[pair // len(own)]}, {own[pair % len(own)]}" for pair in pairs.tolist()]
    _refuse_rare(name, columns, len(labels), len(codes))
    side = Side(name, "label", codes, tuple(column.name for column in columns), tuple(labels))
    if not others:
        return side, []
    joined = ", ".join(side.columns)
    return side, [f"the columns of {name} ({joined}) are joined into one label, with {len(labels)} combinations"]


def _refuse_rare(name: str, columns: Sequence[Column], labels: int, n: int) -> None:
    if labels * ROWS_PER_LABEL <= n:
        return
    what = "combinations of labels" if len(columns) > 1 else "labels"
    if all(column.labels is None or column.truths for column in columns):
        mend = "state the kind 'continuous' to take them as numbers"
    elif len(columns) > 1:
        mend = "give fewer columns or coarser labels"
    else:
        mend = "give numbers, or coarser labels"
    raise UsageError(
        f"{name} has {labels:,} different {what} on {n:,} rows, fewer than {ROWS_PER_LABEL} rows each; {mend}"
    )


def _continuous(name: str, columns: Sequence[Column]) -> tuple[Side, list[str]]:
    texts = [column for column in columns if column.labels is not None and not column.truths]
    if len(texts) == len(columns):
        raise UsageError(
            f"{name} is to be continuous, and its column '{shown(texts[0].name)}' holds labels; give numbers"
        )
    parts: list[NDArray[np.float64]] = []
    names: list[str] = []
    indicators: list[int] = []
    for column in columns:
        if column.labels is None or column.truths:
            parts.append(column.values.astype(np.float64, copy=False))
            names.append(column.name)
        else:
            labels = column.labels
            _refuse_rare(name, [column], len(labels), len(column.values))
            if len(labels) > _MOST_INDICATORS:
                raise UsageError(
                    f"column '{shown(column.name)}' of {name} has {len(labels):,} labels, more than the "
                    f"{_MOST_INDICATORS} that can stand beside numbers; leave it out, or give coarser labels"
                )
            first = 1 if len(labels) == 2 else 0  # the other of two would say the same
            indicators += range(len(parts), len(parts) + len(labels) - first)
            parts += [(column.values == code).astype(np.float64) for code in range(first, len(labels))]
            names += [f"{column.name}={label}" for label in labels[first:]]
    values = parts[0][:, None] if len(parts) == 1 else np.stack(parts, 1)
    side = Side(name, "continuous", values, tuple(names), indicators=tuple(indicators))
    return side, [_indicator_warning(name, texts)] if texts else []


def _indicator_warning(name: str, texts: Sequence[Column]) -> str:
    mixed = ", ".join(f"'{shown(column.name)}'" for column in texts)
    return (
        f"{name} mixes numbers and labels: {mixed} became indicator columns, which estimators for continuous data are "
        "not made for"
    )
