"""The leaderboard's figures: errors with intervals and groups, who wins against whom, and boards of parts.

Notable: they rank the rows that they are given as `mibench.leaderboard` does, so that figures, tables and the command
agree to the last digit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mibench.analysis.labels import caption, listing, plural
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.registry import Drawing, register_figure
from mibench.ranking.boards import Board, Options, Ranking, rank_methods
from mibench.ranking.columns import TRACKS

_ROW = 0.215
"""Inches that a method takes."""
_SHORT = ["track", "rank", "group", "method", "error", "error_low", "error_high", "bias", "variance", "saturation"]
_SHORT += ["violations", "diverged", "failed", "monotonicity", "cost"]
_DARK, _FAR = 0.45, 0.6
"""Error, and relative error of an estimate, from which on a cell's number is white."""

_WHAT = (
    "Mean normalised error |estimate - truth| / max(truth, 1 nat), each run at most 1, which is what answering 0 "
    "scores; tasks count equally, in a task its cells, in a cell its seeds. Bars: 95 % intervals over tasks and seeds "
    "(two-level studentised bootstrap; over seeds alone where a board has fewer than five tasks). Letters: methods "
    "that share one cannot be told apart at 5 % (paired t tests over tasks, Holm's correction). *: runs that diverged "
    "or failed are among them and count as 1."
)
_WINS = (
    "Share of the tasks on which the method of the row has the smaller mean error than that of the column; ties count "
    "half; numbers are per cent. Methods in the order of the board: a clear order is blue above the diagonal."
)
_PARTS = (
    "Mean normalised error on parts of the board: all cells; true MI up to log N and above it; families of tasks; and "
    "negative samplers. 0 is the truth, 1 what answering 0 scores. Methods in the order of the whole board."
)
_ESTIMATES = (
    "Mean estimate of the seeds that held, nats, in the setting that most tasks have (the true MI behind the family's "
    "name); colours: (estimate - truth) / max(truth, 1 nat), cut at -1 and 1. ×: no seed held, all diverged. Methods "
    "in the order of the board."
)
_ESTIMATE = (
    "the estimate is the median over the window's training batches, on a fixed sample the value on its test part, of "
    "estimators that take a sample that on the whole."
)


