"""Dotted lines at a level, such as log N, with their names where these hide least of what is drawn."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from mibench.figures.style.text import text_width
from mibench.figures.style.theme import DOTTED, INK

_LEVEL_SIZE = 6.8
_PLACES = 25  # along an axis, that the name of a level is tried at
_OUTSIDE = 1e6  # a name beyond the axes is the last choice


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
    wide = text_width(text, _LEVEL_SIZE) / (page_width * box.width)
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
