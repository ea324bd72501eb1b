"""Adapters of public packages: what each file of `estimators/packages` says, and where its environment lies.

Notable: an adapter runs in the package's environment, where there is no mibench, and is never imported here: what it
says stands in plain assignments, which are read from its text.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from mibench.core.errors import UnknownNameError, UsageError
from mibench.core.parsing import parse_source

PLACE = Path(__file__).parents[1] / "estimators" / "packages"
"""The folder of the adapters; a file adds one."""

MANIFEST = "mibench.json"
"""Written last into an environment: one without it is incomplete."""

Columns = Literal["one", "any"]


@dataclasses.dataclass(frozen=True)
class Adapter:
    """What is known of a package without installing it.

    Parameters
    ----------
    name
        What the estimator is called: the file's name with hyphens.
    file
        The adapter.
    description
        Its docstring.
    package, version
        The distribution on PyPI that it is about.
    requirements
        All that its environment has, each pinned: ``"numpy==2.4.6"``.
    python
        The oldest Python that takes these, as ``(3, 12)``.
    unit
        The unit that the package answers in: ``nats`` or ``bits``.
    columns
        Whether it takes ``one`` column a side, or ``any`` number.
    treatment
        What the adapter does to data and answer, a clause.
    breaks_with
        A requirement by which the package is broken, as a newest release of a dependency; empty where none is known.
    """

    name: str
    file: Path
    description: str
    package: str
    version: str
    requirements: tuple[str, ...]
    python: tuple[int, int]
    unit: Literal["nats", "bits"]
    columns: Columns
    treatment: str
    breaks_with: str = ""

    @property
    def release(self) -> str:
        """The package with its version, as in ``ennemi 1.6.0``."""
        return f"{self.package} {self.version}"

    @property
    def environment(self) -> Path:
        """The folder of its environment, in the user's cache; it need not exist."""
        return environments() / f"{self.name}-{self.version}"

    @property
    def interpreter(self) -> Path:
        """The Python of its environment."""
        return self.environment / "bin" / "python"


def environments() -> Path:
    """Return the folder of all packages' environments: ``MIBENCH_CACHE``, or ``mibench`` in the user's cache."""
    cache = os.environ.get("MIBENCH_CACHE")
    if cache:
        return Path(cache) / "packages"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mibench" / "packages"


def adapter_names() -> list[str]:
    """Return the names of all adapters, sorted; nothing is read but the folder."""
    return sorted(path.stem.replace("_", "-") for path in PLACE.glob("*.py") if path.stem != "__init__")


@functools.cache
def adapter(name: str) -> Adapter:
    """Read an adapter.

    Raises
    ------
    UnknownNameError
        Where there is none of that name.
    """
    if name not in adapter_names():
        raise UnknownNameError("package", name, adapter_names(), "see 'mibench packages list'")
    file = PLACE / f"{name.replace('-', '_')}.py"
    tree = parse_source(file.read_text(encoding="utf-8"))
    said: dict[str, Any] = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).isupper()
    }
    package, _, version = said["REQUIREMENTS"][0].partition("==")
    return Adapter(
        name=name,
        file=file,
        description=ast.get_docstring(tree) or "",
        package=package,
        version=version,
        requirements=said["REQUIREMENTS"],
        python=cast("tuple[int, int]", tuple(said.get("PYTHON", (3, 11)))),
        unit=said["UNIT"],
        columns=said["COLUMNS"],
        treatment=said["TREATMENT"],
        breaks_with=said.get("BREAKS_WITH", ""),
    )


def adapters_of(names: Sequence[str]) -> list[Adapter]:
    """Read the adapters of these names, or of ``["all"]``; raises as `adapter`."""
    return [adapter(name) for name in (adapter_names() if list(names) == ["all"] else names)]


def manifest_of(one: Adapter) -> Mapping[str, Any] | None:
    """Return what is written of an environment that was made to its end; None where there is none.

    An environment whose requirements are others than the adapter's is none.
    """
    try:
        found: dict[str, Any] = json.loads((one.environment / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if found.get("requirements") == list(one.requirements) else None


def refuse_missing(one: Adapter) -> None:
    """Refuse a package that is not installed, or was broken when it was.

    Raises
    ------
    UsageError
        Which names the command that installs it, or the package's own error.
    """
    manifest = manifest_of(one)
    if manifest is None:
        raise UsageError(
            f"estimator '{one.name}' is the package {one.release}, which is not installed; "
            f"give 'mibench packages install {one.name}'"
        )
    if manifest["error"]:
        raise UsageError(f"package {one.release} is broken as it is installed: {manifest['error']}")
