"""The look of the figures: theme, colours, panels laid out in inches, a caption under them.

Notable:

- Figures are made without pyplot and under a temporary theme, so that a user's own settings and back end are not
  touched and do not change a figure.
- An estimator has one colour in all figures of a report: its own of `mibench.figures.palette`, or, of a plug-in, one of
  Tol's that no estimator of mibench has; MI levels run through viridis, in order.
"""

from __future__ import annotations

import contextlib
import itertools
import textwrap
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import matplotlib.style
import numpy as np
import numpy.typing as npt
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import hsv_to_rgb, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Bbox

from mibench.figures.palette import ESTIMATOR_COLOURS, LineStyle, estimator_sign

_OTHER_COLOURS = ("#332288", "#117733", "#999933", "#AA4499", "#44AA99", "#661100", "#6699CC", "#888888")

_GOLDEN = 0.618034  # hues this far apart never fall together

INK = "#222222"
MUTED = "#6E6E6E"
WARNING = "#B00020"
_GRID = "#E9E9E9"
_CAPTION_SIZE = 7.5
_LINE_HEIGHT = 1.42 * _CAPTION_SIZE / 72  # inches
_LEGEND_SIZE = 8
DOTTED: LineStyle = (0, (1, 1.6))
_LEVEL_SIZE = 6.8
_PLACES = 25  # along an axis, that the name of a level is tried at
_OUTSIDE = 1e6  # a name beyond the axes is the last choice
_COLUMN_SPACING, _HANDLE_LENGTH, _HANDLE_PAD = 1.4, 2.0, 0.5  # of the legend, in its font size
_CHARACTER = 0.515 * _CAPTION_SIZE / 72  # inches; mean width in DejaVu Sans

_FONT = "DejaVu Sans"  # ships with matplotlib: the same glyphs everywhere

_THEME = {
    "font.family": [_FONT],
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # otherwise every axis is measured at every draw to find the place of its title
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9A9A9A",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.7,
    "grid.linestyle": "-",
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.color": "#4A4A4A",
    "ytick.color": "#4A4A4A",
    "text.color": INK,
    "legend.fontsize": _LEGEND_SIZE,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "mibench",  # the same ids, so the same bytes, for the same rows
    "svg.fonttype": "path",
}


@contextlib.contextmanager
def theme() -> Iterator[None]:
    """Draw or save under mibench's theme, starting from matplotlib's defaults; the caller's settings come back."""
    settings: Any = {**sns.axes_style("ticks"), **_THEME}
    with matplotlib.style.context("default"):
        mpl.rcParams.update(settings)
        yield


def estimator_colours(names: Iterable[str], labels: Iterable[str], among: Iterable[str] = ()) -> dict[str, str]:
    """Colour of each estimator label; variants of one name are shades of its colour.

    Parameters
    ----------
    names, labels
        Registered name and label of each row, in step.
    among
        Further names to choose colours for: figures that are given the same agree on them.
    """
    variants: dict[str, list[str]] = {}
    for name, label in sorted(set(zip(names, labels, strict=True))):
        variants.setdefault(name, []).append(label)
    bases = dict(ESTIMATOR_COLOURS)
    for name in sorted({*variants, *among} - set(bases)):
        bases[name] = _free_colour(name, set(bases.values()))
    colours = {}
    for name, group in variants.items():
        base = bases[name]
        for label, place in zip(group, np.linspace(-0.5, 0.5, len(group)) if len(group) > 1 else [0.0], strict=True):
            target = np.full(3, float(place > 0))  # from dark to light around the colour itself
            red, green, blue = (1 - abs(place)) * np.array(to_rgb(base)) + abs(place) * target
            colours[label] = to_hex((red, green, blue))
    return colours


