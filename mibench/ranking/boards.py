"""Boards: a pure function of stored rows. No torch, no files.

Notable:

- A board compares only what is comparable: methods of one **track** (lower bounds, plug-ins and upper bounds on fresh
  pairs; anything on a fixed sample) on the same cells with the same seeds. A method that lacks a run is named and left
  out; what the others score does not depend on it. See `mibench.ranking.matrix` for what is a method and a cell.
- A run's error is ``|estimate - truth| / max(truth, 1 nat)``, at most 1, of the value that it ended with. A run
  without a finite value counts as 1, what answering 0 scores. `mibench.ranking.statistics.normalised_error` says why.
- Families of tasks count equally, and in a family its tasks, which are its levels of true MI. What is ranked, its
  interval and its tests are of this one mean.
- On boards of eight families and more, intervals and tests take the families as a sample of those that one might meet.
  Fewer say nothing of others: there the tasks are what they are, and intervals and tests are over seeds. Column
  ``over`` says which.
- Order of rows does not matter, and the draws of a board depend on the generator and the board's name alone.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Collection, Iterator, Mapping

import numpy as np
import pandas as pd

from mibench.analysis.labels import versioned
from mibench.analysis.metrics import Floats
from mibench.core.errors import UnknownNameError, UsageError
from mibench.ranking.columns import COLUMNS, REFERENCE, TRACKS
from mibench.ranking.explained import Explained, explain, set_apart
from mibench.ranking.groups import letters, ranks, win_shares
from mibench.ranking.inference import infer
from mibench.ranking.matrix import METHOD, Matrix, build_matrix, canonical_rows
from mibench.ranking.measures import Measures, seconds_by_session, table_of_cells
from mibench.ranking.statistics import Bools, Ints, finite_mean
from mibench.store.codes import of_current_code

_SPLITS = ("family", "regime", "sampler")
"""What boards can be split by."""


@dataclasses.dataclass(frozen=True)
class Board:
    """One board.

    Parameters
    ----------
    track, part
        Which, as in `COLUMNS`.
    table
        A row per method with the columns `COLUMNS`, the best first.
    wins
        Share of the tasks on which the method of the row has the smaller error than that of the column.
    apart
        Whether the methods of row and column were told apart; the groups' letters say the same.
    """

    track: str
    part: str
    table: pd.DataFrame
    wins: pd.DataFrame
    apart: pd.DataFrame


@dataclasses.dataclass(frozen=True)
class Ranking:
    """All boards of some rows.

    Parameters
    ----------
    boards
        In the order of the tracks.
    left_out
        Methods that lack runs: ``track``, ``method`` and ``lacking``, which says what.
    cells
        As from `mibench.ranking.measures.table_of_cells`.
    explained
        What the errors are made of; see `mibench.ranking.explained`.
    note
        A sentence on rows by other code than was used last, which are not ranked; empty where there are none.
    """

    boards: tuple[Board, ...]
    left_out: pd.DataFrame
    cells: pd.DataFrame
    explained: Explained
    note: str = ""

    def table(self) -> pd.DataFrame:
        """Return the boards' tables as one."""
        tables = [board.table for board in self.boards]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


@dataclasses.dataclass(frozen=True)
class Options:
    """How boards are made.

    Parameters
    ----------
    track
        The one track to rank; all by default.
    by
        ``"family"``, ``"regime"`` or ``"sampler"``: a board for each family of tasks, for true MI up to and above
        log N, or for each sampler of negatives.
    seeds
        Seeds that every cell must have, others do not count; by default all that any method has in it.
    reference
        Estimator whose seconds are 1 in the column ``cost``, complete or not: a name, which means the newest version
        on the board, or one with its version; without
        the usual one the column is NaN.
    cap
        Largest error of a run, and that of one without a finite value.
    confidence
        Level of the intervals; pairs are told apart at 1 less it.
    resamples
        Resamples of the bootstrap.

    Raises
    ------
    UsageError
        For a track or a ``by`` that does not exist.
    """

    track: str | None = None
    by: str | None = None
    seeds: Collection[int] | None = None
    reference: str = REFERENCE
    cap: float = 1.0
    confidence: float = 0.95
    resamples: int = 1999

    def __post_init__(self) -> None:
        if self.track not in (None, *TRACKS):
            raise UnknownNameError("track", str(self.track), TRACKS)
        if self.by not in (None, *_SPLITS):
            raise UsageError(f"boards can be split by {', '.join(_SPLITS[:-1])} or {_SPLITS[-1]}, not by '{self.by}'")


