"""The test bed of estimates: its data sets, its runner, and what is counted."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from benchmarks.estimation.characteristics import as_text, characteristics, interval
from benchmarks.estimation.laws import dependent_laws, rounded_information
from benchmarks.estimation.records import half_of
from benchmarks.estimation.runner import CHECKS, ESTIMATES, MEMBERS, left_to_run, load, run, run_one
from benchmarks.estimation.test_bed import data_sets
from mibench.core.errors import UsageError
from mibench.estimation.pairs import read_pair

STAND_IN = "benchmarks.estimation.stand_in:estimate"


def broken(*_: object, **__: object) -> None:
    raise ZeroDivisionError("by nothing")


def test_data_sets_have_names_of_their_own_and_fall_into_two_halves() -> None:
    found = data_sets()
    assert len({data.name for data in found}) == len(found)
    grid = [data for data in found if data.series == "grid"]
    assert len({data.law.family for data in grid}) >= 12
    seen = sum(data.half == "seen" for data in grid)
    assert len(grid) >= 60
    assert 0.35 < seen / len(grid) < 0.65  # a fair coin misses this in fewer than one of 1,000 test beds
    assert half_of("") == "unseen"  # SHA-256 of nothing begins with e3


def test_every_law_is_drawn_again_from_its_seed_and_read_as_what_it_is() -> None:
    for law in dependent_laws():
        one, other = law.draw(300, 1), law.draw(300, 1)
        assert all(np.array_equal(*both) for both in zip(one, other, strict=True)), law
        pair = read_pair(*one)
        kinds = {pair.x.kind, pair.y.kind}
        assert kinds == {"label": {"label", "continuous"}, "table": {"label"}}.get(law.family, {"continuous"}), law
        assert not np.array_equal(law.draw(300, 2)[0], one[0]), law


def test_rounded_normals_have_the_information_of_their_cells() -> None:
    rho, step = 0.8, 2.0
    edges = (np.arange(-4, 6) - 0.5) * step
    corners = np.stack(np.meshgrid(edges, edges, indexing="ij"), -1)
    below = multivariate_normal.cdf(corners.reshape(-1, 2), cov=[[1, rho], [rho, 1]]).reshape(len(edges), -1)
    table = np.diff(np.diff(below, axis=0), axis=1).clip(1e-300)
    expected = (table * np.log(table / (table.sum(1, keepdims=True) * table.sum(0)))).sum()
    assert rounded_information(rho, step) == pytest.approx(expected, abs=1e-4)
    assert rounded_information(0.0, 0.5) == pytest.approx(0.0, abs=1e-12)
    assert 0.495 < rounded_information(math.sqrt(-math.expm1(-1)), 0.1) < 0.5


def test_a_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    wanted = [data for data in data_sets() if data.n == 300 and data.law.family in ("gauss", "label")][:3]
    run(wanted[:2], STAND_IN, tmp_path, jobs=1, quick=True)
    assert left_to_run(wanted, STAND_IN, tmp_path, quick=True) == wanted[2:]
    estimates = tmp_path / ESTIMATES
    lines = estimates.read_text().splitlines(keepends=True)
    estimates.write_text("".join(lines[:-1]))  # stopped before the last row
    run(wanted, STAND_IN, tmp_path, jobs=1, quick=True)
    for file in (ESTIMATES, MEMBERS, CHECKS):
        assert sorted(load(tmp_path, file)["name"]) == sorted(data.name for data in wanted)
    with pytest.raises(UsageError, match="another estimator or speed"):
        left_to_run(wanted, STAND_IN, tmp_path, quick=False)
    assert "seconds" in as_text(load(tmp_path, ESTIMATES))


def test_what_breaks_is_a_row_with_the_reason() -> None:
    row = run_one(data_sets()[0], f"{__name__}:broken", quick=True).estimate
    assert (row["word"], row["believable"]) == ("failed", False)
    assert row["error"] == "ZeroDivisionError: by nothing (broken)"


def test_what_is_counted() -> None:
    rows = pd.DataFrame(
        [
            # truth, value, low, high, limit, believable, word
            (1.0, 1.1, 0.9, 1.3, 0.9, True, "believable"),
            (1.0, 1.1, 0.9, 1.3, 0.9, False, "wide"),
            (1.0, 1.3, 1.2, 1.4, 1.2, True, "believable"),
            (5.0, 4.1, 3.0, 6.0, 3.0, False, "ceiling"),
            (0.0, 0.1, -0.1, 0.3, -0.1, True, "independent"),
            (0.0, 0.3, 0.2, 0.4, 0.2, False, "wide"),
            (1.0, np.nan, np.nan, np.nan, np.nan, False, "refused"),
        ],
        columns=["truth", "value", "low", "high", "limit", "believable", "word"],
    ).assign(series="grid", n=300, half="seen", family="gauss", p_value=[0.01] * 4 + [0.5, 0.04, np.nan])
    found = characteristics(rows).set_index("characteristic")
    assert set(found["group"]) == {"grid"}
    assert {name: tuple(found.loc[name, ["count", "of"]]) for name in found.index} == {
        "right": (4, 6),
        "wrong flagged": (1, 2),
        "right flagged": (2, 4),
        "believable covered": (2, 3),
        "interval covered": (4, 6),
        "limit holds": (4, 6),
        "independent, p <= 0.05": (1, 2),
        "independent, limit > 0": (1, 2),
        "independent, said dependent": (1, 2),
        "dependent, said independent": (0, 4),
    }


def test_intervals_of_shares_are_exact() -> None:
    assert interval(0, 10) == pytest.approx((0.0, 1 - 0.025**0.1))
    assert interval(10, 10) == pytest.approx((0.025**0.1, 1.0))
    assert interval(0, 0) == (0.0, 1.0)
