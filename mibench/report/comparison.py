"""The page of a newcomer: where it stands, its error in every cell among those of the others, and the boards."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.labels import plural
from mibench.core.registry import ESTIMATORS
from mibench.figures import style
from mibench.figures.registry import Drawing
from mibench.ranking.baselines import CONSTANT
from mibench.ranking.columns import REFERENCE, TRACKS
from mibench.ranking.newcomers import Comparison, Standing
from mibench.report.files import short_table, write_files
from mibench.report.page import Source, write_page
from mibench.report.reports import render
from mibench.report.result import ReportResult

_FIGURE = "newcomer"
_BOARDS = ("leaderboard", "leaderboard-parts", "leaderboard-wins")
_NEWCOMER = "#D55E00"

_WHAT = (
    "Normalised error |estimate - truth| / max(truth, 1 nat) in every cell, mean over its seeds, each run at most 1; "
    "cells at the top are those in which the newcomer is most ahead of the median of the others. Coloured: the "
    "newcomer; grey: the other methods of its track; black stroke: their median."
)


class _Commands(Source):
    """The command that made all of the page."""

    def __init__(self, command: str) -> None:
        super().__init__()
        self._command = command

    def commands(self, result: ReportResult) -> list[str]:
        return [self._command]


def sentences(comparison: Comparison) -> list[str]:
    """Say where a newcomer stands, a sentence or two a track."""
    said = [standing_sentence(comparison, standing) for standing in comparison.standings]
    said += [
        f"Track {row['track']}: {row['method']} has no place of its own, since {row['twin']} is the same loss and "
        "estimate."
        for row in comparison.ranking.coincident.to_dict("records")
        if row["method"] == comparison.method
    ]
    if comparison.failed:
        said.append(f"{plural(comparison.failed, 'run')} of {comparison.method} crashed or ran out of time.")
    return said


def write_comparison_page(comparison: Comparison, folder: Path, command: str) -> Path:
    """Draw the boards and the newcomer's cells, write the page that shows them, and return its path.

    Raises
    ------
    UsageError
        Where the files cannot be written.
    """
    drawing = draw_newcomer(comparison)
    own = ReportResult(
        _FIGURE,
        write_files(_FIGURE, drawing, folder),
        caption=drawing.caption,
        title=str(drawing.figure.get_label()),
        explanation=drawing.caption,
        table=short_table(drawing),
    )
    boards = render(comparison.runs, pd.DataFrame(columns=["run_id"]), _BOARDS, folder)
    return write_page([own, *boards], comparison.runs, folder, _Commands(command), lead=sentences(comparison))


def draw_newcomer(comparison: Comparison) -> Drawing:
    """Draw a newcomer's error in every cell among those of the others, a panel a track."""
    standings = comparison.standings
    most = max(len(standing.cells) for standing in standings)
    text = "\n".join([_WHAT, *sentences(comparison)])
    colour = _NEWCOMER
    with style.theme():
        sheet = style.Sheet(
            1,
            len(standings),
            panel=(2.8, 0.2 + 0.19 * most),
            title=f"{comparison.method} beside the published methods",
            caption=text,
            left=4.1,
            legend={
                comparison.method: style.handle(colour, width=0.0, marker="o", markersize=5),
                "other methods": style.handle("#B5B5B5", width=0.0, marker="o", markersize=4),
                "their median": style.handle(style.INK, width=0.0, marker="|", markersize=8),
            },
        )
        for ax, standing in zip(sheet.axes[0], standings, strict=True):
            others = comparison.ranking.cells
            others = others[(others["track"] == standing.board.track) & (others["method"] != comparison.method)]
            _draw_cells(ax, standing, others, colour, most)
    table = pd.concat([s.cells.assign(track=s.board.track) for s in standings], ignore_index=True)
    return Drawing(sheet.figure, table, text)


def _draw_cells(ax: Axes, standing: Standing, others: pd.DataFrame, colour: str, most: int) -> None:
    names = list(standing.cells["cell"])
    places = {name: -i for i, name in enumerate(names)}
    ax.scatter(others["error"], others["cell"].map(places), s=9, color="#B5B5B5", linewidth=0, zorder=2, clip_on=False)
    y = list(places.values())
    ax.scatter(standing.cells["median"], y, s=60, marker="|", color=style.INK, linewidth=1.2, zorder=3)
    ax.scatter(standing.cells["error"], y, s=26, color=colour, zorder=4, clip_on=False)
    ax.set_yticks(y, names, fontsize=6.8)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-most + 0.4, 0.6)
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel("normalised error")
    ax.set_title(TRACKS[standing.board.track])


def standing_sentence(comparison: Comparison, standing: Standing) -> str:
    """Say where a newcomer stands in one track."""
    row = standing.row
    methods = plural(len(standing.board.table), "method")
    rank = f"rank {row['rank']} of {methods}"
    if row["best_rank"] != row["worst_rank"]:
        rank += f" ({row['best_rank']} to {row['worst_rank']} at 95 %, over {row['over']})"
    interval = ""
    if math.isfinite(row["error_low"]):
        interval = f" [{row['error_low']:.3f}, {row['error_high']:.3f}, 95 % over {row['over']}]"
    parts = [
        f"Track {standing.board.track}: {comparison.method} has {rank}, group {row['group']}, "
        f"with an error of {row['error']:.3f}{interval} and a log error of {row['log_error']:.3f}, by which it has "
        f"rank {row['log_rank']}",
        f"it is ahead of the others' median in {standing.ahead} of {plural(len(standing.cells), 'cell')}",
    ]
    parts += [
        f"it is {_than(row['error'], baseline['error'])} {baseline['method']}, whose error is {baseline['error']:.3f}"
        for _, baseline in standing.board.baselines.iterrows()
        if baseline["method"] == CONSTANT
    ]
    if row["given"]:
        parts.append(f"it is told, or takes for granted, what others have to learn: {row['given']}")
    if row["imputed_runs"]:
        parts.append(f"{row['imputed_runs']} of its {row['runs']} runs have no finite value and count as 1")
    if pd.notna(row["cost"]):
        reference = ESTIMATORS.entry(REFERENCE).name
        parts.append(f"a run takes {row['cost']:.2g} times as long as one of {reference} on this machine")
    return "; ".join(parts) + "."


def _than(error: float, other: float) -> str:
    return "better than" if error < other else "no better than"
