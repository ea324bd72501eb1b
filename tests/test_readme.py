"""What the README shows is what happens."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import mibench
from mibench.cli.app import main
from mibench.experiments.grid import resolve, shipped_grids
from mibench.testing import check_plugin
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


def test_the_example_grid_is_a_grid() -> None:
    (source,) = blocks("toml")
    specs = resolve(tomllib.loads(source))
    # the base without the runs left out, and the same with the critic of [[include]]
    kept = [s for s in specs if not (s.estimator == "nwj-v1" and s.batch == 256)]
    assert len(kept) == len(specs) == 2 * 3 * 3 * 3
    assert {(s.critic, s.hidden) for s in specs} == {("joint-v1", "2x256"), ("separable-v1", "2x512")}


def test_the_grids_of_the_table_are_the_shipped_ones() -> None:
    table = README[README.index("| grid |") :].split("\n\n")[0]
    named = [name for line in table.splitlines() for name in re.findall(r"`([a-z0-9-]+)`", line.split("|")[1])]
    assert sorted(named) == sorted(grid.name for grid in shipped_grids())


def test_the_suites_of_the_table_are_the_shipped_ones() -> None:
    table = README[README.index("| suite |") :].split("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == set(mibench.list_suites())


@pytest.mark.parametrize("line", [line for line in README.splitlines() if line.startswith("mibench list ")])
def test_the_listings_shown_exist(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in re.split(r"\s{2,}", line):
        if command.startswith(("mibench list", "mibench info")):
            assert main(command.split()[1:]) == 0
    assert capsys.readouterr().out
