"""The theme that figures are drawn and saved under, and the shades of what is no series.

Notable: it holds for a block alone and starts from matplotlib's defaults, so that a user's own settings are neither
touched nor able to change a figure.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import matplotlib.style
import seaborn as sns

from mibench.figures.style.look import current_look
from mibench.figures.style.palette import LineStyle

INK = "#222222"
MUTED = "#6E6E6E"
WARNING = "#B00020"

DASHED: LineStyle = (0, (5, 3))
DOTTED: LineStyle = (0, (1, 1.6))

FONT = "DejaVu Sans"
"""Ships with matplotlib: the same glyphs everywhere."""

LEGEND_SIZE = 8
_GRID = "#E9E9E9"

_THEME = {
    "font.family": [FONT],
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
    "legend.fontsize": LEGEND_SIZE,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
}

_FILES = {
    "svg.hashsalt": "mibench",  # the same ids, so the same bytes, for the same rows
    "pdf.fonttype": 42,  # TrueType, which journals ask for
    "pdf.use14corefonts": False,
    "savefig.bbox": None,  # the size that was laid out
}
"""What files rely on, whatever a style sheet says."""


@contextlib.contextmanager
def theme() -> Iterator[None]:
    """Draw or save under mibench's theme, starting from matplotlib's defaults; the caller's settings come back.

    Settings of the report's look stand in place of the theme's.
    """
    settings: Any = {**sns.axes_style("ticks"), **_THEME, **current_look().settings, **_FILES}
    with matplotlib.style.context("default"):
        mpl.rcParams.update(settings)
        yield
