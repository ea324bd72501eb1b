"""Which setting each estimator's own validation loss prefers, family by family."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_hex

from mibench.analysis.labels import caption, with_labels
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.boards.panels import ESTIMATE, LEFT, ROW, frame_map, notes, ranked, square, unversioned
from mibench.figures.registry import Drawing, register_figure
from mibench.ranking.boards import Board
from mibench.ranking.columns import TRACKS, TUNED

_HUES = ("Greens", "Oranges", "Blues", "Purples", "Greys")
_ROOM = 1  # columns at the right, for the name of the last one

_WHAT = (
    "The setting with the least validation loss, of each estimator (rows, in the order of the board) on each family of "
    "tasks (columns); the truth has no part in the choice. White: there was nothing to choose."
)


@register_figure("leaderboard-settings")
def settings_figure(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw what was chosen, a column a family.

    Raises
    ------
    UsageError
        Where no settings were chosen, and where no method has all runs.
    """
    if "setting" not in runs or not (runs["setting"].fillna("") != "").any():
        raise UsageError("leaderboard-settings needs rows with chosen settings, as of 'report --suite standard'")
    ranking = ranked(runs)
    boards = [board for board in ranking.boards if board.track == TUNED]
    if not boards:
        raise UsageError("leaderboard-settings needs a method with all runs of the track of chosen settings")
    chosen = _chosen(runs, boards[0])
    families, settings = (sorted(chosen[name].unique()) for name in ("family", "setting"))
    colours = _colours(settings)
    text = caption(
        runs[runs["regime"] == TUNED],
        _WHAT,
        *notes(dataclasses.replace(ranking, boards=tuple(boards))),
        estimate=ESTIMATE,
    )
    with style.theme():
        sheet = style.Sheet(
            1,
            1,
            panel=(0.46 * (len(families) + _ROOM), 0.0),
            heights=[ROW * len(boards[0].table)],
            title="Settings chosen blind",
            caption=text,
            left=LEFT,
            title_lines=11,
            legend={setting: square(colour) for setting, colour in colours.items()},
        )
        _draw(sheet.axes[0, 0], boards[0], chosen, colours)
    return Drawing(sheet.figure, chosen, text)


def _chosen(runs: pd.DataFrame, board: Board) -> pd.DataFrame:
    """A row per method of the board and family, of those that had something to choose."""
    rows = with_labels(runs[(runs["regime"] == TUNED) & (runs["setting"].fillna("") != "")])
    table = rows.rename(columns={"estimator_label": "method"})[["method", "family", "setting"]].drop_duplicates()
    order = pd.CategoricalDtype(list(board.table["method"]), ordered=True)
    table = table[table["method"].isin(order.categories)].assign(method=lambda rows: rows["method"].astype(order))
    table["setting"] = table["setting"].map(_in_short(list(table["setting"].unique())))
    return table.sort_values(["method", "family"], ignore_index=True).astype({"method": object})


def _in_short(settings: Sequence[str]) -> dict[str, str]:
    """Each setting without what all of them have and without the parameters of its critic."""
    parts = {setting: setting.split(", ") for setting in settings}
    common = set.intersection(*map(set, parts.values())) if len(parts) > 1 else set()
    return {
        setting: ", ".join([critic.partition(":")[0], *(part for part in rest if part not in common)])
        for setting, (critic, *rest) in parts.items()
    }


def _colours(settings: Sequence[str]) -> dict[str, str]:
    """A hue for each critic, and a shade for each of its settings."""
    groups = {critic: list(own) for critic, own in itertools.groupby(settings, lambda one: one.partition(",")[0])}
    colours = {}
    for hue, own in zip(itertools.cycle(_HUES), groups.values(), strict=False):
        for setting, shade in zip(own, np.linspace(0.35, 0.85, len(own)) if len(own) > 1 else [0.6], strict=True):
            colours[setting] = to_hex(mpl.colormaps[hue](shade))
    return colours


def _draw(ax: Axes, board: Board, chosen: pd.DataFrame, colours: dict[str, str]) -> None:
    """Settings as colours; nothing where there is none."""
    methods = list(board.table["method"])
    number = {setting: i for i, setting in enumerate(colours)}
    table = chosen.assign(number=chosen["setting"].map(number)).pivot(index="method", columns="family", values="number")
    values = table.reindex(methods).to_numpy(np.float64)
    ax.imshow(
        np.ma.masked_invalid(values),
        cmap=ListedColormap(list(colours.values())),
        vmin=-0.5,
        vmax=len(colours) - 0.5,
        aspect="auto",
        interpolation="nearest",
    )
    frame_map(
        ax, [unversioned(family) for family in table.columns], methods, TRACKS[board.track], table.shape[1] + _ROOM
    )
