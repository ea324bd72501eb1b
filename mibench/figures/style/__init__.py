"""The look of the figures, an import for all of it: a theme, colours, sheets of panels, views and named levels.

Figures call what they need as ``style.Sheet`` or ``style.view``. Start with `sheet`; `palette` holds the fixed colours
and signs of the estimators. Nothing here knows rows of runs.
"""

from mibench.figures.style.colours import estimator_colours, estimator_look, level_colours
from mibench.figures.style.fitting import finish
from mibench.figures.style.levels import dotted_line, level_line, log_n_line
from mibench.figures.style.look import Look, current_look, looking
from mibench.figures.style.sheet import Sheet, handle, say_incomplete, say_no_runs
from mibench.figures.style.theme import DASHED, DOTTED, INK, MUTED, WARNING, theme
from mibench.figures.style.views import drawable, outside, spread, view

__all__ = [
    "DASHED",
    "DOTTED",
    "INK",
    "MUTED",
    "WARNING",
    "Look",
    "Sheet",
    "current_look",
    "dotted_line",
    "drawable",
    "estimator_colours",
    "estimator_look",
    "finish",
    "handle",
    "level_colours",
    "level_line",
    "log_n_line",
    "looking",
    "outside",
    "say_incomplete",
    "say_no_runs",
    "spread",
    "theme",
    "view",
]
