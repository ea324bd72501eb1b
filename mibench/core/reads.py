"""Which Python files are read while code from outside is imported, in whatever way: by name, by path, by ``exec``.

Notable: Python tells audit hooks of every file that is opened, and a hook stays as long as the process. There is one,
which does nothing but while something is watched. Sources that are read to be shown, in a traceback or a warning, are
not what an import is made of.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

_WATCHES = threading.local()
"""What this thread watches: ``open``, a list of `Reads`, the innermost last."""

_REPLACING = threading.Lock()
_watching = 0  # watches of all threads
_original_import_module = importlib.import_module

_SHOWING = "tokenize"
"""The module by which `linecache`, and with it tracebacks, warnings and `inspect`, opens sources."""


@dataclasses.dataclass
class Reads:
    """Python files that were read, and those that were written, which tell nothing that the writer's code does not."""

    read: set[Path] = dataclasses.field(default_factory=set)
    written: set[Path] = dataclasses.field(default_factory=set)

    @property
    def found(self) -> set[Path]:
        """Those that were there to be read."""
        return self.read - self.written


@contextlib.contextmanager
def python_files_read() -> Iterator[Reads]:
    """Yield what fills with the Python files that this thread opens meanwhile, by themselves or as byte code."""
    _listen()
    _WATCHES.open = watches = getattr(_WATCHES, "open", [])
    found = Reads()
    watches.append(found)
    try:
        with _import_module_watched():
            yield found
    finally:
        watches.pop()


@functools.cache
def _listen() -> None:
    sys.addaudithook(_note)


def note_module(name: str) -> bool:
    """Count the file of an imported module as read, though it was imported before; whether anything is watched."""
    file = getattr(sys.modules.get(name), "__file__", None)
    watches = getattr(_WATCHES, "open", [])
    if file and file.endswith(".py"):
        for found in watches:
            found.read.add(_normal(file))
    return bool(watches)


def note_file(path: Path) -> None:
    """Count a file as read that code from outside uses without importing it, as a program that it runs."""
    for found in getattr(_WATCHES, "open", []):
        found.read.add(_normal(str(path)))


@contextlib.contextmanager
def _import_module_watched() -> Iterator[None]:
    """See what `importlib.import_module` is asked for, perhaps by a computed name, and need not read again.

    Several threads may watch at once: the first puts the function that notes in its place, and the last takes it away.
    """
    global _watching
    with _REPLACING:
        _watching += 1
        importlib.import_module = _import_module
    try:
        yield
    finally:
        with _REPLACING:
            _watching -= 1
            if not _watching:
                importlib.import_module = _original_import_module


@functools.wraps(_original_import_module)
def _import_module(name: str, package: str | None = None) -> ModuleType:
    module = _original_import_module(name, package)
    note_module(module.__name__)
    return module


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not (watches := getattr(_WATCHES, "open", None)):
        return
    path, mode, *_ = arguments
    if not (isinstance(path, str) and path.endswith((".py", ".pyc"))):
        return
    if isinstance(mode, str) and not mode.startswith("r"):  # what code writes is of its own making
        for found in watches:
            found.written.add(_normal(path))
        return
    if sys._getframe(1).f_globals.get("__name__") == _SHOWING:
        return
    if path.endswith(".pyc"):
        try:
            path = importlib.util.source_from_cache(path)
        except ValueError:  # byte code by itself
            return
    for found in watches:
        found.read.add(_normal(path))


def _normal(path: str) -> Path:
    return Path(os.path.normpath(Path(path).absolute()))
