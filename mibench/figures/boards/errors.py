"""The board as a figure: every method's error with its interval, its rank and its group."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.labels import caption
from mibench.figures import style
from mibench.figures.boards.panels import ESTIMATE, SHORT, BoardSheet, kinds, notes, ranked
from mibench.figures.registry import Drawing, register_figure
from mibench.ranking.baselines import CONSTANT, ZERO
from mibench.ranking.boards import Board
from mibench.ranking.columns import OVER_FAMILIES, OVER_SEEDS
from mibench.ranking.sentences import baselines_sentence, marked_name

_WHAT = (
    "Mean normalised error |estimate - truth| / max(truth, 1 nat), each run at most 1, which is what answering 0 "
    "scores; families count equally, in a family its tasks, in a task its cells, in a cell its seeds. "
    "In the table, log_error: |log((1 + estimate) / (1 + truth))|, averaged alike, and the rank by it."
)
_LETTERS = (
    "Letters: methods that share one cannot be told apart at 5 % (paired t tests over the same, Holm's correction). *: "
    "runs without a finite value are among them and count as 1."
)
_BASELINES = {CONSTANT: style.DASHED, ZERO: style.DOTTED}
"""Dashes of the lines at the errors of answers that need no estimator."""

_BARS = {
    OVER_FAMILIES: "95 % intervals over families, as a sample of those that one might meet (studentised bootstrap)",
    OVER_SEEDS: "95 % intervals over seeds (Student's t): these tasks are what they are, and nothing is said of others",
}


@register_figure("leaderboard")
def leaderboard_figure(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw every method's error with its interval and group, a panel a track, and lines at what needs no estimator.

    Raises
    ------
    UsageError
        Where no method has all runs.
    """
    ranking = ranked(runs)
    over = dict.fromkeys(board.table["over"].iloc[0] for board in ranking.boards)
    bars = f"Bars: {'; or '.join(_BARS[name] for name in over)}."
    lines = f"Lines: {baselines_sentence(ranking.boards)}."
    text = caption(runs, _WHAT, bars, _LETTERS, lines, *notes(ranking), estimate=ESTIMATE)
    with style.theme():
        sheet = BoardSheet(
            ranking.boards,
            3.3,
            title="Leaderboard",
            caption=text,
            gutter=0.9,
            gap=0.95,
            legend={
                "mean normalised error, 95 % interval": style.handle(marker="o", markersize=5),
                **{name: style.handle(style.MUTED, dash, 1.0) for name, dash in _BASELINES.items()},
            },
        )
        for ax, board in sheet.places():
            _draw_errors(ax, board)
    table = ranking.table()
    return Drawing(sheet.figure, table, text, table[SHORT])


def _draw_errors(ax: Axes, board: Board) -> None:
    """Dots with intervals, the best at the top, and the group's letters at the right."""
    for place, (_, row) in enumerate(board.table.iterrows()):
        colour = style.estimator_look(str(row["estimator"]))["color"]
        ax.plot([row["error_low"], row["error_high"]], [-place, -place], color=colour, linewidth=1.8, zorder=3)
        ax.plot(row["error"], -place, marker="o", color=colour, markersize=5, zorder=4, clip_on=False)
        letters = f"{row['group']}{' *' if row['imputed_runs'] else ''}"
        ax.annotate(
            letters, (1.03, -place), xycoords=("axes fraction", "data"), va="center", fontsize=7,
            color=style.MUTED, annotation_clip=False,
        )  # fmt: skip
    for _, row in board.baselines.iterrows():
        dash = _BASELINES[str(row["method"])]
        ax.axvline(row["error"], color=style.MUTED, linewidth=1.0, linestyle=dash, zorder=2)
    _name_methods(ax, board)
    ax.set_xlim(-0.02, 1.02)
    ax.grid(axis="x", color="#E9E9E9", linewidth=0.8)
    ax.set_xlabel("mean normalised error")


def _name_methods(ax: Axes, board: Board) -> None:
    names = [f"{marked_name(row)}  {row['rank']}" for _, row in board.table.iterrows()]
    ax.set_yticks([-i for i in range(len(names))], names, fontsize=7.5)
    ax.set_ylim(0.5 - len(names), 0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_title(kinds(board.track))
