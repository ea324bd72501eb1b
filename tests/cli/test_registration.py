"""A file adds a command, and commands stand in the order that they state."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import typer

from mibench.cli.app import app, main
from mibench.cli.registration import add_commands

COMMAND = '''"""A command."""

from mibench.cli.registration import command


@command("{name}", place={place})
def {name}_command() -> None:
    """Do {name}."""
'''

PURPOSES = {
    "Measure": ["run", "report"],
    "Compare": ["leaderboard", "compare"],
    "Estimate": ["estimate"],
    "Look up": ["list", "info"],
    "Look after": ["check", "packages", "results"],
}


def names(one: typer.Typer) -> list[str | None]:
    return [command.name for command in one.registered_commands]


def test_commands_are_in_the_order_of_their_work() -> None:
    assert names(app) == ["run", "report", "leaderboard", "compare", "estimate", "list", "info", "check"]
    groups = {group.name: names(group.typer_instance) for group in app.registered_groups if group.typer_instance}
    assert groups == {
        "packages": ["install", "list", "remove", "probe", "try"],
        "results": ["ls", "merge", "compact", "publish", "verify"],
    }


def test_commands_stand_under_what_users_come_for(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown, found = capfd.readouterr().out, {}
    for heading, names_below in PURPOSES.items():
        panel = shown.split(f"─ {heading} ─", 1)[1].split("╰", 1)[0]
        found[heading] = [line.split()[1] for line in panel.splitlines() if line.startswith("│ ") and line[2] != " "]
        assert found[heading] == names_below
    together = [name for names_below in found.values() for name in names_below]
    assert together == [*names(app), *(group.name for group in app.registered_groups)]


def test_a_file_adds_a_command_and_a_folder_a_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_commands"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text('"""Commands."""\n')
    (package / "inner" / "__init__.py").write_text('"""Look inside.\n\nMore."""\n')
    for folder, name, place in ((package, "first", 20), (package, "second", 10), (package / "inner", "third", 10)):
        (folder / f"{name}_command.py").write_text(COMMAND.format(name=name, place=place))
    monkeypatch.syspath_prepend(tmp_path)
    made = typer.Typer()
    add_commands(made, importlib.import_module("some_commands"))
    assert names(made) == ["second", "first"]
    (group,) = made.registered_groups
    assert group.name == "inner"
    assert group.typer_instance is not None
    assert group.typer_instance.info.help == "Look inside."
    assert names(group.typer_instance) == ["third"]
