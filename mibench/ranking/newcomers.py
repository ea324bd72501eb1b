"""Ranking a newcomer: it alone is run on a suite, and its rows are put beside the published ones.

Notable:

- Nothing published is run again, and nothing published moves: what the others score does not depend on the newcomer.
- Seconds of two machines are not compared. The reference estimator is run beside the newcomer, with one seed, and the
  newcomer's cost is relative to that.
- Rows of another version of a task, or of another training protocol, are refused by name: they answer other questions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mibench.analysis.labels import listing, plural, versioned
from mibench.core.errors import UsageError
from mibench.core.plugins import refresh_plugins
from mibench.core.registry import ESTIMATORS
from mibench.experiments.specs import PROTOCOL, RunSpec, params_json
from mibench.experiments.suite import Suite, get_suite
from mibench.ranking.boards import Board, Options, Ranking, rank_methods
from mibench.ranking.columns import REFERENCE
from mibench.ranking.rows import PUBLISHED, PUBLISHED_SUITE, as_ranked, rows_to_rank
from mibench.running.runner import execute, rows_of
from mibench.store.columns import FAILURE_STATUSES
from mibench.store.folders import load_runs
from mibench.store.paths import check_results, existing_results

if TYPE_CHECKING:
    from mibench.running.plan import Plan


@dataclasses.dataclass(frozen=True)
class Standing:
    """Where a newcomer stands in a track.

    Parameters
    ----------
    board
        The track's board, with the newcomer on it.
    row
        The newcomer's row of it, with the columns `mibench.ranking.columns.COLUMNS`.
    better, worse, alike
        The other methods: those told apart from it, and those that could not be.
    cells
        A row per cell, those first in which it is most ahead of the median of the others: ``cell``, ``family``,
        ``mi_true`` and ``estimate`` (nats), ``imputed`` (runs without a finite value), ``error``, ``median``
        (error of the other methods), ``best`` (least error of them), ``best_method`` and ``place`` (1 the best).
    """

    board: Board
    row: pd.Series
    better: tuple[str, ...]
    worse: tuple[str, ...]
    alike: tuple[str, ...]
    cells: pd.DataFrame

    @property
    def ahead(self) -> int:
        """Cells in which its error is below the median of the others."""
        return int((self.cells["error"] < self.cells["median"]).sum())


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A newcomer beside the published methods.

    Parameters
    ----------
    method
        The newcomer as boards name it.
    suite
        The suite's id.
    standings
        One for each track that it has rows in.
    ranking
        All boards of the joined rows.
    runs
        The joined rows as boards take them; see `mibench.ranking.rows.as_ranked`.
    failed
        Runs of the newcomer that crashed or ran out of time.
    """

    method: str
    suite: str
    standings: tuple[Standing, ...]
    ranking: Ranking
    runs: pd.DataFrame
    failed: int


