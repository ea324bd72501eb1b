"""Names on the command line: what can be listed, and how a name that is half written is completed.

Notable: completion answers at once; nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mibench.core.adapters import adapter_names
from mibench.core.registry import CRITICS, ESTIMATORS, NEGATIVES, TASKS, Registry

REGISTRIES: Mapping[str, Registry[Any]] = {
    "tasks": TASKS,
    "estimators": ESTIMATORS,
    "critics": CRITICS,
    "negatives": NEGATIVES,
}
"""The registries by what ``mibench list`` calls their entries."""

LISTS = (*REGISTRIES, "grids", "suites")
"""What ``mibench list`` lists."""


def in_registry(registry: Registry[Any]) -> Callable[[str], list[str]]:
    """Complete the names of a registry."""
    return lambda incomplete: [e.name for e in registry.entries() if e.name.startswith(incomplete)]


def of_list(incomplete: str) -> list[str]:
    """Complete what can be listed."""
    return [name for name in LISTS if name.startswith(incomplete)]


def of_grid(incomplete: str) -> list[str]:
    """Complete the name of a shipped grid."""
    from mibench.experiments.grid import shipped_grids

    return [grid.name for grid in shipped_grids() if grid.name.startswith(incomplete)]


def of_suite(incomplete: str) -> list[str]:
    """Complete the name of a suite."""
    from mibench.experiments.suite import list_suites

    return [name for name in list_suites() if name.startswith(incomplete)]


def of_figure(incomplete: str) -> list[str]:
    """Complete the name of a figure."""
    from mibench.report.reports import resolve_names

    return [name for name in (*resolve_names(["all"]), "all", "claims") if name.startswith(incomplete)]


def of_precision(incomplete: str) -> list[str]:
    """Complete the name of a precision."""
    from mibench.experiments.options import PRECISIONS

    return [name for name in PRECISIONS if name.startswith(incomplete)]


def of_optimiser(incomplete: str) -> list[str]:
    """Complete the name of an optimiser."""
    from mibench.experiments.options import OPTIMISERS

    return [name for name in OPTIMISERS if name.startswith(incomplete)]


def of_anything(incomplete: str) -> list[str]:
    """Complete what ``mibench info`` knows: the components and the suites."""
    components = [name for registry in REGISTRIES.values() for name in in_registry(registry)(incomplete)]
    return components + of_suite(incomplete)


def of_package(incomplete: str) -> list[str]:
    """Complete the name of a public package."""
    return [name for name in (*adapter_names(), "all") if name.startswith(incomplete)]
