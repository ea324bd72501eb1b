"""How a command comes to the command line: a file of `mibench.cli.commands` with a function under `command`.

Notable: files are found, not listed, so that one file adds a command; each says itself where it stands in ``--help``.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

import typer

Function = TypeVar("Function", bound=Callable[..., None])


@dataclasses.dataclass(frozen=True)
class Command:
    """A command: where it stands in its group's ``--help``, its name, what it does, and what users come to it for."""

    place: int
    name: str
    function: Callable[..., Any]
    purpose: str | None


_commands: dict[str, list[Command]] = {}
"""The commands that were imported, by the package that their files lie in."""


def command(name: str, *, place: int, purpose: str | None = None) -> Callable[[Function], Function]:
    """Register a function as a command.

    Parameters
    ----------
    name
        What is typed.
    place
        Commands stand in ``--help`` in the order of these numbers; they leave gaps.
    purpose
        The heading in ``--help`` that it stands under; of the group's other commands by default.
    """

    def register(function: Function) -> Function:
        package = function.__module__.rpartition(".")[0]
        _commands.setdefault(package, []).append(Command(place, name, function, purpose))
        return function

    return register


def add_commands(app: typer.Typer, package: ModuleType) -> None:
    """Import the files of a package and add their commands; a package inside becomes a group of its name.

    Parameters
    ----------
    app
        What the commands are added to.
    package
        Its modules register commands; the first line of a group's docstring is its help, and its ``PURPOSE``, where
        it has one, the heading that it stands under.
    """
    for found in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{found.name}")
        if found.ispkg:
            group = typer.Typer(help=(module.__doc__ or "").splitlines()[0])
            add_commands(group, module)
            app.add_typer(group, name=found.name, rich_help_panel=getattr(module, "PURPOSE", None))
    for one in sorted(_commands.get(package.__name__, ()), key=lambda one: (one.place, one.name)):
        app.command(one.name, rich_help_panel=one.purpose)(one.function)