def compare(
    plugin: str | Path | None = None,
    *,
    estimator: str | None = None,
    suite: str = PUBLISHED_SUITE,
    published: str | Path | None = None,
    results: str | Path = "results",
    jobs: int = 1,
    retry_failed: bool = False,
    retrain: bool = False,
    on_plan: Callable[[Plan], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Check a newcomer, run it on a suite, and rank it among the published methods.

    Parameters
    ----------
    plugin
        The file that registers it; not needed for an estimator that is known, with parameters that are not published.
    estimator
        Its name, with parameters perhaps; needed where the file registers several, or there is none.
    suite
        Name or file of the suite.
    published
        Results folder with the others' rows; by default what comes with mibench.
    results
        Results folder for the newcomer's rows, and those of the reference; what is there is not run again.
    jobs
        Worker processes.
    retry_failed, retrain
        As in `mibench.run`: train again what failed, and what other code of the newcomer made.
    on_plan, on_progress
        As in `mibench.running.runner.execute`.

    Raises
    ------
    UsageError
        Where the plug-in does not pass its checks, the estimator is on the board already, the published rows are of
        another version of a task or of another protocol, or there are none of the suite.
    """
    check_results(results)
    refresh_plugins()
    among = existing_results(PUBLISHED if published is None else published)
    if plugin is None and estimator is None:
        raise UsageError("nothing to compare; give a plug-in's file, or an estimator with --estimator")
    wanted = get_suite(suite)
    reference = wanted.specs({"estimator": REFERENCE})
    others = _published_rows(among, wanted, reference)
    if plugin is not None:
        _check(plugin)
        estimator = _only_estimator(plugin) if estimator is None else estimator
    specs = wanted.specs({"estimator": estimator})
    _refuse_known(others, specs[0])
    reference = [spec for spec in reference if spec.seed == specs[0].seed]
    execute(
        list({spec.run_id: spec for spec in (*specs, *reference)}.values()),  # the newcomer may be the reference
        results=results,
        jobs=jobs,
        retry_failed=retry_failed,
        retrain=retrain,
        command="mibench compare",
        on_plan=on_plan,
        on_progress=on_progress,
    )
    mine = rows_of(specs, results)
    seeds = sorted({spec.seed for spec in specs})
    joined = as_ranked(pd.concat([others, mine.assign(session_id="newcomer")], ignore_index=True), wanted)
    ranking = rank_methods(joined, Options(seeds=seeds, reference=REFERENCE))
    label = _label(ranking, specs[0])
    ranking = _with_cost(ranking, label, _costs(mine, rows_of(reference, results), specs[0], wanted))
    standings = tuple(_standing(board, label, ranking.cells) for board in ranking.boards if label in board.wins.index)
    failed = mine.loc[mine["status"].isin(FAILURE_STATUSES), "run_id"].nunique()
    return Comparison(label, wanted.id, standings, ranking, joined, int(failed))


# --- before any work ------------------------------------------------------------------------------------------


def _check(plugin: str | Path) -> None:
    from mibench.conformance.plugins import check_plugin

    failed = [finding for finding in check_plugin(plugin) if not finding.passed]
    if failed:
        first = f"{failed[0].subject}, {failed[0].check}: {failed[0].sentence}"
        raise UsageError(f"'{plugin}' fails {plural(len(failed), 'check')} ({first}); see 'mibench check {plugin}'")


def _only_estimator(plugin: str | Path) -> str:
    origin = Path(plugin).resolve()
    entries = [e for e in ESTIMATORS.entries(all_versions=True) if origin in (Path(e.origin), *Path(e.origin).parents)]
    newest = {entry.name: entry.id for entry in entries}  # of the file's own: another may have registered a newer one
    if len(newest) != 1:
        hint = f"name one with --estimator: {listing(newest)}" if newest else "see docs/adding-an-estimator.md"
        raise UsageError(f"'{plugin}' registers {plural(len(newest), 'estimator')}; {hint}")
    return next(iter(newest.values()))


def _published_rows(folder: Path, suite: Suite, specs: Sequence[RunSpec]) -> pd.DataFrame:
    """Return the rows of the suite that a newcomer is put beside; `specs` are the suite's of any estimator."""
    rows = load_runs(folder)
    found = rows_to_rank(suite, rows, folder).runs
    _refuse_other_protocols(found)
    _refuse_other_versions(rows, suite, {spec.task for spec in specs} - set(versioned(found, "task")))
    if found.empty:
        raise UsageError(
            f"'{folder}' holds no rows of suite '{suite.name}' to compare with; name a folder that does by --published"
        )
    return found


def _refuse_known(found: pd.DataFrame, spec: RunSpec) -> None:
    if _is_method(found, spec).any():
        raise UsageError(
            f"estimator '{_name(spec)}' is on the board already, with these parameters; see 'mibench leaderboard'"
        )


def _refuse_other_protocols(found: pd.DataFrame) -> None:
    protocols = sorted(set(found["protocol"].dropna().astype(int)) - {PROTOCOL})
    if protocols:
        raise UsageError(
            f"the published rows were trained by protocol {listing(map(str, protocols))}, and this version of mibench "
            f"trains by protocol {PROTOCOL}; compare with rows of one protocol"
        )


def _refuse_other_versions(rows: pd.DataFrame, suite: Suite, lacking: Collection[str]) -> None:
    """Say of tasks of a suite that have no rows where they have some in another version."""
    names = {task.rpartition("-v")[0] for task in lacking}
    others = sorted(set(versioned(rows[rows["task"].isin(names)], "task")) - set(lacking))
    if others:
        raise UsageError(
            f"the published rows are of {listing(others)}, and suite '{suite.id}' runs {listing(sorted(lacking))}; "
            "compare with rows of the same versions"
        )


def _name(spec: RunSpec) -> str:
    entry = ESTIMATORS.entry(spec.estimator)
    return ESTIMATORS.shown_name(entry.name, entry.version)


def _is_method(table: pd.DataFrame, spec: RunSpec) -> pd.Series:
    """Mark the rows, of runs or of a board, that are of a run's estimator with its parameters."""
    same: pd.Series = versioned(table, "estimator") == spec.estimator
    return same & (table["estimator_params"] == params_json(spec.estimator_params))


# --- after it -------------------------------------------------------------------------------------------------


def _label(ranking: Ranking, spec: RunSpec) -> str:
    """Return what boards call the newcomer.

    Raises
    ------
    UsageError
        Where it is on none: the published rows hold cells that the suite did not run, or it is another estimator
        that is on the board already, under another name.
    """
    table = ranking.table()
    mine = _is_method(table, spec)
    same = ranking.coincident[_is_method(ranking.coincident, spec)]
    if not mine.any() and len(same):
        raise UsageError(
            f"estimator '{_name(spec)}' is '{same['twin'].iloc[0]}' under another name, which is on the board already: "
            "loss and estimate are the same"
        )
    if not mine.any():
        raise UsageError(
            f"estimator '{_name(spec)}' has not all runs that the others have; give the same command again"
        )
    return str(table.loc[mine, "method"].iloc[0])


def _costs(mine: pd.DataFrame, reference: pd.DataFrame, spec: RunSpec, suite: Suite) -> dict[str, float]:
    """Cost of the newcomer by track, over the seed that the reference was run with, on this machine."""
    local = pd.concat([mine[mine["seed"] == spec.seed], reference], ignore_index=True).assign(session_id="here")
    table = rank_methods(as_ranked(local, suite), Options(reference=REFERENCE)).table()
    table = table[_is_method(table, spec)]
    return dict(zip(table["track"], table["cost"], strict=True))


def _with_cost(ranking: Ranking, label: str, costs: dict[str, float]) -> Ranking:
    boards = []
    for board in ranking.boards:
        table = board.table.copy()
        table.loc[table["method"] == label, "cost"] = costs.get(board.track)
        boards.append(dataclasses.replace(board, table=table))
    return dataclasses.replace(ranking, boards=tuple(boards))


def _standing(board: Board, label: str, cells: pd.DataFrame) -> Standing:
    own = board.table["method"] == label
    row, others = board.table[own].iloc[0], board.table[~own].set_index("method")
    told_apart = board.apart.loc[label].drop(label).to_numpy(bool)
    apart = others[told_apart]
    return Standing(
        board,
        row,
        better=tuple(apart.index[apart["error"] < row["error"]]),
        worse=tuple(apart.index[apart["error"] >= row["error"]]),
        alike=tuple(others.index[~told_apart]),
        cells=_cells(cells[cells["track"] == board.track], label),
    )


def _cells(cells: pd.DataFrame, label: str) -> pd.DataFrame:
    """Compare the newcomer with the others cell by cell."""
    mine = cells[cells["method"] == label].set_index("cell")
    others = cells[cells["method"] != label].pivot(index="cell", columns="method", values="error").reindex(mine.index)
    table = mine[["family", "mi_true", "estimate", "imputed", "error"]].assign(
        median=others.median(axis=1),
        best=others.min(axis=1),
        best_method=others.idxmin(axis=1) if others.shape[1] else "",
        place=1 + others.lt(mine["error"], axis=0).sum(axis=1),
    )
    order = (table["error"] - table["median"]).sort_values(kind="stable").index
    return table.loc[order].reset_index()
