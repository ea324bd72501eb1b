"""Which code a component from outside is: the content of its file and of what it imports beside it, as one hash.

Notable: a name and a version say which component is meant, but a file can be edited under both. What is stored with a
run is therefore the code itself, by its hash: the file, and the modules in its folder that its import statements name,
wherever in it and through each other. Code of an installed package goes by the package's version, except where it is
installed in editable form. Data that such code reads is not covered.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from mibench.core.parsing import parse_source

PLUGIN_PREFIX = "mibench_plugin_"
"""How the names of modules begin that plug-in files are imported as."""


_CODE = "__mibench_code__"
"""Where a module keeps its hash, so that one with many components is read once; and anew where it is imported anew."""


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
    if not module.startswith(PLUGIN_PREFIX) and (installed := _installed(top)):
        return installed
    attributes = vars(sys.modules[module]) if module in sys.modules else {}
    spec, code = attributes.get(_CODE, (None, None))
    if code is None or spec is not attributes.get("__spec__"):  # which a reload replaces
        file = attributes.get("__file__")
        code = hash_of(Path(file)) if file and Path(file).is_file() else "unknown"
        attributes[_CODE] = attributes.get("__spec__"), code
    return str(code)


def hash_of(file: Path) -> str:
    """Hash a Python file together with the modules in its folder that it imports: ``"sha256:0f3a..."``."""
    found = hashlib.sha256()
    for member in sorted(files_of(file)):
        content = member.read_bytes()
        found.update(f"{member.relative_to(file.parent).as_posix()}\0{len(content)}\0".encode())
        found.update(content)
    return f"sha256:{found.hexdigest()}"


def files_of(file: Path) -> set[Path]:
    """Return a Python file and the files in its folder that it imports, directly or through each other."""
    found, left = {file}, [file]
    while left:
        for further in set(_imported_by(left.pop(), file.parent)) - found:
            found.add(further)
            left.append(further)
    return found


def _imported_by(file: Path, folder: Path) -> Iterator[Path]:
    """Yield the files under a folder that import statements of one file can mean; packages with their beginnings."""
    try:
        tree = parse_source(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # importing it says what is wrong with it
        return
    for node in ast.walk(tree):
        start, names = folder, []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = file.parents[node.level - 1] if 0 < node.level <= len(file.parents) else folder
            names = [".".join(filter(None, (node.module, alias.name))) for alias in node.names]
        for name in names:
            yield from (path for path in _on_the_way(start, name.split(".")) if path.is_relative_to(folder))


def _on_the_way(start: Path, parts: list[str]) -> Iterator[Path]:
    """Yield the files that importing a dotted name from a folder runs, as far as they are there."""
    for count in range(1, len(parts) + 1):
        place = start.joinpath(*parts[:count])
        for candidate in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if candidate.is_file():
                yield candidate


@functools.cache  # all that is installed is looked through
def _installed(top: str) -> str | None:
    """Return name and version of the installed package that a top-level module belongs to; None where it is edited."""
    import importlib.metadata  # takes longer than all else here, and most runs are of mibench's own code

    for name in sorted(importlib.metadata.packages_distributions().get(top, ())):
        distribution = importlib.metadata.distribution(name)
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        if not origin.get("dir_info", {}).get("editable"):
            return f"{name} {distribution.version}"
    return None
