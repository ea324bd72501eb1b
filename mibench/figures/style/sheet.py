"""A figure's sheet: panels laid out in inches, title and legend above them, the caption below.

Notable: figures are made without pyplot, so that a user's back end and open figures are not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from mibench.figures.style.fitting import PROSE
from mibench.figures.style.look import current_look
from mibench.figures.style.palette import LineStyle
from mibench.figures.style.text import CAPTION_SIZE, text_width, wrap
from mibench.figures.style.theme import LEGEND_SIZE, MUTED, WARNING

_MARGIN = 0.16  # inches around everything
_PAD = 0.05  # inches around panels with their labels, at a given size
_LINE_HEIGHT = 1.42 * CAPTION_SIZE / 72  # inches
_COLUMN_SPACING, _HANDLE_LENGTH, _HANDLE_PAD = 1.4, 2.0, 0.5  # of the legend, in its font size


class Sheet:
    """A grid of panels laid out in inches, with a title above and room for legend and caption.

    Where the report's look has a size, the panels share it instead, and neither title nor caption is printed.

    Parameters
    ----------
    rows, columns
        Panels.
    panel
        Width and height of a panel's axes, inches. Panels are widened until the caption has a readable line.
    title
        Printed at the top left; also the figure's label.
    caption
        Wrapped under the panels.
    gutter
        Inches to the right of every panel, for labels.
    gap
        Inches between rows, for titles and tick labels.
    legend
        Samples by their names, printed under the title in as many lines as they need.
    left
        Inches to the left of every panel, for tick labels and axis label.
    title_lines
        Lines of a panel's title.
    heights
        Inches of each row of panels, where they differ; in place of the panel's height.
    """

    _MIN_WIDTH = 8.2  # inches
    _MAX_LINE = 12.0  # inches; longer lines of text are hard to follow

    def __init__(
        self,
        rows: int,
        columns: int,
        *,
        panel: tuple[float, float],
        title: str,
        caption: str,
        gutter: float = 0.2,
        gap: float = 0.62,
        legend: Mapping[str, Artist],
        left: float = 0.62,
        title_lines: int = 1,
        heights: Sequence[float] | None = None,
    ) -> None:
        size = current_look().size
        self._entries = [_legend_width(current_look().renamed(name)) for name in legend]
        self._legend = legend
        if size is None:
            tall = [panel[1]] * rows if heights is None else list(heights)
            least = max(self._MIN_WIDTH - 2 * _MARGIN, *self._entries)
            wide = max(panel[0], least / columns - left - gutter)
            gap += 0.16 * (title_lines - 1)
            self._lay_out_in_inches(columns, wide, tall, (left, gutter, gap), title, caption, title_lines)
        else:
            self._lay_out_at(size, rows, columns, heights)
        self.figure.set_label(title)  # which pages take for a heading

    def _lay_out_in_inches(
        self,
        columns: int,
        wide: float,
        tall: Sequence[float],
        spaces: tuple[float, float, float],
        title: str,
        caption: str,
        title_lines: int,
    ) -> None:
        """Give the panels their places, and the page what it then needs; title, legend and caption are printed."""
        left, gutter, gap = spaces
        width = 2 * _MARGIN + columns * (left + wide + gutter)
        text = wrap(caption, min(width - 2 * _MARGIN, self._MAX_LINE) - 0.1)
        below = 0.52 + (text.count("\n") + 1) * _LINE_HEIGHT + 0.2
        lines = _legend_lines(self._entries, width - 2 * _MARGIN)
        above = 0.42 + 0.22 * lines + 0.14 + 0.16 * title_lines
        height = above + sum(tall) + (len(tall) - 1) * gap + below
        self.figure = Figure(figsize=(width, height))
        FigureCanvasAgg(self.figure)
        self.axes = np.empty((len(tall), columns), dtype=object)
        for i, j in np.ndindex(self.axes.shape):
            x = _MARGIN + left + j * (left + wide + gutter)
            y = height - above - sum(tall[: i + 1]) - i * gap
            box = (x / width, y / height, wide / width, tall[i] / height)
            self.axes[i, j] = self.figure.add_axes(box)
        edge = _MARGIN / width
        above_all = self.figure.text(edge, 1 - 0.15 / height, title, va="top", fontsize=12, fontweight="bold")
        under = self.figure.text(
            edge, 0.14 / height, text, va="bottom", fontsize=CAPTION_SIZE, color="#3C3C3C", linespacing=1.32
        )
        for prose in (above_all, under):
            prose.set_label(PROSE)
        self._print_legend(lines, loc="upper left", bbox_to_anchor=(edge, 1 - 0.40 / height))

    def _lay_out_at(self, size: tuple[float, float], rows: int, columns: int, heights: Sequence[float] | None) -> None:
        """Share a page of a size among the panels; its title and caption are the paper's."""
        self.figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=_PAD, h_pad=_PAD))
        FigureCanvasAgg(self.figure)
        self.axes = self.figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
        self._print_legend(_legend_lines(self._entries, size[0]), loc="outside upper left")

    def _print_legend(self, lines: int, **place: Any) -> None:
        self.figure.legend(
            list(self._legend.values()),
            list(self._legend),
            ncols=-(-len(self._legend) // lines),
            columnspacing=_COLUMN_SPACING,
            handlelength=_HANDLE_LENGTH,
            handletextpad=_HANDLE_PAD,
            borderpad=0.2,
            borderaxespad=0.0,
            **place,
        )


def _legend_width(name: str) -> float:
    """Inches that an entry of the legend takes, with the space to the next."""
    return 1.03 * text_width(name, LEGEND_SIZE) + LEGEND_SIZE * (_HANDLE_LENGTH + _HANDLE_PAD + _COLUMN_SPACING) / 72


def _legend_lines(entries: Sequence[float], room: float) -> int:
    """The fewest lines of a legend whose columns, each as wide as its widest entry, fit the room."""
    for lines in range(1, len(entries)):
        columns = np.array_split(entries, -(-len(entries) // lines))  # as matplotlib fills them
        if sum(column.max() for column in columns) <= room:
            return lines
    return len(entries)


def handle(colour: str = MUTED, style: LineStyle = "-", width: float = 1.6, marker: str = "", **options: Any) -> Line2D:
    """A legend's sample line."""
    return Line2D([], [], color=colour, linestyle=style, linewidth=width, marker=marker, **options)


def say_incomplete(figure: Figure, found: int, expected: int) -> None:
    """Print at the top right that cells of a figure's grid are missing; below everything where it has a given size."""
    width, height = figure.get_size_inches()
    text = f"incomplete: {found:,} of {expected:,} cells"
    if current_look().size is not None:
        figure.supxlabel(text, x=0.99, ha="right", fontsize=7, fontweight="bold", color=WARNING)
        return
    x, y = 1 - 0.16 / width, 1 - 0.17 / height
    figure.text(x, y, text, ha="right", va="top", fontsize=9, fontweight="bold", color=WARNING)


def say_no_runs(ax: Axes) -> None:
    """Empty a panel and say that there are no runs for it."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, "no runs", transform=ax.transAxes, ha="center", va="center", color=MUTED)