def _free_colour(name: str, taken: set[str]) -> str:
    """A colour that depends on the name, and on other unknown names only where they collide."""
    start = zlib.crc32(name.encode())
    ring = [_OTHER_COLOURS[(start + i) % len(_OTHER_COLOURS)] for i in range(len(_OTHER_COLOURS))]
    more = (to_hex(tuple(hsv_to_rgb((i * _GOLDEN % 1, 0.65, 0.75)))) for i in itertools.count())
    return next(colour for colour in itertools.chain(ring, more) if colour not in taken)


def estimator_look(name: str) -> dict[str, Any]:
    """How one series of an estimator is drawn: options of a line in the estimator's colour, marker and dash."""
    marker, dash = estimator_sign(name)
    colour = ESTIMATOR_COLOURS.get(name) or _free_colour(name, set(ESTIMATOR_COLOURS.values()))
    return {"color": colour, "marker": marker, "linestyle": dash, "linewidth": 1.5, "markersize": 5}


def level_colours(levels: Iterable[float]) -> dict[float, str]:
    """Colour of each MI level, dark for low to light green for high."""
    ordered = sorted(set(levels))
    places = np.linspace(0.0, 0.78, len(ordered)) if len(ordered) > 1 else np.array([0.25])
    colormap = mpl.colormaps["viridis"]
    return {level: to_hex(colormap(place)) for level, place in zip(ordered, places, strict=True)}


class Sheet:
    """A grid of panels laid out in inches, with a title above and room for legend and caption.

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
        margin = 0.16
        heights = [panel[1]] * rows if heights is None else heights
        entries = [_legend_width(name) for name in legend]
        least = max(self._MIN_WIDTH - 2 * margin, *entries)
        wide = max(panel[0], least / columns - left - gutter)
        width = 2 * margin + columns * (left + wide + gutter)
        text = wrap(caption, min(width - 2 * margin, self._MAX_LINE) - 0.1)
        below = 0.52 + (text.count("\n") + 1) * _LINE_HEIGHT + 0.2
        lines = _legend_lines(entries, width - 2 * margin)
        gap += 0.16 * (title_lines - 1)
        above = 0.42 + 0.22 * lines + 0.14 + 0.16 * title_lines
        height = above + sum(heights) + (rows - 1) * gap + below
        self.figure = Figure(figsize=(width, height))
        FigureCanvasAgg(self.figure)
        self.figure.set_label(title)  # which pages take for a heading
        self.axes = np.empty((rows, columns), dtype=object)
        for i in range(rows):
            for j in range(columns):
                x = margin + left + j * (left + wide + gutter)
                y = height - above - sum(heights[: i + 1]) - i * gap
                box = (x / width, y / height, wide / width, heights[i] / height)
                self.axes[i, j] = self.figure.add_axes(box)
        edge = margin / width
        self.figure.text(edge, 1 - 0.15 / height, title, va="top", fontsize=12, fontweight="bold")
        self.figure.text(
            edge, 0.14 / height, text, va="bottom", fontsize=_CAPTION_SIZE, color="#3C3C3C", linespacing=1.32
        )
        self.figure.legend(
            list(legend.values()),
            list(legend),
            loc="upper left",
            bbox_to_anchor=(edge, 1 - 0.40 / height),
            ncols=-(-len(legend) // lines),
            columnspacing=_COLUMN_SPACING,
            handlelength=_HANDLE_LENGTH,
            handletextpad=_HANDLE_PAD,
            borderpad=0.2,
            borderaxespad=0.0,
        )


def say_incomplete(figure: Figure, found: int, expected: int) -> None:
    """Print at the top right that cells of a figure's grid are missing."""
    width, height = figure.get_size_inches()
    text = f"incomplete: {found:,} of {expected:,} cells"
    x, y = 1 - 0.16 / width, 1 - 0.17 / height
    figure.text(x, y, text, ha="right", va="top", fontsize=9, fontweight="bold", color=WARNING)


