"""What the commands print of results."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from mibench.cli.app import main
from mibench.cli.terminal.rows import say_failures, say_next, show_contents, show_failed, show_results
from mibench.experiments.grid import resolve
from mibench.running.failures import Failure, write_failure
from tests.support.rows import make

CELL = {"negatives": ("shuffle",), "batches": (64,), "levels": (10.0,)}


def failing(**columns: object) -> pd.DataFrame:
    """Three runs, of which the second crashed and the third ran out of time."""
    runs, _ = make(**CELL, seeds=3)
    runs["status"] = ["ok", "crashed", "timeout"]
    runs["error"] = [
        None,
        "Traceback (most recent call last):\n  File 'a', line 1\nKeyError: 'x'",
        "no result after 4 s",
    ]
    return runs.assign(**columns)


@pytest.mark.parametrize(("own", "told"), [(math.inf, True), (math.log(2), False)])
def test_the_samplers_cap_is_told_where_the_estimators_own_ceiling_is_not_lower(
    own: float, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    show_results(make(**CELL, ceiling=own, predicted_ceiling=math.log(64))[0])
    printed = capsys.readouterr().out
    assert ("cap" in printed.split(), "4.16" in printed) == (told, told)
    assert ("0.69" in printed) != told


def test_why_runs_failed_is_said_and_where_more_is_to_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    say_failures(failing(), Path("results"))
    assert capsys.readouterr().out.splitlines() == [
        "1 run crashed: KeyError: 'x'",
        "1 run ran out of time: no result after 4 s",
        "run by run: mibench results ls --failed",
    ]
    say_failures(failing(status="crashed", error="[a]"), Path("other folder"))
    assert capsys.readouterr().out.splitlines() == [
        "3 runs crashed: [a]",
        "run by run: mibench results ls --failed --results 'other folder'",
    ]
    many = pd.concat([failing(run_id=[f"{i}{j}" for j in range(3)], error=f"reason {i}") for i in range(4)])
    say_failures(many, Path("results"))
    assert capsys.readouterr().out.splitlines()[-1] == "run by run and 3 other reasons: mibench results ls --failed"
    say_failures(make(**CELL)[0], Path("results"))
    assert capsys.readouterr().out == ""


def test_failed_runs_are_listed_with_their_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    rows = failing()
    show_failed(rows)
    printed = capsys.readouterr().out
    assert printed.startswith("2 runs of 3 failed\n")
    for run, reason in zip(rows["run_id"][1:], ("KeyError: 'x'", "no result after 4 s"), strict=True):
        assert any(run in line and reason in line for line in printed.splitlines())
    assert rows["run_id"][0] not in printed
    show_failed(make(**CELL)[0])
    assert capsys.readouterr().out == "0 runs of 2 failed\n"


def next_of(rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> str:
    """The figure that is named after a run; empty where none is."""
    say_next(rows, Path("results"))
    return capsys.readouterr().out.partition("next: mibench report ")[2].strip()


def test_the_figure_that_is_named_next_can_be_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert next_of(failing(), capsys) == "curves"
    assert next_of(make(**{**CELL, "batches": (64, 128)})[0], capsys) == "saturation"
    assert next_of(make(**CELL, schedule=(1.0, 2.0))[0], capsys) == "staircase"
    one_left = make(**{**CELL, "batches": (64, 128)})[0]
    one_left.loc[one_left["batch"] == 128, "status"] = "crashed"
    assert next_of(one_left, capsys) == "curves"
    for nothing in (failing(status="crashed"), failing(status="timeout"), failing(mi_true=math.nan), failing()[:0]):
        assert next_of(nothing, capsys) == ""
    say_next(failing(status="crashed"), Path("results"))
    assert capsys.readouterr().out == "3 runs in results/runs, none of them with a result\n"


def test_run_says_why_its_runs_failed_and_names_no_figure_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (spec,) = resolve({"task": "gaussian20d", "mi": 1, "estimator": "nwj", "seeds": 1})
    write_failure(Failure(spec, "crashed", "KeyError: 'x'"), tmp_path, session_id="s", device="cpu")
    cell = ["--task", "gaussian20d", "--mi", "1", "--estimator", "nwj", "--seeds", "1"]
    assert main(["run", *cell, "--results", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "1 run crashed: KeyError: 'x'\n" in printed
    assert f"run by run: mibench results ls --failed --results {tmp_path}\n" in printed
    assert "next:" not in printed


def test_tables_on_the_terminal_tell_a_plug_in_s_version_from_the_built_in_one(
    capfd: pytest.CaptureFixture[str],
) -> None:
    cell = {"negatives": ("shuffle",), "batches": (64,), "levels": (10.0,), "seeds": 1, "ceiling": math.inf}
    versions = {"estimator_version": 2, "critic_version": 3, "negatives_version": 2}
    older, newer = make(**cell)[0], make(**cell, **versions, own_critic=1, predicted_ceiling=1.0)[0]
    show_results(newer)
    said = capfd.readouterr().out
    assert "critic joint-v3, negatives shuffle-v2" in said
    assert " nwj-v2 " in said
    assert "estimators brought their own: nwj-v2 joint-v3" in said
    show_contents(pd.concat([older, newer.assign(run_id="other")], ignore_index=True))
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[:4] for line in lines if "gaussian20d" in line] == [
        ["gaussian20d", "nwj-v1", "joint-v1", "shuffle-v1"], ["gaussian20d", "nwj-v2", "joint-v3", "shuffle-v2"]
    ]  # fmt: skip
