"""The rows that a leaderboard is made of: a results folder, or the published one, and a suite's share of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mibench.analysis.cells import GridRows, rows_of_suite
from mibench.analysis.labels import versioned
from mibench.core.errors import UsageError
from mibench.core.parameters import split_name
from mibench.experiments.specs import EXACT
from mibench.experiments.suite import Suite, get_suite
from mibench.ranking.matrix import WITHOUT_CRITIC
from mibench.ranking.tuning import choose_settings
from mibench.store.columns import RANKED
from mibench.store.copies import CHOICE
from mibench.store.folders import read_runs
from mibench.store.paths import existing_results

PUBLISHED = Path(__file__).parents[1] / "standard"
"""The results folder that is published with mibench."""

PUBLISHED_SUITE = "standard"
"""The suite that is ranked where nothing is said."""


@dataclasses.dataclass(frozen=True)
class RankingRows:
    """Rows to rank.

    Parameters
    ----------
    runs
        Rows of the runs table, in the columns that a board is made of; all those of the exact critic with them.
    seeds
        The seeds that every cell must have; None leaves them to the rows.
    note
        A sentence about what no method has; empty where nothing is missing.
    """

    runs: pd.DataFrame
    seeds: Sequence[int] | None
    note: str


def read_ranking_rows(results: Path | None = None, suite: str | None = None) -> RankingRows:
    """Read the rows of a board.

    Parameters
    ----------
    results
        A results folder; by default the published one, and of it the standard suite.
    suite
        A suite whose rows are kept; by default all rows.

    Raises
    ------
    UsageError
        Where there are no rows, and for an unknown suite.
    StoreError
        As `mibench.load_runs`.
    """
    columns = {*RANKED, *CHOICE}  # the latter tell which code was used last
    if results is None:
        runs, suite = read_runs(PUBLISHED, columns), PUBLISHED_SUITE if suite is None else suite
        if runs.empty:
            raise UsageError(
                "no rows are published with this version of mibench; rank your own with --results FOLDER, "
                "as 'mibench run --suite NAME' makes them"
            )
    else:
        runs = read_runs(existing_results(results), columns)
    if suite is None:
        return RankingRows(runs, None, "")
    return rows_of(suite, runs, PUBLISHED if results is None else results)


def rows_of(suite: str, runs: pd.DataFrame, folder: Path) -> RankingRows:
    """Pick the rows of a suite, and of the suite beside it, as boards take them.

    Parameters
    ----------
    suite
        Its name, or its file.
    runs
        Rows of the runs table.
    folder
        Where they are from, for messages.

    Raises
    ------
    UsageError
        For an unknown suite, and where there are none of its rows.
    """
    wanted = get_suite(suite)
    found = rows_to_rank(wanted, runs, folder)
    if found.runs.empty:
        raise UsageError(f"'{folder}' holds no rows of suite '{suite}'; make some with 'mibench run --suite {suite}'")
    exact = runs[(runs["critic"] == EXACT) & ~runs["run_id"].isin(found.runs["run_id"])]
    ranked = as_ranked(found.runs, wanted)
    if wanted.beside:
        other = get_suite(wanted.beside)
        beside = rows_to_rank(other, runs, folder).runs
        if len(beside):
            both = pd.concat([ranked, as_ranked(beside, other), exact], ignore_index=True)
            return RankingRows(both, None, found.note())  # the two may have other seeds
    return RankingRows(pd.concat([ranked, exact]), wanted.options.seeds, found.note())


def rows_to_rank(suite: Suite, runs: pd.DataFrame, folder: Path) -> GridRows:
    """Find the rows of a suite that its boards are made of; none where the folder lacks it.

    Suites have runs in common. Of the published folder, which holds several, the estimators that the suite lists are
    taken alone: others have a few of its runs, by which they would be named on its boards. And where settings are
    chosen, rows of estimators that are not trained are another suite's as well: by themselves they are none of it.

    Parameters
    ----------
    suite
        The suite.
    runs
        Rows of the runs table.
    folder
        Where they are from.
    """
    if suite.estimators and folder.resolve() == PUBLISHED.resolve():
        runs = runs[versioned(runs, "estimator").isin([split_name(text)[0] for text in suite.estimators])]
    found = rows_of_suite(runs, suite.grid)
    if suite.tuned and not (found.runs["critic"] != WITHOUT_CRITIC).any():
        return rows_of_suite(runs.iloc[:0], suite.grid)
    return found


def as_ranked(runs: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return the rows of a suite as boards take them: with chosen settings alone where the suite has them chosen.

    Raises
    ------
    UsageError
        As `mibench.ranking.tuning.choose_settings`.
    """
    return choose_settings(runs).runs if suite.tuned else runs
