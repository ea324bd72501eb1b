"""What several commands share: types of options, and the command line as it was given."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

Many = list[str] | None
Plugins = Annotated[Many, typer.Option("--plugin", metavar="PATH", help="Python file or folder with more components.")]
Results = Annotated[Path, typer.Option("--results", help="The results folder.")]
Jobs = Annotated[int | None, typer.Option(help="Worker processes.  \\[default: one per processor]")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Train failed runs again.")]
Retrain = Annotated[bool, typer.Option("--retrain", help="Train again what other code of a plug-in made.")]


def given_command() -> str:
    """Return this process's command line, as it can be typed again."""
    return shlex.join(["mibench", *sys.argv[1:]])
