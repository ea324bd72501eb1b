"""``mibench packages remove``: remove the environment of a package."""

from __future__ import annotations

from typing import Annotated

import typer

from mibench.cli import completion
from mibench.cli.registration import command


@command("remove", place=30)
def remove_command(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="Packages, or all.", autocompletion=completion.of_package),
    ],
) -> None:
    """Remove the environments of packages; rows that they made stay."""
    from mibench.cli.terminal.console import say
    from mibench.core.adapters import adapters_of
    from mibench.packages.environments import remove

    for one in adapters_of(names):
        say(f"{one.release} is removed" if remove(one) else f"{one.release} was not installed")
