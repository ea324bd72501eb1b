"""Reading Python sources without importing them."""

from __future__ import annotations

import ast
import threading

_PARSING = threading.Lock()


def parse_source(source: str | bytes) -> ast.Module:
    """Parse a module's source, one thread at a time.

    CPython 3.11 counts the depth of a tree for all threads together: where two build one, it raises SystemError.

    Raises
    ------
    SyntaxError, ValueError
        Where it is no Python.
    """
    with _PARSING:
        return ast.parse(source)
