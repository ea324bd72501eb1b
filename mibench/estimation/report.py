"""What was found in a sample before anything was estimated: counts, and sentences for people.

Notable: a warning names what may make a number wrong; a note says what was done to the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mibench.core.errors import shown
from mibench.estimation.collinearity import combinations_in, correlations, repeats_of
from mibench.estimation.columns import Column
from mibench.estimation.dependence import SerialDependence
from mibench.estimation.sides import ROWS_PER_LABEL, Side
from mibench.estimators.columns import matter

_LISTED = 6


@dataclass(frozen=True)
class Report:
    """What was found.

    Parameters
    ----------
    rows_given, rows_kept
        How many pairs there were, and are.
    rows_missing
        Left out since a value is missing.
    rows_infinite
        Left out since a number is infinite and none is missing.
    constant_x, constant_y
        Columns that were left out since they are constant.
    repeats
        Rows that repeat another one in x and y together, as copies do.
    serial
        The test of the order of rows.
    notes, warnings
        Sentences.
    """

    rows_given: int
    rows_kept: int
    rows_missing: int
    rows_infinite: int
    constant_x: tuple[str, ...]
    constant_y: tuple[str, ...]
    repeats: int
    serial: SerialDependence
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Warnings, then notes."""
        return self.warnings + self.notes


def listed(names: Sequence[str]) -> str:
    """``column 'a'``, ``columns 'a', 'b'``; a long list is cut and says so."""
    words = [f"'{shown(name)}'" for name in names[:_LISTED]]
    rest = len(names) - len(words)
    return f"column{'s' * (len(names) > 1)} {', '.join(words)}" + (f" and {rest:,} others" if rest else "")


def left_out(given: int, missing: int, infinite: int, sides: Sequence[Sequence[Column]]) -> Iterator[str]:
    """Say which rows were left out, and where most of the missing values are."""
    if missing:
        worst = max(((column.missing.sum(), column.name, name) for name, side in _named(sides) for column in side))
        where = f"column '{shown(worst[1])}' of {worst[2]} lacks {worst[0]:,}"
        yield f"left out: {missing:,} of {given:,} rows, with a missing value ({where})"
    if infinite:
        yield f"left out: {infinite:,} of {given:,} rows, with an infinite value"


def _named(sides: Sequence[Sequence[Column]]) -> Iterator[tuple[str, Sequence[Column]]]:
    yield from zip(("x", "y"), sides, strict=True)


def constants(side: str, names: Sequence[str]) -> Iterator[str]:
    """Say which columns were left out."""
    if names:
        yield f"left out: {listed(names)} of {side}, constant, which tells nothing"


def copied(repeats: int, n: int) -> Iterator[str]:
    """Say how many rows repeat others."""
    if repeats:
        verb = "repeat others" if repeats > 1 else "repeats another"
        yield (
            f"{repeats:,} of {n:,} rows {verb} in x and y together, as copies do, which estimators take for "
            "dependence; give each pair once"
        )


def matters(repeats: int, n: int) -> bool:
    """Whether copies are to be warned of; two rows may meet by chance."""
    return matter(repeats, n)


def redundant(side: Side) -> Iterator[str]:
    """Say which columns of a side repeat others or are combinations of others."""
    if side.is_label:
        return
    own = [at for at in range(len(side.columns)) if at not in set(side.indicators)]
    if len(own) < 2:
        return
    n = len(side.values)
    if len(own) >= n:
        yield f"{side.name} has {len(own):,} columns on {n:,} rows, so that each is a combination of others"
        return
    matrix = correlations(side.values if len(own) == len(side.columns) else side.values[:, own])
    names = [side.columns[at] for at in own]
    repeated = repeats_of(matrix)
    for first, other in repeated[:_LISTED]:
        yield f"column '{shown(names[other])}' of {side.name} repeats '{shown(names[first])}'"
    if len(repeated) > _LISTED:
        yield f"{len(repeated) - _LISTED:,} other columns of {side.name} repeat one too"
    different = np.setdiff1d(np.arange(len(names)), [other for _, other in repeated])
    found = combinations_in(matrix[np.ix_(different, different)])
    if found:
        verb = "are linear combinations" if len(found) > 1 else "is a linear combination"
        yield f"{listed([names[different[at]] for at in found])} of {side.name} {verb} of the others"


def rare(side: Side) -> Iterator[str]:
    """Say how many labels are on few rows."""
    if side.is_label:
        few = int((np.bincount(side.values) < ROWS_PER_LABEL).sum())
        if few:
            verb = "is" if few == 1 else "are"
            all_labels = f"{few:,} of the {len(side.labels):,} labels of {side.name}"
            yield f"{all_labels} {verb} on fewer than {ROWS_PER_LABEL} rows"


def in_series(serial: SerialDependence) -> Iterator[str]:
    """Say that rows are not in a random order."""
    if serial.found:
        yield (
            f"rows that follow each other are alike (column '{shown(serial.column)}' of {serial.side}, correlation "
            f"{serial.correlation:.2f}, p = {serial.p_value:.1g}): if they are a series, state blocks of rows that "
            "belong together; if they were sorted, this does not matter"
        )


def long_memory() -> Iterator[str]:
    """Say that a series stays alike for too long to be divided."""
    yield (
        "columns stay like themselves for so long that blocks of twice that length would be fewer than ten: the rows "
        "say little more than a few independent ones"
    )