def say_no_runs(ax: Axes) -> None:
    """Empty a panel and say that there are no runs for it."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, "no runs", transform=ax.transAxes, ha="center", va="center", color=MUTED)


def _legend_width(name: str) -> float:
    """Inches that an entry of the legend takes, with the space to the next."""
    return 1.03 * _width(name, _LEGEND_SIZE) + _LEGEND_SIZE * (_HANDLE_LENGTH + _HANDLE_PAD + _COLUMN_SPACING) / 72


def _width(text: str, size: float) -> float:
    """Inches that a line of text takes at a font size."""
    font = FontProperties(family=_FONT, size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def _legend_lines(entries: Sequence[float], room: float) -> int:
    """The fewest lines of a legend whose columns, each as wide as its widest entry, fit the room."""
    for lines in range(1, len(entries)):
        columns = np.array_split(entries, -(-len(entries) // lines))  # as matplotlib fills them
        if sum(column.max() for column in columns) <= room:
            return lines
    return len(entries)


def wrap(text: str, inches: float) -> str:
    """Wrap every paragraph of a caption to a width."""
    return "\n".join(line for part in text.split("\n") for line in _wrap_paragraph(part, inches))


def _wrap_paragraph(text: str, inches: float) -> list[str]:
    """Fill lines with as many characters as fit on average, and with fewer where a line of wide ones would not fit."""
    for characters in range(int(inches / _CHARACTER), 20, -2):
        lines = textwrap.wrap(text, characters)
        if all(1.03 * _width(line, _CAPTION_SIZE) <= inches for line in lines):  # pixels round letters up
            return lines
    return lines


def handle(colour: str = MUTED, style: LineStyle = "-", width: float = 1.6, marker: str = "", **options: Any) -> Line2D:
    """A legend's sample line."""
    return Line2D([], [], color=colour, linestyle=style, linewidth=width, marker=marker, **options)


def view(values: npt.ArrayLike, anchors: npt.ArrayLike, optional: npt.ArrayLike = ()) -> tuple[float, float]:
    """Limits of an axis that outliers cannot stretch.

    The 1st to 99th percentile of the finite values, cut to the anchors' range once more beyond the anchors, which are
    always in view. Optional anchors (a truth far above every estimate) are in view where they at most double it.

    Parameters
    ----------
    values
        What is drawn; may hold NaN, infinities and numbers of any size.
    anchors, optional
        Lines drawn beside them.
    """
    data = np.asarray(values, dtype=np.float64)
    data = data[np.isfinite(data)]
    fixed = np.append(np.asarray(anchors, dtype=np.float64), 0.0)
    fixed = fixed[np.isfinite(fixed)]
    low, high = float(fixed.min()), float(fixed.max())
    more = np.asarray(optional, dtype=np.float64)
    more = more[np.isfinite(more)]
    top = float(np.clip(np.percentile(data, 99), low, None)) if data.size else high
    near = more[more <= 2 * max(high, min(top, 4 * max(high, 1.0)))]
    low, high = min([low, *near]), max([high, *near])
    span = max(high - low, 1.0)
    if data.size:
        first, last = np.percentile(data, [1, 99])
        low, high = min(low, max(first, low - span)), max(high, min(last, high + span))
    room = 0.06 * max(high - low, 1e-9)
    return low - room, high + room


def outside(values: npt.ArrayLike, limits: tuple[float, float]) -> tuple[int, int]:
    """Count finite values outside the limits, and values that are not finite."""
    data = np.asarray(values, dtype=np.float64)
    finite = data[np.isfinite(data)]
    return int(((finite < limits[0]) | (finite > limits[1])).sum()), int(data.size - finite.size)


