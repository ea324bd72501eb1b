"""What several commands share: types of options, and the command line as it was given."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from mibench.core.errors import UsageError

Many = list[str] | None
Plugins = Annotated[Many, typer.Option("--plugin", metavar="PATH", help="Python file or folder with more components.")]
Results = Annotated[Path, typer.Option("--results", help="The results folder.")]
Jobs = Annotated[int | None, typer.Option(help="Worker processes.  \\[default: one per processor]")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Train failed runs again.")]
Retrain = Annotated[bool, typer.Option("--retrain", help="Train again what other code of a plug-in made.")]
Latex = Annotated[bool, typer.Option("--latex", help="Print tables for a paper in LaTeX, with booktabs.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print tables in Markdown.")]


def refuse_several(given: Mapping[str, bool]) -> None:
    """Refuse, by `UsageError`, more than one of the options that exclude each other."""
    names = [name for name, chosen in given.items() if chosen]
    if len(names) > 1:
        raise UsageError(f"{', '.join(names[:-1])} and {names[-1]} exclude each other; give one of them")


def given_command() -> str:
    """Return this process's command line, as it can be typed again."""
    return shlex.join(["mibench", *sys.argv[1:]])
