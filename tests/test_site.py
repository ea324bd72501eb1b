"""The documentation as a site: what is made from the code is all of it, and what is said of the code is so."""

from __future__ import annotations

import importlib.util
import math
import re
from pathlib import Path
from types import ModuleType

import pytest
import torch
import typer

import mibench
import mibench.figures
import mibench.testing
from mibench.cli.app import app, main
from mibench.core.registry import ESTIMATORS
from mibench.store.columns import TABLES
from mibench.testing import check_plugin
from tests.support.commands import check_command, commands_shown, options_of
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
TEXTS = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
COMMANDS = [line for text in TEXTS.values() for line in commands_shown(text)]


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    pytest.importorskip("mkdocs", reason="the extra 'docs' is not installed")
    spec = importlib.util.spec_from_file_location("docs_hooks", DOCS / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_of_the_pages_exist_with_their_options(line: str) -> None:
    check_command(line)


def test_the_page_of_commands_has_every_command_and_option(hooks: ModuleType) -> None:
    page, found = hooks.commands(), 0
    pending = [("mibench", typer.main.get_command(app))]
    while pending:
        name, command = pending.pop()
        if hasattr(command, "commands"):
            pending += [(f"{name} {sub}", inner) for sub, inner in command.commands.items()]
            continue
        part = page.split(f"## {name}\n", 1)[1].split("\n## ", 1)[0]
        shown = set(re.findall(r"^\| (?:`-\w[^`]*`, )?`(--[a-z-]+)", part, re.MULTILINE))
        assert shown == options_of(command) - {"--help"}
        found += 1
    assert found == page.count("\n## ") + 1


@pytest.mark.parametrize("table", TABLES)
def test_the_page_of_columns_has_every_column(table: str, hooks: ModuleType) -> None:
    assert f"<!-- table: columns {table} -->" in TEXTS["columns.md"]
    made = hooks.TABLES[f"columns {table}"]()
    assert re.findall(r"^\| `(\w+)` \|", made, re.MULTILINE) == [column.name for column in TABLES[table]]


def test_every_mark_of_a_page_has_its_table(hooks: ModuleType) -> None:
    marks = {mark for text in TEXTS.values() for mark in re.findall(r"<!-- table: (.*?) -->", text)}
    assert marks == set(hooks.TABLES)


def test_cells_of_tables_keep_what_markdown_would_read_as_markup(hooks: ModuleType) -> None:
    made = hooks.table(("a", "b"), [("`x|y`", "in [1/M, 1] a_b")])
    assert made.splitlines()[-1] == r"| `x\|y` | in \[1/M, 1\] a\_b |"


def test_the_reference_has_every_public_name_once_by_the_path_that_users_write() -> None:
    text = "\n".join(page for name, page in TEXTS.items() if name.startswith("api/"))
    heads = re.findall(r"^::: mibench\.((?:testing\.|figures\.)?\w+)$", text, re.MULTILINE)
    heads += [name for names in re.findall(r"^### (\w+, .*)$", text, re.MULTILINE) for name in names.split(", ")]
    public = set(mibench.__all__) - {"__version__"}
    public |= {f"testing.{name}" for name in mibench.testing.__all__}
    public |= {f"figures.{name}" for name in mibench.figures.__all__}
    assert sorted(heads) == sorted(public)
    others = set(re.findall(r"^::: (.*)$", text, re.MULTILINE)) - {f"mibench.{name}" for name in public}
    assert others == {"mibench.core.registry.Registry.register"}  # what the four decorators are


def test_the_figures_of_the_pages_exist() -> None:
    paths = [path for text in TEXTS.values() for path in re.findall(r"\]\(\.\./(reports/.*?)\)", text)]
    assert paths
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_the_table_of_estimators_is_right() -> None:
    table = TEXTS["theory.md"].split("| name | kind |", 1)[1].split("\n\n")[0]
    listed = {name: (kind, cap) for name, kind, cap in re.findall(r"^\| `(.+?)` \| (.+?) \| (.+?) \|", table, re.M)}
    assert {name: kind for name, (kind, _) in listed.items()} == {e.name: e.kind for e in ESTIMATORS.entries()}
    n, m, alpha = 64, 32, 0.5
    values = {"none": math.inf, "log m": math.log(m), "log(m / alpha)": math.log(m / alpha)}
    values |= {"1 + log(M / alpha)": 1 + math.log((m - 1) / alpha)}
    for name, (_, cap) in listed.items():
        if cap in values:
            params = {"alpha": alpha} if "alpha" in cap else {}
            assert ESTIMATORS.create(name, params).ceiling(n, m) == pytest.approx(values[cap]), name


def test_the_table_of_the_samplers_ceiling_is_right() -> None:
    table = TEXTS["theory.md"].split("| N (log N) |", 1)[1].split("\n\n")[0].splitlines()
    levels = [float(text.split()[0]) for text in table[0].strip(" |").split("|")]
    for line in table[2:]:
        head, *cells = (cell.strip() for cell in line.strip("| ").split("|"))
        n = int(head.split()[0])
        assert f"({math.log(n):.2f})" in head
        for mi, cell in zip(levels, cells, strict=True):
            task = mibench.get_task("gaussian20d", mi=mi)
            log_r = task.log_ratio(*task.sample(50_000, torch.Generator().manual_seed(0))).double()
            found = log_r - torch.logaddexp(torch.tensor(math.log(1 - 1 / n)), log_r - math.log(n))
            assert float(found.mean()) == pytest.approx(float(cell), abs=0.03)


@pytest.mark.usefixtures("fresh_registries")
def test_the_first_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", TEXTS["index.md"], re.DOTALL | re.MULTILINE)
    plugin, script = (source for language, source in blocks if language == "python")
    (tmp_path / "my_bound.py").write_text(plugin, encoding="utf-8")
    assert all(finding.passed for finding in check_plugin("my_bound.py"))
    commands = [line for language, source in blocks if language == "" for line in source.splitlines()]
    assert [line.split()[1] for line in commands] == ["run", "report", "leaderboard", "check", "compare"]
    for line in commands[:3]:
        arguments = re.sub(r"--steps \d+", "--steps 30", line).split()[1:]
        assert main([*arguments, *(["--jobs", "1", "--hidden", "1x8"] if arguments[0] == "run" else [])]) == 0, line
        out = capfd.readouterr().out
    assert "smile" in out
    assert "infonce" in out
    exec(compile(script.replace("steps=500", "steps=20, jobs=1, hidden='1x8'"), "page", "exec"), {})
    assert "ceiling" in capfd.readouterr().out
