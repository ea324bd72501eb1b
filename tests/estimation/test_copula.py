"""The Gaussian copula of a sample: its error against its spread, and its test of independence."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import kstest

from mibench.estimation.copula import copula_error, copula_null, copula_value
from mibench.estimation.permuted import p_value

Array = NDArray[np.float64]


def pairs(n: int, rho: Array, d_x: int, d_y: int, random: np.random.Generator) -> tuple[Array, Array]:
    x, y = random.standard_normal((n, d_x)), random.standard_normal((n, d_y))
    k = len(rho)
    y[:, :k] = rho * x[:, :k] + np.sqrt(1 - rho**2) * y[:, :k]
    return x, y


@pytest.mark.parametrize(("rho", "d_x", "d_y"), [([0.6], 1, 1), ([0.8, 0.3], 3, 2), ([0.0], 20, 20)])
def test_its_error_is_its_spread(rho: list[float], d_x: int, d_y: int) -> None:
    """Of 200 samples the spread is known to 5 %, and the error is of first order in 1 / n."""
    random, known = np.random.default_rng(1), np.array(rho)
    values = [copula_value(*pairs(300, known, d_x, d_y, random)) for _ in range(200)]
    assert np.std(values) == pytest.approx(copula_error(known, 300, d_x, d_y), rel=0.2)


def test_p_values_of_independent_columns_are_uniform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mibench.estimation.copula._PERMUTATIONS", 99)
    random = np.random.default_rng(2)
    found = []
    for _ in range(150):
        x, y = random.standard_normal((2, 60, 4))
        found.append(p_value(*copula_null(x, y, random)))
    assert kstest(found, "uniform").pvalue > 0.001


def test_it_sees_what_all_rows_show_together() -> None:
    """50 and 50 columns on 300 rows, 10 of them related: no part of the rows tells as much."""
    random = np.random.default_rng(3)
    x, y = pairs(300, np.full(10, 0.57), 50, 50, random)
    own, null = copula_null(x, y, random)
    assert p_value(own, null) == 1 / (1 + len(null))
    assert np.isnan(copula_value(x[:90], y[:90]))


def test_a_series_is_shifted_in_the_order_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two independent series of coefficient 0.9: any order is no partner, a shift is."""
    monkeypatch.setattr("mibench.estimation.copula._PERMUTATIONS", 99)
    random, free, shifted = np.random.default_rng(4), [], []
    time = random.permutation(200)
    for _ in range(60):
        x, y = (lfilter([1.0], [1.0, -0.9], random.standard_normal(400))[200:][time, None] for _ in range(2))
        free.append(p_value(*copula_null(x, y, random)))
        shifted.append(p_value(*copula_null(x, y, random, time)))
    assert np.mean(np.array(free) < 0.05) > 0.25
    assert np.mean(np.array(shifted) < 0.05) < 0.15
