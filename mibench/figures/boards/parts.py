"""Boards of parts: errors up to log N and above it, by family of tasks, and by negative sampler."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.labels import caption
from mibench.figures import style
from mibench.figures.boards.panels import (
    ESTIMATE,
    SHORT,
    BoardSheet,
    frame_map,
    kinds,
    notes,
    ranked,
    square,
    unversioned,
    write_cells,
)
from mibench.figures.registry import Drawing, register_figure
from mibench.ranking.boards import Options, rank_methods

_WHAT = (
    "Mean normalised error on parts of the board: all cells; true MI up to log N and above it; families of tasks; and "
    "negative samplers. 0 is the truth, 1 what answering 0 scores; =: the same as another "
    "method there, under another name. Methods in the order of the whole board."
)
_DARK = 0.45
"""Error from which on a cell's number is white."""


@register_figure("leaderboard-parts")
def parts_figure(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw errors on parts of the board, a panel a track: below and above log N, families, samplers.

    Raises
    ------
    UsageError
        Where no method has all runs.
    """
    whole = ranked(runs)
    parts = pd.concat(
        [whole.table(), *(rank_methods(runs, Options(by=by)).table() for by in ("regime", "family", "sampler"))],
        ignore_index=True,
    )
    text = caption(runs, _WHAT, *notes(whole), estimate=ESTIMATE)
    widest = max(parts.loc[parts["track"] == board.track, "part"].nunique() for board in whole.boards)
    with style.theme():
        sheet = BoardSheet(
            whole.boards,
            0.38 * widest,
            title="Boards of parts",
            caption=text,
            title_lines=6,
            legend={"error near 0": square("#FFF3D6"), "error near 1": square("#3B0F4F")},
        )
        for ax, board in sheet.places():
            of_track = parts[parts["track"] == board.track]
            errors = of_track.pivot(index="method", columns="part", values="error")
            _draw_parts(ax, errors.loc[board.table["method"], of_track["part"].unique()], board.track, widest)
    return Drawing(sheet.figure, parts, text, parts[["part", *SHORT]])


def _draw_parts(ax: Axes, errors: pd.DataFrame, track: str, widest: int) -> None:
    values = errors.to_numpy(np.float64)
    ax.imshow(values, cmap="magma_r", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    frame_map(ax, [unversioned(part) for part in errors.columns], list(errors.index), kinds(track), widest)
    write_cells(ax, values, lambda value: "=" if np.isnan(value) else f"{value:.2f}", values > _DARK)
