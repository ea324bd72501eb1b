"""Bad input through the command line: exit code 2, one sentence on stderr, nothing written, no traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import typer

from mibench.cli.app import app, main
from tests.support.bad_inputs import (
    COMMAND_LINES,
    EMPTY_TEXT,
    FILES,
    FOLDERS,
    LATE_PATHS,
    PIPES,
    TOO_LARGE,
    arguments,
    sentence,
)

COMMAND = typer.main.get_command(app)  # half of a case's time, if each made it anew
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}  # this checkout, wherever the case lies

IN_A_FRESH_PROCESS = (
    "run --task gaussian20d --estimator nwk", "RUN --batch 1", "RUN --batch '١٢'", "RUN --bach 64", "run typo.toml",
    "run --suite version.toml", "RUN --plugin broken.py", "info nwk", "check nowhere.py", "report",
    "leaderboard --json --csv", "results ls",
)  # fmt: skip


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workplace")
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for name in FOLDERS:
        (folder / name).mkdir()
    (folder / "wrongschema" / "runs").mkdir(parents=True)
    pd.DataFrame({"a": [1]}).to_parquet(folder / "wrongschema" / "runs" / "x.parquet")
    return folder


@pytest.fixture
def workplace(furnished: Path, monkeypatch: pytest.MonkeyPatch, fresh_registries: None) -> Path:
    monkeypatch.chdir(furnished)
    monkeypatch.setattr(typer.main, "get_command", lambda _: COMMAND)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return furnished


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def expect_one_sentence(code: int, err: str, part: str = "") -> None:
    assert code == 2, err
    assert err.count("\n") == 1, err
    assert err.startswith("mibench: ")
    assert part in err
    assert "Traceback" not in err


def refuse(line: str, capfd: pytest.CaptureFixture[str], folder: Path, part: str = "") -> None:
    before = listing(folder)
    code = main(arguments(line))
    out, err = capfd.readouterr()
    after = listing(folder)
    for new in after - before:  # so that one case does not spoil the next
        shutil.rmtree(folder / new) if (folder / new).is_dir() else (folder / new).unlink(missing_ok=True)
    expect_one_sentence(code, err, part)
    assert " done, " not in out  # refused before the plan
    assert after == before


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_bad_input_is_one_sentence(line: str, workplace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    refuse(line, capfd, workplace, sentence(COMMAND_LINES[line]))


@pytest.mark.parametrize("line", IN_A_FRESH_PROCESS)
def test_bad_input_to_a_fresh_process(line: str, workplace: Path) -> None:
    before = listing(workplace)
    command = [sys.executable, "-B", "-m", "mibench", *arguments(line)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    expect_one_sentence(done.returncode, done.stderr, sentence(COMMAND_LINES[line]))
    assert not done.stdout
    assert listing(workplace) == before


def test_the_table_is_long_and_says_something_of_every_command() -> None:
    assert len(COMMAND_LINES) >= 250
    commands = ["run", "list", "info", "check", "report", "leaderboard", "compare"]
    for command in [*commands, *(f"results {one}" for one in ("ls", "merge", "compact", "publish", "verify"))]:
        assert sum(line.lower().startswith(command) for line in COMMAND_LINES) >= 3, command


@pytest.mark.parametrize("target", ["/proc/results", "/dev/null/results", "typo.toml"])
def test_a_results_folder_that_cannot_be_written_to(
    target: str, workplace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if not os.path.exists(Path(target).parent):  # noqa: PTH110  # pathlib raises below a device
        pytest.skip(f"this system has no {Path(target).parent}")
    code = main(arguments(f"RUN --mi 1 --steps 10 --results {target}"))
    out, err = capfd.readouterr()
    assert ": 0 done" not in out or "cannot be written" in err
    assert "cannot be written to" in err
    expect_one_sentence(code, err, "name another with --results")


@pytest.mark.xfail(strict=True, reason="text that is empty passes for an option that is not given, or for this folder")
@pytest.mark.parametrize("line", EMPTY_TEXT)
def test_text_that_is_empty_is_refused(line: str, workplace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    refuse(line, capfd, workplace)


@pytest.mark.xfail(strict=True, reason="the paths of results are looked at when the work begins, or not at all")
@pytest.mark.parametrize("line", LATE_PATHS)
def test_paths_are_looked_at_before_the_plan(line: str, workplace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    refuse(line, capfd, workplace)


@pytest.mark.xfail(strict=True, reason="sizes that no machine holds are planned like any other")
@pytest.mark.parametrize("line", TOO_LARGE)
def test_sizes_that_no_machine_holds_are_refused(line: str, workplace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    refuse(line, capfd, workplace)


@pytest.mark.xfail(strict=True, raises=subprocess.TimeoutExpired, reason="a pipe is opened like a file, and waited for")
@pytest.mark.parametrize("line", PIPES)
def test_pipes_are_refused(line: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    command = [sys.executable, "-m", "mibench", *arguments(line)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=15, env=ENVIRONMENT
    )
    expect_one_sentence(done.returncode, done.stderr)
