"""What tables and figures say of a board in the same words."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from mibench.analysis.labels import listing, plural
from mibench.ranking.baselines import CONSTANT, ZERO
from mibench.ranking.boards import Board, Ranking

GIVEN = "†"
"""Mark behind the names of methods that are given something."""


def marked_name(row: Mapping[Hashable, Any] | pd.Series) -> str:
    """Name a board's method, with a mark where it is given something."""
    return f"{row['method']} {GIVEN}" if row["given"] else str(row["method"])


def given_sentence(boards: Sequence[Board]) -> str:
    """Say what the marked methods are given; empty where none is."""
    table = pd.concat([board.table[["method", "given"]] for board in boards]).drop_duplicates()
    marked = table[table["given"] != ""].sort_values("method", kind="stable")
    if marked.empty:
        return ""
    names = [f"{name} ({given})" for name, given in marked.itertuples(index=False, name=None)]
    return f"{GIVEN} told, or taking for granted, what others have to learn: {listing(names, len(names))}"


def coincident_sentence(ranking: Ranking) -> str:
    """Say which methods are another one under another name, and on which boards; empty where none is."""
    places: dict[str, list[str]] = {}
    for row in ranking.coincident.to_dict("records"):
        where = row["track"] if row["part"] == "all" else f"{row['track']} ({row['part']})"
        places.setdefault(f"{row['method']} is {row['twin']}", []).append(where)
    said = [f"{name}, in track {listing(where, len(where))}" for name, where in places.items()]
    return f"listed once, since loss and estimate are the same: {'; '.join(said)}" if said else ""


def constant_sentence(board: Board) -> str:
    """Say how many methods are worse than the best constant, and what that answers; on one task that there is none."""
    worse = board.below_constant()
    if worse is None:
        return f"no {CONSTANT}: one task leaves nothing to choose it by"
    numbers = " or ".join(f"{value:.3g}" for value in board.constants)
    verb = "is" if worse.sum() == 1 else "are"
    return f"{worse.sum()} of {plural(len(worse), 'method')} {verb} worse than {CONSTANT}, which answers {numbers} nats"


def baselines_sentence(boards: Sequence[Board]) -> str:
    """Say what the rows are that have no rank."""
    constant = any(board.constants for board in boards)
    said = f"{ZERO} answers 0 nats always"
    if constant:
        said += (
            f", {CONSTANT} the single number that is best on the other families, on a board of one family on the other "
            "tasks"
        )
    unknown = any(board.baselines["error_low"].isna().any() for board in boards)
    seeds = "; seeds do not enter, and over them there is no interval" if unknown else ""
    return f"without a rank, and no estimator's answer: {said}{seeds}"
