"""A leaderboard: tables with sentences, JSON, CSV.

Notable: a table on a terminal is what fits and is read; JSON holds everything, the cells included.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mibench.analysis.labels import plural
from mibench.cli.terminal.console import say, show_table
from mibench.cli.terminal.explained import explained_records
from mibench.cli.terminal.numbers import span_text
from mibench.cli.terminal.opinions import opinion_records
from mibench.ranking.columns import ESTIMATOR
from mibench.ranking.sentences import (
    baselines_sentence,
    coincident_sentence,
    constant_sentence,
    given_sentence,
    marked_name,
)
from mibench.report.files import csv_text

if TYPE_CHECKING:
    import pandas as pd

    from mibench.ranking.boards import Board, Ranking
    from mibench.ranking.second_opinion import SecondOpinion

_TEXT = ("group", "method")
_IMPUTED = "*"
_RUN_AWAY = 1e4
_OVER = {
    "families": "families, as a sample of those that one might meet",
    "seeds": "seeds: they speak of these tasks and of no others, of which fewer than eight families say nothing",
}


def show_ranking(ranking: Ranking, *, wins: bool = False, note: str = "") -> None:
    """Print every board, what its numbers mean, and who is left out.

    Parameters
    ----------
    ranking
        As from `mibench.ranking.rank_methods`.
    wins
        Whether to print who wins against whom as well.
    note
        A sentence to print below.
    """
    for board in ranking.boards:
        say(f"\n{heading(board)}")
        lines = lines_of(board)
        columns = filled(lines)
        numbers = [name for name in columns if name not in _TEXT]
        show_table(columns, ([line[name] for name in columns] for line in lines), numbers=numbers)
        if wins and len(lines) > 1:
            _show_wins(board)
    if ranking.boards:
        _explain(ranking)
    for sentence in (*left_out_sentences(ranking), coincident_sentence(ranking)):
        if sentence:
            say(sentence)
    if not ranking.boards:
        say(NO_BOARD)
    for sentence in filter(None, (ranking.note, note)):
        say(sentence)


def ranking_json(
    ranking: Ranking, *, note: str = "", opinions: Sequence[SecondOpinion] | None = None, explain: bool = False
) -> str:
    """Write everything as JSON: boards with their wins, who is left out, every method's cells.

    Opinions and what errors are made of are added where they are asked for.
    """
    boards = [
        {
            "track": b.track,
            "part": b.part,
            "methods": _records(b.table),
            "baselines": _records(b.baselines),
            "constants": b.constants,
            "wins": json.loads(b.wins.to_json(orient="index")),
        }
        for b in ranking.boards
    ]
    said = " ".join(filter(None, (ranking.note, note)))
    parts = {
        "boards": boards,
        **{name: _records(getattr(ranking, name)) for name in ("left_out", "coincident", "cells")},
        "note": said,
    }
    if opinions is not None:
        parts["second_opinions"] = opinion_records(opinions)
    if explain:
        parts["explained"] = explained_records(ranking)
    return json.dumps(parts, indent=2)


def ranking_csv(ranking: Ranking) -> str:
    """Write the boards as one table in CSV, with a column for the track and one for the part."""
    return csv_text(ranking.table())


def _records(table: pd.DataFrame) -> Any:
    return json.loads(table.to_json(orient="records", double_precision=12))


def heading(board: Board) -> str:
    """Say what a board ranks, how many methods, tasks and cells it has, and how many are worse than a constant."""
    from mibench.ranking.columns import TRACKS

    size = board.table.iloc[0]
    part = "" if board.part == "all" else f", {board.part}"
    tasks, cells = plural(int(size["tasks"]), "task"), plural(int(size["cells"]), "cell")
    families = plural(int(size["families"]), "family", "families")
    return (
        f"{TRACKS[board.track]}{part} (track {board.track}): {plural(len(board.table), 'method')}, {tasks} of "
        f"{families}, {cells}; {constant_sentence(board)}"
    )


def lines_of(board: Board) -> list[dict[str, str]]:
    """Write the cells of a board's rows as text by column, the best first, baselines in their place."""
    return [_line(row) for row in board.whole().to_dict("records")]


