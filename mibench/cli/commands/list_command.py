"""``mibench list``: what there is."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Any

import typer

from mibench.cli import completion
from mibench.cli.options import Plugins
from mibench.cli.plugins import load_tried_plugins
from mibench.cli.registration import command
from mibench.core.entries import Entry
from mibench.core.errors import UsageError, did_you_mean
from mibench.core.registry import broken


@command("list", place=50, purpose="Look up")
def list_command(
    what: Annotated[
        str | None,
        typer.Argument(
            help="tasks, estimators, critics, negatives, grids or suites.", autocompletion=completion.of_list
        ),
    ] = None,
    plugin: Plugins = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what there is, with one line on each."""
    from mibench.cli.terminal.components import show_broken, show_entries
    from mibench.cli.terminal.console import show_table
    from mibench.experiments.grid import shipped_grids
    from mibench.experiments.suite import shipped_suites

    if what is not None and what not in completion.LISTS:
        raise UsageError(f"there is no list of '{what}'{did_you_mean(what, completion.LISTS)}")
    load_tried_plugins(plugin)
    entries = {
        name: registry.entries(all_versions=True)
        for name, registry in completion.REGISTRIES.items()
        if what in (None, name)
    }
    grids = shipped_grids() if what in (None, "grids") else []
    suites = shipped_suites() if what in (None, "suites") else []
    if as_json:
        listed: dict[str, Any] = {name: [_as_json(e) for e in found] for name, found in entries.items()}
        if grids:
            listed["grids"] = [{"name": g.name, "summary": g.summary, "path": str(g.path)} for g in grids]
        if suites:
            listed["suites"] = [{"id": s.id, "summary": s.summary, "path": str(s.path)} for s in suites]
        print(json.dumps({**listed, "broken": [dataclasses.asdict(b) for b in broken()]}, indent=2))
        return
    for name, found in entries.items():
        show_entries(name, found)
    if grids:
        show_table(("grids", "summary"), [(grid.name, grid.summary) for grid in grids])
    if suites:
        show_table(("suites", "version", "summary"), [(s.name, f"v{s.version}", s.summary) for s in suites])
    show_broken(broken())


def _as_json(entry: Entry) -> dict[str, Any]:
    return {"id": entry.id, **dataclasses.asdict(entry)}
