"""Two variables as an estimator takes them, read from what a user has.

Notable: everything that is left out, joined or taken one way of two is counted and said in the pair's report; what
cannot be used is refused in one sentence before any work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibench.core.errors import UsageError, shown
from mibench.core.numbers import whole
from mibench.estimation import report as said
from mibench.estimation.columns import Column, read_column
from mibench.estimation.contents import Contents, contents_of
from mibench.estimation.copies import copy_groups
from mibench.estimation.dependence import memory, serial_dependence
from mibench.estimation.files import open_file
from mibench.estimation.folds import blocks_of, fold_of_row
from mibench.estimation.objects import source_of
from mibench.estimation.report import Report
from mibench.estimation.sides import Kind, Side, given_kind, side_of
from mibench.estimation.sources import Raw, Source, chosen, refuse_shared

LEAST_ROWS = 20
"""Pairs below which nothing is estimated: five folds of four."""

LEAST_BLOCKS = 10
"""Blocks of rows below which there is nothing to divide: two for each of five folds."""


@dataclass(frozen=True)
class Pair:
    """A sample of two variables.

    Parameters
    ----------
    x, y
        The sides, n rows each.
    rows
        Where each row stood in what was given, (n,), increasing.
    blocks
        Which block each row belongs to, (n,); None where no blocks were stated.
    contents
        The sample with keys for its rows, of which folds are made.
    report
        What was found.
    """

    x: Side
    y: Side
    rows: NDArray[np.int64]
    blocks: NDArray[np.int64] | None
    contents: Contents
    report: Report

    def folds(self, folds: int, seed: int = 0) -> NDArray[np.int64]:
        """Divide the rows, (n,), as `mibench.estimation.folds.fold_of_row`; blocks stay whole."""
        return fold_of_row(self.contents, folds, seed, self.blocks)


def read_pair(
    x: Any,
    y: Any = None,
    *,
    columns_x: str | int | Sequence[str | int] | None = None,
    columns_y: str | int | Sequence[str | int] | None = None,
    x_kind: Kind | None = None,
    y_kind: Kind | None = None,
    header: bool | None = None,
    blocks: int | None = None,
    time: bool = False,
) -> Pair:
    """Read two variables.

    Parameters
    ----------
    x, y
        Arrays (n,) or (n, d), torch tensors, tables and columns of pandas, polars or Arrow, lists, or names of files:
        ``.npy``, ``.npz``, ``.csv``, ``.tsv``, ``.parquet``, ``.arrow``, ``.feather``. Rows are pairs by their
        position. Without y, x is a table with the columns of both.
    columns_x, columns_y
        The columns of each side: ``"a,b"``, or a list; numbers from 0 where there are no names; keys of an ``.npz``
        file. None takes all; without y, the columns named x and y.
    x_kind, y_kind
        ``"continuous"`` or ``"label"``; None decides as `mibench.estimation.sides` says.
    header
        Whether the first line of CSV and TSV files has names; None decides by whether it has values.
    blocks
        Rows that follow each other and belong together, as in a time series: so many are never divided.
    time
        Whether rows are a series in the order of time, whose blocks are made twice as long as columns stay like
        themselves (`mibench.estimation.dependence.memory`).

    Raises
    ------
    UsageError
        For what cannot be read or used: in one sentence.
    """
    kinds = given_kind(x_kind, "x"), given_kind(y_kind, "y")
    raw_x, raw_y = _raw_sides(x, y, columns_x, columns_y, header)
    given = _common_length(raw_x, raw_y)
    if blocks is not None and time:
        raise UsageError("blocks are stated and also to be found from the order of time; say one of the two")
    length = None if blocks is None else _block_length(blocks, given)
    sides = [[read_column(raw, name) for raw in raws] for name, raws in (("x", raw_x), ("y", raw_y))]
    missing, infinite = _left_out(sides, given)
    kept = ~(missing | infinite)
    _refuse_few(sides, int(kept.sum()), given)
    clean = [[column.rows(kept) for column in side] for side in sides]
    constant_x, constant_y = (tuple(column.name for column in side if column.constant()) for side in clean)
    clean = [_varying(side, name) for side, name in zip(clean, ("x", "y"), strict=True)]
    (side_x, decided_x), (side_y, decided_y) = (
        side_of(name, side, kind) for name, side, kind in zip(("x", "y"), clean, kinds, strict=True)
    )
    _refuse_equal(side_x, side_y)
    contents = contents_of(side_x, side_y)
    n, rows = int(kept.sum()), np.flatnonzero(kept)
    repeats = n - (int(copy_groups(contents).max()) + 1)
    serial = serial_dependence(side_x, side_y)
    found: tuple[str, ...] = ()
    if time:
        length, found = _found_length(side_x, side_y, n)
    copies = list(said.copied(repeats, n))
    warns = said.matters(repeats, n)
    report = Report(
        rows_given=given,
        rows_kept=n,
        rows_missing=int(missing.sum()),
        rows_infinite=int(infinite.sum()),
        constant_x=constant_x,
        constant_y=constant_y,
        repeats=repeats,
        serial=serial,
        notes=(
            *said.left_out(given, int(missing.sum()), int(infinite.sum()), sides),
            *said.constants("x", constant_x),
            *said.constants("y", constant_y),
            *decided_x,
            *decided_y,
            *(() if warns else copies),
            *found,
        ),
        warnings=(
            *(copies if warns else ()),
            *(said.in_series(serial) if length is None and not time else ()),
            *(said.long_memory() if length is None and time else ()),
            *said.redundant(side_x),
            *said.redundant(side_y),
            *said.rare(side_x),
            *said.rare(side_y),
        ),
    )
    units = None if length is None else blocks_of(rows, length)
    return Pair(side_x, side_y, rows, units, contents, report)


def _raw_sides(x: Any, y: Any, columns_x: Any, columns_y: Any, header: bool | None) -> tuple[list[Raw], list[Raw]]:
    """Load the columns of both sides, from two sources or from one."""
    if y is None:
        source = _source(x, "the table", header)
        if columns_x is None and columns_y is None and {"x", "y"} <= set(source.names):
            columns_x, columns_y = "x", "y"
        for columns, side in ((columns_x, "x"), (columns_y, "y")):
            if columns is None:
                raise UsageError(
                    f"{source.label} is all that is given, and nothing says which of its columns are {side}; name "
                    "them, or give y by itself"
                )
        at_x, at_y = chosen(source, columns_x, "x"), chosen(source, columns_y, "y")
        refuse_shared(source, at_x, at_y)
        loaded = source.load([*at_x, *at_y])
        return _flat(loaded[: len(at_x)]), _flat(loaded[len(at_x) :])
    source_x, source_y = _source(x, "x", header), _source(y, "y", header)
    _refuse_reordered(source_x, source_y)
    return tuple(  # type: ignore[return-value]
        _flat(source.load(chosen(source, columns, side)))
        for source, columns, side in ((source_x, columns_x, "x"), (source_y, columns_y, "y"))
    )


def _source(value: Any, label: str, header: bool | None) -> Source:
    if isinstance(value, str | Path):
        if not str(value):
            raise UsageError(f"the name of the file of {label} is empty; give one")
        return open_file(Path(value), header)
    return source_of(value, label)


def _flat(loaded: Sequence[Sequence[Raw]]) -> list[Raw]:
    return [raw for columns in loaded for raw in columns]


def _refuse_reordered(x: Source, y: Source) -> None:
    """Refuse tables of pandas whose rows are the same by their index, in another order."""
    if x.index is None or y.index is None or len(x.index) != len(y.index) or x.index.equals(y.index):
        return
    if x.index.is_unique and y.index.is_unique and bool(x.index.isin(y.index).all()):
        raise UsageError(
            "x and y have the same index in another order, and rows are pairs by their position; give y.loc[x.index], "
            "or drop the index"
        )


def _common_length(x: Sequence[Raw], y: Sequence[Raw]) -> int:
    for name, side in (("x", x), ("y", y)):
        lengths = {len(raw.values) for raw in side}
        if len(lengths) > 1:
            raise UsageError(f"the columns of {name} have {min(lengths):,} to {max(lengths):,} rows; give pairs")
    one, other = len(x[0].values), len(y[0].values)
    if one != other:
        raise UsageError(f"x has {one:,} rows and y has {other:,}; give pairs, row by row")
    if one < LEAST_ROWS < max(len(x), len(y)):
        raise UsageError(
            f"x and y have {one:,} rows of {len(x):,} and {len(y):,} columns, and at least {LEAST_ROWS} rows are "
            "needed; transpose them if each column is a pair"
        )
    return one


def _block_length(blocks: int, n: int) -> int:
    length = whole("the rows of a block", blocks, 2)
    if length * LEAST_BLOCKS > n:
        raise UsageError(
            f"blocks of {length:,} rows are fewer than {LEAST_BLOCKS} on {n:,} rows; use at most "
            f"{n // LEAST_BLOCKS:,} rows a block"
        )
    return length


def _found_length(x: Side, y: Side, n: int) -> tuple[int | None, tuple[str, ...]]:
    """The length of a block by how long columns stay alike, None where that is too long, and what to say of it."""
    length = max(2, 2 * memory(x, y))
    if length * LEAST_BLOCKS > n:
        return None, ()
    return length, (f"rows are taken in blocks of {length:,}, twice as long as a column stays like itself",)


def _left_out(sides: Sequence[Sequence[Column]], n: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the rows with a missing value, and the others with an infinite one, (n,) each."""
    missing, infinite = np.zeros(n, bool), np.zeros(n, bool)
    for column in _all(sides):
        missing |= column.missing
        infinite |= column.infinite
    return missing, infinite & ~missing


