"""Which code a component from outside is: the content of its file and of what it imports, as one hash.

Notable:

- A name and a version say which component is meant, but a file can be edited under both. What is stored with a run is
  therefore the code itself, by its hash: the file, and the Python files that its import statements name, wherever they
  stand in it and through each other, and those that were read while it was imported, in whatever way.
- What is installed, or of the standard library, is not followed: an installed package goes by its version, except where
  it is installed in editable form, which is followed like any file.
- Places are no part of a hash: the same files elsewhere, or on another machine, are the same code. Data that such code
  reads is not covered.
"""

from __future__ import annotations

import functools
import hashlib
import json
import site
import sys
import sysconfig
from collections.abc import Collection, Iterable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import NamedTuple

from mibench.core.imports import files_of_module, imported_by

PLUGIN_PREFIX = "mibench_plugin_"
"""How the names of modules begin that plug-in files are imported as."""


_CODE = "__mibench_code__"
"""Where a module keeps its code, so that one with many components is read once; and anew where it is imported anew."""


class _Noted(NamedTuple):
    """The code of a module as it was when it was noted, with what was read beside it while it was imported.

    ``spec`` is the module's own, which a reload replaces.
    """

    code: str
    read: frozenset[Path]
    spec: ModuleSpec | None


def code_of(module: str) -> str | None:
    """Name the code of an imported module; None for mibench's own, whose version is in every row.

    Returns
    -------
    str or None
        ``"package 1.2.3"`` of an installed package, ``"sha256:0f3a..."`` of files, ``"unknown"`` without either, as in
        a notebook.
    """
    top = module.partition(".")[0]
    if top == "mibench":
        return None
    if not module.startswith(PLUGIN_PREFIX) and (installed := _package(top)):
        return installed.version
    if module not in sys.modules:
        return "unknown"
    noted = _noted(module)
    return (noted or note_code(module)).code


def note_code(module: str, read: Iterable[Path] = ()) -> _Noted:
    """Hash an imported module, together with files that were read while it was imported: what `code_of` returns."""
    before = _noted(module)  # several threads may import one entry point, and only the first reads files
    kept = frozenset(read) | (frozenset() if before is None else before.read)
    imported = sys.modules[module]
    noted = _Noted(_hash_of_module(module, kept), kept, getattr(imported, "__spec__", None))
    vars(imported)[_CODE] = noted
    return noted


def is_edited(module: str) -> bool:
    """Whether a module is other code than when it was imported, as far as that was noted."""
    noted = _noted(module)
    return noted is not None and noted.code != _hash_of_module(module, noted.read)


def modules_beside(used: Iterable[str], modules: Iterable[str]) -> dict[str, str]:
    """Return of some modules those that are neither installed nor covered by the code of others, with their code.

    Parameters
    ----------
    used
        Modules that `code_of` was asked for.
    modules
        Modules to look at.
    """
    files = {name: getattr(sys.modules[name], "__file__", None) for name in modules if name in sys.modules}
    outside = {
        name: Path(file)
        for name, file in files.items()
        if file and file.endswith(".py") and not name.startswith(PLUGIN_PREFIX) and not is_installed(Path(file))
    }
    covered = set().union(*map(_files_of_module, used)) if outside else set()
    return {name: _hash_of_file(file) for name, file in outside.items() if file not in covered}


def code_by_name(module: str, path: Sequence[str]) -> str | None:
    """Return the code of a module that is found on a path, as `modules_beside`; None where there is none."""
    files = list(files_of_module(module, path))
    return _hash_of_file(files[-1]) if files else None


def _hash_of_file(file: Path) -> str:
    return f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"


def _noted(module: str) -> _Noted | None:
    imported = sys.modules.get(module)
    noted: _Noted | None = getattr(imported, _CODE, None)
    return noted if noted is not None and noted.spec is getattr(imported, "__spec__", None) else None


