"""Mixtures of normal pairs, spots along a wave, and a label with normal noise: truths by quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import special, stats

from mibench.core.errors import UsageError
from mibench.core.estimator import SampleEstimator
from mibench.core.lookup import get_estimator, get_task
from mibench.core.task import Task
from mibench.experiments.grid import resolve
from mibench.tasks import mixtures
from mibench.tasks.correlation_mixtures import CorrelationMixture, MixtureCross, MixtureInliers
from mibench.tasks.label_normal import LabelNormal
from mibench.tasks.waves import MixtureWaves
from mibench.testing import check_task
from mibench.training.loop import train_pack
from tests.support.task_names import MIXTURES

pytestmark = pytest.mark.usefixtures("one_thread")

DRAWS = 10**5
Array = NDArray[np.float64]
Density = Callable[[Array], Array]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def copies(x: torch.Tensor, y: torch.Tensor) -> Array:
    """All copies of pairs as rows of two columns."""
    return np.stack([x.double().numpy().ravel(), y.double().numpy().ravel()], 1)


# ---------------------------------------------------------------- densities


def normal_pairs(parts: list[tuple[float, float]]) -> Density:
    """Density of a mixture of standard normal pairs, by weight and correlation."""

    def density(points: Array) -> Array:
        return np.asarray(
            sum(weight * stats.multivariate_normal(cov=[[1, rho], [rho, 1]]).pdf(points) for weight, rho in parts)
        )

    return density


def joint_and_margins(
    task: Task,
) -> tuple[Callable[[Array], Array], Callable[[Array], Array], Callable[[Array], Array]]:
    """Densities of a copy's pair, (n, 2) to (n,), and of its sides, (n,) to (n,), from the task's parameters alone."""
    if isinstance(task, MixtureCross):
        return normal_pairs([(0.5, task.correlation), (0.5, -task.correlation)]), stats.norm.pdf, stats.norm.pdf
    if isinstance(task, MixtureInliers):
        return normal_pairs([(task.share, task.correlation), (1 - task.share, 0)]), stats.norm.pdf, stats.norm.pdf
    assert isinstance(task, MixtureWaves)
    places = np.arange(2 * task.heights * task.periods)
    phase = places % (2 * task.heights)
    heights = np.minimum(phase, 2 * task.heights - 1 - phase)
    sides = []
    for centres in (places, heights):
        total = math.sqrt(1 + task.separation**2 * centres.var())
        sides.append((task.separation * (centres - centres.mean()) / total, 1 / total))

    def spots(side: int, values: Array) -> Array:
        means, scale = sides[side]
        return np.asarray(stats.norm.pdf(values[:, None], means, scale))

    return (
        lambda points: (spots(0, points[:, 0]) * spots(1, points[:, 1])).mean(1),
        lambda x: spots(0, x).mean(1),
        lambda y: spots(1, y).mean(1),
    )


ONE_COPY = [
    "mixture-cross:mi=0.2", "mixture-cross:mi=1", "mixture-cross:mi=2",
    "mixture-inliers:mi=0.5", "mixture-inliers:mi=1,share=0.8",
    "mixture-waves:mi=0.1", "mixture-waves", "mixture-waves:mi=1.3", "mixture-waves:heights=3,periods=1,mi=0.4",
]  # fmt: skip


@pytest.mark.parametrize("name", ONE_COPY)
def test_the_truth_is_a_plain_sum_over_a_fine_grid(name: str) -> None:
    task = get_task(name)
    joint, margin_x, margin_y = joint_and_margins(task)
    step = 0.01
    x = np.arange(-7, 7, step)
    total = entropy_x = 0.0
    for block in np.array_split(x, 20):
        points = np.stack(np.meshgrid(block, x, indexing="ij"), -1).reshape(-1, 2)
        density = joint(points)
        product = np.outer(margin_x(block), margin_y(x)).ravel()
        held = density > 1e-200
        total += float((density[held] * np.log(density[held] / product[held])).sum()) * step**2
        entropy_x += float(special.entr(margin_x(block)).sum()) * step
    assert total == pytest.approx(task.mi, abs=1e-8)
    assert task.entropy_x == pytest.approx(entropy_x, abs=1e-8)


@pytest.mark.parametrize("name", [*ONE_COPY, "mixture-cross:mi=3,dim=4", "mixture-waves:mi=3,dim=5"])
def test_the_ratio_is_that_of_the_densities(name: str) -> None:
    task = get_task(name)
    joint, margin_x, margin_y = joint_and_margins(task)
    x, y = (side.double() for side in task.sample(200, generator(1)))
    y[100:] = y[100:].roll(1, 0)
    pairs = copies(x, y)
    expected = np.log(joint(pairs)) - np.log(margin_x(pairs[:, 0])) - np.log(margin_y(pairs[:, 1]))
    np.testing.assert_allclose(
        task.log_ratio(x, y).numpy(), expected.reshape(200, -1).sum(1), rtol=1e-8, atol=1e-8
    )  # fmt: skip


@pytest.mark.parametrize("name", MIXTURES)
def test_the_mean_log_ratio_of_pairs_is_the_truth(name: str) -> None:
    task = get_task(name)
    ratio = task.log_ratio(*task.sample(DRAWS, generator()))
    assert ratio.isfinite().all()
    assert abs(float(ratio.mean()) - task.mi) < 4 * float(ratio.std()) / math.sqrt(DRAWS) + 1e-9


@pytest.mark.parametrize("name", [
    "mixture-cross:dim=3", "mixture-inliers:share=0.7", "mixture-waves:heights=3,periods=1", "mixture-waves:dim=3",
    "label-normal:label=y", "label-normal:k=12,dim=1",
])  # fmt: skip
def test_other_parameters_conform_too(name: str) -> None:
    assert [f.sentence for f in check_task(get_task(name)) if not f.passed] == []


@pytest.mark.parametrize(
    "name", ["mixture-cross:mi=0.3", "mixture-cross:mi=4,dim=2", "mixture-waves", "mixture-waves:mi=1.3"]
)
def test_there_is_no_linear_correlation(name: str) -> None:
    products = np.prod(copies(*get_task(name).sample(DRAWS, generator(2))), 1)
    assert abs(products.mean()) < 4 * products.std() / math.sqrt(len(products))


def test_the_correlation_of_inliers_is_their_share_of_it() -> None:
    task = MixtureInliers(mi=1.0, share=0.4)
    products = np.prod(copies(*task.sample(DRAWS, generator(3))), 1)
    assert abs(products.mean() - 0.4 * task.correlation) < 4 * products.std() / math.sqrt(len(products))


@pytest.mark.parametrize("name", ["mixture-cross", "mixture-inliers", "mixture-waves", "label-normal"])
def test_sides_have_mean_0_and_variance_1(name: str) -> None:
    x, y = get_task(name).sample(DRAWS, generator(4))
    for side in (y,) if name == "label-normal" else (x, y):
        assert float(side.mean(0).abs().max()) < 5 / math.sqrt(DRAWS)
        assert float((side.var(0) - 1).abs().max()) < 5 * math.sqrt(2 / DRAWS)
    if name in ("mixture-cross", "mixture-inliers"):
        assert stats.kstest(y[:20_000, 0].numpy(), stats.norm.cdf).pvalue > 1e-4


# ---------------------------------------------------------------- knobs


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("mi", [0.01, 0.3, 0.7])
def test_bounds_on_the_strength_hold(mi: float, share: float) -> None:
    for task, weight, told in (
        (MixtureCross(mi=mi), 1.0, math.log(2)),
        (MixtureInliers(mi=mi * share, share=share), share, float(stats.entropy([share, 1 - share]))),
    ):
        assert isinstance(task, CorrelationMixture)
        assert weight * task.strength - told <= task.mi <= weight * task.strength
        assert task.strength == pytest.approx(-math.log(1 - task.correlation**2) / 2, rel=1e-9)


def test_information_is_shared_among_copies() -> None:
    for name, knob in (("mixture-cross", "strength"), ("mixture-inliers", "strength"), ("mixture-waves", "separation")):
        one, three = get_task(name, mi=0.5), get_task(name, mi=1.5, dim=3)
        assert getattr(one, knob) == getattr(three, knob)
        assert three.entropy_x == pytest.approx(3 * one.entropy_x, rel=1e-14)


def test_a_finer_grid_finds_the_same_information(monkeypatch: pytest.MonkeyPatch) -> None:
    ones = np.ones(4)
    cases = [
        (np.array([0.5, 0.5]), [(np.zeros(2), np.array([1.4, 1e-3])), (np.zeros(2), np.array([1e-3, 1.4]))]),
        (np.array([0.1, 0.9]), [(np.zeros(2), np.array([1.0, 1.0])), (np.zeros(2), np.array([1e-6, 1.0]))]),
        (ones / 4, [(8 * np.arange(4.0), ones)]),
        (ones / 4, [(2 * np.arange(4.0), ones), (3.0 * np.array([0, 1, 1, 0]), ones)]),
    ]
    coarse = [mixtures.label_information(weights, *axes) for weights, axes in cases]
    monkeypatch.setattr(mixtures, "_STEP", mixtures._STEP / 3)
    fine = [mixtures.label_information(weights, *axes) for weights, axes in cases]
    assert coarse == pytest.approx(fine, abs=1e-10)


def test_grids_set_the_information_of_every_family() -> None:
    names = ["mixture-cross", "mixture-inliers:share=0.8", "mixture-waves", "label-normal:label=y"]
    specs = resolve({"task": names, "mi": [0.2, 1], "estimator": "nwj", "seeds": 1})
    assert [dict(spec.task_params)["mi"] for spec in specs] == [0.2, 1.0] * 4


# ---------------------------------------------------------------- a label and normal noise


@pytest.mark.parametrize(("k", "dim", "mi"), [(2, 1, 0.3), (10, 5, 1.0), (7, 3, 1.9)])
def test_the_label_and_its_noise_are_what_is_said(k: int, dim: int, mi: float) -> None:
    task = LabelNormal(k=k, dim=dim, mi=mi)
    scale = task.noise_scale
    places = np.arange(k) - (k - 1) / 2
    centres = scale * task.separation * places[:, None] * np.ones(dim) / math.sqrt(dim)
    label, noisy = (side.double() for side in task.sample(500, generator()))
    assert label.sum(1).eq(1).all()
    noisy[250:] = noisy[250:].roll(1, 0)
    by_class = np.stack([stats.norm.logpdf(noisy.numpy(), centre, scale).sum(1) for centre in centres], 1)
    expected = by_class[np.arange(500), label.argmax(1)] - np.log(np.exp(by_class).mean(1))
    np.testing.assert_allclose(task.log_ratio(label, noisy).numpy(), expected, rtol=1e-9, atol=1e-9)

    along = np.arange(-12, 12 + task.separation * (k - 1), 1e-3)  # in standard deviations of the noise
    densities = stats.norm.pdf(along[:, None], task.separation * np.arange(k))
    mixture = densities.mean(1)
    entropy = -float((mixture * np.log(mixture)).sum()) * 1e-3
    assert entropy - math.log(2 * math.pi * math.e) / 2 == pytest.approx(mi, abs=1e-9)
    other = LabelNormal(k=k, dim=dim, mi=mi, label="y")
    assert task.entropy_x == math.log(k)
    # the volume of the scaling, the line, and the directions across it
    expected_entropy = dim * math.log(scale) + entropy + (dim - 1) / 2 * math.log(2 * math.pi * math.e)
    assert other.entropy_x == pytest.approx(expected_entropy, abs=1e-9)


def test_either_side_may_be_the_label() -> None:
    as_x, as_y = LabelNormal(), LabelNormal(label="y")
    (label, noisy), (noisy_too, label_too) = as_x.sample(100, generator()), as_y.sample(100, generator())
    assert torch.equal(label, label_too)
    assert torch.equal(noisy, noisy_too)
    assert torch.equal(as_x.log_ratio(label, noisy), as_y.log_ratio(noisy, label))
    assert (as_x.dim_x, as_x.dim_y, as_y.dim_x, as_y.dim_y) == (10, 5, 5, 10)
    assert (as_x.has_support_y, as_y.has_support_y) == (False, True)
    with pytest.raises(NotImplementedError):
        as_x.support_y()
    values, log_probability = as_y.support_y()
    assert torch.equal(values, torch.eye(10))
    assert log_probability.exp().sum() == pytest.approx(1)


@pytest.mark.parametrize("label", ["x", "y"])
def test_neighbours_find_the_information_of_a_label(label: str) -> None:
    x, y = get_task("label-normal", label=label, dim=1, k=4, mi=0.8).sample(2000, generator())
    estimator = get_estimator("ksg-label")
    assert isinstance(estimator, SampleEstimator)
    found = estimator.of_arrays(x.double().numpy(), y.double().numpy())
    assert found == pytest.approx(0.8, abs=0.08)  # the standard error over samples is 0.02


@pytest.mark.parametrize("name", ["v-information:family=softmax", "ml-cpc"])
def test_a_label_y_is_predicted_from_its_noisy_side(name: str) -> None:
    grid = {"task": "label-normal:label=y,k=4,mi=0.8,dim=2", "batch": 128, "hidden": "1x32", "lr": 0.01, "seeds": 1}
    (spec,) = resolve({**grid, "estimator": name, "steps": 400, "window": 100})
    (row,) = train_pack([spec])[0].rows
    assert row["status"] == "ok"
    assert row["estimate_fresh_large"] == pytest.approx(0.8, abs=0.1)


def test_every_noisy_column_says_as_much() -> None:
    label, noisy = LabelNormal(dim=6, mi=1.5).sample(DRAWS, generator())
    correlations = np.corrcoef(label.argmax(1).numpy(), noisy.numpy().T)[0, 1:]
    assert correlations.min() > 0.5
    assert np.ptp(correlations) < 0.02


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(("name", "params", "part"), [
    ("mixture-cross", {"mi": -1}, "mi must lie between 0 and 15.3069 nats, not -1"),
    ("mixture-cross", {"mi": 31, "dim": 2}, "mi must lie between 0 and 30.6137 nats, not 31"),
    ("mixture-cross", {"mi": math.nan}, "mi"),
    ("mixture-cross", {"dim": 0}, "dim must be at least 1, not 0"),
    ("mixture-inliers", {"mi": 7.5}, "mi must lie between 0 and 7.30685 nats, not 7.5"),
    ("mixture-inliers", {"share": 0}, "share must lie between 0.01 and 0.99, not 0"),
    ("mixture-inliers", {"share": 1}, "share must lie between 0.01 and 0.99, not 1"),
    ("mixture-waves", {"mi": 1.4}, "mi must be at least 0 and below dim ln(heights) = 1.38629, not 1.4"),
    ("mixture-waves", {"mi": -0.1}, "mi must be at least 0"),
    ("mixture-waves", {"heights": 1}, "heights must be at least 2, periods at least 1"),
    ("mixture-waves", {"heights": 6, "periods": 3}, "their product at most 16, not 6 and 3"),
    ("mixture-waves", {"dim": 0}, "dim must be at least 1, not 0"),
    ("label-normal", {"mi": 2.4}, "mi must be at least 0 and below ln k = 2.30259, not 2.4"),
    ("label-normal", {"mi": -0.1}, "mi must be at least 0"),
    ("label-normal", {"k": 1}, "k must lie in 2..64"),
    ("label-normal", {"dim": 0}, "dim be at least 1, not 10 and 0"),
    ("label-normal", {"label": "z"}, "'z'"),
])  # fmt: skip
def test_bad_parameters_are_refused_in_one_sentence(name: str, params: dict[str, Any], part: str) -> None:
    with pytest.raises(UsageError) as caught:
        get_task(name, **params)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
