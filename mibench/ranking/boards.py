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
- Estimators that are the same functions under two names are one method: the other is named, and ranked nowhere.
- What answering without an estimator is worth stands beside the methods, without a rank, and moves nothing of theirs;
  see `mibench.ranking.baselines`.
- Order of rows does not matter, and the draws of a board depend on the generator and the board's name alone.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mibench.analysis.labels import versioned
from mibench.analysis.metrics import Floats
from mibench.core.errors import UnknownNameError, UsageError
from mibench.ranking.baselines import CONSTANT, baselines_of
from mibench.ranking.columns import COLUMNS, ESTIMATOR, FIXED_SAMPLES, REFERENCE, TRACKS
from mibench.ranking.explained import Explained, explain, set_apart
from mibench.ranking.groups import DECIMALS, letters, places, ranks, win_shares
from mibench.ranking.inference import infer, interval_of
from mibench.ranking.matrix import METHOD, Matrix, build_matrix, canonical_rows
from mibench.ranking.measures import Measures, seconds_by_session, table_of_cells
from mibench.ranking.statements import given_of, twins_of
from mibench.ranking.statistics import Bools, finite_mean
from mibench.ranking.tables import counts, described, ends, table_of_baselines
from mibench.store.codes import of_current_code

_COINCIDENT = ("track", "part", "method", "twin")
_RANKS = ("rank", "best_rank", "worst_rank", "log_rank")

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
    baselines
        A row per answer that needs no estimator, with the same columns: they are compared with nothing.
    constants
        The numbers that the best constant answers, nats, each once; none on a board of one task.
    wins
        Share of the tasks on which the method of the row has the smaller error than that of the column.
    apart
        Whether the methods of row and column were told apart; the groups' letters say the same.
    """

    track: str
    part: str
    table: pd.DataFrame
    baselines: pd.DataFrame
    constants: tuple[float, ...]
    wins: pd.DataFrame
    apart: pd.DataFrame

    def whole(self) -> pd.DataFrame:
        """Return methods and baselines as one table, each in its place by error; methods first where it is equal."""
        ranks = dict.fromkeys([*_RANKS, "estimator_version"], "Int64")  # which can be null
        both = pd.concat([self.table.astype(ranks), self.baselines.astype(ranks)], ignore_index=True)
        order = np.argsort(np.round(both["error"].to_numpy(np.float64), DECIMALS), kind="stable")
        return both.iloc[order].reset_index(drop=True)

    def below_constant(self) -> pd.Series | None:
        """Mark the methods whose error is above that of the best constant; None where there is no constant."""
        constant = self.baselines.loc[self.baselines["method"] == CONSTANT, "error"]
        if constant.empty:
            return None
        return self.table["error"].round(DECIMALS) > round(float(constant.iloc[0]), DECIMALS)


@dataclasses.dataclass(frozen=True)
class Ranking:
    """All boards of some rows.

    Parameters
    ----------
    boards
        In the order of the tracks.
    left_out
        Methods that lack runs: ``track``, ``method`` and ``lacking``, which says what.
    coincident
        Methods that are another one of the board under another name: ``track``, ``part``, ``method``, ``twin``, and
        the columns that make a method. They are on no board of that part; see `mibench.ranking.statements`.
    cells
        As from `mibench.ranking.measures.table_of_cells`.
    explained
        What the errors are made of; see `mibench.ranking.explained`.
    note
        A sentence on rows by other code than was used last, which are not ranked; empty where there are none.
    """

    boards: tuple[Board, ...]
    left_out: pd.DataFrame
    coincident: pd.DataFrame
    cells: pd.DataFrame
    explained: Explained
    note: str = ""

    def table(self) -> pd.DataFrame:
        """Return the boards' tables as one, baselines included."""
        tables = [board.whole() for board in self.boards]
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
    boards, left_out, coincident, cells, explanations, seen = [], [], [], [], [], set()
    for regime, matrix, exact in _matrices(runs, options):
        kinds = matrix.methods["kind"]
        tracks = pd.Series(regime, index=kinds.index) if regime in FIXED_SAMPLES else kinds
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
            once, all_twins = _listed_once(ranked)
            whole = Measures(once, regime, options.cap)
            cells.append(table_of_cells(whole, track))
            explanations.append((track, explanation := explain(whole, exact)))
            for part, members in _parts(matrix.cells, options.by):
                measures, twins, explained = whole, all_twins, explanation
                if not members.all():
                    listed, twins = _listed_once(ranked.select(cells=members))
                    measures = Measures(listed, regime, options.cap)
                    explained = explain(measures, exact)
                coincident.append(twins.assign(track=track, part=part))
                draws = np.random.default_rng([root, zlib.crc32(f"{track}/{part}".encode())])
                seconds = {session: values[members] for session, values in reference.items()}
                boards.append(_board(track, part, measures, explained.columns, seconds, options, draws))
    if not seen:
        where = f" in track '{options.track}'" if options.track else ""
        raise UsageError(f"there are no runs to rank{where}; make some with 'mibench run --suite NAME' first")
    left, same = (_joined(tables) for tables in (left_out, coincident))
    parts_of_errors = Explained(
        _joined([one.cells_table(track) for track, one in explanations]),
        _joined([one.methods_table(track) for track, one in explanations]),
    )
    same = same.reindex(columns=[*_COINCIDENT, *METHOD])
    return Ranking(tuple(boards), left, same, _joined(cells), parts_of_errors, note)