def drawable(values: npt.ArrayLike, limits: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Values fit for a renderer: just beyond the view where they lie outside it, NaN (a gap) where not finite."""
    data = np.asarray(values, dtype=np.float64)
    span = limits[1] - limits[0]
    return np.where(np.isfinite(data), np.clip(data, limits[0] - span, limits[1] + span), np.nan)


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move labels apart until neighbours are a gap from each other, as near to their places as that allows."""
    order = np.argsort(places, kind="stable")
    gap = min(gap, (high - low) / max(len(order) - 1, 1))
    steps = gap * np.arange(len(order))
    # Without the gaps the labels only have to stay in order: isotonic regression by pooling neighbours.
    pools: list[list[float]] = []
    for place in np.asarray(places, dtype=np.float64)[order] - steps:
        pools.append([float(place)])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    level = np.array([float(np.mean(pool)) for pool in pools for _ in pool])
    out = np.empty(len(order))
    out[order] = np.clip(level, low, high - (steps[-1] if len(steps) else 0.0)) + steps
    return [float(v) for v in out]


def dotted_line(ax: Axes, level: float) -> None:
    """Draw a level that the legend or the caption names."""
    ax.axhline(level, color=INK, linestyle=DOTTED, linewidth=1.1, zorder=2.5)


def log_n_line(ax: Axes, batch: int) -> None:
    """Draw log N as a dotted line with its name: see `level_line`."""
    level_line(ax, float(np.log(batch)), "log N")


def level_line(ax: Axes, level: float, name: str) -> None:
    """Draw a level as a dotted line, its name and value where they hide least of what is drawn.

    To be called when everything is drawn and the limits are set.
    """
    text = f"{name} = {level:.2f}"
    x, above = _free_place(ax, level, text)
    dotted_line(ax, level)
    ax.annotate(
        text,
        (x, level),
        xycoords=("axes fraction", "data"),
        xytext=(0, 1.5 if above else -1.5),
        textcoords="offset points",
        ha="right",
        va="bottom" if above else "top",
        fontsize=_LEVEL_SIZE,
        color=INK,
        zorder=6,
        path_effects=[withStroke(linewidth=2.2, foreground="white")],
    )


def _free_place(ax: Axes, level: float, text: str) -> tuple[float, bool]:
    """Right end of a label along a level, as a share of the axis, and whether it stands above the level.

    Of the places that hide least the one furthest to the right, above rather than below.
    """
    page_width, page_height = ax.figure.get_figure(root=True).get_size_inches()
    box = ax.get_position()
    wide = _width(text, _LEVEL_SIZE) / (page_width * box.width)
    tall = 1.6 * _LEVEL_SIZE / 72 / (page_height * box.height)
    at = float(ax.transAxes.inverted().transform(ax.transData.transform((ax.get_xlim()[0], level)))[1])
    drawn = [_Drawn.of(artist) for artist in (*ax.lines, *ax.patches)]

    def hidden(place: tuple[float, bool]) -> float:
        x, above = place
        low, high = (at, at + tall) if above else (at - tall, at)
        label = Bbox(ax.transAxes.transform([(x - wide, low), (x, high)]))
        outside = high > 1 or low < 0
        return sum(one.weight for one in drawn if one.touches(label)) + (_OUTSIDE if outside else 0.0)

    ends = np.linspace(0.995, min(wide + 0.005, 0.995), _PLACES)
    return min(((float(x), above) for x in ends for above in (True, False)), key=hidden)


class _Drawn(NamedTuple):
    """What a line or patch covers of the page, in pixels, and how much it matters that a label hides it."""

    path: Path
    weight: float
    points_only: bool

    @classmethod
    def of(cls, artist: Any) -> _Drawn:
        path = artist.get_transform().transform_path(artist.get_path())
        alpha = artist.get_alpha()
        points_only = artist.get_linestyle() == "None"
        weight = (1.0 if points_only else artist.get_linewidth()) * (1.0 if alpha is None else alpha)
        return cls(path, float(weight), points_only)

    def touches(self, box: Bbox) -> bool:
        if not self.points_only:
            return bool(self.path.intersects_bbox(box, filled=False))
        x, y = np.asarray(self.path.vertices, dtype=np.float64).T
        return bool(((x >= box.x0) & (x <= box.x1) & (y >= box.y0) & (y <= box.y1)).any())
