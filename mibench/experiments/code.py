"""The code from outside that runs are trained with: which components are not of mibench, and what they are made of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from mibench.core.registry import Entry
from mibench.experiments.components import REGISTRIES
from mibench.experiments.specs import RunSpec

_VERSIONED_NAME = re.compile(r"[a-z0-9-]+-v[0-9]+")

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
            found[spec.run_id] = json.dumps(codes, sort_keys=True, separators=(",", ":"))
    return found


def entries_of(specs: Iterable[RunSpec]) -> set[Entry]:
    """Return the components of some runs, those that stand inside parameters too, as a task's base."""
    components = {component for spec in specs for component in _components(spec)}
    return {entry for component in components for _, entry in _entries(component)}


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
