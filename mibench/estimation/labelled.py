"""A label against numbers, and two labels: the panel, the value, the checks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mibench.estimation import labels, tables
from mibench.estimation.canonical import canonical_order
from mibench.estimation.checks import GROWTH, Check, below, in_series, rising, rows_needed, wide
from mibench.estimation.contents import Contents
from mibench.estimation.copies import copy_groups
from mibench.estimation.folds import fold_of_row
from mibench.estimation.judging import tolerance
from mibench.estimation.members import Member
from mibench.estimation.null import PERMUTATIONS, permuted
from mibench.estimation.outcome import Outcome, Point
from mibench.estimation.pairs import Pair
from mibench.estimation.permuted import p_value
from mibench.estimation.sample import FOLDS, MOST_ROWS, blocks_to_keep
from mibench.estimation.sides import ROWS_PER_LABEL

Rows = NDArray[np.int64]
Progress = Callable[[float, str], None]

_Z, _Z_ONE_SIDED = 1.96, 1.645


def estimate_label(pair: Pair, *, seed: int, quick: bool, progress: Progress) -> Outcome:
    """Take the panel on a label and numbers.

    The value is the classifier's bound with what doubling the rows gained once more.
    """
    contents, units, time = _taken(pair)
    fold = fold_of_row(contents, FOLDS, seed, units)
    progress(0.05, "training classifiers")
    bound = labels.classifier(contents, fold, seed=seed, units=units)
    own = bound.member
    progress(0.5, "training classifiers on half of the rows")
    half = _on_half(contents, units, seed)
    progress(0.75, "measuring neighbours")
    near = labels.neighbours(contents, seed=seed, units=units)
    progress(0.85, "permuting pairs")
    changes = permuted(
        labels.pair_scores(bound, contents),
        np.random.default_rng([seed, 2]),
        time if units is not None else None,
        copy_groups(contents),
    )
    gap = max(0.0, own.value - half.value) if half else 0.0
    value = min(max(0.0, own.value + gap), own.ceiling)
    reach = own.value + GROWTH * gap
    margin = _Z * own.se + 0.02 + 0.02 * value
    low, high = max(0.0, min(own.value, value) - margin), min(max(reach, value) + margin, own.ceiling)
    return Outcome(
        value=value,
        low=low,
        high=max(high, value),
        limit=own.value - _Z_ONE_SIDED * own.se,
        rule="The value is the classifiers' bound, with what the last doubling of the rows gained once more.",
        members=[(own, "value"), *([(near, "check")] if near else [])],
        checks=_checks_of_label(pair, own, near, gap, value, low, high, len(contents.pairs)),
        null={own.name: own.value + changes},
        p_value=p_value(0.0, changes),
        used=len(contents.pairs),
        growth=_growth(own, half, len(contents.pairs)),
    )


def estimate_labels(pair: Pair, *, seed: int, quick: bool, progress: Progress) -> Outcome:
    """Take the panel on two labels.

    The value is the corrected plug-in, and where a cell of the table has few rows the bound of tables that
    leave a row out, with what doubling the rows gained once more.
    """
    contents, units, _ = _taken(pair)
    fold = fold_of_row(contents, FOLDS, seed, units)
    progress(0.2, "counting")
    plug_in, bound = tables.plug_in(contents, units), tables.cross_fitted(contents, fold, units)
    half = _part_of_table(contents, units, seed)
    progress(0.6, "permuting pairs")
    null, probability = tables.independence(contents, PERMUTATIONS, seed=seed, units=units)
    gap = max(0.0, bound.value - half.value)
    filled = tables.rows_per_cell(contents) >= tables.ROWS_PER_CELL
    value = plug_in.value if filled else bound.value + gap
    value = min(max(0.0, value), bound.ceiling)
    ends = (value, bound.value + gap, min(plug_in.value, bound.value + GROWTH * gap + 2 * bound.se))
    margin = _Z * max(plug_in.se, bound.se)
    low, high = max(0.0, min(ends) - margin), min(max(ends) + margin, bound.ceiling)
    chosen = plug_in if filled else bound
    return Outcome(
        value=value,
        low=low,
        high=max(high, value),
        limit=bound.value - _Z_ONE_SIDED * bound.se,
        rule=f"The value is {'the plug-in' if filled else 'the bound of tables that leave a row out'}, since the table "
        f"has {tables.rows_per_cell(contents):.1f} rows a cell.",
        members=[(plug_in, "value" if chosen is plug_in else "check"), (bound, "limit" if filled else "value")],
        checks=_checks_of_labels(pair, plug_in, bound, gap, value, low, high, len(contents.pairs)),
        null={plug_in.name: null},
        p_value=probability,
        used=len(contents.pairs),
        growth=_growth(bound, half, len(contents.pairs)),
    )


def _taken(pair: Pair) -> tuple[Contents, Rows | None, Rows]:
    """The rows that the panel takes, the blocks that they belong to, and where they stood."""
    units = blocks_to_keep(pair)
    n = len(pair.rows)
    if n <= MOST_ROWS:
        return pair.contents, units, pair.rows
    kept = np.sort(canonical_order(pair.contents)[:MOST_ROWS])
    return _rows_of(pair.contents, kept), None if units is None else units[kept], pair.rows[kept]


def _rows_of(contents: Contents, rows: Rows) -> Contents:
    """The sample with some of its rows; labels keep their codes."""
    first, second = (dataclasses.replace(side, values=side.values[rows]) for side in contents.sides)
    keys = contents.keys[0][rows], contents.keys[1][rows]
    return Contents((first, second), keys, contents.pairs[rows])


def _share(contents: Contents, units: Rows | None, seed: int) -> Rows:
    """Half of the rows, every second of a random order; blocks and copies stay whole."""
    groups = copy_groups(contents) if units is None else np.unique(units, return_inverse=True)[1]
    half = fold_of_row(contents, 2, seed + 1, groups)
    return np.flatnonzero(half == 0)


def _on_half(contents: Contents, units: Rows | None, seed: int) -> Member | None:
    """The classifier on half of the rows; None where these are too few for the labels."""
    rows = _share(contents, units, seed)
    part = _dense(_rows_of(contents, rows))
    label = next(side for side in part.sides if side.is_label)
    if len(rows) < ROWS_PER_LABEL * len(label.labels) or len(rows) < 4 * FOLDS:
        return None
    own = None if units is None else units[rows]
    return labels.classifier(part, fold_of_row(part, FOLDS, seed, own), seed=seed, units=own).member


def _part_of_table(contents: Contents, units: Rows | None, seed: int) -> Member:
    rows = _share(contents, units, seed)
    part, own = _dense(_rows_of(contents, rows)), None if units is None else units[rows]
    return tables.cross_fitted(part, fold_of_row(part, FOLDS, seed, own), own)


def _dense(contents: Contents) -> Contents:
    """Codes without gaps, where labels are on none of the rows that were kept."""
    sides = []
    for side in contents.sides:
        if side.is_label:
            kept, codes = np.unique(side.values, return_inverse=True)
            side = dataclasses.replace(side, values=codes, labels=tuple(side.labels[code] for code in kept.tolist()))
        sides.append(side)
    return Contents((sides[0], sides[1]), contents.keys, contents.pairs)


def _growth(full: Member, half: Member | None, n: int) -> list[Point]:
    found = [(n // 2, half), (n, full)]
    return [
        Point(rows, one.value, one.value - _Z * one.se, one.value + _Z * one.se)
        for rows, one in found
        if one is not None
    ]


def _series(pair: Pair) -> Check:
    return in_series(pair.report.serial.found and pair.blocks is None, pair.report.serial.correlation)


def _checks_of_label(
    pair: Pair, own: Member, near: Member | None, gap: float, value: float, low: float, high: float, n: int
) -> list[Check]:
    allowed, more = tolerance(value), rows_needed(n, gap, tolerance(value))
    over = (own.training or own.value) - own.value
    apart = near.value - (own.value + GROWTH * gap) - 2 * math.hypot(own.se, near.se) if near else 0.0
    return [
        _series(pair),
        rising(gap, allowed, more),
        below(
            "over-fitted", over, 1.5 * allowed,
            f"Classifiers give {own.value + over:.2f} nats on rows that they were fitted on, {own.value:.2f} on "
            "others.",
            advice=f"{more} Or fewer columns.",
        ),
        below(
            "disagreement", apart, allowed,
            f"Neighbours give {near.value if near else math.nan:.2f} nats, and classifiers reach "
            f"{own.value + GROWTH * gap:.2f}.",
            advice="Another kind of estimator, or more rows.",
        ),
        wide(low, high, allowed, more),
    ]  # fmt: skip


def _checks_of_labels(
    pair: Pair, plug_in: Member, bound: Member, gap: float, value: float, low: float, high: float, n: int
) -> list[Check]:
    allowed, more = tolerance(value), rows_needed(n, gap, tolerance(value))
    apart = plug_in.value - bound.value
    return [
        _series(pair),
        rising(gap, allowed, more),
        below(
            "disagreement", apart, allowed + 2 * bound.se,
            f"The plug-in gives {plug_in.value:.2f} nats, tables that leave a row out "
            f"{bound.value:.2f}.",
            advice="More rows, or coarser labels.",
        ),
        wide(low, high, allowed, more),
    ]  # fmt: skip
