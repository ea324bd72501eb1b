"""What estimators that take a sample say of it: of equal numbers, in rows, tables and boards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

import mibench
from mibench.analysis.sample_warnings import warnings_of
from mibench.cli.app import main
from mibench.conformance.findings import Failed
from mibench.conformance.samples import SAMPLE_CHECKS
from mibench.core.estimator import SampleEstimator
from mibench.core.registry import ESTIMATORS
from mibench.store.folders import load_runs
from tests.support.boards import run

Array = NDArray[np.float64]
SAMPLES = sorted(
    e.name for e in ESTIMATORS.entries() if e.is_builtin and issubclass(ESTIMATORS.get(e.id), SampleEstimator)
)


def said(name: str, x: Array, y: Array) -> tuple[str, ...]:
    estimator = mibench.get_estimator(name)
    assert isinstance(estimator, SampleEstimator)
    return estimator.warnings(x, y)


def numbers(n: int, *, ties: int = 0) -> tuple[Array, Array]:
    """Two columns a side of numbers that all differ, but for some in the first column of y, which are all 0."""
    draws = np.random.default_rng(3)
    x, y = draws.normal(size=(n, 2)), draws.normal(size=(n, 2))
    y[:ties, 0] = 0.0
    return x, y


@pytest.mark.parametrize("name", ["ksg-v1", "ksg", "ksg-mixed", "gaussian-copula"])
def test_of_equal_numbers_where_they_matter(name: str) -> None:
    (sentence,) = said(name, *numbers(1000, ties=40))
    assert sentence.startswith("40 of 1000 numbers in a column stand there more than once, and ")
    assert said(name, *numbers(1000, ties=10)) == ()  # one in a hundred
    assert len(said(name, *numbers(1000, ties=11))) == 1
    assert said(name, *numbers(1000)) == ()


@pytest.mark.parametrize("name", ["ksg-v1", "ksg", "ksg-mixed", "gaussian-copula"])
def test_a_constant_column_is_left_out_and_nothing_to_say(name: str) -> None:
    x, y = numbers(500)
    y[:, 0] = 7.0
    assert said(name, x, y) == ()
    assert said(name, np.ones_like(x), np.ones_like(y)) == ()


@pytest.mark.parametrize("name", ["cca", "histogram"])
def test_those_whom_equal_numbers_do_not_mislead_are_silent(name: str) -> None:
    assert said(name, *numbers(1000, ties=900)) == ()


def test_of_labels_that_stand_alone() -> None:
    labels = np.repeat(np.arange(5.0), 200)[:, None]
    x, _ = numbers(1000)
    assert said("ksg-label", x, labels) == ()
    labels[:30, 0] = 100 + np.arange(30.0)
    (sentence,) = said("ksg-label", x, labels)
    assert sentence.startswith("30 of 1000 points are left out")


def test_of_pairs_of_labels_that_are_too_many() -> None:
    draws = np.random.default_rng(0)
    few, many = (draws.integers(0, count, size=(2, 1000, 1)).astype(np.float64) for count in (4, 40))
    assert said("discrete", *few) == ()
    (sentence,) = said("discrete", *many)
    assert sentence.endswith("different pairs stand in 1000, fewer than five times each: the value is too high")
    x, y = torch.from_numpy(many)
    estimator = mibench.get_estimator("discrete")
    assert isinstance(estimator, SampleEstimator)
    assert estimator.value(x, y) > 0.2  # of independent labels


@pytest.mark.parametrize("name", SAMPLES)
def test_the_order_of_pairs_does_not_matter_and_the_sample_is_not_written_to(name: str) -> None:
    x, y = numbers(300, ties=60)
    before = x.copy(), y.copy()
    order = np.random.default_rng(1).permutation(300)
    assert said(name, x, y) == said(name, x[order], y[order])
    assert np.array_equal(x, before[0])
    assert np.array_equal(y, before[1])


class Careless(SampleEstimator):
    """Says a sentence, and no tuple of them."""

    kind = "plug-in"

    def warnings(self, x: Array, y: Array) -> tuple[str, ...]:
        return "equal numbers"  # type: ignore[return-value]


def test_the_checks_of_a_plug_in_refuse_what_is_no_tuple_of_sentences() -> None:
    check = dict(SAMPLE_CHECKS)["warnings"]
    with pytest.raises(Failed, match="are 'equal numbers'; give a tuple of sentences"):
        check(Careless())
    ksg, cca = (ESTIMATORS.create(name) for name in ("ksg", "cca"))
    assert isinstance(ksg, SampleEstimator)
    assert isinstance(cca, SampleEstimator)
    assert check(ksg).startswith("it warns of ")
    assert check(cca) == "it warns of none"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of two samples of labels, fixed and fresh, and of a trained estimator."""
    folder = tmp_path_factory.mktemp("warned")
    common: dict[str, Any] = {"task": "binary", "results": folder, "device": "cpu", "steps": 5, "window": 5}
    mibench.run(estimator=["ksg", "cca"], samples=320, batch=64, seeds=2, **common)
    mibench.run(estimator=["ksg"], batch=64, seeds=1, **common)
    mibench.run(estimator="nwj", batch=8, seeds=1, hidden="1x8", **common)
    return folder


