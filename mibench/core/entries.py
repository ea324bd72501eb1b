"""What is known of registered components without importing them; of mibench's own, read from their sources."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import itertools
from pathlib import Path
from typing import Any

from mibench.core.outside import code_of
from mibench.core.parsing import parse_source


@dataclasses.dataclass(frozen=True)
class Entry:
    """What is known of a component without importing it."""

    name: str
    version: int
    aliases: tuple[str, ...]
    summary: str
    kind: str | None
    origin: str
    module: str
    qualname: str
    given: str = ""
    coincides: tuple[str, ...] = ()

    @property
    def code(self) -> str | None:
        """What a component from outside is made of, as `mibench.core.outside.code_of`; None for mibench's own."""
        return code_of(self.module)

    @property
    def id(self) -> str:
        """The versioned name, ``"nwj-v1"``."""
        return f"{self.name}-v{self.version}"

    @property
    def is_builtin(self) -> bool:
        """Whether it comes with mibench."""
        return self.module.startswith("mibench.")


def modules_of(name: str) -> list[tuple[str, Path]]:
    """List the modules of a package of mibench, or the module itself, with their files, without importing them."""
    root = Path(__file__).parents[1]
    relative = root.joinpath(*name.split(".")[1:])
    if relative.is_dir():
        return [(f"{name}.{p.stem}", p) for p in sorted(relative.glob("*.py")) if p.stem != "__init__"]
    return [(name, relative.with_suffix(".py"))]


def read_entries(module: str, path: Path) -> list[Entry]:
    """Read the ``@register_...("name", version=1, aliases=(...))`` decorators of a source file."""
    entries: list[Entry] = []
    source = path.read_text(encoding="utf-8")
    if "@register_" not in source:  # most of a room's modules: parsing them would double the time of a listing
        return entries
    for node in parse_source(source).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for decorator in node.decorator_list:
            if not (isinstance(decorator, ast.Call) and ast.unparse(decorator.func).startswith("register_")):
                continue
            constants = _class_constants(node, "kind", "given", "coincides")
            options = {k.arg: ast.literal_eval(k.value) for k in decorator.keywords}
            entries.append(
                Entry(
                    name=ast.literal_eval(decorator.args[0]),
                    version=options.get("version", 1),
                    aliases=tuple(options.get("aliases", ())),
                    summary=(ast.get_docstring(node) or "").split("\n")[0],
                    kind=constants.get("kind"),
                    origin=str(path),
                    module=module,
                    qualname=node.name,
                    given=constants.get("given", ""),
                    coincides=constants.get("coincides", ()),
                )
            )
    return entries


def written_defaults(entry: Entry) -> dict[str, Any]:
    """Read the defaults of a component's own parameters from its source, without importing it.

    Those that are inherited, or not written as plain values, are left out.
    """
    try:
        body = parse_source(Path(entry.origin).read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError):  # entered without a file, as in a notebook
        return {}
    classes = [node for node in body if isinstance(node, ast.ClassDef) and node.name == entry.qualname]
    found = {}
    for statement in itertools.chain.from_iterable(node.body for node in classes):
        if not (isinstance(statement, ast.AnnAssign) and statement.value):
            continue
        if "ClassVar" not in ast.unparse(statement.annotation):
            with contextlib.suppress(ValueError):
                found[ast.unparse(statement.target)] = ast.literal_eval(statement.value)
    return found


def _class_constants(node: ast.ClassDef, *names: str) -> dict[str, Any]:
    """Read plain values that are assigned in a class's own body."""
    assigned = {ast.unparse(one.targets[0]): one.value for one in node.body if isinstance(one, ast.Assign)}
    return {name: ast.literal_eval(assigned[name]) for name in names if name in assigned}
