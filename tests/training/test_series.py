"""Window statistics and the verdict of divergence on series with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from mibench.training.series import Divergence, find_divergence, quantile, summarise


def series(*parts: tuple[float, int]) -> np.ndarray:
    return np.concatenate([np.full(steps, value) for value, steps in parts])


def test_three_medians_over_the_truth_plus_two_are_divergence() -> None:
    values = series((5.0, 400), (8.0, 600))
    assert find_divergence(values, values, truth=5.0) == Divergence(1000, "median")


def test_two_medians_are_not() -> None:
    values = series((5.0, 400), (8.0, 400), (5.0, 200), (8.0, 400))
    assert find_divergence(values, values, truth=5.0) is None


def test_spikes_that_ruin_the_mean_are_not() -> None:
    values = series((5.0, 2000))
    values[::5] = 1e6
    assert values.mean() > 1e5
    assert find_divergence(values, values, truth=5.0) is None


def test_low_values_are_bias_and_not_divergence() -> None:
    values = series((-50.0, 2000))
    assert find_divergence(values, values, truth=5.0) is None


def test_an_excess_that_is_bias_is_no_divergence() -> None:
    values = series((50.0, 2000))
    assert find_divergence(values, values, truth=5.0) == Divergence(600, "median")
    assert find_divergence(values, values, truth=5.0, excess_counts=False) is None
    values[1500] = np.inf
    assert find_divergence(values, values, truth=5.0, excess_counts=False) == Divergence(1501, "non-finite")


def test_a_series_that_runs_down_has_collapsed() -> None:
    values = series((1.0, 400), (-1e5, 600))
    assert find_divergence(values, values, truth=5.0) == Divergence(1000, "collapse")


def test_a_short_series_is_judged_by_its_thirds() -> None:
    values = series((1e20, 599))
    assert find_divergence(values, values, truth=5.0) == Divergence(597, "median")
    assert find_divergence(series((5.0, 2)), series((5.0, 2)), truth=5.0) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_value_that_is_not_finite_is_divergence(bad: float) -> None:
    estimates, losses = series((5.0, 300)), series((-5.0, 300))
    losses[41] = bad
    estimates[60] = bad
    assert find_divergence(estimates, losses, truth=5.0) == Divergence(42, "non-finite")


def test_the_earlier_sign_counts() -> None:
    values = series((9.0, 900))
    values[800] = np.nan
    assert find_divergence(values, values, truth=5.0) == Divergence(600, "median")


def test_a_window_without_a_finite_value_is_no_median() -> None:
    values = np.full(1000, np.nan)
    assert find_divergence(values, values, truth=5.0) == Divergence(1, "non-finite")


def test_summary_of_a_window() -> None:
    summary = summarise(np.array([1.0, 2.0, 3.0, 10.0]))
    assert summary.mean == 4.0
    assert summary.median == 2.5
    assert summary.sd == pytest.approx(np.std([1, 2, 3, 10], ddof=1))
    assert summary.iqr == pytest.approx(4.75 - 1.75)


def test_a_value_that_is_not_a_number_spoils_the_mean_but_not_the_median() -> None:
    summary = summarise(np.array([1.0, np.nan, 3.0, -np.inf]))
    assert np.isnan(summary.mean)
    assert summary.median == 1.0
    assert np.isnan(quantile(np.array([np.nan]), 0.5))


@pytest.mark.parametrize(
    ("values", "median"),
    [
        ([1.0, 2.0, np.inf], 2.0),
        ([np.inf] * 4, np.inf),
        ([-np.inf, -np.inf, 3.0], -np.inf),
        ([1.0, np.inf], np.inf),
        ([-np.inf, 1.0, np.nan], -np.inf),
    ],
)
def test_infinities_keep_their_places(values: list[float], median: float) -> None:
    assert quantile(np.array(values), 0.5) == median


def test_quantiles_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).normal(size=101)
    for q in (0.0, 0.25, 0.333, 0.5, 1.0):
        assert quantile(values, q) == pytest.approx(np.quantile(values, q), rel=1e-12)


def test_one_value_has_no_spread() -> None:
    assert summarise(np.array([2.0])).sd == 0.0
