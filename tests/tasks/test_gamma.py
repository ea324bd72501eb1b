"""The gamma-exponential pairs: their truth, their tails, and what double precision holds of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from mibench.core.errors import UsageError
from mibench.core.lookup import get_task
from mibench.tasks.gamma import GammaExponential
from mibench.testing import check_task

pytestmark = pytest.mark.usefixtures("one_thread")

DRAWS = 10**5

FAMILIES = [
    "gamma-exponential:mi=1e-6", "gamma-exponential:mi=0.005", "gamma-exponential:mi=1.2",
    "gamma-exponential:mi=5,dim=5", "gamma-exponential:mi=1,scale=log", "gamma-exponential:mi=25,scale=log",
    "gamma-exponential:mi=20,dim=4,scale=log",
]  # fmt: skip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def log_densities(shape: float, x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Log densities of x, of y given x, and of y, by the named distributions."""
    return (
        stats.gamma(shape).logpdf(x),
        stats.expon(scale=1 / x).logpdf(y),
        stats.lomax(shape).logpdf(y),
    )


@pytest.mark.parametrize("shape", [0.3, 1.0, 6.0])
def test_the_truth_is_an_integral_over_the_density(shape: float) -> None:
    def integrand(log_y: float, log_x: float) -> float:
        x, y = math.exp(log_x), math.exp(log_y)
        density = x**shape * math.exp(-x - x * y) / math.gamma(shape) * x * y  # of the logarithms
        margin_x = x ** (shape - 1) * math.exp(-x) / math.gamma(shape)
        margin_y = shape * (1 + y) ** (-shape - 1)  # the integral of the density over x
        return density * (math.log(density / (x * y)) - math.log(margin_x * margin_y)) if density > 0 else 0.0

    low = -40 / shape  # where the gamma distribution has e^-40 left
    found, _ = integrate.dblquad(integrand, low, 4.5, lambda u: -35 - u, lambda u: 4 - u, epsabs=1e-8, epsrel=1e-8)
    task = GammaExponential.of_shape(shape)
    assert found == pytest.approx(task.mi, abs=1e-6)
    assert task.shape == pytest.approx(shape, rel=1e-12)


@pytest.mark.parametrize("shape", [1e-8, 1e-3, 0.3, 99.9, 100.1, 1e4, 4e5])
def test_the_shape_comes_back(shape: float) -> None:
    assert GammaExponential.of_shape(shape, scale="log").shape == pytest.approx(shape, rel=1e-12)


def test_the_series_goes_on_where_the_difference_stops() -> None:
    below, above = (GammaExponential.of_shape(shape).mi for shape in (100 * (1 - 1e-9), 100 * (1 + 1e-9)))
    assert below - above == pytest.approx(2e-9 * 0.005, rel=1e-3, abs=1e-13)


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("shape", [0.4, 1.0, 30.0])
def test_the_ratio_is_that_of_the_densities(shape: float, scale: Any) -> None:
    task = GammaExponential.of_shape(shape, dim=2, scale=scale)
    x, y = task.sample(200, generator(1))
    y[100:] = y[100:].roll(1, 0)
    plain = (side.exp() if scale == "log" else side for side in (x, y))
    _, given_x, alone = log_densities(shape, *(side.numpy() for side in plain))
    np.testing.assert_allclose(task.log_ratio(x, y).numpy(), (given_x - alone).sum(1), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_mean_log_ratio_of_pairs_is_the_truth(name: str) -> None:
    task = get_task(name)
    x, y = task.sample(DRAWS, generator())
    ratio = task.log_ratio(x, y)
    assert ratio.isfinite().all()
    assert abs(float(ratio.mean()) - task.mi) < 4 * float(ratio.std()) / math.sqrt(DRAWS)
    assert x.float().isfinite().all()  # what critics see
    assert y.float().isfinite().all()


@pytest.mark.parametrize("name", ["gamma-exponential:dim=3", "gamma-exponential:scale=log"])
def test_other_parameters_conform_too(name: str) -> None:
    assert [f.sentence for f in check_task(get_task(name)) if not f.passed] == []


@pytest.mark.parametrize("shape", [0.3, 1.0, 30.0])
def test_the_sides_are_gamma_and_lomax(shape: float) -> None:
    x, y = (side[:, 0].numpy() for side in GammaExponential.of_shape(shape).sample(20_000, generator()))
    assert stats.kstest(x, stats.gamma(shape).cdf).pvalue > 1e-4
    assert stats.kstest(y, stats.lomax(shape).cdf).pvalue > 1e-4
    assert stats.kstest(x * y, stats.expon.cdf).pvalue > 1e-4
    log_x, log_y = GammaExponential.of_shape(shape, scale="log").sample(20_000, generator())
    np.testing.assert_allclose(log_x[:, 0].exp().numpy(), x, rtol=1e-12)
    np.testing.assert_allclose(log_y[:, 0].exp().numpy(), y, rtol=1e-12)


@pytest.mark.parametrize("shape", [0.3, 1.0, 30.0])
def test_the_entropy_of_x_is_that_of_its_distribution(shape: float) -> None:
    task = GammaExponential.of_shape(shape, dim=3)
    assert task.entropy_x == pytest.approx(3 * float(stats.gamma(shape).entropy()), rel=1e-9)
    expected = 3 * float(stats.loggamma(shape).entropy())  # the distribution of ln x
    assert GammaExponential.of_shape(shape, dim=3, scale="log").entropy_x == pytest.approx(expected, rel=1e-6)


def test_the_largest_values_of_y_fit_float32() -> None:
    task = GammaExponential(mi=1.2)
    assert stats.lomax(task.shape).sf(float(torch.finfo(torch.float32).max)) < 1e-8


@pytest.mark.parametrize(("params", "part"), [
    ({"mi": 0}, "mi must lie between 1e-06 and 1.2 nats, 1.2 a copy on the scale 'linear', not 0"),
    ({"mi": 1.3}, "not 1.3"),
    ({"mi": 2.5, "dim": 2}, "between 2e-06 and 2.4 nats"),
    ({"mi": 26, "scale": "log"}, "between 1e-06 and 25 nats, 25.0 a copy on the scale 'log', not 26"),
    ({"mi": math.inf}, "mi"),
    ({"dim": 0}, "dim must be at least 1, not 0"),
    ({"scale": "cubic"}, "'cubic'"),
])  # fmt: skip
def test_bad_parameters_are_refused_in_one_sentence(params: dict[str, Any], part: str) -> None:
    with pytest.raises(UsageError) as caught:
        get_task("gamma-exponential", **params)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
