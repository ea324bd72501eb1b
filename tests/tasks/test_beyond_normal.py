"""The 40 published tasks: truths by quadrature and by matrices, maps rewritten in NumPy, densities, runs."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
import torch
from scipy import integrate, optimize, special, stats
from scipy.linalg import expm
from scipy.spatial import cKDTree

from mibench.core.errors import UsageError
from mibench.core.lookup import get_task
from mibench.experiments.grid import resolve
from mibench.experiments.specs import RunSpec
from mibench.tasks.beyond_normal import PUBLISHED, published_names
from mibench.tasks.transformed import TransformedTask
from mibench.testing import check_task
from mibench.training.components import Run
from mibench.training.loop import train_pack

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
IDS = list(PUBLISHED)

# The benchmark's truths to one digit, as restated in the ground-truth row of a table that reproduces Franzese et al.
# (2024), Mutual Information Neural Diffusion Estimation (github.com/DimaTivator/MI-diffusion); it has no Swiss roll.
ONE_DIGIT = {
    "1v1-normal-0.75": 0.4, "normal_cdf-1v1-normal-0.75": 0.4, "1v1-bimodal-0.75": 0.4, "wiggly-1v1-normal-0.75": 0.4,
    "half_cube-1v1-normal-0.75": 0.4, "1v1-additive-0.1": 1.7, "1v1-additive-0.75": 0.3,
    "student-identity-1-1-1": 0.2, "student-identity-2-2-1": 0.4, "student-identity-2-2-2": 0.2,
    "student-identity-3-3-2": 0.3, "student-identity-3-3-3": 0.2, "student-identity-5-5-2": 0.4,
    "student-identity-5-5-3": 0.3, "asinh-student-identity-1-1-1": 0.2, "asinh-student-identity-2-2-1": 0.4,
    "asinh-student-identity-3-3-2": 0.3, "asinh-student-identity-5-5-2": 0.4, "multinormal-dense-2-2-0.5": 0.3,
    "multinormal-dense-3-3-0.5": 0.4, "multinormal-dense-5-5-0.5": 0.6, "multinormal-dense-25-25-0.5": 1.3,
    "multinormal-dense-50-50-0.5": 1.6, "multinormal-sparse-2-2-2-2.0": 1.0,
    **{f"{maps}multinormal-sparse-{d}-{d}-2-2.0": 1.0 for d in (3, 5, 25)
       for maps in ("", "normal_cdf-", "half_cube-", "spiral-", "spiral-normal_cdf-")},
}  # fmt: skip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def task_of(published: str) -> TransformedTask:
    task = get_task("beyond-normal", id=published)
    assert isinstance(task, TransformedTask)
    return task


def dimensions(published: str) -> tuple[int, int]:
    """Dimensions before any map, from the id alone."""
    match = re.search(r"(?:identity|dense|sparse)-(\d+)-(\d+)", published)
    return (int(match[1]), int(match[2])) if match else (1, 1)


def covariance(published: str) -> Array:
    """Covariance of the normal tasks by the published generators."""
    m, n = dimensions(published)
    if "1v1" in published:
        return np.array([[1, 0.75], [0.75, 1]])
    if "dense" in published:
        return np.full((m + n, m + n), 0.5) + 0.5 * np.eye(m + n)
    # X_i = E_i + 2 Z_i and Y_i = F_i + 2 Z_i for i = 1, 2; a latent of their own for the others; then scaled
    noise, shared, own = np.eye(m + n), np.zeros((m + n, 2)), np.zeros((m + n, m + n))
    for i in range(m):
        for row in (i, m + i):
            if i < 2:
                shared[row, i] = 2
            else:
                own[row, row] = 2
    mixing = np.hstack([noise, shared, own])
    whole = mixing @ mixing.T
    scale = np.sqrt(np.diag(whole))
    return np.asarray(whole / np.outer(scale, scale))


def student_entropy(dof: int, dim: int) -> float:
    """Entropy of an uncorrelated Student-t vector: trapezoids over the logarithm of its radius."""
    log_radius = np.linspace(-45, 45, 20_001)
    log_norm = math.lgamma((dof + dim) / 2) - math.lgamma(dof / 2) - dim / 2 * math.log(dof * math.pi)
    log_density = log_norm - (dof + dim) / 2 * np.log1p(np.exp(2 * log_radius) / dof)
    area = 2 * math.pi ** (dim / 2) / math.gamma(dim / 2)
    return float(integrate.trapezoid(-area * np.exp(dim * log_radius + log_density) * log_density, log_radius))


def additive_mi(noise: float) -> float:
    """h(Y) - h(noise) by quadrature of the density of Y."""

    def minus_p_log_p(y: float) -> float:
        density = (min(1.0, y + noise) - max(0.0, y - noise)) / (2 * noise)
        return float(special.entr(max(density, 0.0)))

    kinks = sorted({-noise, noise, 1 - noise, 1 + noise})
    parts = [integrate.quad(minus_p_log_p, a, b, epsabs=1e-13)[0] for a, b in itertools.pairwise(kinks)]
    return math.fsum(parts) - math.log(2 * noise)


def independent_mi(published: str) -> float:
    m, n = dimensions(published)
    if "additive" in published:
        return additive_mi(float(published.rsplit("-", 1)[1]))
    if "student" in published:
        dof = int(published.rsplit("-", 1)[1])
        return student_entropy(dof, m) + student_entropy(dof, n) - student_entropy(dof, m + n)
    joint = covariance(published)
    x, y, both = (np.linalg.slogdet(part)[1] for part in (joint[:m, :m], joint[m:, m:], joint))
    return float(x + y - both) / 2


def test_the_ids_are_the_published_ones() -> None:
    assert len(IDS) == 40
    assert published_names() == tuple(f"beyond-normal:id={published}" for published in IDS)
    assert {published for published in IDS if "swiss" not in published} == set(ONE_DIGIT)


@pytest.mark.parametrize("published", IDS)
def test_truth_against_quadrature_and_matrices(published: str) -> None:
    task = get_task(f"beyond-normal:id={published}")
    assert task.mi == pytest.approx(independent_mi(published), abs=1e-9)
    assert round(task.mi, 1) == ONE_DIGIT.get(published, 0.4)
    assert (task.mi_method, task.mi_se) == ("closed-form", 0.0)
    assert task.has_log_ratio
    dim_x, dim_y = dimensions(published)
    assert (task.dim_x, task.dim_y) == (2 if "swiss" in published else dim_x, dim_y)


@pytest.mark.parametrize("published", IDS)
def test_the_mean_log_ratio_of_pairs_is_the_truth(published: str) -> None:
    task, draws = task_of(published), 10**5 if "25" not in published and "50" not in published else 40_000
    ratio = task.log_ratio(*task.sample(draws, generator(IDS.index(published))))
    assert ratio.dtype == torch.float64
    assert abs(float(ratio.mean()) - task.mi) < 4 * float(ratio.std()) / math.sqrt(draws) + 1e-12


@pytest.mark.parametrize("published", ["spiral-normal_cdf-multinormal-sparse-5-5-2-2.0", "student-identity-5-5-2"])
def test_the_mean_log_ratio_of_a_million_pairs_is_the_truth(published: str) -> None:
    task = task_of(published)
    ratio = task.log_ratio(*task.sample(10**6, generator(1)))
    assert abs(float(ratio.mean()) - task.mi) < 4 * float(ratio.std()) / 1e3


# ---------------------------------------------------------------- the maps, written again from their definitions


def spiral(points: Array, plane: tuple[int, int]) -> Array:
    matrix = np.zeros((points.shape[1],) * 2)
    matrix[plane], matrix[plane[::-1]] = -1, 1
    return np.array([expm(point @ point / len(point) * matrix) @ point for point in points])


def quantiles(levels: Array, weights: tuple[float, float], means: tuple[float, float]) -> Array:
    def found(level: float) -> float:
        def excess(t: float) -> float:
            return float(sum(w * special.ndtr(t - mean) for w, mean in zip(weights, means, strict=True))) - level

        return float(optimize.brentq(excess, -10, 10, xtol=1e-14))

    return np.array([[found(float(level)) for level in row] for row in levels])


def swiss_roll(levels: Array) -> Array:
    t = 1.5 * math.pi * (1 + 2 * levels)
    return np.hstack([t * np.cos(t), t * np.sin(t)]) / 21


def mapped(published: str, x: Array, y: Array) -> tuple[Array, Array]:
    """The published maps of base pairs, innermost (last in the id) first."""
    if "normal_cdf" in published or "bimodal" in published:
        x, y = special.ndtr(x), special.ndtr(y)
    if "bimodal" in published:
        return quantiles(x, (0.3, 0.7), (0, 5)), quantiles(y, (0.5, 0.5), (-1, 3))
    if "half_cube" in published:
        return x * np.sqrt(np.abs(x)), y * np.sqrt(np.abs(y))
    if "asinh" in published:
        return np.arcsinh(x), np.arcsinh(y)
    if "wiggly" in published:
        return (
            x + 0.4 * np.sin(x) + 0.2 * np.sin(1.7 * x + 1) + 0.03 * np.sin(3.3 * x - 2.5),
            y - 0.4 * np.sin(0.4 * y) + 0.17 * np.sin(1.3 * y + 3.5) + 0.02 * np.sin(4.3 * y - 2.5),
        )
    if "spiral" in published:
        return spiral(x, (0, 1)), spiral(y, (1, 2))
    return (swiss_roll(x), y) if "swissroll" in published else (x, y)


@pytest.mark.parametrize("published", IDS)
def test_maps_are_the_published_ones_and_their_inverses_keep_the_log_ratio(published: str) -> None:
    task = task_of(published)
    base_x, base_y = task.parts.base.sample(300, generator(2))
    x, y = task.sample(300, generator(2))
    expected = mapped(published, base_x.double().numpy(), base_y.double().numpy())
    np.testing.assert_allclose(x.numpy(), expected[0], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(y.numpy(), expected[1], rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(task.log_ratio(x, y), task.parts.base.log_ratio(base_x, base_y), rtol=1e-9, atol=1e-9)
    partner = torch.arange(300).roll(1)  # independent pairs too
    expected_ratio = task.parts.base.log_ratio(base_x, base_y[partner])
    torch.testing.assert_close(task.log_ratio(x, y[partner]), expected_ratio, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("published", [name for name in IDS if "spiral" not in name and "swissroll" not in name])
def test_maps_of_coordinates_keep_ranks(published: str) -> None:
    task = task_of(published)
    for before, after in zip(task.parts.base.sample(500, generator(3)), task.sample(500, generator(3)), strict=True):
        assert torch.equal(before.argsort(0), after.argsort(0))


@pytest.mark.parametrize("published", [name for name in IDS if name.startswith("spiral")])
def test_spirals_keep_norms_and_the_other_coordinates(published: str) -> None:
    task = task_of(published)
    through_cdf = "normal_cdf" in published
    base = [side.double() for side in task.parts.base.sample(500, generator(3))]
    before = [torch.from_numpy(special.ndtr(side.numpy())) for side in base] if through_cdf else base
    x, y = task.sample(500, generator(3))
    for old, new in zip(before, (x, y), strict=True):
        torch.testing.assert_close(new.norm(dim=1), old.norm(dim=1), rtol=1e-12, atol=0)
    torch.testing.assert_close(x[:, 2:], before[0][:, 2:], rtol=1e-12, atol=0)
    torch.testing.assert_close(y[:, 3:], before[1][:, 3:], rtol=1e-12, atol=0)
    torch.testing.assert_close(y[:, 0], before[1][:, 0], rtol=1e-12, atol=0)
    assert float((x[:, :2] - before[0][:, :2]).abs().max()) > 0.1


def test_the_swiss_roll_lies_on_its_curve() -> None:
    x, y = task_of("swissroll_x-normal_cdf-1v1-normal-0.75").sample(2000, generator())
    angle = 21 * x.norm(dim=1)
    assert float(angle.min()) >= 1.5 * math.pi
    assert float(angle.max()) <= 4.5 * math.pi
    torch.testing.assert_close(21 * x[:, 0], angle * angle.cos(), rtol=1e-9, atol=1e-9)
    for levels in ((angle / (1.5 * math.pi) - 1) / 2, y[:, 0]):
        assert stats.kstest(levels.numpy(), "uniform").pvalue > 1e-4


def test_margins_are_those_of_the_definitions() -> None:
    def pvalues(published: str, cdf_x: object, cdf_y: object) -> list[float]:
        x, y = task_of(published).sample(20_000, generator(4))
        columns = [(side[:, i].numpy(), cdf) for side, cdf in ((x, cdf_x), (y, cdf_y)) for i in range(side.shape[1])]
        return [float(stats.kstest(values, cdf).pvalue) for values, cdf in columns]

    def mixture_x(t: Array) -> Array:
        return np.asarray(0.3 * stats.norm.cdf(t) + 0.7 * stats.norm.cdf(t, loc=5))

    def mixture_y(t: Array) -> Array:
        return np.asarray(0.5 * stats.norm.cdf(t, loc=-1) + 0.5 * stats.norm.cdf(t, loc=3))

    found = [
        *pvalues("1v1-normal-0.75", "norm", "norm"),
        *pvalues("normal_cdf-multinormal-sparse-5-5-2-2.0", "uniform", "uniform"),
        *pvalues("1v1-bimodal-0.75", mixture_x, mixture_y),
        *pvalues("student-identity-2-2-2", stats.t(2).cdf, stats.t(2).cdf),
        *pvalues("student-identity-5-5-3", stats.t(3).cdf, stats.t(3).cdf),
        *pvalues("multinormal-dense-5-5-0.5", "norm", "norm"),
        *pvalues("1v1-additive-0.1", "uniform", stats.trapezoid(1 / 6, 5 / 6, loc=-0.1, scale=1.2).cdf),
        *pvalues("1v1-additive-0.75", "uniform", stats.trapezoid(0.4, 0.6, loc=-0.75, scale=2.5).cdf),
    ]
    assert min(found) > 1e-5  # of 42


@pytest.mark.parametrize("published", [name for name in IDS if name.startswith("multinormal")])
def test_second_moments_of_the_normal_tasks(published: str) -> None:
    n = 50_000
    pairs = torch.cat(task_of(published).sample(n, generator(5)), 1).double().numpy()
    # standard error of an entry: at most sqrt(2 / n); 100 x 100 entries
    assert np.abs(pairs.T @ pairs / n - covariance(published)).max() < 5.5 * math.sqrt(2 / n)


@pytest.mark.parametrize("published", IDS)
def test_the_same_stream_gives_the_same_pairs(published: str) -> None:
    task, stream = task_of(published), generator(6)
    first, fresh, again = task.sample(5, stream), task.sample(5, stream), task.sample(5, generator(6))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, fresh, strict=True))


def ksg(x: Array, y: Array, k: int = 5) -> tuple[float, float]:
    """Estimate and standard error by Kraskov, Stoegbauer and Grassberger (2004), equation 8."""
    n = len(x)
    radius = cKDTree(np.hstack([x, y])).query(np.hstack([x, y]), k + 1, p=math.inf)[0][:, -1]
    near = [cKDTree(side).query_ball_point(side, radius * (1 - 1e-12), p=math.inf, return_length=True) - 1
            for side in (x, y)]  # fmt: skip
    terms = special.digamma(k) + special.digamma(n) - special.digamma(near[0] + 1) - special.digamma(near[1] + 1)
    return float(terms.mean()), float(terms.std() / math.sqrt(n))


# Not the raw Student-t and the additive noise: heavy tails and sharp edges bias nearest neighbours at this sample size.
@pytest.mark.parametrize("published", [
    "1v1-normal-0.75", "half_cube-1v1-normal-0.75", "wiggly-1v1-normal-0.75", "1v1-bimodal-0.75",
    "asinh-student-identity-1-1-1", "swissroll_x-normal_cdf-1v1-normal-0.75", "multinormal-dense-2-2-0.5",
])  # fmt: skip
def test_nearest_neighbours_find_the_truth_from_pairs_alone(published: str) -> None:
    x, y = (side.numpy() for side in task_of(published).sample(4000, generator(7)))
    estimate, error = ksg(x, y)
    assert abs(estimate - task_of(published).mi) < 4 * error


@pytest.mark.parametrize("published", [
    "1v1-additive-0.1", "1v1-bimodal-0.75", "swissroll_x-normal_cdf-1v1-normal-0.75", "student-identity-5-5-2",
    "multinormal-dense-25-25-0.5", "spiral-normal_cdf-multinormal-sparse-5-5-2-2.0", "asinh-student-identity-2-2-1",
])  # fmt: skip
def test_published_tasks_conform(published: str) -> None:
    assert [f.sentence for f in check_task(task_of(published)) if not f.passed] == []


def test_runs_of_published_tasks_keep_their_ids_and_are_rebuilt() -> None:
    options = {"estimator": "nwj", "critic": "oracle", "batch": 64, "steps": 20, "window": 20, "every": 10, "seeds": 1}
    specs = resolve({"task": list(published_names()), **options})
    assert len({spec.run_id for spec in specs}) == 40
    assert [spec.task_params for spec in specs] == [(("id", published),) for published in IDS]
    assert {spec.task for spec in specs} == {"beyond-normal-v1"}
    for spec in specs[::13]:
        again = RunSpec.from_json(spec.canonical)
        assert again.run_id == spec.run_id
        assert Run.from_spec(again).tasks[0] == get_task("beyond-normal", **dict(spec.task_params))


@pytest.mark.parametrize(("published", "critic"), [
    ("1v1-additive-0.1", "oracle"), ("wiggly-1v1-normal-0.75", "oracle"),
    ("1v1-additive-0.1", "separable"), ("asinh-student-identity-2-2-1", "joint"),
])  # fmt: skip
def test_published_tasks_go_through_a_whole_run(published: str, critic: str, kept_arithmetic: None) -> None:
    (spec,) = resolve({
        "task": f"beyond-normal:id={published}", "estimator": "nwj", "critic": critic, "negatives": "derangement",
        "hidden": "1x32", "batch": 64, "steps": 40, "window": 40, "every": 10, "seeds": 1,
    })  # fmt: skip
    (row,) = train_pack([spec])[0].rows
    assert (row["status"], row["mi_true"]) == ("ok", get_task("beyond-normal", id=published).mi)
    if critic == "oracle":  # on 2^15 pairs: the sd of a density ratio is at most 2.2, five times its standard error
        assert row["estimate_fresh_large"] == pytest.approx(row["mi_true"], abs=0.06)


def test_unknown_ids_are_refused_in_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"unknown id 'student-identity-3-3-4'; did you mean 'student-identity-3-3-3'"):
        get_task("beyond-normal", id="student-identity-3-3-4")
    with pytest.raises(UsageError, match="unknown id 'zzz'; the ids are those of the published list"):
        get_task("beyond-normal:id=zzz")
    with pytest.raises(UsageError, match="has no mi that could be set"):
        resolve({"task": published_names()[0], "mi": 2, "estimator": "nwj"})
