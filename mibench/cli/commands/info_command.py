"""``mibench info``: all about a component or a suite."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mibench.cli import completion
from mibench.cli.options import Plugins
from mibench.cli.plugins import load_tried_plugins
from mibench.cli.registration import command
from mibench.core.errors import UnknownNameError, UsageError
from mibench.core.parameters import split_name
from mibench.core.registry import Registry


@command("info", place=60, purpose="Look up")
def info_command(
    name: Annotated[
        str,
        typer.Argument(help="Name, for example nwj, smile:tau=1 or standard.", autocompletion=completion.of_anything),
    ],
    plugin: Plugins = None,
) -> None:
    """Say all about one component or suite: its docstring, parameters and ceiling, or its tasks and runs."""
    from mibench.cli.terminal.components import show_component
    from mibench.cli.terminal.suites import show_suite
    from mibench.experiments.suite import shipped_suites

    load_tried_plugins(plugin)
    plain, _ = split_name(name)
    found = [registry for registry in completion.REGISTRIES.values() if _holds(registry, plain)]
    suites = [suite for suite in shipped_suites() if name in (suite.name, suite.id)][:1]  # the newest version of a name
    if not found and plain != name and plain in completion.of_suite(""):
        raise UsageError(f"suite '{plain}' takes no parameters; see 'mibench info {plain}'")
    if not (found or suites):
        known = [
            n for registry in completion.REGISTRIES.values() for e in registry.entries() for n in (e.name, *e.aliases)
        ]
        raise UnknownNameError("name", plain, [*known, *completion.of_suite("")], "see 'mibench list'")
    for registry in found:
        show_component(registry, name)
    for suite in suites:
        show_suite(suite)


def _holds(registry: Registry[Any], name: str) -> bool:
    try:
        registry.entry(name)
    except UnknownNameError:
        return False
    return True
