"""Which Python files are read while code from outside is imported, in whatever way: by name, by path, by ``exec``.

Notable: Python tells audit hooks of every file that is opened, and a hook stays as long as the process. There is one,
which does nothing but while something is watched. Sources that are read to be shown, in a traceback or a warning, are
not what an import is made of.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_WATCHES = threading.local()

_SHOWING = "tokenize"
"""The module by which `linecache`, and with it tracebacks, warnings and `inspect`, opens sources."""


@contextlib.contextmanager
def python_files_read() -> Iterator[set[Path]]:
    """Yield a set that fills with the Python files that this thread opens meanwhile, by themselves or as byte code."""
    _listen()
    _WATCHES.open = watches = getattr(_WATCHES, "open", [])
    found: set[Path] = set()
    watches.append(found)
    try:
        yield found
    finally:
        watches.pop()


@functools.cache
def _listen() -> None:
    sys.addaudithook(_note)


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not (watches := getattr(_WATCHES, "open", None)):
        return
    path = arguments[0]
    if not (isinstance(path, str) and path.endswith((".py", ".pyc"))):
        return
    if sys._getframe(1).f_globals.get("__name__") == _SHOWING:
        return
    if path.endswith(".pyc"):
        try:
            path = importlib.util.source_from_cache(path)
        except ValueError:  # byte code by itself
            return
    for found in watches:
        found.add(Path(os.path.normpath(Path(path).absolute())))
