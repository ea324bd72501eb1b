"""The code from outside that runs are trained with: which components are not of mibench, and what they are made of.

Notable: what a run's specification names is known when it is planned. A component can ask for others, and import more,
while it is trained: that is found in the process that does it, stored with the rest, and compared where runs are
planned again.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from mibench.core.entries import Entry
from mibench.core.errors import UsageError
from mibench.core.outside import code_by_name, modules_beside
from mibench.experiments.components import REGISTRIES
from mibench.experiments.specs import RunSpec

_VERSIONED_NAME = re.compile(r"[a-z0-9-]+-v[0-9]+")

_MODULE = "module"
"""What a module is called in a run's code, where a component's is called by its kind."""

_Component = tuple[str, str, tuple[str, ...]]
"""The option that names a component, its versioned name, and those of components inside its parameters."""


def codes_of(specs: Iterable[RunSpec]) -> dict[str, str]:
    """Return of some runs the components from outside with the code they are made of.

    Returns
    -------
    dict
        By run id canonical JSON, as ``{"estimator mine-v1":"sha256:0f3a..."}``, the column ``code``; a run of mibench's
        own components is not in it.

    Raises
    ------
    UsageError
        For a component that is not registered.
    """
    known: dict[_Component, Mapping[str, str]] = {}
    found = {}
    for spec in specs:
        codes: dict[str, str] = {}
        for component in _components(spec):
            if component not in known:
                known[component] = {
                    f"{what} {entry.id}": entry.code for what, entry in _entries(component) if entry.code is not None
                }
            codes |= known[component]
        if codes:
            found[spec.run_id] = _as_text(codes)
    return found


class Beginning(NamedTuple):
    """What a process that trains runs was before it loaded any code from outside: see `further_codes`."""

    modules: frozenset[str]
    path: tuple[str, ...]

    @classmethod
    def now(cls) -> Beginning:
        """Return the names of the modules that are imported now, and the path that others are looked for on."""
        return cls(frozenset(sys.modules), tuple(sys.path))


def further_codes(specs: Iterable[RunSpec], beginning: Beginning) -> dict[str, str]:
    """Return what this process has used from outside beyond what its runs' specifications name.

    Parameters
    ----------
    specs
        The runs that were trained.
    beginning
        The process before it loaded any code from outside.

    Returns
    -------
    dict
        By component, ``"task inner-v1"``, and by module, ``"module helper"``, its code. A module that a component's
        hash covers is not in it.

    Raises
    ------
    UsageError
        For a module that was imported while the runs were trained from a folder that was not on the path before: where
        runs are planned, nobody could tell whether it was edited.
    """
    named = entries_of(specs)
    asked_for = [(registry.what, entry) for registry in REGISTRIES.values() for entry in registry.asked_for()]
    used = {entry.module for _, entry in asked_for}
    late = modules_beside(used, set(sys.modules) - beginning.modules)
    # What is not found by its name was loaded from a path, as generated code is, and is not covered.
    late = {name: code for name, code in late.items() if code_by_name(name, sys.path) == code}
    for name, code in late.items():
        if code_by_name(name, beginning.path) != code:
            raise UsageError(
                f"module '{name}' was imported while this run was trained, from a folder that is put on the path only "
                "then; import it at the top of the file"
            )
    fetched = {f"{what} {entry.id}": entry.code for what, entry in asked_for if entry not in named}
    modules = {f"{_MODULE} {name}": code for name, code in late.items()}
    return {what: code for what, code in {**fetched, **modules}.items() if code is not None}


def with_further(code: str | None, further: Mapping[str, str]) -> str | None:
    """Add what `further_codes` found to the code of a run, the column ``code``."""
    return _as_text({**json.loads(code or "{}"), **further}) if further else code


def code_now(planned: str | None, stored: str | None) -> str | None:
    """Return the code of now of all that a stored row says it was made of, and of what a run of now names."""
    now: dict[str, str] = json.loads(planned or "{}")
    for component in set(json.loads(stored or "{}")) - set(now):
        if (code := _code_of_name(component)) is not None:
            now[component] = code
    return _as_text(now) if now else None


def _code_of_name(component: str) -> str | None:
    """Return the code of now of ``"task inner-v1"`` or ``"module helper"``; None where there is no such thing."""
    what, _, name = component.partition(" ")
    if what == _MODULE:
        return code_by_name(name, sys.path)
    what, _, name = component.rpartition(" ")
    registry = next((one for one in REGISTRIES.values() if one.what == what), None)
    try:
        return None if registry is None else registry.entry(name).code
    except UsageError:
        return None


def entries_of(specs: Iterable[RunSpec]) -> set[Entry]:
    """Return the components of some runs, those that stand inside parameters too, as a task's base."""
    components = {component for spec in specs for component in _components(spec)}
    return {entry for component in components for _, entry in _entries(component)}


def _as_text(codes: Mapping[str, str]) -> str:
    return json.dumps(codes, sort_keys=True, separators=(",", ":"))


def _components(spec: RunSpec) -> Iterator[_Component]:
    for option in REGISTRIES:
        heads = (v.partition(":")[0] for _, v in getattr(spec, f"{option}_params") if isinstance(v, str))
        yield option, getattr(spec, option), tuple(head for head in heads if _VERSIONED_NAME.fullmatch(head))


def _entries(component: _Component) -> Iterator[tuple[str, Entry]]:
    """Yield a component, and what its parameters may name, each with its kind."""
    option, name, inner = component
    yield REGISTRIES[option].what, REGISTRIES[option].entry(name)
    for registry in REGISTRIES.values():
        every = {entry.id: entry for entry in registry.entries(all_versions=True)} if inner else {}
        yield from ((registry.what, every[one]) for one in inner if one in every)
