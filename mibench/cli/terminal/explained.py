"""Errors explained beside the boards: a table with a sentence a method, or records for JSON."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from mibench.analysis.labels import listing, plural
from mibench.cli.terminal.console import say, show_table
from mibench.ranking.explained import CAUSES, SECOND, UNKNOWN, signed

if TYPE_CHECKING:
    from mibench.ranking.boards import Ranking


def show_explained(ranking: Ranking) -> None:
    """Print what stops each method, in the order of its board, and how the table is read."""
    methods = ranking.explained.methods
    for board in ranking.boards:
        rows = methods[methods["track"] == board.track].set_index("method").loc[board.table["method"]]
        known = rows[rows["stopped_by"] != ""]
        if len(known):
            say(f"\nerrors explained, track {board.track}")
            lines = [
                [str(name), _nats(row["estimator_part"]), _nats(row["critic_gap"]), row["sentence"]]
                for name, row in known.iterrows()
            ]
            columns = ("method", "estimator's part", "critic's gap", "reason")
            show_table(columns, lines, numbers=columns[1:3])
        lacking = rows.index[rows["stopped_by"] == ""]
        if len(lacking):
            say(
                f"track {board.track}, {UNKNOWN}: {plural(len(lacking), 'method')} without runs of the exact critic "
                f"beside most of its error ({listing(lacking)}); make them with 'mibench run --suite NAME --exact'"
            )
    if ranking.boards:
        say(
            "\nestimator's part: what the exact critic reads (under a sampler that leaves positives among the "
            "negatives of NWJ or DV, what the best one would read) - truth; critic's gap: estimate - that; nats, of "
            "the runs that held, families equal. A cause is named with its share of the error, a second one from "
            f"{SECOND:.0%} on."
        )
        said = dict.fromkeys(word for word in methods["stopped_by"] if word)
        for cause in (cause for cause in CAUSES if cause in said):
            say(f"{cause}: {CAUSES[cause]}")


def explained_records(ranking: Ranking) -> dict[str, Any]:
    """Return methods and cells as what JSON can hold."""
    tables = {"methods": ranking.explained.methods, "cells": ranking.explained.cells}
    return {name: json.loads(one.to_json(orient="records", double_precision=12)) for name, one in tables.items()}


def _nats(value: float) -> str:
    return signed(value) if math.isfinite(value) else ""
