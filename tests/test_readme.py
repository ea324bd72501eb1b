"""What the README shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mibench.testing import check_plugin
from tests.support.commands import check_command, commands_shown
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.usefixtures("fresh_registries")
def test_the_example_estimator_is_short_and_conforms(tmp_path: Path) -> None:
    (source,) = (block for block in blocks("python") if "# my_bound.py" in block)
    assert source.count("\n") < 30
    file = tmp_path / "my_bound.py"
    file.write_text(source, encoding="utf-8")
    findings = check_plugin(file)
    assert findings
    assert [finding for finding in findings if not finding.passed] == []


def test_it_is_short_and_shows_the_rooms() -> None:
    assert README.count("\n") <= 220
    tree = README.split("## The tree\n\n```\n")[1].split("```")[0]
    assert tree.count("\n") <= 25
    rooms = {path.parent.name for path in (ROOT / "mibench").glob("*/__init__.py") if not path.parent.is_symlink()}
    assert {name for name in rooms if f"{name}/" not in tree} == set()


@pytest.mark.parametrize("line", [line for line in commands_shown(README) if line.startswith("mibench ")])
def test_the_commands_shown_exist_with_their_options(line: str) -> None:
    check_command(line)


def test_the_files_that_it_points_to_exist() -> None:
    paths = re.findall(r"\]\(([^)]*)\)", README)
    assert paths
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_every_guide_is_named() -> None:
    made = {"columns.md", "command-line.md"}
    assert {p.name for p in (ROOT / "docs").glob("*.md") if f"(docs/{p.name})" not in README} == made
