"""Intervals of differences and trends, on numbers with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mibench.analysis.comparisons import Interval, above, below, both, difference, falls, interval, verdict_of, within

FIRST, SECOND = [1.0, 2.0, 4.0, 5.5], [0.5, 0.7, 0.6]


def test_the_interval_of_a_mean_is_students() -> None:
    assert interval(FIRST)[1:] == pytest.approx(
        stats.t.interval(0.95, 3, loc=np.mean(FIRST), scale=stats.sem(FIRST)), rel=1e-12
    )
    assert interval([*FIRST, math.nan, math.inf]) == interval(FIRST)


def test_the_interval_of_a_difference_is_welchs() -> None:
    expected = stats.ttest_ind(FIRST, SECOND, equal_var=False).confidence_interval(0.9)
    found = difference(FIRST, SECOND, 0.9)
    assert found.mean == pytest.approx(np.mean(FIRST) - np.mean(SECOND))
    assert found[1:] == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_without_spread_a_difference_is_a_point_and_with_one_value_it_has_no_interval() -> None:
    assert difference([2, 2], [1, 1]) == (1, 1, 1)
    single = difference([2.0], FIRST)
    assert single.mean == pytest.approx(2 - np.mean(FIRST))
    assert math.isnan(single.low)
    assert math.isnan(single.high)


def test_an_interval_that_holds_the_threshold_decides_nothing() -> None:
    assert [above(Interval(0, *ends), 1) for ends in ((1.1, 2), (0, 0.9), (0.9, 1.1))] == [
        "shown",
        "contrary",
        "undecided",
    ]
    assert [below(Interval(0, *ends), 1) for ends in ((1.1, 2), (0, 0.9), (0.9, 1.1))] == [
        "contrary",
        "shown",
        "undecided",
    ]
    assert above(Interval(5, math.nan, math.nan)) == "undecided"


@pytest.mark.parametrize(
    ("ends", "answer"),
    [((1.95, 2.05), "shown"), ((1.85, 2.05), "undecided"), ((1.5, 1.8), "contrary"), ((2.2, 9.0), "contrary")],
)
def test_within_a_margin(ends: tuple[float, float], answer: str) -> None:
    assert within(Interval(sum(ends) / 2, *ends), 2.0, 0.1) == answer


def test_several_statements_hold_where_each_does() -> None:
    assert both("shown", "shown") == "shown"
    assert both("shown", "undecided") == "undecided"
    assert both("undecided", "contrary", "shown") == "contrary"


def cells(*means: float, spread: float = 0.01) -> list[list[float]]:
    return [[mean - spread, mean, mean + spread] for mean in means]


def test_a_row_of_cells_falls_where_none_rises_and_the_last_is_below_the_first() -> None:
    found = falls(cells(3, 2, 2.001, 1))  # a rise within its interval
    assert found.answer == "shown"
    assert found.fall.mean == pytest.approx(-2)
    assert falls(cells(3, 1, 2, 0.5)) == ("contrary", (2,), falls(cells(3, 0.5)).fall)
    assert falls(cells(1, 1.005, spread=0.5)).answer == "undecided"
    assert falls(cells(1, 2)).answer == "contrary"
    assert falls([[3.0], [1.0], [2.0]]).answer == "undecided"  # a seed a cell
    assert falls(cells(3)).answer == "undecided"


def test_a_long_row_is_not_broken_by_what_chance_does() -> None:
    generator = np.random.default_rng(5)
    rows = [[generator.normal(-0.001 * place, 1, 4) for place in range(8)] for _ in range(400)]
    broken = np.mean([bool(falls(row).rises) for row in rows])
    assert broken < 0.05


def test_verdicts_sum_up_answers() -> None:
    assert verdict_of(["shown", "shown"]) == "holds"
    assert verdict_of(["shown", "contrary", "undecided"]) == "holds in part"
    assert verdict_of(["contrary", "undecided"]) == "does not hold"
    assert verdict_of(["undecided"]) == verdict_of([]) == "open"


def test_writing_intervals() -> None:
    assert Interval(0.614, 0.58, 0.64).written() == "0.61 [0.58, 0.64]"
    assert Interval(-0.001, -0.5, 0.25).written(signed=True) == "+0.00 [−0.50, +0.25]"
    assert Interval(1.5, math.nan, math.nan).written(1) == "1.5"
