"""How a report is to look where its reader says so: matplotlib's settings, a size, and names of methods.

Notable: a look holds for a block of code, and figures know nothing of it. What they use of this room (the theme,
sheets) asks for it, and `mibench.figures.style.fitting` does the rest to the drawn figure, a plug-in's as any other.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import matplotlib as mpl


@dataclasses.dataclass(frozen=True)
class Look:
    """What is asked of all figures of a report.

    Parameters
    ----------
    settings
        Of matplotlib's, in place of those of mibench's theme.
    size
        Width and height of a figure, inches; by default what its panels need.
    names
        What legends and labels call methods, by estimator or label: ``{"nwj": "NWJ", "smile:tau=5": "SMILE"}``.
    """

    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    size: tuple[float, float] | None = None
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def renamed(self, text: str) -> str:
        """Write a text with the names in place of the methods that it names, whole words alone."""
        if not self.names:
            return text
        longest_first = sorted(self.names, key=len, reverse=True)  # of which `infonce` is no part of `infonce-anchor`
        words = "|".join(map(re.escape, longest_first))
        return re.sub(rf"(?<![\w-])(?:{words})(?![\w-])", lambda match: self.names[match[0]], text)


_look: ContextVar[Look | None] = ContextVar("look", default=None)


def current_look() -> Look:
    """Return what is asked for in this block; nothing outside of one."""
    return _look.get() or Look()


@contextlib.contextmanager
def looking(look: Look) -> Iterator[None]:
    """Let figures look as asked until the block ends, those too that are drawn without mibench's theme."""
    token, settings = _look.set(look), dict[Any, Any](look.settings)
    try:
        with mpl.rc_context(settings):
            yield
    finally:
        _look.reset(token)
