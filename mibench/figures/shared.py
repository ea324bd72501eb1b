"""What several figures of a report find from the same rows, found once.

Notable: rows are told apart by identity, which says nothing once they have been changed or freed. So what was found is
kept within a block of `shared` alone, together with its rows, and is gone at its end; outside one nothing is kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

import pandas as pd

_Found = TypeVar("_Found")
_found: ContextVar[list[tuple[Callable[..., Any], pd.DataFrame, Any]] | None] = ContextVar("found", default=None)


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Let `once` keep what it finds until the block ends; the rows must not be changed in it."""
    token = _found.set([])
    try:
        yield
    finally:
        _found.reset(token)


def once(find: Callable[[pd.DataFrame], _Found], rows: pd.DataFrame) -> _Found:
    """Return ``find(rows)``, within a block of `shared` the very result of the call before with the same rows."""
    kept = _found.get()
    for function, of, result in kept or ():
        if function is find and of is rows:
            found: _Found = result
            return found
    found = find(rows)
    if kept is not None:
        kept.append((find, rows, found))
    return found
