"""The Gaussian task: its truth, its density ratio and its samples, at low and at high mutual information."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from mibench.core.errors import UsageError
from mibench.core.lookup import get_task


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("mi", "dim"), [(0.0, 20), (2.5, 20), (10.0, 20), (30.0, 20), (100.0, 20), (30.0, 2), (30.0, 1)]
)
def test_the_mean_log_ratio_of_pairs_is_the_truth(mi: float, dim: int) -> None:
    task = get_task("gaussian20d", mi=mi, dim=dim)
    ratio = task.log_ratio(*task.sample(10**6, generator())).double()
    error = float(ratio.std()) / 1e3
    assert abs(float(ratio.mean()) - mi) < 4 * error + 1e-9


@pytest.mark.parametrize(("mi", "dim"), [(0.5, 3), (2.5, 20)])
def test_the_ratio_averages_to_one_over_independent_pairs(mi: float, dim: int) -> None:
    task = get_task("gaussian20d", mi=mi, dim=dim)
    x, _ = task.sample(10**6, generator(1))
    _, y = task.sample(10**6, generator(2))
    ratio = task.log_ratio(x, y).double().exp()
    assert abs(float(ratio.mean()) - 1) < 4 * float(ratio.std()) / 1e3


@pytest.mark.parametrize("mi", [1.0, 10.0, 30.0])
def test_the_ratio_is_that_of_the_densities(mi: float) -> None:
    task = get_task("gaussian20d", mi=mi, dim=2)
    x, y = task.sample(5, generator())
    rho = math.sqrt(-math.expm1(-mi))  # I = -(2 / 2) ln(1 - rho^2)
    for row_x, row_y, ratio in zip(x, y, task.log_ratio(x, y), strict=True):
        expected = sum(
            stats.norm.logpdf(b, loc=rho * a, scale=math.exp(-mi / 2)) - stats.norm.logpdf(b)
            for a, b in zip(row_x.tolist(), row_y.tolist(), strict=True)
        )
        assert float(ratio) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_moments_are_those_of_the_definition() -> None:
    task = get_task("gaussian20d", mi=6.0, dim=3)
    x, y = (side.double() for side in task.sample(400_000, generator()))
    bound = 5 / math.sqrt(400_000)
    rho = math.sqrt(1 - math.exp(-2 * 6 / 3))
    assert x.mean(0).abs().max() < bound
    assert y.mean(0).abs().max() < bound
    assert (y.var(0) - 1).abs().max() < 2 * bound
    products = x.T @ y / len(x)
    assert (products - rho * torch.eye(3)).abs().max() < 2 * bound


def test_the_same_stream_gives_the_same_pairs_and_every_call_fresh_ones() -> None:
    task, stream = get_task("gaussian20d"), generator(5)
    first, second = task.sample(4, stream), task.sample(4, stream)
    assert not torch.equal(first[0], second[0])
    again = task.sample(4, generator(5))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert first[0].shape == (4, 20)


def test_pairs_too_close_for_single_precision_are_drawn_in_double() -> None:
    assert get_task("gaussian20d", mi=30.0).sample(1, generator())[0].dtype == torch.float32
    assert get_task("gaussian20d", mi=30.0, dim=2).sample(1, generator())[0].dtype == torch.float64


@pytest.mark.parametrize(
    "params", [{"mi": -1}, {"mi": math.inf}, {"mi": math.nan}, {"dim": 0}, {"dim": 1.5}, {"mi": 1e4}]
)
def test_parameters_out_of_range_are_refused_in_one_sentence(params: dict[str, float]) -> None:
    with pytest.raises(UsageError) as caught:
        get_task("gaussian20d", **params)
    assert "\n" not in str(caught.value)