class TestRows:
    def test_they_stand_beside_the_value(self, results: Path) -> None:
        runs = load_runs(results).set_index("estimator")
        assert pd.isna(runs.loc["nwj", "warnings"])
        assert set(runs.loc["cca", "warnings"]) == {"[]"}
        fixed, fresh = (runs.loc["ksg"].query("regime == @regime") for regime in ("dataset", "stream"))
        for rows, size in ((fixed, 320), (fresh, 64)):
            for text in rows["warnings"]:
                (sentence,) = json.loads(text)
                assert sentence.startswith(f"{size} of {size} numbers in a column stand there more than once")
        assert len(warnings_of(load_runs(results))) == 3

    def test_tables_say_it(self, results: Path, capfd: pytest.CaptureFixture[str]) -> None:
        command = ["run", "--task", "binary", "--estimator", "ksg", "--estimator", "cca", "--samples", "320"]
        command += ["--steps", "5", "--window", "5", "--seeds", "2", "--device", "cpu", "--results", str(results)]
        assert main(command) == 0
        out = capfd.readouterr().out
        assert out.count("ksg warns: 320 of 320 numbers in a column stand there more than once") == 1
        assert "cca warns" not in out
        header, line = (next(row for row in out.splitlines() if start in row) for start in ("warned", " ksg "))
        assert line[: header.index("warned") + len("warned")].split()[-1] == "2"
        assert main(["results", "ls", "--results", str(results)]) == 0
        lines = capfd.readouterr().out.splitlines()
        warned = {row.split()[1]: row.split()[-1] for row in lines if row.split()[:1] == ["binary"]}
        assert warned == {"ksg": "3", "cca": "0", "nwj": "0"}

    def test_boards_count_them(self, results: Path) -> None:
        table = mibench.leaderboard(load_runs(results))
        table = table[(table["role"] == "estimator") & (table["track"] == "dataset")].set_index("method")
        assert table["warned"].to_dict() == {"ksg": 1, "cca": 0}

    def test_rows_that_say_nothing_are_not_counted_as_silent(self) -> None:
        texts = {"ksg": ["[]", '["ties"]', '["ties"]', None], "nwj": [None] * 4}
        made = [
            run(name, 2.0, 1.0, seed, warnings=text)
            for name, all_of in texts.items()
            for seed, text in enumerate(all_of)
        ]
        table = mibench.leaderboard(pd.DataFrame(made)).set_index("method")
        assert table.loc["ksg", "warned"] == pytest.approx(2 / 3)
        assert pd.isna(table.loc["nwj", "warned"])
