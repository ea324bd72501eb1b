"""What a Python file imports, as far as its text says so, and which files that are."""

from __future__ import annotations

import ast
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from mibench.core.parsing import parse_source

_IMPORTERS = ("import_module", "__import__", "run_module")
"""Functions whose first argument names a module."""


def imported_by(file: Path, folder: Path) -> Iterator[Path]:
    """Yield the source files that a Python file imports or names, wherever in its text.

    These are the modules of its import statements, packages with their beginnings; those that ``import_module`` and
    its kin are given as text; and Python files that stand in it as text and exist, as what is run or loaded by path.

    Parameters
    ----------
    file
        The file; nothing is yielded of one that cannot be read or parsed.
    folder
        A folder that is importable too, after all else.
    """
    path = [*sys.path, str(folder)]
    try:
        tree = parse_source(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # importing it says what is wrong with it
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from files_of_module(alias.name, path)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = ".".join(filter(None, (node.module, alias.name)))
                yield from _relative(name, node.level, file) if node.level else files_of_module(name, path)
        elif isinstance(node, ast.Call) and (name := _given_name(node)):
            bare = name.lstrip(".")
            level = len(name) - len(bare)
            yield from _relative(bare, level, file) if level else files_of_module(name, path)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".py"):
            yield from _existing(place / node.value for place in (file.parent, folder))


def files_of_module(name: str, path: Sequence[str]) -> Iterator[Path]:
    """Yield the source files that importing a dotted name runs, as far as they are found on a path of folders."""
    top, *parts = name.split(".")
    spec = _found(top, path)
    if spec is None:
        return
    if spec.has_location and spec.origin:
        yield from _existing([Path(spec.origin)])
    for place in spec.submodule_search_locations or ():
        yield from _on_the_way(Path(place), parts)


def _found(top: str, path: Sequence[str]) -> ModuleSpec | None:
    """Find a top-level module as an import statement does that has a path, whether it is imported already or not."""
    for finder in sys.meta_path:
        with contextlib.suppress(Exception):  # a finder of somebody else's
            if (spec := finder.find_spec(top, path if finder is PathFinder else None, None)) is not None:
                return spec
    return None


def _given_name(call: ast.Call) -> str:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    given = call.args[0] if call.args else None
    if name in _IMPORTERS and isinstance(given, ast.Constant) and isinstance(given.value, str):
        return given.value
    return ""


def _relative(name: str, level: int, file: Path) -> Iterator[Path]:
    if level <= len(file.parents):
        yield from _on_the_way(file.parents[level - 1], name.split("."))


def _on_the_way(start: Path, parts: Sequence[str]) -> Iterator[Path]:
    """Yield the files that importing a dotted name from a folder runs, the folder's beginning not included."""
    for count in range(1, len(parts) + 1):
        place = start.joinpath(*parts[:count])
        yield from _existing((place.with_name(f"{place.name}.py"), place / "__init__.py"))


def _existing(candidates: Iterator[Path] | Sequence[Path]) -> Iterator[Path]:
    for path in candidates:
        with contextlib.suppress(OSError, ValueError):  # text that no file system takes for a name
            if path.suffix == ".py" and path.is_file():
                yield Path(os.path.normpath(path.absolute()))