def _all(sides: Sequence[Sequence[Column]]) -> Iterator[Column]:
    for side in sides:
        yield from side


def _refuse_few(sides: Sequence[Sequence[Column]], kept: int, given: int) -> None:
    if kept >= LEAST_ROWS:
        return
    if kept == given:
        raise UsageError(f"{given:,} rows are too few to estimate anything; give at least {LEAST_ROWS}")
    for name, side in zip(("x", "y"), sides, strict=True):
        for column in side:
            if bool(column.missing.all()):
                raise UsageError(f"column '{shown(column.name)}' of {name} has no value in any row; leave it out")
    raise UsageError(
        f"{kept:,} of {given:,} rows have all their values, and at least {LEAST_ROWS} are needed; leave out columns "
        "with many missing ones"
    )


def _varying(side: Sequence[Column], name: str) -> list[Column]:
    varying = [column for column in side if not column.constant()]
    if not varying:
        what = f"every column of {name} is" if len(side) > 1 else f"{name} is"
        raise UsageError(f"{what} constant, which tells nothing of the other side; give one that varies")
    return varying


def _refuse_equal(x: Side, y: Side) -> None:
    """Refuse a column of numbers that is on both sides: their mutual information is infinite."""
    if x.is_label or y.is_label:
        return
    known = {column.tobytes(): name for column, name in zip(x.values.T, x.columns, strict=True)}
    for column, name in zip(y.values.T, y.columns, strict=True):
        if (other := known.get(column.tobytes())) is not None:
            raise UsageError(
                f"column '{shown(other)}' of x and column '{shown(name)}' of y are equal, and so their mutual "
                "information is infinite; leave one out"
            )
