"""What a picture of an estimate is, and the registry of all of them.

A picture is a pure function of an `Estimate` that returns a `Drawing`, and raises `UsageError` with one sentence where
the estimate lacks what it shows.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from mibench.estimation.result import Estimate
from mibench.figures.registry import Drawing

Draw = Callable[[Estimate], Drawing]


@dataclass(frozen=True)
class Picture:
    """A registered picture.

    Parameters
    ----------
    name
        The stem of its files.
    title
        What stands above it.
    place
        Pictures stand on the page in the order of these numbers; they leave gaps.
    draw
        Its function.
    """

    name: str
    title: str
    place: int
    draw: Draw


_pictures: dict[str, Picture] = {}


def register_picture(name: str, *, title: str, place: int) -> Callable[[Draw], Draw]:
    """Enter a picture's function under a name; parameters as of `Picture`."""

    def enter(draw: Draw) -> Draw:
        _pictures[name] = Picture(name, title, place, draw)
        return draw

    return enter


def all_pictures() -> list[Picture]:
    """Return all pictures in their order, which are those of this room's modules."""
    room = importlib.import_module("mibench.figures.estimates")
    for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
        importlib.import_module(module.name)
    return sorted(_pictures.values(), key=lambda picture: picture.place)
