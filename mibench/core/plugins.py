"""Plug-ins by path: Python files with components that are not installed."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from mibench.core.errors import PluginError, UsageError, shown
from mibench.core.registry import BROKEN, CRITICS, ESTIMATORS, NEGATIVES, TASKS, Broken, describe_error

_LOADED: dict[Path, str] = {}


def loaded_plugins() -> tuple[str, ...]:
    """Return the plug-in files loaded by path, in order: what a worker must load to know the same names."""
    return tuple(str(path) for path in _LOADED)


def load_plugins(paths: Iterable[str | Path], *, strict: bool = False) -> None:
    """Import plug-ins by path; a folder means every ``*.py`` file in it.

    Parameters
    ----------
    paths
        Files or folders.
    strict
        Raise on the first plug-in that cannot be imported instead of listing it as broken.

    Raises
    ------
    UsageError
        Where a path does not exist or a folder holds no Python file, and for what is no list of paths.
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
        Where the path does not exist or the folder holds no Python file.
    """
    path = Path(given).resolve()
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError as error:  # a name that no file system takes
        raise UsageError(f"plug-in '{str(given)[:80]}' cannot be looked up: {error.strerror}") from error
    if not (is_folder or is_file):
        raise UsageError(f"plug-in '{given}' does not exist; give a Python file or a folder of them")
    files = sorted(p for p in path.glob("*.py") if p.stem != "__init__") if is_folder else [path]
    if not files:
        raise UsageError(f"plug-in folder '{given}' holds no Python file")
    return files


def _load_file(file: Path, strict: bool) -> None:
    if file in _LOADED:
        return
    name = f"mibench_plugin_{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise UsageError(f"plug-in '{file}' is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        for registry in (TASKS, ESTIMATORS, CRITICS, NEGATIVES):
            registry.forget(name)
        if strict:
            raise PluginError(f"plug-in '{file}' cannot be imported: {describe_error(error, file)}") from error
        BROKEN.append(Broken(str(file), describe_error(error, file)))
    else:
        _LOADED[file] = name
