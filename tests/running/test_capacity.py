"""Runs that no process can hold are refused before any work, with the estimate."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mibench
from mibench.cli.app import main
from mibench.core.errors import UsageError
from mibench.core.plugins import load_plugins
from mibench.experiments.grid import resolve
from mibench.running.capacity import WORKER, check_memory, machine_memory, size_text
from tests.support.paths import SUPPORT

BASE = ["run", "--estimator", "nwj", "--mi", "1", "--seeds", "1"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--task", "gaussian20d:dim=1000000000000"], "needs about 796 PB of memory"),
        (["--task", "gaussian20d", "--hidden", "1x9000000000000000000"], "of memory, and a process here may have"),
        (["--task", "gaussian20d", "--samples", "1e18"], "needs about 960 EB of memory"),
        (["--task", "gaussian20d", "--batch", "1000000000"], "of memory, and a process here may have"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_sizes_that_no_machine_holds_are_refused_and_nothing_is_made(
    arguments: list[str],
    said: str,
    dry: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*BASE, *arguments, *dry]) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert "use smaller dimensions, batches, hidden layers or samples" in error
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_prints_the_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*BASE, "--task", "gaussian20d", "--dry-run"]) == 0
    assert re.search(r"^each worker process needs up to [34]\d\d MB of memory, about$", capfd.readouterr().out, re.M)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("fresh_registries")
def test_a_component_that_does_not_say_its_size_is_left_to_its_run() -> None:
    load_plugins([SUPPORT / "odd_components.py"], strict=True)
    specs = resolve({"task": "odd-width", "estimator": "nwj", "critic": "separable", "seeds": 1})
    assert check_memory([tuple(specs)], limit=WORKER) == WORKER


def test_python_refuses_it_too(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="of memory, and a process here may have"):
        mibench.run(task="gaussian20d:dim=1000000000000", mi=1, estimator="nwj", seeds=1, results=tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_the_limit_is_what_decides() -> None:
    specs = tuple(resolve({"task": "gaussian20d", "mi": [1.0, 2.0], "estimator": "nwj", "seeds": 2}))
    alone = check_memory([specs[:1]], limit=1e12)
    together = check_memory([specs], limit=1e12)
    assert alone < together < 4 * alone
    with pytest.raises(UsageError, match=r"gaussian20d-v1 with nwj-v1 \(N = 64, hidden 2x256\)"):
        check_memory([specs[:1]], limit=alone - 1)
    assert check_memory([], limit=0.0) == 0.0


def test_a_limit_of_the_process_is_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine_memory("cpu") > 1e8
    monkeypatch.setattr("mibench.running.capacity.resource.getrlimit", lambda what: (123_456_789, 123_456_789))
    assert machine_memory("cpu") == 123_456_789


@pytest.mark.parametrize(
    ("size", "text"), [(999, "999 B"), (1.25e9, "1.25 GB"), (7.9e17, "790 PB"), (5e21, "5e+03 EB")]
)
def test_sizes_are_read_at_a_glance(size: float, text: str) -> None:
    assert size_text(size) == text