def _listed_once(matrix: Matrix) -> tuple[Matrix, pd.DataFrame]:
    """Keep one of the methods that coincide; and the others, each with its ``twin``."""
    twins = twins_of(matrix)
    names = matrix.methods["method"]
    gone = matrix.methods.iloc[list(twins)][["method", *METHOD]].assign(twin=[names[other] for other in twins.values()])
    return matrix.select(methods=~np.isin(np.arange(len(names)), list(twins))), gone


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
    for regime in ("stream", *FIXED_SAMPLES):
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
    units = (measures.tasks, measures.families)
    how: Any = {"confidence": options.confidence, "resamples": options.resamples}
    of_log, of_baselines = generator.spawn(2)  # so that they move no draw of the methods' intervals
    over, interval, different = infer(measures.errors, *units, generator, limits=(0.0, options.cap), **how)
    log_errors = interval_of(measures.log_errors, *units, of_log, limits=measures.log_limits, **how)
    order = np.lexsort((methods["method"].to_numpy(str), np.round(interval.mean, DECIMALS)))
    different = different[np.ix_(order, order)]
    rank, best_rank, worst_rank = ranks(interval.mean[order], different)
    wins = win_shares(measures.task_errors)
    columns = {
        **{name: methods[name].to_numpy() for name in ("method", *METHOD)},
        "given": np.array(given_of(methods), dtype=object),
        **ends("error", interval),
        **ends("log_error", log_errors),
        "log_rank": places(log_errors.mean),
        **described(measures, reference),
        **explained,
        **counts(measures),
        "win_rate": finite_mean(wins, axis=1),
    }
    of_board = {
        **{"track": track, "part": part, "over": over, "families": int(measures.families.max()) + 1},
        **{"tasks": len(measures.families), "cells": len(measures.matrix.cells)},
    }
    placed = {
        **{**of_board, "role": ESTIMATOR, "rank": rank, "best_rank": best_rank, "worst_rank": worst_rank},
        "group": letters(different),
    }
    table = pd.DataFrame({**placed, **{name: values[order] for name, values in columns.items()}})
    names = methods["method"].iloc[order]
    shares, apart = (
        pd.DataFrame(pairs, index=names, columns=names.rename(None))
        for pairs in (wins[np.ix_(order, order)], different)
    )
    baselines = baselines_of(measures, of_baselines, **how)
    constants = {float(value) for one in baselines if one.name == CONSTANT for value in one.answers}
    rows = table_of_baselines(baselines, of_board, table)
    return Board(track, part, table[list(COLUMNS)], rows, tuple(sorted(constants)), shares, apart)