@register_figure("leaderboard")
def leaderboard_figure(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw every method's error with its interval and group, a panel a track.

    Raises
    ------
    UsageError
        Where no method has all runs.
    """
    ranking = _ranked(runs)
    text = caption(runs, _WHAT, *_notes(ranking), estimate=_ESTIMATE)
    pairs = _in_pairs(ranking.boards)
    with style.theme():
        sheet = style.Sheet(
            len(pairs),
            2,
            panel=(3.3, 0.0),
            heights=[_ROW * _most(pair) for pair in pairs],
            title="Leaderboard",
            caption=text,
            left=1.35,
            gutter=0.9,
            gap=0.95,
            legend={"mean normalised error, 95 % interval": style.handle(marker="o", markersize=5)},
        )
        for ax, board in _places(sheet, pairs):
            _draw_errors(ax, board)
    table = ranking.table()
    return Drawing(sheet.figure, table, text, table[_SHORT])


@register_figure("leaderboard-wins")
def wins_figure(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw who wins against whom, a panel a track.

    Raises
    ------
    UsageError
        As `leaderboard_figure`, and where no track has two methods.
    """
    ranking = _ranked(runs)
    boards = [board for board in ranking.boards if len(board.table) > 1]
    if not boards:
        raise UsageError("leaderboard-wins needs two methods in one track; there are none")
    text = caption(runs, _WINS, *_notes(ranking), estimate=_ESTIMATE)
    pairs = _in_pairs(boards)
    with style.theme():
        sheet = style.Sheet(
            len(pairs),
            2,
            panel=(_ROW * max(map(_most, pairs)), 0.0),
            heights=[_ROW * _most(pair) for pair in pairs],
            title="Who wins against whom",
            caption=text,
            left=1.35,
            gap=0.95,
            legend={
                "wins on most tasks": _square("#2166AC"),
                "loses on most": _square("#B2182B"),
            },
        )
        for ax, board in _places(sheet, pairs, square=True):
            _draw_wins(ax, board)
    shares = [
        board.wins.rename_axis(index="method", columns=None)
        .reset_index()
        .melt("method", var_name="against", value_name="share")
        .assign(track=board.track)
        for board in boards
    ]
    table = pd.concat(shares, ignore_index=True).dropna(subset="share", ignore_index=True)
    table = table[["track", "method", "against", "share"]]
    return Drawing(sheet.figure, table, text)


@register_figure("leaderboard-parts")
def parts_figure(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw errors on parts of the board, a panel a track: below and above log N, families, samplers.

    Raises
    ------
    UsageError
        As `leaderboard_figure`.
    """
    whole = _ranked(runs)
    parts = pd.concat(
        [whole.table(), *(rank_methods(runs, Options(by=by)).table() for by in ("regime", "family", "sampler"))],
        ignore_index=True,
    )
    text = caption(runs, _PARTS, *_notes(whole), estimate=_ESTIMATE)
    pairs = _in_pairs(whole.boards)
    widest = max(parts.loc[parts["track"] == board.track, "part"].nunique() for board in whole.boards)
    with style.theme():
        sheet = style.Sheet(
            len(pairs),
            2,
            panel=(0.38 * widest, 0.0),
            heights=[_ROW * _most(pair) for pair in pairs],
            title="Boards of parts",
            caption=text,
            left=1.35,
            title_lines=6,
            legend={
                "error near 0": _square("#FFF3D6"),
                "error near 1": _square("#3B0F4F"),
            },
        )
        for ax, board in _places(sheet, pairs):
            of_track = parts[parts["track"] == board.track]
            errors = of_track.pivot(index="method", columns="part", values="error")
            _draw_parts(ax, errors.loc[board.table["method"], of_track["part"].unique()], board.track, widest)
    return Drawing(sheet.figure, parts, text, parts[["part", *_SHORT]])


@register_figure("leaderboard-estimates")
def estimates_figure(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw what every method says of every task in the setting that most tasks have, a panel a track.

    Raises
    ------
    UsageError
        As `leaderboard_figure`.
    """
    ranking = _ranked(runs)
    cells = ranking.cells
    usual = cells.groupby("track")["setup"].agg(lambda numbers: numbers.mode().iloc[0])
    shown = cells[cells["setup"] == cells["track"].map(usual)]
    text = caption(runs, _ESTIMATES, *_notes(ranking), estimate=_ESTIMATE)
    widest = int(shown.groupby("track")["cell"].nunique().max())
    with style.theme():
        sheet = style.Sheet(
            len(ranking.boards),
            1,
            panel=(0.46 * widest, 0.0),
            heights=[_ROW * len(board.table) for board in ranking.boards],
            title="Estimates by task",
            caption=text,
            left=1.35,
            title_lines=6,
            legend={
                "above the truth": _square("#B2182B"),
                "below it": _square("#2166AC"),
            },
        )
        for ax, board in zip(sheet.axes[:, 0], ranking.boards, strict=True):
            _draw_estimates(ax, board, shown[shown["track"] == board.track], widest)
    return Drawing(sheet.figure, shown.drop(columns="setup"), text)


def _square(colour: str) -> Line2D:
    """Return a legend's sample of a heat map's colour."""
    return style.handle(colour, width=0.0, marker="s", markersize=7)


def _in_pairs(boards: Sequence[Board]) -> list[tuple[Board, ...]]:
    """Lay boards out two in a row."""
    return [tuple(boards[i : i + 2]) for i in range(0, len(boards), 2)]


def _most(boards: Sequence[Board]) -> int:
    return max(len(board.table) for board in boards)


def _places(
    sheet: style.Sheet, pairs: Sequence[tuple[Board, ...]], *, square: bool = False
) -> Iterator[tuple[Axes, Board]]:
    """Yield every board with its panel, which is made as high as its methods need, or as wide too."""
    widest = max(map(_most, pairs))
    for panels, pair in zip(sheet.axes, pairs, strict=True):
        for ax, board in zip(panels, pair, strict=False):
            box, count = ax.get_position(), len(board.table)
            height = box.height * count / _most(pair)
            width = box.width * count / widest if square else box.width
            ax.set_position((box.x0, box.y1 - height, width, height))
            yield ax, board
        for ax in panels[len(pair) :]:
            ax.set_axis_off()


def _ranked(runs: pd.DataFrame) -> Ranking:
    ranking = rank_methods(runs)
    if not ranking.boards:
        raise UsageError("no method has all runs of the cells that the others have; the rows make no leaderboard")
    return ranking


def _notes(ranking: Ranking) -> list[str]:
    """Say how large the boards are and who is left out."""
    sizes = [
        f"{board.track}: {plural(len(board.table), 'method')}, {plural(int(board.table['tasks'].iloc[0]), 'task')}, "
        f"{plural(int(board.table['cells'].iloc[0]), 'cell')}"
        for board in ranking.boards
    ]
    notes = [f"Tracks: {'; '.join(sizes)}."]
    if len(ranking.left_out):
        notes.append(f"Left out, since runs are lacking: {listing(dict.fromkeys(ranking.left_out['method']))}.")
    return notes


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
    _name_methods(ax, board)
    ax.set_xlim(-0.02, 1.02)
    ax.grid(axis="x", color="#E9E9E9", linewidth=0.8)
    ax.set_xlabel("mean normalised error")


def _name_methods(ax: Axes, board: Board) -> None:
    names = [f"{row['method']}  {row['rank']}" for _, row in board.table.iterrows()]
    ax.set_yticks([-i for i in range(len(names))], names, fontsize=7.5)
    ax.set_ylim(0.5 - len(names), 0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_title(_kinds(board.track))


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
    ax.set_title(_kinds(board.track))
    if len(names) <= 12:
        _write_cells(ax, 100 * shares, lambda x: "" if np.isnan(x) else f"{x:.0f}", np.abs(shares - 0.5) > 0.35)


def _draw_estimates(ax: Axes, board: Board, cells: pd.DataFrame, widest: int) -> None:
    """Estimates as numbers on the colour of their relative error; a cross where no run held."""
    order = cells.drop_duplicates("cell").sort_values(["family", "mi_true"], kind="stable")
    table = cells.pivot(index="method", columns="cell", values="estimate")
    values = table.loc[list(board.table["method"]), list(order["cell"])].to_numpy(np.float64)
    truth = order["mi_true"].to_numpy(np.float64)
    excess = np.clip((values - truth) / np.maximum(truth, 1.0), -1.0, 1.0)
    ax.imshow(excess, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    names = [f"{_unversioned(family)}  {mi:g}" for family, mi in zip(order["family"], truth, strict=True)]
    _frame(ax, names, list(board.table["method"]), TRACKS[board.track], widest)
    _write_cells(ax, values, _estimate_text, np.abs(excess) > _FAR)


def _estimate_text(value: float) -> str:
    if np.isnan(value):
        return "×"
    return f"{value:.1f}" if abs(value) < 1000 else f"{value:.0e}".replace("e+0", "e")


def _draw_parts(ax: Axes, errors: pd.DataFrame, track: str, widest: int) -> None:
    values = errors.to_numpy(np.float64)
    ax.imshow(values, cmap="magma_r", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    _frame(ax, [_unversioned(part) for part in errors.columns], list(errors.index), _kinds(track), widest)
    _write_cells(ax, values, "{:.2f}".format, values > _DARK)


def _frame(ax: Axes, columns: Sequence[str], methods: Sequence[str], below: str, widest: int) -> None:
    """Name the columns of a heat map above it, the methods at its left, and the track below."""
    ax.set_xlim(-0.5, widest - 0.5)
    ax.set_xticks(range(len(columns)), columns, rotation=60, ha="left", fontsize=6.8)
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(methods)), methods, fontsize=7.2)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for side in ax.spines.values():
        side.set_visible(False)
    ax.set_xlabel(below, loc="left")


def _kinds(track: str) -> str:
    """Name what is ranked in a track, without the pairs: ``lower bounds``."""
    return TRACKS[track].partition(",")[0]


def _unversioned(part: str) -> str:
    return re.sub(r"-v\d+\b", "", part)


def _write_cells(
    ax: Axes, values: npt.NDArray[np.float64], write: Callable[[float], str], on_dark: npt.NDArray[np.bool_]
) -> None:
    """Write the numbers into the cells of a heat map."""
    for place, value in np.ndenumerate(values):
        colour = "white" if on_dark[place] else style.INK
        ax.text(place[1], place[0], write(value), ha="center", va="center", fontsize=6.2, color=colour)
