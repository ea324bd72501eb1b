"""Importing Python files that are not installed: each under a name of its own, with its folder importable meanwhile.

Notable:

- What lies beside a file comes after all that is installed, so that it shadows nothing.
- Two folders may each have a ``helper.py``: what a file imports beside it is forgotten by its plain name before a file
  of another folder that has that name is imported, and likewise where it was edited since.
- A file that is imported both by path and by its neighbours is one module.
- Byte code is neither read nor written: Python takes it for current where a file is edited within a second.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.util
import sys
from collections.abc import Collection, Iterator
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType

from mibench.core.outside import PLUGIN_PREFIX, note_code
from mibench.core.reads import python_files_read
from mibench.core.registry import CRITICS, ESTIMATORS, NEGATIVES, TASKS
from mibench.core.settings import fault_of_import


@dataclasses.dataclass(frozen=True)
class _Source:
    """Where a module came from, and what was in it."""

    folder: Path
    file: Path
    content: bytes

    def is_current(self) -> bool:
        """Whether the file still holds what was imported."""
        return self.file.is_file() and self.file.read_bytes() == self.content


_BY_PATH: dict[str, _Source] = {}
"""Modules that were imported by the path of their file."""

_NEIGHBOURS: dict[str, _Source] = {}
"""Modules that came from the folder of such a file, and are importable from nowhere else."""


class _SourceLoader(SourceFileLoader):
    """Loads a source file as it is now."""

    def path_stats(self, path: str) -> dict[str, float]:
        raise OSError("no byte code")


def import_file(name: str, file: Path) -> BaseException | None:
    """Import a file as a module and return what it raised, in which case it leaves nothing behind.

    What it read meanwhile is part of its code, as `mibench.core.outside.code_of` of the module.
    """
    with _importable(file.parent), python_files_read() as read:
        if (module := _imported_by_neighbour(file)) is not None:
            sys.modules[name] = module
            return None
        _BY_PATH[name] = _Source(file.parent, file, file.read_bytes())
        loader = _SourceLoader(name, str(file))
        spec = importlib.util.spec_from_file_location(name, file, loader=loader)
        assert spec is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        whole = False
        try:
            error = fault_of_import(lambda: loader.exec_module(module))
            whole = error is None
            if whole:
                note_code(name, read.found)
        finally:
            if not whole:
                forget(name)
    return error


def forget(name: str) -> None:
    """Remove a module with what it has registered."""
    module = sys.modules.get(name)
    for known in {name, getattr(module, "__name__", name)}:  # a neighbour may have imported it under its plain name
        if sys.modules.get(known) is module:  # and anew since
            sys.modules.pop(known, None)
            for registry in (TASKS, ESTIMATORS, CRITICS, NEGATIVES):
                registry.forget(known)


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Make a folder's modules importable by their plain names, those that were imported by path included."""
    _forget_stale(folder)
    aliases = {
        source.file.stem: sys.modules[name]
        for name, source in _BY_PATH.items()
        if name in sys.modules and source.folder == folder and source.is_current()
    }
    aliases = {stem: module for stem, module in aliases.items() if stem not in sys.modules and not _is_installed(stem)}
    sys.modules.update(aliases)
    before, written = set(sys.modules), sys.dont_write_bytecode
    sys.path.append(str(folder))
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.dont_write_bytecode = written
        with contextlib.suppress(ValueError):  # where the file has done it
            sys.path.reverse()
            sys.path.remove(str(folder))
        sys.path.reverse()
        for stem in aliases:
            sys.modules.pop(stem, None)
        _note_neighbours(folder, set(sys.modules) - before)


def _forget_stale(folder: Path) -> None:
    """Forget neighbours that were edited, with all of their folder, and those of other folders with a name of this."""
    edited = {one.folder for one in _NEIGHBOURS.values() if not one.is_current()}
    for name, one in list(_NEIGHBOURS.items()):
        top = name.partition(".")[0]
        hidden = one.folder != folder and ((folder / top).is_dir() or (folder / f"{top}.py").is_file())
        if one.folder in edited or hidden:
            forget(name)
            del _NEIGHBOURS[name]


def _note_neighbours(folder: Path, names: Collection[str]) -> None:
    for name in names:
        file = getattr(sys.modules[name], "__file__", None)
        if file is None or name.startswith(PLUGIN_PREFIX) or not Path(file).is_relative_to(folder):
            continue
        if not _is_installed(name.partition(".")[0]):
            _NEIGHBOURS[name] = _Source(folder, Path(file), Path(file).read_bytes())


def _is_installed(top: str) -> bool:
    """Whether a top-level module is found without a plug-in's folder."""
    try:
        return top in sys.builtin_module_names or PathFinder.find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def _imported_by_neighbour(file: Path) -> ModuleType | None:
    found = (sys.modules.get(name) for name, one in _NEIGHBOURS.items() if one.file == file)
    return next((module for module in found if module is not None), None)