def _hash_of_module(module: str, read: Collection[Path]) -> str:
    file = getattr(sys.modules[module], "__file__", None)
    if not (file and Path(file).is_file()):
        return "unknown"
    return hash_of(Path(file), {*_package_of(module, Path(file)), *read})


def _files_of_module(module: str) -> set[Path]:
    """Return the files that the code of a module covers; none of one that is installed, or has no file."""
    file, noted = getattr(sys.modules.get(module), "__file__", None), _noted(module)
    if not file or noted is None:
        return set()
    return files_of(Path(file), {*_package_of(module, Path(file)), *noted.read})


def _package_of(module: str, file: Path) -> Iterable[Path]:
    """Yield the files that importing a module by its name runs; a plug-in is imported by its path."""
    return () if module.startswith(PLUGIN_PREFIX) else files_of_module(module, [*sys.path, str(file.parent)])


def hash_of(file: Path, more: Collection[Path] = ()) -> str:
    """Hash a Python file together with what it imports that is not installed: ``"sha256:0f3a..."``.

    Parameters
    ----------
    file
        The file.
    more
        Further files that belong to it; what they import does too. Those that are not there any more are left out.
    """
    found = hashlib.sha256()
    for label, content in sorted((_label(path, file.parent), path.read_bytes()) for path in files_of(file, more)):
        found.update(f"{label}\0{len(content)}\0".encode())
        found.update(content)
    return f"sha256:{found.hexdigest()}"


def files_of(file: Path, more: Collection[Path] = ()) -> set[Path]:
    """Return a Python file and the files that it imports, directly or through each other; see `hash_of`."""
    own = _qualified(file).parts[0]  # a package is followed also where somebody has copied it among the installed ones
    found: set[Path] = set()
    seen: set[Path] = set()
    left = [file, *more]
    while left:
        path = left.pop()
        if path in seen:
            continue
        seen.add(path)
        if path == file or (path.is_file() and (_qualified(path).parts[0] == own or not is_installed(path))):
            found.add(path)
            left.extend(imported_by(path, file.parent))
    return found


def is_installed(file: Path) -> bool:
    """Whether a Python file is of the standard library, of an installed package, or of mibench."""
    if any(path.is_relative_to(place) for path in (file, file.resolve()) for place in _installation()):
        return True
    return (package := _package(_qualified(file).parts[0])) is not None and file.is_relative_to(package.place)


def _label(file: Path, folder: Path) -> str:
    """Name a file in a hash: by its way from a folder, or in what it is imported from, wherever that lies."""
    return (file.relative_to(folder) if file.is_relative_to(folder) else _qualified(file)).as_posix()


def _qualified(file: Path) -> Path:
    """Return the way to a file from where its package can be imported."""
    start = file.parent
    while (start / "__init__.py").is_file() and start != start.parent:
        start = start.parent
    return file.relative_to(start)


@functools.cache
def _installation() -> tuple[Path, ...]:
    """Return the folders of the standard library and of installed packages, and mibench's own."""
    schemes = (sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    places = {Path(place) for place in (*schemes, *site.getsitepackages(), site.getusersitepackages())}
    return (Path(__file__).parents[1], *sorted(places | {place.resolve() for place in places}))


class _Package(NamedTuple):
    """An installed package: as ``name 1.2.3``, and the folder that it is installed in."""

    version: str
    place: Path


@functools.cache  # all that is installed is looked through
def _package(top: str) -> _Package | None:
    """Return the installed package that a top-level module belongs to; None where there is none, or it is edited."""
    import importlib.metadata  # takes longer than all else here, and most runs are of mibench's own code

    for name in sorted(importlib.metadata.packages_distributions().get(top, ())):
        distribution = importlib.metadata.distribution(name)
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        place = Path(str(distribution.locate_file("")))
        is_source = distribution.read_text("RECORD") is None and place not in _installation()  # egg-info beside sources
        if not (is_source or origin.get("dir_info", {}).get("editable")):
            return _Package(f"{name} {distribution.version}", place)
    return None
