"""What the leaderboard's figures share: the ranking, sheets with a panel a board, heat maps, parts of captions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mibench.analysis.labels import listing, plural
from mibench.core.errors import UsageError
from mibench.core.registry import NEGATIVES, TASKS
from mibench.figures import style
from mibench.figures.shared import once
from mibench.ranking.boards import Board, Ranking, rank_methods
from mibench.ranking.columns import TRACKS
from mibench.ranking.sentences import coincident_sentence, constant_sentence, given_sentence

ROW = 0.215
"""Inches that a method takes."""

LEFT = 1.35
"""Inches to the left of a panel, for the methods' names."""

_LONGEST = 26
"""Characters of a name above a heat map, beyond which it is cut."""

_TWO = 5.5
"""Inches of a page, from which on two boards stand side by side."""

SHORT = ["track", "role", "rank", "group", "method", "given", "error", "error_low", "error_high", "log_error"]
SHORT += ["log_error_low", "log_error_high", "log_rank", "bias", "variance", "saturation", "violations", "diverged"]
SHORT += ["failed", "monotonicity", "cost"]
"""Columns of a board that are read first."""

ESTIMATE = (
    "the estimate is the median over the window's training batches, on a fixed sample the value on its test part, of "
    "estimators that take a sample that on the whole."
)

BLUE, RED = "#2166AC", "#B2182B"
"""Samples of the ends of matplotlib's colours ``RdBu``."""


def ranked(runs: pd.DataFrame) -> Ranking:
    """Rank the rows, once for all figures of a report.

    Raises
    ------
    UsageError
        Where no method has all runs.
    """
    ranking = once(rank_methods, runs)
    if not ranking.boards:
        raise UsageError("no method has all runs of the cells that the others have; the rows make no leaderboard")
    return ranking


def notes(ranking: Ranking) -> list[str]:
    """Say how large the boards are, how many methods are worse than a constant, who is marked, and who left out."""
    sizes = [
        f"{board.track}: {plural(len(board.table), 'method')}, {plural(int(board.table['tasks'].iloc[0]), 'task')} of "
        f"{plural(int(board.table['families'].iloc[0]), 'family', 'families')}, "
        f"{plural(int(board.table['cells'].iloc[0]), 'cell')}, {constant_sentence(board)}"
        for board in ranking.boards
    ]
    said = [f"Tracks: {'; '.join(sizes)}."]
    if len(ranking.left_out):
        said.append(f"Left out, since runs are lacking: {listing(dict.fromkeys(ranking.left_out['method']))}.")
    marks = filter(None, (given_sentence(ranking.boards), coincident_sentence(ranking)))
    return [*said, *(f"{text[:1].upper()}{text[1:]}." for text in marks)]


class BoardSheet(style.Sheet):
    """A sheet with a panel a board, two in a row where the page is wide enough.

    Parameters
    ----------
    boards
        Boards, in order.
    width
        Inches of a panel.
    title, caption, legend, gutter, title_lines
        As of `mibench.figures.style.Sheet`.
    """

    def __init__(
        self,
        boards: Sequence[Board],
        width: float,
        *,
        title: str,
        caption: str,
        legend: Mapping[str, Line2D | Patch],
        gutter: float = 0.2,
        gap: float = 0.62,
        title_lines: int = 1,
    ) -> None:
        size = style.current_look().size
        self._in_inches = size is None
        across = 2 if size is None else min(len(boards), 1 + (size[0] >= _TWO))
        self._pairs = [tuple(boards[i : i + across]) for i in range(0, len(boards), across)]
        super().__init__(
            len(self._pairs),
            across,
            panel=(width, 0.0),
            heights=[ROW * most_methods(pair) for pair in self._pairs],
            title=title,
            caption=caption,
            left=LEFT,
            gutter=gutter,
            gap=gap,
            legend=legend,
            title_lines=title_lines,
        )

    def places(self, *, square: bool = False) -> Iterator[tuple[Axes, Board]]:
        """Yield every board with its panel, which is made as high as its methods need, or as wide too."""
        widest = max(map(most_methods, self._pairs))
        for panels, pair in zip(self.axes, self._pairs, strict=True):
            for ax, board in zip(panels, pair, strict=False):
                if self._in_inches:
                    box, count = ax.get_position(), len(board.table)
                    height = box.height * count / most_methods(pair)
                    width = box.width * count / widest if square else box.width
                    ax.set_position((box.x0, box.y1 - height, width, height))
                yield ax, board
            for ax in panels[len(pair) :]:
                ax.set_axis_off()


def most_methods(boards: Sequence[Board]) -> int:
    """Count the methods of the longest board."""
    return max(len(board.table) for board in boards)


def square(colour: str) -> Line2D:
    """Return a legend's sample of a heat map's colour."""
    return style.handle(colour, width=0.0, marker="s", markersize=7)


def shortened(name: str) -> str:
    """Write a long name by its beginning and its end, which tell transformed tasks apart."""
    return name if len(name) <= _LONGEST else f"{name[:8]}…{name[-17:]}"


def frame_map(ax: Axes, columns: Sequence[str], methods: Sequence[str], below: str, widest: int) -> None:
    """Name the columns of a heat map above it, the methods at its left, and the track below."""
    ax.set_xlim(-0.5, widest - 0.5)
    ax.set_xticks(range(len(columns)), list(map(shortened, columns)), rotation=60, ha="left", fontsize=6.8)
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(methods)), methods, fontsize=7.2)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for side in ax.spines.values():
        side.set_visible(False)
    ax.set_xlabel(below, loc="left")


def write_cells(
    ax: Axes, values: npt.NDArray[np.float64], write: Callable[[float], str], on_dark: npt.NDArray[np.bool_]
) -> None:
    """Write the numbers into the cells of a heat map, white where these are dark."""
    for place, value in np.ndenumerate(values):
        colour = "white" if on_dark[place] else style.INK
        ax.text(place[1], place[0], write(value), ha="center", va="center", fontsize=6.2, color=colour)


def kinds(track: str) -> str:
    """Name what is ranked in a track, without the pairs where they are fresh: ``lower bounds``."""
    return TRACKS[track].partition(", fresh pairs")[0]


def unversioned(part: str) -> str:
    """Leave built-in versions of tasks and samplers out: ``gaussian20d-v1`` becomes ``gaussian20d``."""

    def shown(match: re.Match[str]) -> str:
        plain = [registry.shown_name(match["name"], int(match["version"])) for registry in (TASKS, NEGATIVES)]
        return match["name"] if set(plain) == {match["name"]} else match[0]

    return re.sub(r"(?P<name>[a-z0-9-]+)-v(?P<version>\d+)\b", shown, part)
