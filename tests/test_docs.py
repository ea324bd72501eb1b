"""What the pages of docs/ show is what happens: blocks and commands are executed, with few steps."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mibench
from mibench.cli.app import main
from mibench.conformance.critics import CRITIC_CHECKS
from mibench.conformance.estimators import CHECKS
from mibench.conformance.samplers import NEGATIVE_CHECKS
from mibench.conformance.tasks import CHECKS as TASK_CHECKS
from mibench.core.registry import ESTIMATORS
from mibench.experiments.grid import resolve, shipped_grids
from mibench.figures.registry import FIGURES
from mibench.store.parquet import write_pack
from mibench.testing import check_plugin
from tests.support.commands import commands_shown
from tests.support.paths import ROOT
from tests.support.registries import registered_in_vain
from tests.support.rows import make

DOCS = ROOT / "docs"


@dataclasses.dataclass(frozen=True)
class Page:
    """A page that adds a component: its text, and the blocks of code in it."""

    name: str
    first: str
    """File of the first plug-in, which may not bear its name."""
    checks: tuple[str, ...]
    """Checks of the page's kind of component, in order."""

    @property
    def text(self) -> str:
        return (DOCS / f"{self.name}.md").read_text(encoding="utf-8")

    @property
    def blocks(self) -> list[tuple[str, str]]:
        return re.findall(r"^```(\w*)\n(.*?)^```$", self.text, re.DOTALL | re.MULTILINE)

    @property
    def python(self) -> list[str]:
        return [source for language, source in self.blocks if language == "python"]

    @property
    def commands(self) -> list[str]:
        return [line for language, source in self.blocks if language == "" for line in source.splitlines()]

    @property
    def files(self) -> dict[str, str]:
        named = {match[1]: source for source in self.python if (match := re.match(r"# (\w+\.py)\n", source))}
        return named if self.first in named else {self.first: self.python[0]} | named

    @property
    def scripts(self) -> list[str]:
        return [source for source in self.python if source not in self.files.values()]


PAGES = {
    page.name: page
    for page in (
        Page("adding-an-estimator", "alpha_nwj.py", tuple(name for name, _ in CHECKS)),
        Page("adding-a-task", "erasure_channel.py", tuple(name for name, _ in TASK_CHECKS)),
        Page("adding-a-critic", "distance.py", tuple(name for name, _ in CRITIC_CHECKS)),
        Page("adding-a-sampler", "shifts.py", tuple(name for name, _ in NEGATIVE_CHECKS)),
    )
}
ESTIMATOR_PAGE = PAGES["adding-an-estimator"]
EVERY_FILE = [(page, file) for page in PAGES.values() for file in page.files]
SMALL = ["--hidden", "1x8", "--jobs", "1", "--device", "cpu"]


