"""What a figure is, and the registry of all of them.

A figure is a pure function ``(runs, curves) -> (figure, table, caption)``: the two stored tables in, and out a
matplotlib figure that carries its caption, the table that it drew, and the caption as text. It raises `UsageError`
with one sentence where the rows do not suit it. A figure of a claim is given the rows of the claim's grid alone. A
plug-in adds one by decorating such a function, or one of a single table that returns the figure alone::

    @register_figure("my-figure")
    def my_figure(runs):
        ...
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import pandas as pd
from matplotlib.figure import Figure

from mibench.claims.judgement import Claim
from mibench.core.errors import DuplicateNameError


class Drawing(NamedTuple):
    """What a figure's function returns; a plain tuple of the first three will do."""

    figure: Figure
    """The figure, with its caption printed on it."""

    table: pd.DataFrame
    """Everything that was drawn."""

    caption: str
    """The caption as text, a paragraph a line."""

    summary: pd.DataFrame | None = None
    """A short table to read, where `table` is long."""


class Draw(Protocol):
    """What a figure's function looks like."""

    def __call__(self, runs: pd.DataFrame, curves: pd.DataFrame) -> tuple[Any, ...]:
        """Draw rows of the runs and curves tables."""


@dataclasses.dataclass(frozen=True)
class FigureEntry:
    """A registered figure."""

    name: str
    draw: Draw
    needs_curves: bool
    claim: Claim | None = None
    grid: str = ""
    """Shipped grid whose rows it is made for; of a claim the one of its name."""

    @property
    def own(self) -> bool:
        """Whether it is one of mibench's own, and reads none of the columns `UNDRAWN`."""
        return str(getattr(self.draw, "__module__", "")).startswith("mibench.")


UNDRAWN = frozenset(
    [
        *("spec", "error", "unit", "dim_x", "dim_y", "mi_method", "estimate_validation", "stopped_at"),
        *("estimate_fresh_median", "fresh_pool_negatives", "inverse_temperature", "nonfinite_steps"),
        *("seconds_per_step", "pack_size", "peak_rss_mb", "device", "threads", "matmul_mode"),
    ]
)
"""Columns of runs that neither mibench's own figures read nor a report's page; those of plug-ins are given them."""

FIGURES: dict[str, FigureEntry] = {}
"""All figures, in the order of registration."""


def load_figures() -> None:
    """Import every module of this room, which registers its figures."""
    room = importlib.import_module("mibench.figures")
    for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
        importlib.import_module(module.name)


def register_figure(
    name: str, *, needs_curves: bool = False, claim: Claim | None = None, grid: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a figure's function under a name.

    A function of one argument is given the runs (with ``needs_curves`` the curves) and returns the figure alone: its
    table is what it was given, its caption the first line of its docstring.

    Parameters
    ----------
    name
        What ``mibench report`` calls it, and the stem of its files. Of a claim also the name of its grid.
    needs_curves
        Whether it reads the curves table; without, it is given an empty one.
    claim
        What the figure tests; it is then given the rows of the grid of its name alone.
    grid
        Shipped grid whose rows show best what a figure of any rows can show; the report ``claims`` draws it from them.

    Raises
    ------
    DuplicateNameError
        Where another function already has that name.
    """

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        alone = len(inspect.signature(function).parameters) == 1
        draw: Draw = _figure_alone(function, needs_curves) if alone else function
        if name in FIGURES and inspect.unwrap(FIGURES[name].draw) is not function:
            raise DuplicateNameError(f"the figure name '{name}' is taken; choose another")
        FIGURES[name] = FigureEntry(name, draw, needs_curves, claim, name if claim else grid)
        return function

    return enter


def _figure_alone(function: Callable[[pd.DataFrame], Figure], of_curves: bool) -> Draw:
    """Turn a function DataFrame -> Figure into a drawing."""

    @functools.wraps(function)
    def draw(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
        table = curves if of_curves else runs
        caption = (inspect.getdoc(function) or function.__name__).partition("\n")[0]
        return Drawing(function(table), table, caption)

    return draw
