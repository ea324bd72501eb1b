"""What is done to a figure that is drawn: methods get their names, and it is laid out at the size that was asked for.

Notable:

- It works on artists, whoever drew them, so that no figure has code for it; matplotlib's constrained layout does the
  measuring.
- A figure is never shrunk. Its text keeps the size that it is set in, long titles are wrapped, and where that has no
  room the figure is refused rather than written with labels that run into each other.
"""

from __future__ import annotations

import itertools
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import Formatter
from matplotlib.transforms import Bbox

from mibench.core.errors import UsageError
from mibench.figures.style.look import current_look

PROSE = "prose"
"""Label of texts that keep the ids of methods: captions, and titles of figures."""

_SMALLEST_PANEL = (0.5, 0.4)
"""Inches of a panel's axes, below which nothing can be read off it."""

_SMALLEST_TEXT = 6.0
"""Points that a title is shrunk to at most, where its words are too long to be wrapped."""

_TOUCHING = 0.15
"""Share of the smaller of two texts that the other may cover: boxes of text hold room that no letter takes."""

_LAYOUT_DPI = 288.0
"""Dots per inch at which text is measured: in fewer ones letters are rounded to widths that no PDF gives them."""

_PASSES = 2  # wrapping a title changes the room of the others


def finish(figure: Figure) -> None:
    """Give a drawn figure the names and the size of the report's look; without either it stays as it is.

    Raises
    ------
    UsageError
        Where its text has no room at that size.
    """
    look = current_look()
    if look.names:
        _rename(figure, look.renamed)
    if look.size is not None:
        _lay_out(figure, look.size)


# --- names ----------------------------------------------------------------------------------------------------


def _rename(figure: Figure, renamed: Callable[[str], str]) -> None:
    for text in figure.findobj(Text):
        if isinstance(text, Text) and text.get_label() != PROSE:
            text.set_text(renamed(text.get_text()))
    for axis in _axes_of(figure):
        for formatter, enter in (
            (axis.get_major_formatter(), axis.set_major_formatter),
            (axis.get_minor_formatter(), axis.set_minor_formatter),
        ):
            enter(_Renamed(formatter, renamed))


class _Renamed(Formatter):
    """Writes what another one writes, methods by their names."""

    def __init__(self, formatter: Formatter, renamed: Callable[[str], str]) -> None:
        self._formatter, self._renamed = formatter, renamed

    def __call__(self, x: float, pos: int | None = None) -> str:
        return self._renamed(self._formatter(x, pos))

    def format_ticks(self, values: Any) -> list[str]:
        return [self._renamed(text) for text in self._formatter.format_ticks(values)]

    def get_offset(self) -> str:
        return self._formatter.get_offset()

    def set_locs(self, locs: Any) -> None:
        self._formatter.set_locs(locs)


# --- size -----------------------------------------------------------------------------------------------------


def _lay_out(figure: Figure, size: tuple[float, float]) -> None:
    """Lay a figure out at a size, and keep the places that its axes are given."""
    FigureCanvasAgg(figure)
    figure.set_size_inches(*size)
    figure.set_dpi(_LAYOUT_DPI)
    if figure.get_layout_engine() is None:
        figure.set_layout_engine("constrained")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(_PASSES):
            figure.draw_without_rendering()
            for ax in figure.axes:
                _wrap_texts(ax)
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    collapsed = any("collapsed" in str(warning.message) for warning in said)
    small = [ax for ax in figure.axes if ax.axison and _is_small(ax)]
    crowded = 0 if collapsed else len(_without_room(figure))
    if collapsed or small or crowded:
        why = f"{crowded} of its labels would overlap or be cut"
        why = "its panels would be too small" if collapsed or small else why
        raise UsageError(
            f"it has no room in {size[0]:g} x {size[1]:g} inches, where {why}; give a larger size, or fewer rows"
        )


def _is_small(ax: Axes) -> bool:
    figure: Any = ax.get_figure(root=True)
    box = ax.get_window_extent()
    width, height = box.width / figure.dpi, box.height / figure.dpi
    return bool(width < _SMALLEST_PANEL[0] or height < _SMALLEST_PANEL[1])


def _wrap_texts(ax: Axes) -> None:
    """Wrap a panel's titles and the names of its axes to its width and height."""
    box = ax.get_window_extent()
    for title in (ax.title, ax._left_title, ax._right_title):  # type: ignore[attr-defined]  # no public way to the artists
        _wrap(title, box.width)
    _wrap(ax.xaxis.label, box.width)
    _wrap(ax.yaxis.label, box.height, upright=True)


def _wrap(text: Text, room: float, *, upright: bool = False) -> None:
    """Wrap a text to some pixels, and shrink it where its words are longer than that."""

    def length() -> float:
        box = text.get_window_extent()
        return box.height if upright else box.width

    if not text.get_text() or length() <= room:
        return
    lines = text.get_text().split("\n")
    longest = max(map(len, lines))
    for characters in range(min(longest, int(longest * room / length()) + 1), 3, -1):
        wrapped = [part for line in lines for part in textwrap.wrap(line, characters, break_long_words=False)]
        text.set_text("\n".join(filter(None, (part.strip(" ·") for part in wrapped))))  # no dot at a line's end
        if length() <= room or all(" " not in part for part in wrapped):
            break
    if length() > room:
        text.set_fontsize(max(_SMALLEST_TEXT, float(text.get_fontsize()) * room / length()))


def _without_room(figure: Figure) -> set[int]:
    """Places of the texts that another one covers, or that the page cuts."""
    boxes = list(_boxes(figure))
    page = figure.bbox.padded(0.5)
    found = {i for i, box in enumerate(boxes) if not _holds(page, box)}
    for (i, one), (j, other) in itertools.combinations(enumerate(boxes), 2):
        common = Bbox.intersection(one, other)
        if common is not None and _area(common) > _TOUCHING * min(_area(one), _area(other)):
            found |= {i, j}
    return found


def _holds(page: Bbox, box: Bbox) -> bool:
    return bool(page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1)


def _area(box: Bbox) -> float:
    return float(abs(box.width * box.height))


def _boxes(figure: Figure) -> Iterator[Bbox]:
    """Boxes of all texts that are seen; of a slanted one a square at its end, which is where neighbours touch."""
    for text in _texts(figure):
        if not text.get_visible() or not text.get_text().strip():
            continue
        box = Text.get_window_extent(text)  # of an annotation the text alone, without its arrow
        if text.get_rotation() % 90:
            x, y = text.get_transform().transform(text.get_position())
            half = float(text.get_fontsize()) * figure.dpi / 144
            box = Bbox.from_extents(x - half, y - half, x + half, y + half)
        if _area(box):
            yield box


def _texts(figure: Figure) -> Iterator[Text]:
    yield from figure.texts
    for legend in [*figure.legends, *(legend for ax in figure.axes if (legend := ax.get_legend()))]:
        yield from legend.get_texts()
    for ax in figure.axes:
        yield from ax.texts
        if ax.axison:
            yield from (ax.title, ax._left_title, ax._right_title)  # type: ignore[attr-defined]
            for axis in (ax.xaxis, ax.yaxis):
                yield axis.label
                yield from _tick_labels(axis)


def _tick_labels(axis: Axis) -> Iterator[Text]:
    low, high = sorted(axis.get_view_interval())
    ticks: Sequence[Any] = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    for tick in ticks:
        if low <= tick.get_loc() <= high:
            yield from (tick.label1, tick.label2)


def _axes_of(figure: Figure) -> Iterator[Axis]:
    for ax in figure.axes:
        yield from (ax.xaxis, ax.yaxis)