def write(files: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a folder with the files of a page."""
    for name, source in files.items():
        (folder / name).write_text(source, encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_registries: None) -> Path:
    return write(ESTIMATOR_PAGE.files, tmp_path, monkeypatch)


def test_every_page_that_adds_something_is_executed() -> None:
    assert sorted(PAGES) == sorted(path.stem for path in DOCS.glob("adding-*.md"))


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_pages_have_the_parts_that_are_executed(page: Page) -> None:
    assert len(page.scripts) >= 1
    assert {command.split()[0] for command in page.commands} == {"mibench"}
    assert {"check", "run"} == {command.split()[1] for command in page.commands}
    assert {language for language, _ in page.blocks} <= {"", "python", "toml", "text"}
    assert sum("check" in script for script in page.scripts) == 1


def test_the_estimators_page_has_these_files() -> None:
    assert sorted(ESTIMATOR_PAGE.files) == [
        "alpha_nwj.py", "clipped_nwj.py", "learned_level.py", "running_baseline.py", "self_normalised.py"
    ]  # fmt: skip
    assert ESTIMATOR_PAGE.files["alpha_nwj.py"].count("\n") < 30


@pytest.mark.usefixtures("fresh_registries")
@pytest.mark.parametrize(("page", "name"), EVERY_FILE, ids=[name for _, name in EVERY_FILE])
def test_the_files_conform(page: Page, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = check_plugin(write(page.files, tmp_path, monkeypatch) / name)
    assert [finding.check for finding in findings] == ["import", "parameters", *page.checks, "run"]
    assert [finding for finding in findings if not finding.passed] == []


def run_alone(script: str, files: dict[str, str]) -> None:
    """Run a script that imports a page's files, as a process that has not loaded them does."""
    stems = [Path(name).stem for name in files]
    try:
        with registered_in_vain():
            for stem in stems:
                sys.modules.pop(stem, None)
            exec(compile(script, "page", "exec"), {})
    finally:
        for stem in stems:
            sys.modules.pop(stem, None)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_commands_and_the_scripts_run_in_the_order_of_the_page(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(write(page.files, tmp_path, monkeypatch))
    with registered_in_vain():
        expect_commands_and_scripts_run(page, capfd)
    for script in page.scripts:
        if "import check_" in script:  # which registers the plug-in itself
            run_alone(script, page.files)


def expect_commands_and_scripts_run(page: Page, capfd: pytest.CaptureFixture[str]) -> None:
    """Give a page's commands, and run its scripts but for those of the checks, in the folder of its files."""
    for command in page.commands:
        arguments = re.sub(r" --hidden \S+", "", re.sub(r"--steps \d+", "--steps 20", command)).split()[1:]
        assert main([*arguments, *(SMALL if arguments[0] == "run" else [])]) == 0, command
        out = capfd.readouterr().out
        if arguments[0] == "check":
            (promised,) = re.findall(r"`(\d+ checks passed, 0 failed)`", page.text)
            assert out.splitlines()[-1] == promised
    for header in (source.splitlines()[0] for language, source in page.blocks if language == "text"):
        assert set(header.split()) - {"±"} <= set(out.replace("±", " ").split())
    rows = pd.read_parquet("results/runs")
    assert set(rows["status"]) == {"ok"}
    names = set(rows["estimator"]) | set(rows["task"]) | set(rows["critic"]) | set(rows["negatives"])
    assert {name.removesuffix(".py").replace("_", "-") for name in page.files} <= names
    for script in page.scripts:
        if "import check_" not in script:
            exec(compile(script, "page", "exec"), {})
            assert "alpha-nwj" in capfd.readouterr().out


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_table_of_checks_lists_each_of_them(page: Page) -> None:
    table = page.text[page.text.index("| check |") :].split("\n\n")[0]
    listed = re.findall(r"^\| `([a-z ]+)` \|", table, re.MULTILINE)
    general = ["import", "name", "registration", "defaults"] if page is ESTIMATOR_PAGE else []
    assert listed == [*general, "parameters", *page.checks, "run"]


def test_the_parameter_is_checked(files: Path) -> None:
    mibench.load_plugins([files / "alpha_nwj.py"])
    assert ESTIMATORS.create("alpha-nwj:alpha=0.2").params() == (("alpha", 0.2),)
    with pytest.raises(mibench.UsageError, match="alpha must lie in"):
        ESTIMATORS.create("alpha-nwj:alpha=1")


def entry_points(page: Page) -> tuple[str, dict[str, str]]:
    """Group and entry points that a page tells a package to declare."""
    (source,) = (source for language, source in page.blocks if language == "toml")
    ((group, points),) = tomllib.loads(source)["project"]["entry-points"].items()
    return group, points


@pytest.fixture(scope="module")
def listings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What ``mibench list`` says of every page's group in a process that finds a package of each page."""
    folder = tmp_path_factory.mktemp("packages")
    groups = []
    for page in PAGES.values():
        group, points = entry_points(page)
        groups.append(group)
        for name, source in page.files.items():
            (folder / name).write_text(source, encoding="utf-8")
        package = page.name.replace("-", "_")
        info = folder / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
        lines = [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
        (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    script = "from mibench.cli.app import main\nfor group in {}: print('GROUP', flush=True) or main(['list', group])"
    parts = _python(script.format([group.removeprefix("mibench.") for group in groups]), folder).split("GROUP")
    return dict(zip(groups, parts[1:], strict=True))


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_entry_point_is_found(page: Page, listings: dict[str, str]) -> None:
    group, points = entry_points(page)
    assert set(points) <= set(listings[group].split())
    assert "broken" not in listings[group]


class TestRunningGrids:
    """What the page on grids shows."""

    text = (DOCS / "running-grids.md").read_text(encoding="utf-8")
    commands = commands_shown(text)

    def test_the_example_grid_is_a_grid(self) -> None:
        (source,) = re.findall(r"```toml\n(.*?)```", self.text, re.DOTALL)
        specs = resolve(tomllib.loads(source))
        # the base without the runs left out, and the same with the critic of [[include]]
        kept = [s for s in specs if not (s.estimator == "nwj-v1" and s.batch == 256)]
        assert len(kept) == len(specs) == 2 * 3 * 3 * 3
        assert {(s.critic, s.hidden) for s in specs} == {("joint-v1", "2x256"), ("separable-v1", "2x512")}

    def test_the_grids_of_the_table_are_the_shipped_ones(self) -> None:
        table = self.text[self.text.index("| grid |") :].split("\n\n")[0]
        named = [name for line in table.splitlines() for name in re.findall(r"`([a-z0-9-]+)`", line.split("|")[1])]
        assert sorted(named) == sorted(grid.name for grid in shipped_grids())

    def test_the_suites_of_the_table_are_the_shipped_ones(self) -> None:
        table = self.text[self.text.index("| suite |") :].split("\n\n")[0]
        assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == set(mibench.list_suites())

    @pytest.mark.parametrize("line", [line for line in commands if line.split()[1] in ("list", "info")])
    def test_the_listings_shown_exist(self, line: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(line.split()[1:]) == 0
        assert capsys.readouterr().out

    @pytest.mark.parametrize("line", [line for line in commands if line.split()[1] == "run"])
    def test_the_grids_shown_can_be_run(
        self, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert main([*line.split()[1:], "--dry-run"]) == 0
        assert "new" in capfd.readouterr().out

    def test_all_commands_were_one_or_the_other(self) -> None:
        assert {line.split()[1] for line in self.commands} == {"list", "info", "run"}


class TestClaims:
    """What the page on claims and reports shows."""

    text = (DOCS / "claims.md").read_text(encoding="utf-8")

    def test_a_figure_of_the_rows_of_a_grid_is_drawn(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (line,) = (line for line in commands_shown(self.text) if " --grid " in line)
        monkeypatch.chdir(ROOT)
        assert main([*line.split()[1:], "--output", str(tmp_path)]) == 0
        kinds = re.findall(r"^\| `NAME\.(\w+)` \|", self.text, re.MULTILINE)
        assert {file.name for file in tmp_path.iterdir()} == {*(f"saturation.{kind}" for kind in kinds), "index.html"}

    @pytest.mark.usefixtures("fresh_registries")
    def test_the_figure_of_a_plug_in_is_drawn(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source, script = re.findall(r"```python\n(.*?)```", self.text, re.DOTALL)
        monkeypatch.chdir(tmp_path)
        Path("spread.py").write_text(source, encoding="utf-8")
        write_pack(tmp_path / "results", "pack", *make())
        (line,) = (line for line in commands_shown(self.text) if " --plugin " in line)
        try:
            exec(compile(script, "page", "exec"), {})
            drawn = Path("reports/spread.md")
            assert "Standard deviation over training batches" in drawn.read_text(encoding="utf-8")
            drawn.unlink()
            assert main(line.split()[1:]) == 0
            assert "Standard deviation over training batches" in drawn.read_text(encoding="utf-8")
        finally:
            FIGURES.pop("spread", None)
        page = Path("reports/index.html").read_text(encoding="utf-8")
        assert "mibench report spread --results results --plugin spread.py" in page


def test_the_scripts_of_the_page_on_python_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "from-python.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    found: dict[str, Any] = {}
    exec(compile(first.replace("seeds=2", "seeds=2, steps=20, jobs=1, hidden='1x8'"), "page", "exec"), found)
    assert len(found["runs"]) == 2 * 2 * 2 * 2
    assert set(found["curves"]["run_id"]) == set(found["runs"]["run_id"])
    assert len(found["board"]) > len(found["mine"]) > 0
    exec(compile(second, "page", "exec"), {})
    assert capfd.readouterr().out.startswith("10.0 tensor(")


def _python(script: str, folder: Path) -> str:
    """Run a script in a fresh process that can import from a folder."""
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
