"""What ``mibench compare`` says of a newcomer: sentences and tables, or JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from mibench.analysis.labels import listing
from mibench.cli.terminal.console import say, show_table
from mibench.cli.terminal.paper_tables import latex_tables, markdown_tables
from mibench.ranking.newcomers import Comparison, Standing
from mibench.ranking.sentences import marked_name
from mibench.report.comparison import sentences, standing_sentence

_EXTREMES = 3
_NEIGHBOURS = 3


def show_comparison(comparison: Comparison) -> None:
    """Print rank, group and neighbours in every track, and where the newcomer is ahead and behind."""
    for standing in comparison.standings:
        say(f"\n{standing_sentence(comparison, standing)}")
        _show_neighbours(standing)
        for what, methods in (("behind", standing.better), ("ahead of", standing.worse), ("beside", standing.alike)):
            if methods:
                told = "not told apart from" if what == "beside" else f"told apart, {what}"
                say(f"{told}: {listing(methods, 40)}")
        cells = standing.cells
        ahead, behind = cells[cells["error"] < cells["median"]], cells[cells["error"] > cells["median"]]
        for what, some in (("most ahead", ahead.head(_EXTREMES)), ("most behind", behind.tail(_EXTREMES)[::-1])):
            if len(some):
                say(f"{what}: {'; '.join(_cell(row) for _, row in some.iterrows())}")
    for sentence in sentences(comparison)[len(comparison.standings) :]:
        say(sentence)


def comparison_json(comparison: Comparison) -> str:
    """Write where a newcomer stands as JSON: its row, the methods around it and its cells, by track."""
    standings = [
        {
            **json.loads(standing.row.to_json()),
            "baselines": json.loads(standing.board.baselines.to_json(orient="records")),
            "better": standing.better,
            "worse": standing.worse,
            "not_told_apart": standing.alike,
            "by_cell": json.loads(standing.cells.to_json(orient="records")),
        }
        for standing in comparison.standings
    ]
    parts = {"method": comparison.method, "suite": comparison.suite, "failed": comparison.failed, "tracks": standings}
    return json.dumps(parts, indent=2)


def comparison_latex(comparison: Comparison) -> str:
    """Write the boards that the newcomer is on as LaTeX, its row in bold."""
    return latex_tables(comparison.ranking, **_in_paper(comparison))


def comparison_markdown(comparison: Comparison) -> str:
    """Write the boards that the newcomer is on as Markdown, its row in bold."""
    return markdown_tables(comparison.ranking, **_in_paper(comparison))


def _in_paper(comparison: Comparison) -> dict[str, Any]:
    boards = [standing.board for standing in comparison.standings]
    return {"boards": boards, "newcomer": comparison.method, "notes": sentences(comparison)}


def _show_neighbours(standing: Standing) -> None:
    """Print the board's rows around the newcomer."""
    table = standing.board.whole()
    place = int((table["method"] == standing.row["method"]).to_numpy().argmax())
    shown = table.iloc[max(place - _NEIGHBOURS, 0) : place + _NEIGHBOURS + 1]
    rows: list[Sequence[str]] = [
        [
            ">" if row["method"] == standing.row["method"] else "",
            "" if pd.isna(row["rank"]) else str(row["rank"]),
            row["group"],
            marked_name(row),
            f"{row['error']:.3f}",
            "" if math.isnan(row["error_low"]) else f"{row['error_low']:.3f} to {row['error_high']:.3f}",
            f"{row['log_error']:.3f}",
            f"{row['bias']:+.2f}" if pd.notna(row["bias"]) else "",
        ]
        for _, row in shown.iterrows()
    ]
    columns = ("", "rank", "group", "method", "error", "95 % interval", "log error", "bias")
    show_table(columns, rows, numbers=("rank", "error", "95 % interval", "log error", "bias"))


def _cell(row: pd.Series) -> str:
    return (
        f"{row['cell']} ({row['error']:.2f}, median {row['median']:.2f}, best {row['best_method']} {row['best']:.2f})"
    )
