"""``mibench packages list``: the packages that there are adapters of."""

from __future__ import annotations

from mibench.cli.registration import command
from mibench.core.adapters import Adapter


@command("list", place=20)
def list_command() -> None:
    """List the packages, with their units, what their adapters do, and which are installed."""
    from mibench.cli.terminal.console import say, show_table
    from mibench.core.adapters import adapter, adapter_names
    from mibench.packages.environments import environment_of

    found = [environment_of(adapter(name)) for name in adapter_names()]
    rows = [
        (
            one.adapter.name,
            one.adapter.version,
            one.adapter.unit,
            one.adapter.columns,
            one.state,
            _summary(one.adapter),
        )
        for one in found
    ]
    show_table(("package", "version", "unit", "columns a side", "state", "summary"), rows)
    for one in found:
        if one.state == "broken":
            say(f"{one.adapter.release} is broken: {one.error}")


def _summary(one: Adapter) -> str:
    return f"{one.treatment}; broken with {one.breaks_with}" if one.breaks_with else one.treatment
