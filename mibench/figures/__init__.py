"""Figures: one a file, a pure function of stored rows; of papers' claims in `papers`, of the board in `boards`.

Imports ranking, claims and analysis; no torch. Start with `registry` (what a figure is), then `saturation`; what they
look like is `style`'s. A plug-in adds one by `register_figure`; the names below are what it needs for that, and public.
"""

from mibench.analysis.labels import caption, with_labels
from mibench.figures.registry import Drawing, register_figure

__all__ = ["Drawing", "caption", "register_figure", "with_labels"]
