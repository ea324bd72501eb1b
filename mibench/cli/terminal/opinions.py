"""A second opinion beside the boards: tables with sentences, or records for JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mibench.analysis.labels import listing, plural
from mibench.cli.terminal.console import say, show_table
from mibench.ranking.second_opinion import FEWEST_METHODS, FEWEST_TASKS

if TYPE_CHECKING:
    from mibench.ranking.boards import Ranking
    from mibench.ranking.second_opinion import SecondOpinion

_LONGEST = 40
"""Pairs that are named on a line at most."""


def show_opinions(opinions: Sequence[SecondOpinion], ranking: Ranking) -> None:
    """Print each opinion beside the board's ranks and groups, and where the two disagree."""
    for opinion in opinions:
        _show(opinion)
    asked = {opinion.track for opinion in opinions}
    for track in [board.track for board in ranking.boards if board.track not in asked]:
        needs = f"Friedman's test needs {FEWEST_METHODS} methods and {FEWEST_TASKS} tasks"
        say(f"\nno second opinion on track {track}: {needs}")
    if opinions:
        say(
            "\nmean rank: of a method's errors within each task, 1 the least; it says who is ahead how often, and "
            "the board by how much. Friedman's and Nemenyi's tests take tasks as independent, which levels of one "
            "family are not."
        )


def opinion_records(opinions: Sequence[SecondOpinion]) -> list[dict[str, Any]]:
    """Return opinions as what JSON can hold."""
    return [
        {
            **{name: getattr(one, name) for name in ("track", "tasks", "statistic", "p", "library")},
            "methods": json.loads(one.table.to_json(orient="records", double_precision=12)),
            **{name: getattr(one, name) for name in ("both", "board_alone", "nemenyi_alone")},
        }
        for one in opinions
    ]


def _show(opinion: SecondOpinion) -> None:
    count = len(opinion.table)
    say(
        f"\nsecond opinion on track {opinion.track} ({opinion.library}): Friedman's test over "
        f"{plural(opinion.tasks, 'task')}, chi² = {opinion.statistic:.1f} with {count - 1} degrees of freedom, "
        f"p = {opinion.p:.2g}; Nemenyi's test of all pairs at 5 %"
    )
    rows = [
        [str(row["rank"]), row["group"], row["method"], f"{row['mean_rank']:.2f}", row["nemenyi_group"]]
        for row in opinion.table.to_dict("records")
    ]
    columns = ("rank", "group", "method", "mean rank", "Nemenyi's group")
    show_table(columns, rows, numbers=("rank", "mean rank"))
    disagree = len(opinion.board_alone) + len(opinion.nemenyi_alone)
    pairs = count * (count - 1) // 2
    verdict = f"they disagree on {disagree}" if disagree else "they agree on all pairs"
    say(f"of {plural(pairs, 'pair')} both tell {opinion.both} apart; {verdict}")
    for who, found in (("the board", opinion.board_alone), ("Nemenyi's test", opinion.nemenyi_alone)):
        if found:
            say(f"told apart by {who} alone: {listing((f'{one} from {other}' for one, other in found), _LONGEST)}")
