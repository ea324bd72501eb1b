"""Sentences and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_PROSE = ("summary", "finding", "origin", "reason", "protocol")
"""Columns that are broken into lines on a narrow terminal; the others never are."""

_WIDTH = 1000
"""Width where there is no terminal: cells are never broken, so that lines can be searched."""


def console(*, stderr: bool = False) -> Console:
    """Return a console for stdout or stderr."""
    from rich.console import Console

    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=_WIDTH)


def say(text: str) -> None:
    """Print a sentence, whole on one line, whatever brackets it holds."""
    console().print(text, markup=False, soft_wrap=True)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[str] = ()) -> None:
    """Print a table.

    Parameters
    ----------
    columns
        Headers.
    rows
        Cells as text.
    numbers
        Headers of the columns that are aligned to the right.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in columns:
        prose = name in _PROSE
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold", no_wrap=not prose)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    screen = console()
    if not set(_PROSE) & set(columns):  # a terminal may wrap a line, but no number is cut
        screen.width = max(screen.width, screen.measure(table, options=screen.options.update(width=_WIDTH)).maximum)
    screen.print(table, crop=False)
