"""Commands as documents show them: found in the command line's own tree."""

from __future__ import annotations

import re
import shlex
from typing import Any

import typer

from mibench.cli.app import app


def commands_shown(text: str) -> list[str]:
    """Lines of the blocks without a language."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [line for language, source in blocks if language == "" for line in source.splitlines()]


def find_command(words: list[str]) -> tuple[str, Any]:
    """Find the command that a line calls, and its name; None where there is none."""
    command, name = typer.main.get_command(app), []
    while words and hasattr(command, "commands"):
        name.append(words.pop(0))
        command = command.commands.get(name[-1])
    return " ".join(name), command


def options_of(command: Any) -> set[str]:
    return {name for parameter in command.params for name in getattr(parameter, "opts", ()) if name.startswith("--")}


def check_command(line: str) -> None:
    """See that a line calls a command that exists, with options that it has."""
    words = shlex.split(line, comments=True)
    assert words.pop(0) == "mibench"
    name, command = find_command(words)
    assert command is not None, name
    assert {word for word in words if word.startswith("--")} <= options_of(command)
