"""The leaderboard from Python: one table, of the published rows or of given ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Literal

import numpy as np
import pandas as pd

from mibench.core.errors import UsageError, shown
from mibench.core.numbers import as_integer
from mibench.ranking.boards import Options, rank_methods
from mibench.ranking.columns import REFERENCE
from mibench.ranking.rows import read_ranking_rows

_NEEDED = ("estimator", "task", "mi_true", "kind", "seed", "status")
"""Columns that no board can do without; what else is missing counts as the same in all rows."""


def leaderboard(
    runs: pd.DataFrame | None = None,
    *,
    track: str | None = None,
    by: Literal["family", "regime", "sampler"] | None = None,
    seeds: Collection[int] | None = None,
    reference: str = REFERENCE,
    generator: np.random.Generator | None = None,
) -> pd.DataFrame:
    """Rank estimators by their error.

    A run's error is ``|estimate - truth| / max(truth, 1 nat)``, at most 1; a method's is the mean over families of
    tasks, in each over its tasks. Without rows it is the published board: the rows of the suite ``standard`` that come
    with mibench, as ``mibench leaderboard`` ranks them.

    Parameters
    ----------
    runs
        Rows of the runs table: those that are to make one board, such as the rows of a suite; the published ones by
        default.
    track
        The one track to rank: ``"lower"``, ``"plug-in"``, ``"upper"``, ``"dataset"`` or ``"tuned"``; all by default.
    by
        ``"family"``, ``"regime"`` or ``"sampler"``: a board for each family of tasks, for true MI up to and above
        log N, or for each sampler of negatives.
    seeds
        Seeds that every cell must have, others do not count; by default the suite's for published rows, and all that
        any method has in a cell for given ones.
    reference
        Estimator whose seconds are 1 in the column ``cost``, complete or not, by its name or with its version; without
        the usual one the column is NaN.
    generator
        Where the bootstrap's draws come from; by default one seeded with 0.

    Returns
    -------
    DataFrame
        The leaderboard's columns, nats and seconds; a row per track, part and method, the best first.
        ``attrs["left_out"]`` lists the methods that lack runs and are therefore not on it, as records of ``track``,
        ``method`` and ``lacking``, and ``attrs["coincident"]`` those that are another one under another name, as
        records of ``track``, ``part``, ``method`` and ``twin``; ``attrs["note"]`` says of which plug-ins rows by former
        code were left out; ``attrs["explained"]`` says what stops each method, as records with a ``sentence``.

    Raises
    ------
    UsageError
        Where there are no rows, none in the track or of the reference, `track` or `by` do not exist, or a value is of
        another type.
    StoreError
        For published rows that cannot be read.

    Examples
    --------
    >>> board = mibench.leaderboard(track="lower")  # doctest: +SKIP
    >>> board[["rank", "group", "method", "error"]]  # doctest: +SKIP
    >>> mine = mibench.leaderboard(mibench.load_runs("results"), by="family")  # doctest: +SKIP
    """
    options = Options(track=track, by=by, seeds=_checked_seeds(seeds), reference=reference)
    _check_generator(generator)
    if runs is None:
        published = read_ranking_rows()
        runs = published.runs
        options = options if seeds is not None else dataclasses.replace(options, seeds=published.seeds)
    _check_rows(runs)
    ranking = rank_methods(runs, options, generator)
    board = ranking.table()
    board.attrs["left_out"] = ranking.left_out.to_dict("records")
    board.attrs["coincident"] = ranking.coincident[["track", "part", "method", "twin"]].to_dict("records")
    board.attrs["note"] = ranking.note
    board.attrs["explained"] = ranking.explained.methods.to_dict("records")
    return board


def _checked_seeds(seeds: object) -> list[int] | None:
    """Read a list of whole numbers, of Python or NumPy, or raise `UsageError`."""
    if seeds is None:
        return None
    found = (
        [as_integer(seed) for seed in seeds] if isinstance(seeds, Collection) and not isinstance(seeds, str) else [None]
    )
    if None in found:
        raise UsageError(f"seeds must be a list of seeds, not {shown(seeds, repr)}")
    return [seed for seed in found if seed is not None]


def _check_generator(generator: object) -> None:
    """Refuse, by `UsageError`, what is no generator."""
    if generator is not None and not isinstance(generator, np.random.Generator):
        raise UsageError(f"generator must be a numpy.random.Generator, not {shown(generator, repr)}")


def _check_rows(runs: object) -> None:
    """Refuse, by `UsageError`, what is not of the runs table."""
    if not isinstance(runs, pd.DataFrame):
        raise UsageError(f"runs must be a table of runs, not {shown(runs, repr)}; read one with mibench.load_runs")
    missing = [name for name in _NEEDED if name not in runs.columns]
    if missing and not runs.empty:
        raise UsageError(f"the table of runs has no column '{missing[0]}'; read one with mibench.load_runs")
