"""Components: lists of them, all about one, and plug-ins that are broken."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mibench.cli.terminal.console import console, show_table
from mibench.core.entries import Entry
from mibench.core.errors import UsageError
from mibench.core.parameters import split_name
from mibench.core.registry import ESTIMATORS, Broken, Registry

if TYPE_CHECKING:
    from mibench.core.estimator import Estimator


def show_entries(kind: str, entries: Sequence[Entry]) -> None:
    """Print the components of one kind; where one comes from outside, with their origins."""
    kinds, origins = any(e.kind for e in entries), not all(e.is_builtin for e in entries)
    columns = [kind, "version", *(["kind"] if kinds else []), "summary", *(["origin"] if origins else [])]
    rows = [
        [
            ", ".join((e.name, *e.aliases)),
            f"v{e.version}",
            *([e.kind or ""] if kinds else []),
            e.summary,
            *([("" if e.is_builtin else e.origin)] if origins else []),
        ]
        for e in entries
    ]
    show_table(columns, rows)


def show_broken(broken: Sequence[Broken]) -> None:
    """Print the plug-ins that could not be imported."""
    for plugin in broken:
        console().print(f"broken plug-in {plugin.origin}: {plugin.error}", style="red", markup=False, soft_wrap=True)


def show_component(registry: Registry[Any], text: str) -> None:
    """Print all about one component.

    Parameters
    ----------
    registry
        Where it is registered.
    text
        Its name as the user wrote it, parameters included.
    """
    name, written = split_name(text)
    entry, cls = registry.entry(name), registry.get(name)
    if written:
        registry.create(text)  # refuses parameters that do not fit
    kind = f", {entry.kind}" if entry.kind else ""
    print(f"{entry.id} ({registry.what}{kind})\n{entry.origin}\n\n{inspect.cleandoc(cls.__doc__ or '')}\n")
    fields = [field for field in dataclasses.fields(cls) if field.init]
    if fields:
        show_table(("parameter", "type", "default"), [(f.name, str(f.type), _default(f)) for f in fields])
    if registry is ESTIMATORS:
        _show_ceilings(registry.create(text))


def _default(field: dataclasses.Field[Any]) -> str:
    return "required" if field.default is dataclasses.MISSING else str(field.default)


def _show_ceilings(estimator: Estimator) -> None:
    """Print what the estimate can reach at common batch sizes."""
    from mibench.core.estimator import SampleEstimator

    for what, said in (("given", estimator.given), ("coincides with", "; ".join(estimator.coincides))):
        if said:
            print(f"{what}: {said}")
    print(f"default negatives: {estimator.default_negatives}; parameters: {dict(estimator.params()) or 'none'}")
    sizes = (64, 128, 256, 512, 1024)
    layouts: dict[str, Callable[[int], int]] = {"one negative a row": lambda n: 2, "all pairs": lambda n: n}
    if isinstance(estimator, SampleEstimator):
        layouts = {"a sample of N pairs": lambda n: 1}
    rows = [(label, *(_ceiling(estimator, n, m(n)) for n in sizes)) for label, m in layouts.items()]
    headers = [f"N = {n}" for n in sizes]
    show_table(("ceiling, nats", *headers), rows, numbers=headers)


def _ceiling(estimator: Estimator, n: int, m: int) -> str:
    try:
        value = estimator.ceiling(n, m)
    except UsageError:
        return "undefined"
    return "none" if value == math.inf else f"{value:.4f}"
