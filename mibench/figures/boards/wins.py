"""Who wins against whom: the share of tasks on which one method's error is smaller than another's."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.labels import caption
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.boards.panels import (
    BLUE,
    ESTIMATE,
    RED,
    ROW,
    BoardSheet,
    kinds,
    most_methods,
    notes,
    ranked,
    square,
    write_cells,
)
from mibench.figures.registry import Drawing, register_figure
from mibench.ranking.boards import Board

_WHAT = (
    "Share of the tasks on which the method of the row has the smaller mean error than that of the column; ties count "
    "half; numbers are per cent. Methods in the order of the board: a clear order is blue above the diagonal."
)
_NUMBERED = 12
"""Methods up to which the shares are written as numbers, too."""


@register_figure("leaderboard-wins")
def wins_figure(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw who wins against whom, a panel a track.

    Raises
    ------
    UsageError
        Where no method has all runs, and where no track has two methods.
    """
    ranking = ranked(runs)
    boards = [board for board in ranking.boards if len(board.table) > 1]
    if not boards:
        raise UsageError("leaderboard-wins needs two methods in one track; there are none")
    text = caption(runs, _WHAT, *notes(ranking), estimate=ESTIMATE)
    with style.theme():
        sheet = BoardSheet(
            boards,
            ROW * most_methods(boards),
            title="Who wins against whom",
            caption=text,
            gap=0.95,
            legend={"wins on most tasks": square(BLUE), "loses on most": square(RED)},
        )
        for ax, board in sheet.places(square=True):
            _draw_wins(ax, board)
    shares = [
        board.wins.rename_axis(index="method", columns=None)
        .reset_index()
        .melt("method", var_name="against", value_name="share")
        .assign(track=board.track)
        for board in boards
    ]
    table = pd.concat(shares, ignore_index=True).dropna(subset="share", ignore_index=True)
    return Drawing(sheet.figure, table[["track", "method", "against", "share"]], text)


def _draw_wins(ax: Axes, board: Board) -> None:
    """Shares as colours, red for losing through white to blue for winning."""
    names = list(board.table["method"])
    shares = board.wins.to_numpy(np.float64)
    ax.imshow(shares, cmap="RdBu", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    ranks = [str(rank) for rank in board.table["rank"]]
    ax.set_xticks(range(len(names)), ranks, fontsize=6.8)
    ax.set_yticks(range(len(names)), [f"{name}  {rank}" for name, rank in zip(names, ranks, strict=True)], fontsize=6.8)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.set_xlabel("against the method of rank", loc="left")
    ax.set_title(kinds(board.track))
    if len(names) <= _NUMBERED:
        write_cells(ax, 100 * shares, lambda x: "" if np.isnan(x) else f"{x:.0f}", np.abs(shares - 0.5) > 0.35)
