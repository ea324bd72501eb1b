"""``mibench packages try``: whether a package works with another release of what it requires."""

from __future__ import annotations

from typing import Annotated

import typer

from mibench.cli import completion
from mibench.cli.registration import command
from mibench.core.errors import UsageError


@command("try", place=50)
def try_command(
    name: Annotated[str, typer.Argument(help="The package.", autocompletion=completion.of_package)],
    requirement: Annotated[
        str | None,
        typer.Option(
            "--with", metavar="NAME==VERSION", help="In place of the adapter's own; by default what breaks it."
        ),
    ] = None,
) -> None:
    """Try a package with another release of a dependency, in an environment that is removed again."""
    from mibench.cli.terminal.console import say
    from mibench.core.adapters import adapter
    from mibench.packages.environments import error_with

    one = adapter(name)
    requirement = requirement or one.breaks_with
    pinned = {text.partition("==")[0]: text for text in one.requirements}
    other, equals, _ = requirement.partition("==")
    if not requirement:
        raise UsageError(f"no release is known that breaks {one.release}; name one: --with {one.requirements[-1]}")
    if not equals or other not in pinned:
        raise UsageError(f"--with takes one of {', '.join(pinned)} as NAME==VERSION; '{requirement}' is none")
    error = error_with(one, requirement)
    if not error:
        say(f"{one.release} works with {requirement}")
        return
    say(f"{one.release} is broken with {requirement}: {error}; it works with {pinned[other]}, which its adapter has")
    raise typer.Exit(1)
