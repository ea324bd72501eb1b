"""What every method says of every task: mean estimates beside the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.labels import caption
from mibench.figures import style
from mibench.figures.boards.panels import (
    BLUE,
    ESTIMATE,
    LEFT,
    RED,
    ROW,
    frame_map,
    notes,
    ranked,
    shortened,
    square,
    unversioned,
    write_cells,
)
from mibench.figures.registry import Drawing, register_figure
from mibench.ranking.boards import Board
from mibench.ranking.columns import TRACKS

_WHAT = (
    "Mean estimate of the seeds that held, nats, in the setting that most tasks have, and of tasks without it in the "
    "commonest of theirs (the true MI behind the family's name); colours: (estimate - truth) / max(truth, 1 nat), cut "
    "at -1 and 1. ×: no seed held, all ran away or have no value. Methods in the order of the board."
)
_FAR = 0.6
"""Relative error of an estimate from which on a cell's number is white."""


@register_figure("leaderboard-estimates")
def estimates_figure(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw what every method says of every task, in one setting each, a panel a track.

    Raises
    ------
    UsageError
        Where no method has all runs.
    """
    ranking = ranked(runs)
    cells = ranking.cells
    shown = _one_setting(cells)
    text = caption(runs, _WHAT, *notes(ranking), estimate=ESTIMATE)
    widest = int(shown.groupby("track")["cell"].nunique().max())
    with style.theme():
        sheet = style.Sheet(
            len(ranking.boards),
            1,
            panel=(0.46 * widest, 0.0),
            heights=[ROW * len(board.table) for board in ranking.boards],
            title="Estimates by task",
            caption=text,
            left=LEFT,
            title_lines=6,
            legend={"above the truth": square(RED), "below it": square(BLUE)},
        )
        for ax, board in zip(sheet.axes[:, 0], ranking.boards, strict=True):
            _draw_estimates(ax, board, shown[shown["track"] == board.track], widest)
    return Drawing(sheet.figure, shown.drop(columns="setup"), text)


def _one_setting(cells: pd.DataFrame) -> pd.DataFrame:
    """Keep of every task the setting that most tasks of its track have, else the commonest that it has."""
    task = ["track", "family", "mi_true"]
    settings = cells.drop_duplicates([*task, "setup"])[[*task, "setup"]]
    settings = settings.assign(tasks=settings.groupby(["track", "setup"])["family"].transform("size"))
    order = settings.sort_values(["tasks", "setup"], ascending=[False, True], kind="stable")
    return cells.merge(order.drop_duplicates(task)[[*task, "setup"]])


def _draw_estimates(ax: Axes, board: Board, cells: pd.DataFrame, widest: int) -> None:
    """Estimates as numbers on the colour of their relative error; a cross where no run held."""
    order = cells.drop_duplicates("cell").sort_values(["family", "mi_true"], kind="stable")
    table = cells.pivot(index="method", columns="cell", values="estimate")
    values = table.loc[list(board.table["method"]), list(order["cell"])].to_numpy(np.float64)
    truth = order["mi_true"].to_numpy(np.float64)
    excess = np.clip((values - truth) / np.maximum(truth, 1.0), -1.0, 1.0)
    ax.imshow(excess, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    names = [f"{shortened(unversioned(family))}  {mi:g}" for family, mi in zip(order["family"], truth, strict=True)]
    frame_map(ax, names, list(board.table["method"]), TRACKS[board.track], widest)
    write_cells(ax, values, _estimate_text, np.abs(excess) > _FAR)


def _estimate_text(value: float) -> str:
    if np.isnan(value):
        return "×"
    return f"{value:.1f}" if abs(value) < 1000 else f"{value:.0e}".replace("e+0", "e")
