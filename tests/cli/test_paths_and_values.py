"""Options and paths through the real command: what is empty is refused, and what is not there is said at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mibench.cli.app import main

RUN = ("run", "--task", "gaussian20d", "--estimator", "nwj")


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_registries: None) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "typo.toml").write_text('task = "gaussian20d"\nestimator = "nwj"\nbacth = 64\n')
    (tmp_path / "folder").mkdir()
    return tmp_path


EMPTY = {
    "run": ("task", "mi", "schedule", "estimator", "batch", "samples", "critic", "hidden", "activation", "dropout",
            "weight-decay", "precision", "negatives", "optimiser", "steps", "lr", "seeds", "seed", "window", "every",
            "patience", "budget", "suite", "plugin", "results", "device", "shard", "engine", "scheduler"),
    "report": ("results", "output", "where", "grid", "plugin"),
    "leaderboard": ("results", "suite", "track", "by", "reference"),
    "compare": ("estimator", "suite", "published", "results", "output"),
    "estimate": ("x", "y", "output"),
    "list": ("plugin",),
    "results ls": ("results",),
    "results verify": ("results", "run", "plugin"),
}  # fmt: skip


@pytest.mark.parametrize(("command", "option"), [(c, o) for c, options in EMPTY.items() for o in options])
def test_an_option_with_nothing_behind_its_equals_sign_is_refused(
    command: str, option: str, workplace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    start = RUN if command == "run" else command.split()
    assert main([*start, f"--{option}="]) == 2
    out, err = capfd.readouterr()
    assert err == f"mibench: option '--{option}' is empty; give it a value or leave it out\n"
    assert not out
    assert {path.name for path in workplace.rglob("*")} == {"folder", "typo.toml"}


ABSENT = {
    "results": ["report", "leaderboard", "results ls", "results compact", "results verify", "results publish new"],
    "published": ["compare --estimator nwj"],
}


@pytest.mark.parametrize(
    "command",
    [
        *(f"{command} --{option} nowhere" for option, commands in ABSENT.items() for command in commands),
        "results merge nowhere",
        "report --results folder --output typo.toml",
        "report --results folder --grid nowhere",
        "leaderboard --suite nowhere",
        "estimate nowhere.npy",
    ],
)
def test_what_is_not_there_is_said_before_anything_heavy_is_imported(command: str, workplace: Path) -> None:
    code = (
        f"import sys; from mibench.cli.app import main; assert main({command.split()!r}) == 2; "
        "print({'pandas', 'matplotlib', 'torch', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
