"""``mibench packages install``: make the environment of a package."""

from __future__ import annotations

from typing import Annotated

import typer

from mibench.cli import completion
from mibench.cli.registration import command


@command("install", place=10)
def install_command(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="Packages, or all.", autocompletion=completion.of_package),
    ],
) -> None:
    """Make the environments of packages in the user's cache, and try each."""
    from mibench.cli.terminal.console import say
    from mibench.core.adapters import adapters_of
    from mibench.packages.environments import install

    broken = 0
    for one in adapters_of(names):
        found = install(one)
        if found.state == "broken":
            broken += 1
            say(f"{one.release} is installed and broken: {found.error}")
        else:
            say(f"{one.release} is installed; 'mibench run --estimator {one.name} --samples 2000 ...' runs it")
    if broken:
        raise typer.Exit(1)
