"""Plug-ins by path: Python files with components that are not installed.

Notable:

- A plug-in that cannot be imported is broken and stops nothing, whatever it raises. One that ends the process can only
  be found out by another process, `mibench.core.probing`, whose verdicts are remembered here.
- A file that was edited, or imports one beside it that was, is imported anew where it is named again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from importlib.machinery import SOURCE_SUFFIXES
from pathlib import Path

from mibench.core.errors import PluginError, UsageError, shown
from mibench.core.faults import describe_error
from mibench.core.files import FOLDER, given_path, kind_of, read_small
from mibench.core.importing import forget, import_file
from mibench.core.outside import PLUGIN_PREFIX, is_edited
from mibench.core.registry import BROKEN, Broken

_LOADED: dict[Path, str] = {}
"""The plug-in files that are imported, each with the name of its module."""

_CONDEMNED: dict[Path, str] = {}
"""How files ended that are not to be imported in this process; see `judge`."""


def loaded_plugins() -> tuple[str, ...]:
    """Return the plug-in files loaded by path, in order: what a worker must load to know the same names."""
    return tuple(str(path) for path in _LOADED)


def judge(verdicts: Mapping[Path, str | None]) -> None:
    """Remember of files how they ended where they were tried; None where nothing speaks against loading them."""
    for file, ended in verdicts.items():
        _CONDEMNED.pop(file.resolve(), None)
        if ended is not None:
            _CONDEMNED[file.resolve()] = ended


def load_plugins(paths: Iterable[str | Path], *, strict: bool = False) -> None:
    """Import plug-ins by path; a folder means every ``*.py`` file in it.

    Whatever a plug-in raises, it is broken and nothing else; only a Ctrl-C of the user is passed on. Files are imported
    in this process: one that leaves it (``os._exit``), is killed, or never comes to an end takes the caller along. The
    command line therefore imports plug-ins in a process of their own first (a probe), which this function does not. A
    probe finds files that end or hang the process and those that raise what is no ``Exception``; it does not keep a
    plug-in from writing files, say, nor judge what its components do later.

    While a file is imported, its folder is importable, after all that is installed. A file that was edited since it was
    loaded, or imports one beside it that was, is imported anew. One thread at a time may load plug-ins.

    Parameters
    ----------
    paths
        Files of at most 1 MB, or folders.
    strict
        Raise on the first plug-in that cannot be imported instead of listing it as broken.

    Raises
    ------
    UsageError
        Where a path does not exist or is neither a file nor a folder, or a folder holds no Python file, and for what
        is no list of paths.
    PluginError
        With ``strict``, where a plug-in cannot be imported.
    """
    if isinstance(paths, str | Path) or not isinstance(paths, Iterable):
        raise UsageError(f"plug-ins must be a list of paths, not {shown(paths, repr)}; write ['plugin.py']")
    for given in paths:
        for file in plugin_files(given):
            _load_file(file, strict)


def plugin_files(given: str | Path) -> list[Path]:
    """Return the Python files that a plug-in's path means.

    Raises
    ------
    UsageError
        For what is no path, and where the path does not exist or the folder holds no Python file.
    PluginError
        Where it is neither a folder nor a file of at most 1 MB.
    """
    path = given_path(given, "plug-in").resolve()
    try:
        kind = kind_of(path)
    except OSError as error:  # a name that no file system takes
        raise UsageError(f"plug-in '{str(given)[:80]}' cannot be looked up: {error.strerror}") from error
    if not kind:
        raise UsageError(f"plug-in '{given}' does not exist; give a Python file or a folder of them")
    if kind != FOLDER:
        if unfit := _unfit(path):
            raise _cannot_be_imported(path, unfit)
        return [path]
    files = sorted(p for p in path.glob("*.py") if p.stem != "__init__")
    if not files:
        raise UsageError(f"plug-in folder '{given}' holds no Python file")
    return files


def refresh_plugins() -> None:
    """Import anew the plug-ins that were edited since they were loaded: workers would run what the files hold now.

    Raises
    ------
    PluginError
        Where one cannot be imported any more.
    """
    for file in list(_LOADED):
        _load_file(file, strict=True)


def _load_file(file: Path, strict: bool) -> None:
    ended = _CONDEMNED.get(file.resolve()) or _unfit(file)
    if (known := _LOADED.get(file)) is not None:
        if ended is None and not is_edited(known):
            return
        forget(known)
    name = f"{PLUGIN_PREFIX}{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    error: BaseException | None = None
    if ended is None:
        if file.suffix not in SOURCE_SUFFIXES:
            raise UsageError(f"plug-in '{file}' is not a Python file")
        error = import_file(name, file)
        ended = None if error is None else describe_error(error, file)
    if ended is None:
        _LOADED[file] = name  # where it was loaded before, in its old place
        return
    _LOADED.pop(file, None)
    if strict:
        raise _cannot_be_imported(file, ended) from error
    BROKEN.append(Broken(str(file), ended))


def _unfit(file: Path) -> str | None:
    """Say why a path is not opened as a plug-in; None where it can be tried."""
    try:
        read_small(file, "it", "a Python file")
    except UsageError as error:
        return str(error)
    except OSError:  # which the import says
        pass
    return None


def _cannot_be_imported(file: Path, ended: str) -> PluginError:
    return PluginError(f"plug-in '{file}' cannot be imported: {ended}")