def rank_methods(
    runs: pd.DataFrame, options: Options | None = None, generator: np.random.Generator | None = None
) -> Ranking:
    """Make all boards of some rows.

    Parameters
    ----------
    runs
        Rows of the runs table: those that are to make one board, such as the rows of a suite.
    options
        How; by default as `Options` says.
    generator
        Where the bootstrap's draws come from; by default one seeded with 0.

    Raises
    ------
    UsageError
        Where there are no rows, none in the track, or none of a reference other than the usual one.
    """
    options = options or Options()
    if options.reference != REFERENCE:
        _check_reference(str(options.reference), runs)
    runs, note = of_current_code(runs)
    root = int((generator or np.random.default_rng(0)).integers(2**62))
    boards, left_out, cells, explanations, seen = [], [], [], [], set()
    for regime, matrix, exact in _matrices(runs, options):
        tracks = matrix.methods["kind"] if regime == "stream" else pd.Series("dataset", index=matrix.methods.index)
        complete = (matrix.methods["lacking"] == "").to_numpy(bool)
        reference = _reference_seconds(matrix, options.reference)
        for track in [name for name in TRACKS if name in set(tracks) and options.track in (None, name)]:
            seen.add(track)
            chosen = (tracks == track).to_numpy(bool)
            out = matrix.methods.loc[chosen & ~complete, ["method", "lacking"]]
            left_out.append(out.assign(track=track)[["track", "method", "lacking"]])
            if not (chosen & complete).any():
                continue
            ranked = matrix.select(methods=chosen & complete)
            whole = Measures(ranked, regime, options.cap)
            cells.append(table_of_cells(whole, track))
            explanations.append((track, explain(whole, exact)))
            for part, members in _parts(matrix.cells, options.by):
                measures = Measures(ranked.select(cells=members), regime, options.cap)
                draws = np.random.default_rng([root, zlib.crc32(f"{track}/{part}".encode())])
                seconds = {session: values[members] for session, values in reference.items()}
                boards.append(_board(track, part, measures, explain(measures, exact).columns, seconds, options, draws))
    if not seen:
        where = f" in track '{options.track}'" if options.track else ""
        raise UsageError(f"there are no runs to rank{where}; make some with 'mibench run --suite NAME' first")
    explained = Explained(
        _joined([one.cells_table(track) for track, one in explanations]),
        _joined([one.methods_table(track) for track, one in explanations]),
    )
    return Ranking(tuple(boards), pd.concat(left_out, ignore_index=True), _joined(cells), explained, note)


def _check_reference(name: str, runs: pd.DataFrame) -> None:
    names = set(runs["estimator"]) if "estimator" in runs else set()
    ids = set(versioned(runs, "estimator")) if {"estimator", "estimator_version"} <= set(runs.columns) else set()
    if name not in names | ids:
        raise UnknownNameError("reference", name, names)


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _matrices(runs: pd.DataFrame, options: Options) -> Iterator[tuple[str, Matrix, pd.DataFrame]]:
    """Yield each regime's matrix, where it has cells, with the rows of the exact critic that explain it."""
    rows, exact = set_apart(canonical_rows(runs))
    if options.seeds is not None:
        rows = rows[rows["seed"].isin(list(options.seeds))]
    for regime in ("stream", "dataset"):
        if (rows["regime"] == regime).any():
            matrix = build_matrix(rows[rows["regime"] == regime], options.seeds)
            if len(matrix.cells):
                yield regime, matrix, exact


