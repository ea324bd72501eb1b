"""A second opinion on a board's groups: Friedman's and Nemenyi's tests, by scikit-posthocs, of the same task errors.

Notable:

- It is a kept library's, not mibench's own, and asks another question: who is ahead on how many tasks, where the board
  asks by how much. A difference that both find depends on neither way of asking.
- Both tests take tasks as independent, which the levels of one family are not: they may tell too much apart.
- scikit-posthocs rather than autorank: it is released for current versions of NumPy and pandas, and of what it needs
  statsmodels alone is not here already. autorank needs a library for Bayesian tests besides.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import itertools
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, rankdata

from mibench.core.errors import UsageError
from mibench.ranking.boards import Board, Ranking
from mibench.ranking.groups import DECIMALS, letters

LEVEL = 0.05
"""Pairs whose p-value is not above it are told apart."""

FEWEST_METHODS, FEWEST_TASKS = 3, 2
"""What Friedman's test needs."""

_LIBRARY = "scikit_posthocs"


@dataclasses.dataclass(frozen=True)
class SecondOpinion:
    """What ranks within tasks say of a board's methods.

    Parameters
    ----------
    track
        Track of the board.
    tasks
        How many tasks the ranks are of.
    statistic, p
        Friedman's test that all methods have the same mean rank.
    table
        A row per method in the board's order: ``rank`` and ``group`` of the board, ``method``, ``mean_rank`` (of its
        errors within the tasks, 1 the least) and ``nemenyi_group``.
    both
        How many pairs are told apart by the board and by Nemenyi's test.
    board_alone, nemenyi_alone
        The pairs that one of them tells apart, the better by the board's error first.
    library
        The library with its version.
    """

    track: str
    tasks: int
    statistic: float
    p: float
    table: pd.DataFrame
    both: int
    board_alone: tuple[tuple[str, str], ...]
    nemenyi_alone: tuple[tuple[str, str], ...]
    library: str


def check_library() -> None:
    """Refuse, by `UsageError`, to give an opinion without the library that it is of."""
    if importlib.util.find_spec(_LIBRARY) is None:
        raise UsageError("a second opinion needs scikit-posthocs; run: pip install 'mibench[second-opinion]'")


def second_opinions(ranking: Ranking) -> list[SecondOpinion]:
    """Ask for a second opinion on every whole board with enough methods and tasks.

    Parameters
    ----------
    ranking
        As from `mibench.ranking.boards.rank_methods`, not split into parts.

    Raises
    ------
    UsageError
        Where the library is not installed.
    """
    check_library()
    posthocs: Any = importlib.import_module(_LIBRARY)
    found = []
    for board in ranking.boards:
        errors = task_errors(board, ranking.cells)
        if errors.shape[1] >= FEWEST_METHODS and len(errors) >= FEWEST_TASKS:
            found.append(_opinion(board, errors, posthocs))
    return found


def task_errors(board: Board, cells: pd.DataFrame) -> pd.DataFrame:
    """Mean errors by task (rows) and method (columns, in the board's order).

    Parameters
    ----------
    board
        A whole board.
    cells
        As `mibench.ranking.boards.Ranking.cells`.
    """
    of_track = cells[cells["track"] == board.track]
    means = of_track.groupby(["family", "mi_true", "method"], sort=True)["error"].mean()
    return means.unstack("method")[list(board.table["method"])].round(DECIMALS)


def _opinion(board: Board, errors: pd.DataFrame, posthocs: Any) -> SecondOpinion:
    values = errors.to_numpy(np.float64)
    statistic, p = friedmanchisquare(*values.T)
    different = posthocs.posthoc_nemenyi_friedman(values).to_numpy(np.float64) <= LEVEL
    apart = board.apart.to_numpy(bool)
    names = list(errors.columns)
    pairs = list(itertools.combinations(range(len(names)), 2))
    table = board.table[["rank", "group", "method"]].assign(
        mean_rank=rankdata(values, axis=1).mean(axis=0), nemenyi_group=letters(different)
    )
    return SecondOpinion(
        board.track,
        len(errors),
        float(statistic),
        float(p),
        table,
        both=sum(bool(apart[pair] and different[pair]) for pair in pairs),
        board_alone=tuple((names[i], names[j]) for i, j in pairs if apart[i, j] and not different[i, j]),
        nemenyi_alone=tuple((names[i], names[j]) for i, j in pairs if different[i, j] and not apart[i, j]),
        library=f"scikit-posthocs {posthocs.__version__}",
    )
