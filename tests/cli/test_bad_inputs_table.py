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
    FILES,
    FOLDERS,
    PIPES,
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


def expect_one_sentence(code: int, err: str, part: str) -> None:
    assert code == 2, err
    assert err.count("\n") == 1, err
    assert err.startswith("mibench: ")
    assert part in err
    assert "Traceback" not in err


def refuse(line: str, capfd: pytest.CaptureFixture[str], folder: Path, part: str) -> str:
    """Give a command line, expect one sentence with a part, and return the sentence."""
    before = listing(folder)
    code = main(arguments(line))
    out, err = capfd.readouterr()
    after = listing(folder)
    for new in after - before:  # so that one case does not spoil the next
        shutil.rmtree(folder / new) if (folder / new).is_dir() else (folder / new).unlink(missing_ok=True)
    expect_one_sentence(code, err, part)
    assert " done, " not in out  # refused before the plan
    assert after == before
    return err


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
    commands = ["run", "list", "info", "check", "report", "leaderboard", "compare", "estimate"]
    for command in [*commands, *(f"results {one}" for one in ("ls", "merge", "compact", "publish", "verify"))]:
        assert sum(line.lower().startswith(command) for line in COMMAND_LINES) >= 3, command


@pytest.mark.parametrize(
    ("options", "target"),
    [
        ("--mi 1 --steps 10", "/proc/results"),
        ("--mi 1 --steps 10", "/dev/null/results"),
        ("--mi 1 --steps 10", "typo.toml"),
        ("--dry-run", "/proc/x"),
    ],
)
def test_a_results_folder_that_cannot_be_written_to(
    options: str, target: str, workplace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if not os.path.exists(Path(target).parent):  # noqa: PTH110  # pathlib raises below a device
        pytest.skip(f"this system has no {Path(target).parent}")
    part = f"results folder '{target}' cannot be written to"
    assert "; name another with --results" in refuse(f"RUN {options} --results {target}", capfd, workplace, part)


@pytest.mark.parametrize("line", PIPES)
def test_pipes_are_refused(line: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    command = [sys.executable, "-m", "mibench", *arguments(line)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=15, env=ENVIRONMENT
    )
    expect_one_sentence(done.returncode, done.stderr, "is a named pipe; give a TOML file of at most 1 MB")