def _parts(cells: pd.DataFrame, by: str | None) -> Iterator[tuple[str, Bools]]:
    """Yield the parts that boards are made of, and their cells."""
    if by in ("family", "sampler"):
        column = cells[{"family": "family_name", "sampler": "sampler"}[by]]
        for name in sorted(column.unique()):
            yield str(name), (column == name).to_numpy(bool)
    elif by == "regime":
        below = (cells["mi_true"] <= np.log(cells["batch"])).to_numpy(bool)
        yield from (
            (name, members) for name, members in (("below log N", below), ("above log N", ~below)) if any(members)
        )
    else:
        yield "all", np.ones(len(cells), dtype=bool)


def _reference_seconds(matrix: Matrix, name: str) -> dict[str, Floats]:
    """Mean seconds (C,) of a name's first method, of the newest version where it names none, by invocation.

    Nothing where there is none.
    """
    methods = matrix.methods
    named = (methods["estimator"] == name) | (versioned(methods, "estimator") == name)
    newest = methods.loc[named, "estimator_version"].max()
    found = np.flatnonzero(named & (methods["estimator_version"] == newest))
    return {session: seconds[found[0]] for session, seconds in seconds_by_session(matrix).items() if found.size}


def _board(
    track: str,
    part: str,
    measures: Measures,
    explained: Mapping[str, np.ndarray],
    reference: Mapping[str, Floats],
    options: Options,
    generator: np.random.Generator,
) -> Board:
    methods = measures.matrix.methods
    over, interval, different = infer(
        measures.errors,
        measures.tasks,
        measures.families,
        generator,
        confidence=options.confidence,
        resamples=options.resamples,
        limits=(0.0, options.cap),
    )
    order = np.lexsort((methods["method"].to_numpy(str), np.round(interval.mean, 12)))
    different = different[np.ix_(order, order)]
    rank, best_rank, worst_rank = ranks(interval.mean[order], different)
    wins = win_shares(measures.task_errors)
    columns = {
        **{name: methods[name].to_numpy() for name in ("method", *METHOD)},
        **{"error": interval.mean, "error_low": interval.low, "error_high": interval.high},
        **_described(measures, reference),
        **explained,
        **_counts(measures),
        "win_rate": finite_mean(wins, axis=1),
    }
    placed = {
        **{"track": track, "part": part, "rank": rank, "best_rank": best_rank, "worst_rank": worst_rank},
        **{"over": over, "group": letters(different), "families": int(measures.families.max()) + 1},
        **{"tasks": len(measures.families), "cells": len(measures.matrix.cells)},
    }
    table = pd.DataFrame({**placed, **{name: values[order] for name, values in columns.items()}})
    names = methods["method"].iloc[order]
    shares, apart = (
        pd.DataFrame(pairs, index=names, columns=names.rename(None))
        for pairs in (wins[np.ix_(order, order)], different)
    )
    return Board(track, part, table[list(COLUMNS)], shares, apart)


def _described(measures: Measures, reference: Mapping[str, Floats]) -> dict[str, Floats]:
    return {
        "bias": measures.bias(),
        "variance": measures.variance(),
        "batch_variance": measures.batch_variance(),
        "saturation": measures.saturation(),
        "violations": measures.violations(),
        "diverged": measures.diverged(),
        "failed": measures.failed(),
        "monotonicity": measures.monotonicity(),
        "seconds": measures.seconds(),
        "cost": measures.cost(reference),
    }


def _counts(measures: Measures) -> dict[str, Ints]:
    rows, imputed = measures.matrix.rows, measures.imputed
    count = range(len(rows))
    return {
        "runs": np.array([np.unique(rows[i][rows[i] >= 0]).size for i in count]),
        "imputed_runs": np.array([np.unique(rows[i][imputed[i]]).size for i in count]),
        "imputed_cells": imputed.any(axis=2).sum(axis=1),
        "stands_in": np.array([len(rows[i]) - len(np.unique(rows[i], axis=0)) for i in count]),
    }
