"""Why runs failed, in a line each: what stored errors come to."""

from __future__ import annotations

import math
import sys
import traceback
from collections.abc import Callable

import pandas as pd
import pytest
import torch

from mibench.analysis.failures import failed_runs, failure_reasons, reason_of
from mibench.core.errors import UsageError


def raised(work: Callable[[], object]) -> str:
    """The traceback of what a function raises."""
    try:
        work()
    except BaseException:
        return traceback.format_exc()
    raise AssertionError("it raises nothing")


def chained() -> None:
    try:
        {}["first"]
    except KeyError as error:
        raise ValueError("the second\nhas two lines") from error


def endless() -> None:
    endless()


def sentence() -> None:
    raise UsageError("task 'x-v1': mi is nan; it must be a finite number")


def misfit() -> None:
    torch.nn.Linear(2, 1).load_state_dict({})


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (raised(lambda: {}["x"]), "KeyError: 'x'"),
        (raised(chained), "ValueError: the second"),
        (raised(sentence), "task 'x-v1': mi is nan; it must be a finite number"),
        (raised(sys.exit), "SystemExit"),
        (raised(lambda: compile("f(\n  1", "mine.py", "exec")), "SyntaxError: '(' was never closed"),
        (raised(endless)[-8000:], "RecursionError: maximum recursion depth exceeded"),
        (raised(endless)[-300:], "RecursionError: maximum recursion depth exceeded"),
        (raised(misfit), "RuntimeError: Error(s) in loading state_dict for Linear:"),
        ("killed by signal 9 (Killed); last output:\nlast words", "killed by signal 9 (Killed)"),
        ("no result after 4 seconds", "no result after 4 seconds"),
        ("", "no reason is stored"),
        (None, "no reason is stored"),
        (math.nan, "no reason is stored"),
    ],
)
def test_the_reason_of_a_failure_is_one_line(error: object, reason: str) -> None:
    assert reason_of(error) == reason


def test_failed_runs_are_listed_once_and_their_reasons_counted() -> None:
    rows = pd.DataFrame(
        [
            ("a", 0, "crashed", "KeyError: 'x'"),
            ("a", 1, "crashed", "KeyError: 'x'"),
            ("b", 0, "crashed", "KeyError: 'x'"),
            ("c", 0, "timeout", "no result after 4 seconds"),
            ("d", 0, "ok", None),
        ],
        columns=["run_id", "stair", "status", "error"],
    )
    assert list(failed_runs(rows)["run_id"]) == ["a", "b", "c"]
    assert failure_reasons(rows).values.tolist() == [
        ["crashed", "KeyError: 'x'", 2],
        ["timeout", "no result after 4 seconds", 1],
    ]
    for none in (rows[rows["status"] == "ok"], rows[:0]):
        assert failed_runs(none).empty
        assert failure_reasons(none).empty