def filled(lines: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the columns in which any line has something."""
    return [name for name in lines[0] if any(line[name] for line in lines)]


def _line(row: Mapping[Hashable, Any]) -> dict[str, str]:
    ranked = row["role"] == ESTIMATOR
    return {
        "rank": str(row["rank"]) if ranked else "",
        "could be": span_text(row["best_rank"], row["worst_rank"]) if ranked else "",
        "group": row["group"],
        "method": marked_name(row),
        "error": f"{row['error']:.3f}{_IMPUTED if row['imputed_runs'] else ''}",
        "95 % interval": "" if math.isnan(row["error_low"]) else f"{row['error_low']:.3f} to {row['error_high']:.3f}",
        "log error": f"{row['log_error']:.3f}",
        "by log": str(row["log_rank"]) if ranked else "",
        "bias": _number(row["bias"], "+.2f"),
        "variance": _number(row["variance"], ".2g"),
        "saturation": _number(row["saturation"], ".0%"),
        "violations": _number(row["violations"], ".0%"),
        "diverged": _number(row["diverged"], ".0%") if row["diverged"] else "",
        "failed": _number(row["failed"], ".0%") if row["failed"] else "",
        "warned": _number(row["warned"], ".0%") if row["warned"] else "",
        "tau": _number(row["monotonicity"], ".2f"),
        "cost": _number(row["cost"], ".2g"),
        "wins": _number(row["win_rate"], ".0%"),
    }


def _number(value: float, form: str) -> str:
    """Write a number; nothing where there is none, and in powers of ten where it has run away."""
    if not math.isfinite(value):
        return ""
    return format(value, "+.0e" if form.startswith("+") else ".0e") if abs(value) >= _RUN_AWAY else format(value, form)


def _show_wins(board: Board) -> None:
    say("\nshare of the tasks on which the row's error is below the column's:")
    ranks = [str(place + 1) for place in range(len(board.wins))]
    rows = (
        [rank, str(name), *(_number(value, ".0%") for value in values)]
        for rank, (name, values) in zip(ranks, board.wins.iterrows(), strict=True)
    )
    show_table(("", "method", *ranks), rows, numbers=("", *ranks))


def error_sentences(boards: Sequence[Board]) -> str:
    """Say what the errors are, over what intervals and tests speak, and what letters mean."""
    over = "; ".join(_OVER[name] for name in dict.fromkeys(board.table["over"].iloc[0] for board in boards))
    return (
        "error: |estimate - truth| / max(truth, 1 nat), each run at most 1, which is what answering 0 scores; families "
        "count equally. log error: |log((1 + estimate) / (1 + truth))|, averaged alike; 'by log' is the rank by it, "
        f"and tests are of the first. Intervals and tests are over {over}. Methods that share a letter cannot be told "
        "apart at 5 % (paired t tests, Holm's correction); 'could be' are the ranks that this leaves open."
    )


UNITS = "bias and variance (between seeds) in nats and nats²"
"""What bias and variance are measured in."""


def imputed_sentence(boards: Sequence[Board]) -> str:
    """Say what the star beside an error means; empty where there is none."""
    if not any((board.table["imputed_runs"] > 0).any() for board in boards):
        return ""
    return (
        f"{_IMPUTED} some runs have no finite value (not finite, crashed or out of time): they count as 1 in the error"
    )


def diverged_sentence(boards: Sequence[Board]) -> str:
    """Say what diverged means; empty where nothing did."""
    if not any((board.table["diverged"] > 0).any() for board in boards):
        return ""
    return (
        "diverged: runs whose value is not finite, over 100 nats below 0, or as far above the truth; like those that "
        "failed they have no part in bias, variance and saturation"
    )


def left_out_sentences(ranking: Ranking) -> list[str]:
    """Name the methods that lack runs, each with what it lacks."""
    methods = ranking.left_out.to_dict("records")
    return [f"left out of track {one['track']}: {one['method']} {one['lacking']}" for one in methods]


NO_BOARD = "no method has all runs, so that there is nothing to rank; --suite keeps the rows that belong together"
"""What is said in place of boards where there are none."""


def _explain(ranking: Ranking) -> None:
    """Say how the tables are read."""
    say(f"\n{error_sentences(ranking.boards)}")
    say(baselines_sentence(ranking.boards))
    say(
        f"{UNITS}; saturation: estimate over the least of true MI and "
        "ceilings; violations: runs on the wrong side of the truth; tau: Kendall's, between true MI and estimate; "
        "cost: seconds of a run, relative; wins: tasks won against the others."
    )
    for said in (given_sentence, imputed_sentence, diverged_sentence):
        if sentence := said(ranking.boards):
            say(sentence)
    if any((board.table["stands_in"] > 0).any() for board in ranking.boards):
        names = {name for board in ranking.boards for name in board.table.loc[board.table["stands_in"] > 0, "method"]}
        say(f"with a critic or sampler of their own, and one run for all of a grid's: {', '.join(sorted(names))}")
