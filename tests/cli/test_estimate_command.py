"""``mibench estimate``: what it hands to the engine, what it prints and stores. The engine is made up."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import mibench.estimation
from mibench.cli.app import main
from mibench.cli.terminal.estimates import estimate_json
from mibench.estimation.pairs import Pair
from tests.support.estimates import bare_estimate, make_estimate


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """The calls of an engine that answers with a made-up estimate, in a folder with the arrays x.npy and y.npy."""
    made: list[dict[str, Any]] = []

    def estimate_pair(pair: Pair, *, progress: Callable[[float, str], None], **options: Any) -> Any:
        progress(0.5, "training critics")
        made.append({"pair": pair, **options})
        return make_estimate(seed=options["seed"])

    stand_in(estimate_pair, monkeypatch)
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    for name in ("x", "y"):
        np.save(f"{name}.npy", draws.normal(size=(40, 2)))
    Path("both.csv").write_text("a,b,c\n" + "\n".join(f"{i},{i % 7},{i % 3}" for i in range(40)), encoding="utf-8")
    return made


def stand_in(function: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a function in place of the engine, whose module then need not be loaded."""
    module = ModuleType("mibench.estimation.estimating")
    module.__dict__["estimate_pair"] = function
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(mibench.estimation, "estimating", module, raising=False)  # where it was loaded before


def test_options_reach_the_engine_as_they_are_given(calls: list[dict[str, Any]]) -> None:
    assert main(["estimate", "x.npy", "y.npy", "--no-page"]) == 0
    options = ["--x", "a,b", "--y", "c", "--x-kind", "continuous", "--y-kind", "label", "--header"]
    assert main(["estimate", "both.csv", *options, "--blocks", "4", "--seed", "3", "--quick", "--no-page"]) == 0
    plain, stated = calls
    assert (plain["seed"], plain["quick"], stated["seed"], stated["quick"]) == (0, False, 3, True)
    assert (plain["pair"].x.columns, plain["pair"].blocks) == (("0", "1"), None)
    assert (stated["pair"].x.columns, stated["pair"].y.columns) == (("a", "b"), ("c",))
    assert (stated["pair"].x.kind, stated["pair"].y.kind) == ("continuous", "label")
    assert np.bincount(stated["pair"].blocks).tolist() == [4] * 10


def test_a_series_is_read_as_one(calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    draws = np.random.default_rng(1).normal(size=(2, 400))
    np.save("x.npy", draws[0])
    np.save("y.npy", draws[1])
    assert main(["estimate", "x.npy", "y.npy", "--time", "--no-page"]) == 0
    assert np.bincount(calls[0]["pair"].blocks).max() < 10
    assert main(["estimate", "x.npy", "y.npy", "--time", "--blocks", "4", "--no-page"]) == 2
    assert "exclude each other" in capsys.readouterr().err


def test_the_number_comes_last_with_its_limit_its_verdict_and_what_would_help(
    calls: list[dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["estimate", "x.npy", "y.npy"]) == 0
    lines = capfd.readouterr().out.splitlines()
    estimate = make_estimate()
    assert lines[-4:] == [
        "mutual information: 1.226 nats, 95 % interval 1.128 to 1.324; that is 1.769 bits",
        "at least 1.101 nats (95 %, one-sided)",
        f"rising: {estimate.verdict}",
        f"what would help: {estimate.advice}",
    ]
    assert f"warning: {estimate.report.warnings[0]}" in lines
    assert "check failed, rising: between half and all of the pairs the value grew by 0.31 nats" in lines
    assert not any("over-fitted" in line for line in lines)  # which passed
    (row,) = (line.split() for line in lines if line.split()[:1] == ["infonce"])
    assert row[:8] == ["infonce", "lower", "1.150", "1.091", "to", "1.209", "4.850", "limit"]
    assert f"page: {Path('reports/estimate/index.html')}" in lines
    page = Path("reports/estimate/index.html").read_text(encoding="utf-8")
    assert estimate.verdict in page


def test_json_stands_alone_and_is_strict(calls: list[dict[str, Any]], capfd: pytest.CaptureFixture[str]) -> None:
    def refuse(token: str) -> None:
        raise AssertionError(token)

    assert main(["estimate", "x.npy", "y.npy", "--json", "--no-page", "--seed", "5"]) == 0
    found = json.loads(capfd.readouterr().out, parse_constant=refuse)
    assert (found["value"], found["limit"], found["unit"], found["seed"]) == (1.226, 1.101, "nats", 5)
    assert [member["ceiling"] for member in found["members"]] == [4.85, None, 6.2, None]
    assert [check["passed"] for check in found["checks"]] == [True, True, False, True]
    assert found["report"]["serial"]["column"] == "a"
    assert found["sizes"]["kind_y"] == "label"
    bare = json.loads(estimate_json(bare_estimate()), parse_constant=refuse)
    assert (bare["value"], bare["null"]) == (None, [])


def test_an_estimate_without_a_value_exits_with_0_and_says_so(
    calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stand_in(lambda *_, **__: bare_estimate(), monkeypatch)
    assert main(["estimate", "x.npy", "y.npy", "--no-page"]) == 0
    out = capfd.readouterr().out
    assert "mutual information: no value\nno lower limit\n" in out
    assert "nan" not in out


def test_what_is_stored_is_nothing_of_the_rows_unless_they_are_to_be_kept(calls: list[dict[str, Any]]) -> None:
    before = {path.name for path in Path().iterdir()}
    assert main(["estimate", "x.npy", "y.npy", "--no-page"]) == 0
    assert {path.name for path in Path().iterdir()} == before
    assert main(["estimate", "x.npy", "y.npy", "--output", "there", "--keep"]) == 0
    with np.load("there/rows.npz") as rows:
        assert np.array_equal(rows["x"], np.load("x.npy"))


def test_what_cannot_be_read_is_one_sentence(calls: list[dict[str, Any]], capfd: pytest.CaptureFixture[str]) -> None:
    np.save("y.npy", np.zeros((41, 2)))
    assert main(["estimate", "x.npy", "y.npy"]) == 2
    assert capfd.readouterr() == ("", "mibench: x has 40 rows and y has 41; give pairs, row by row\n")
    assert not calls
    assert not Path("reports").exists()


def test_without_a_terminal_progress_is_a_line_that_says_what_is_done(
    calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 40.0])
    monkeypatch.setattr("mibench.cli.terminal.progress.time.monotonic", lambda: next(clock, math.inf))
    assert main(["estimate", "x.npy", "y.npy", "--no-page", "--json"]) == 0
    out, err = capfd.readouterr()
    assert err == "50% done after 0:40, about 0:40 left: training critics\n"
    assert json.loads(out)
