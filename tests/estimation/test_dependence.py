"""Serial dependence: the test's null against all orders of a few rows, and what it finds."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from mibench.core.errors import UsageError
from mibench.estimation.dependence import WARNED, alike_followers, lag_one, memory, serial_dependence
from mibench.estimation.pairs import read_pair
from tests.support.samples import continuous, label, numbers


def autoregressive(n: int, rho: float, seed: int) -> NDArray[np.float64]:
    """A stationary normal series with correlation rho at lag 1, (n,)."""
    steps = numbers(n + 200, 1, seed=seed)[:, 0]
    return np.asarray(lfilter([1.0], [1.0, -rho], steps)[200:])


@pytest.mark.parametrize("values", [[0.1, -2.0, 0.7, 3.0, 0.4, -0.6], [0.0, 0.0, 1.0, 1.0, 1.0, 5.0]])
def test_correlations_have_mean_0_and_variance_1_over_all_orders(values: list[float]) -> None:
    found = [lag_one(np.array(order))[0] for order in permutations(values)]
    assert np.mean(found) == pytest.approx(0, abs=1e-12)
    assert np.var(found) == pytest.approx(1)


@pytest.mark.parametrize("codes", [[0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 1, 2], [0, 1, 1, 1, 1, 1]])
def test_labels_have_mean_0_and_variance_1_over_all_orders(codes: list[int]) -> None:
    found = [alike_followers(np.array(order))[0] for order in permutations(codes)]
    assert np.mean(found) == pytest.approx(0, abs=1e-12)
    assert np.var(found) == pytest.approx(1)


@pytest.mark.parametrize("of_labels", [False, True])
def test_rows_in_a_random_order_are_warned_of_as_often_as_stated(of_labels: bool) -> None:
    """At 0.05, of 400 samples of 5 columns and one more: within 4 standard deviations of 20, correction included."""
    found = 0
    for seed in range(400):
        x = continuous("x", numbers(100, 5, seed=seed))
        last = numbers(100, 1, seed=10_000 + seed)
        y = label("y", np.digitize(last[:, 0], [-0.5, 0.5])) if of_labels else continuous("y", np.exp(last))
        found += serial_dependence(x, y).p_value < 0.05
    assert 20 - 4 * np.sqrt(20) < found < 20 + 4 * np.sqrt(20)


def test_a_series_is_found_and_named() -> None:
    table = numbers(300, 3)
    table[:, 1] = autoregressive(300, 0.9, seed=1)
    report = read_pair(table, numbers(300, 1, seed=2)).report
    assert (report.serial.side, report.serial.column) == ("x", "1")
    assert report.serial.correlation == pytest.approx(0.9, abs=0.1)
    assert report.serial.p_value < 1e-20
    assert report.serial.p_value < WARNED
    (warning,) = report.warnings
    assert "rows that follow each other are alike (column '1' of x, correlation 0." in warning


def test_sorted_labels_are_found_and_named() -> None:
    report = read_pair(numbers(300), np.repeat([0, 1, 2], 100)).report
    assert (report.serial.side, report.serial.correlation) == ("y", pytest.approx(0.99, abs=0.02))
    assert report.serial.found


def test_blocks_answer_the_warning() -> None:
    series = autoregressive(300, 0.9, seed=1)
    pair = read_pair(series, numbers(300, 1), blocks=30)
    assert pair.report.serial.found
    assert pair.report.warnings == ()


def test_memory_is_where_a_series_is_like_itself_no_more() -> None:
    """0.9^k falls below 2 / sqrt(2000) at k = 30; independent rows have none beyond themselves."""
    free, slow = numbers(2000, 1, seed=1), autoregressive(2000, 0.9, 2)[:, None]
    assert memory(continuous("x", free), continuous("y", free[::-1])) <= 3
    assert 15 <= memory(continuous("x", free), continuous("y", slow)) <= 60
    runs = np.repeat(np.random.default_rng(3).integers(0, 3, 100), 20)  # of twenty rows, and chance between these
    assert 15 <= memory(continuous("x", free), label("y", runs)) <= 60


def test_blocks_of_a_series_are_found() -> None:
    x, y = (autoregressive(2000, 0.9, seed) for seed in (4, 5))
    pair = read_pair(x, y, time=True)
    assert pair.blocks is not None
    length = np.bincount(pair.blocks).max()
    assert 30 <= length <= 120
    assert any(f"blocks of {length}" in note for note in pair.report.notes)
    assert not pair.report.warnings


def test_a_series_that_stays_alike_too_long_is_warned_of() -> None:
    x, y = (np.cumsum(numbers(200, 1, seed=seed)[:, 0]) for seed in (6, 7))
    pair = read_pair(x, y, time=True)
    assert pair.blocks is None
    assert any("say little more" in warning for warning in pair.report.warnings)
    with pytest.raises(UsageError, match="one of the two"):
        read_pair(x, y, time=True, blocks=5)
