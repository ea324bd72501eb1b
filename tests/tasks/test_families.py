"""Normal, Student-t and additive-noise families with MI as a knob, the maps that compose, and the cubed Gaussian."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from mibench.core.errors import UsageError
from mibench.core.estimator import Side
from mibench.core.lookup import get_task
from mibench.core.task import Task
from mibench.experiments.grid import resolve
from mibench.tasks.additive import AdditiveNoise
from mibench.tasks.normal import NormalDense, NormalPairs
from mibench.tasks.student import StudentT
from mibench.tasks.transformed import GaussianCubic, Transformed
from mibench.tasks.transforms import MAPS, read_maps
from mibench.testing import check_task
from tests.support.task_names import NORMAL_FAMILIES

DRAWS = 10**5


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(task: Task, n: int = 50) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs of a task, half of them independent."""
    x, y = task.sample(n, generator(1))
    return x, torch.cat([y[: n // 2], y[n // 2 :].roll(1, 0)])


@pytest.mark.parametrize("name", NORMAL_FAMILIES)
def test_the_mean_log_ratio_of_pairs_is_the_truth(name: str) -> None:
    task = get_task(name)
    ratio = task.log_ratio(*task.sample(DRAWS, generator()))
    assert ratio.isfinite().all()
    assert abs(float(ratio.mean()) - task.mi) < 4 * float(ratio.std()) / math.sqrt(DRAWS) + 1e-9


@pytest.mark.parametrize("name", NORMAL_FAMILIES[2::3])
def test_other_parameters_conform_too(name: str) -> None:
    assert [f.sentence for f in check_task(get_task(name)) if not f.passed] == []


# ---------------------------------------------------------------- densities


@pytest.mark.parametrize(("name", "covariance", "dim_x"), [
    ("normal-pairs:mi=1.5,dim_x=3,dim_y=2,pairs=2", None, 3),
    ("normal-dense:mi=0.7,dim_x=2,dim_y=3", None, 2),
    ("normal:covariances=2_-0.5_0.3/-0.5_1_0.2/0.3_0.2_5,columns_x=2",
     [[2, -0.5, 0.3], [-0.5, 1, 0.2], [0.3, 0.2, 5]], 2),
])  # fmt: skip
def test_the_ratio_of_normal_tasks_is_that_of_the_densities(
    name: str, covariance: list[list[float]] | None, dim_x: int
) -> None:
    task = get_task(name)
    if covariance is None and isinstance(task, NormalPairs):
        rho = math.sqrt(1 - math.exp(-1.5))  # I = -(2 / 2) ln(1 - rho^2)
        joint = np.eye(5)
        joint[[0, 1, 3, 4], [3, 4, 0, 1]] = rho
    elif covariance is None and isinstance(task, NormalDense):
        joint = np.full((5, 5), task.correlation)
        np.fill_diagonal(joint, 1)
    else:
        joint = np.array(covariance)
    log_det = [np.linalg.slogdet(part)[1] for part in (joint[:dim_x, :dim_x], joint[dim_x:, dim_x:], joint)]
    assert task.mi == pytest.approx((log_det[0] + log_det[1] - log_det[2]) / 2, rel=1e-12)
    x, y = (side.double().numpy() for side in points(task))
    expected = (
        stats.multivariate_normal(cov=joint).logpdf(np.hstack([x, y]))
        - stats.multivariate_normal(cov=joint[:dim_x, :dim_x]).logpdf(x)
        - stats.multivariate_normal(cov=joint[dim_x:, dim_x:]).logpdf(y)
    )
    found = task.log_ratio(torch.from_numpy(x), torch.from_numpy(y))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-9)
    assert task.entropy_x == pytest.approx(stats.multivariate_normal(cov=joint[:dim_x, :dim_x]).entropy(), rel=1e-12)
    moments = torch.cat(task.sample(DRAWS, generator()), 1).double().numpy()
    assert np.abs(moments.T @ moments / DRAWS - joint).max() < 5 * joint.max() * math.sqrt(2 / DRAWS)


@pytest.mark.parametrize(("dof", "dim_x", "dim_y", "rho"), [(1, 1, 1, 0.0), (2, 2, 3, 0.6), (5, 3, 1, 0.9)])
def test_the_ratio_of_student_t_is_that_of_the_densities(dof: int, dim_x: int, dim_y: int, rho: float) -> None:
    task = StudentT.of_correlation(rho, dof=dof, dim_x=dim_x, dim_y=dim_y)
    joint = np.eye(dim_x + dim_y)
    for i in range(min(dim_x, dim_y)):
        joint[i, dim_x + i] = joint[dim_x + i, i] = rho
    x, y = (side.numpy() for side in points(task))
    expected = (
        stats.multivariate_t(shape=joint, df=dof).logpdf(np.hstack([x, y]))
        - stats.multivariate_t(shape=np.eye(dim_x), df=dof).logpdf(x).reshape(-1)
        - stats.multivariate_t(shape=np.eye(dim_y), df=dof).logpdf(y).reshape(-1)
    )
    found = task.log_ratio(torch.from_numpy(x), torch.from_numpy(y))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-9)
    assert task.entropy_x == pytest.approx(stats.multivariate_t(shape=np.eye(dim_x), df=dof).entropy(), rel=1e-9)
    assert task.normal.correlation == pytest.approx(rho, abs=1e-12)
    assert stats.kstest(task.sample(20_000, generator())[1][:, 0].numpy(), stats.t(dof).cdf).pvalue > 1e-4


@pytest.mark.parametrize("noise", [0.01, 0.3, 0.5, 0.75, 4.0])
def test_the_ratio_of_additive_noise_is_that_of_the_densities(noise: float) -> None:
    task = AdditiveNoise.of_noise(noise)
    assert task.noise == pytest.approx(noise, rel=1e-14)
    assert task.entropy_x == 0
    x, y = (side.double() for side in points(task, 400))
    for a, b, found in zip(x[:, 0].tolist(), y[:, 0].tolist(), task.log_ratio(x, y).tolist(), strict=True):
        if abs(b - a) > noise:
            assert found == -math.inf
        else:
            density = (min(1, b + noise) - max(0, b - noise)) / (2 * noise)
            assert found == pytest.approx(-math.log(2 * noise * density), rel=1e-9, abs=1e-9)


def test_pairs_outside_of_the_support_are_impossible() -> None:
    task = AdditiveNoise.of_noise(0.25)
    x, y = torch.tensor([[0.5], [0.5], [1.1], [-0.1], [0.0]]), torch.tensor([[0.75], [0.7501], [1.0], [0.1], [-0.2]])
    assert task.log_ratio(x, y).isfinite().tolist() == [True, False, False, False, True]


# ---------------------------------------------------------------- knobs


@pytest.mark.parametrize("rho", [0.0, 0.1, 0.5, 0.75, 0.999])
def test_the_families_own_parameters_come_back(rho: float) -> None:
    assert NormalPairs.of_correlation(rho, dim_x=3, dim_y=4, pairs=2).correlation == pytest.approx(rho, abs=1e-14)
    for dim_x, dim_y in ((1, 1), (2, 2), (1, 50), (25, 25)):
        dense = NormalDense.of_correlation(rho, dim_x=dim_x, dim_y=dim_y)
        assert dense.correlation == pytest.approx(rho, abs=1e-12)
        if rho == 0.75 and dim_x == dim_y == 1:
            assert dense.mi == pytest.approx(NormalPairs.of_correlation(rho).mi, rel=1e-14)


def test_the_correlation_of_other_coordinates_is_none() -> None:
    x, y = NormalPairs.of_correlation(0.9, dim_x=3, dim_y=4, pairs=2).sample(DRAWS, generator())
    products = (x.T @ y / DRAWS).double()
    expected = torch.zeros(3, 4, dtype=torch.float64)
    expected[0, 0] = expected[1, 1] = 0.9
    assert (products - expected).abs().max() < 5 * math.sqrt(2 / DRAWS)


def test_the_least_information_is_that_of_the_common_scale() -> None:
    least = StudentT.of_correlation(0.0, dof=1).mi
    assert least == pytest.approx(math.log(8 * math.pi) - 3, rel=1e-12)  # h(1) = ln(4 pi), h(2) = ln(2 pi) + 3
    with pytest.raises(UsageError, match=r"at least 0\.22417\d* nats, the information of the common scale, not 0\.22"):
        get_task("student-t", dof=1, mi=0.22)
    assert StudentT(mi=least, dof=1).normal.mi == 0


def test_grids_set_the_information_of_every_family() -> None:
    names = ["normal-pairs", "normal-dense:dim_x=3", "student-t:dof=2", "additive-noise", "gaussian20d-cubic:mix=true"]
    specs = resolve({"task": names, "mi": [2, 5], "estimator": "nwj", "seeds": 1})
    assert [dict(spec.task_params)["mi"] for spec in specs] == [2.0, 5.0] * 5
    (staircase,) = resolve({"task": "student-t", "schedule": [2, 4], "estimator": "nwj", "steps": 200, "seeds": 1})
    assert staircase.schedule == (2.0, 4.0)


# ---------------------------------------------------------------- maps


@pytest.mark.parametrize("side", ["x", "y"])
@pytest.mark.parametrize("name", sorted(MAPS))
def test_every_map_is_undone_by_its_inverse(name: str, side: Side) -> None:
    kind = MAPS[name]
    dim = 1 if kind.largest_dim == 1 else 4
    # a level's rounding moves its quantile by 2^-53 over the density, 1e-11 at 4.5 standard deviations
    values = (1.5 * torch.randn(3000, dim, generator=generator(), dtype=torch.float64)).clamp(-4.5, 4.5)
    values[0] = 0.0
    if kind.follows:
        values = torch.special.ndtr(values)
    one = kind(side, dim)
    image = one.forward(values)
    assert image.shape == (3000, one.dim_out)
    torch.testing.assert_close(one.inverse(image), values, rtol=1e-10, atol=1e-12)
    if one.dim_out == dim:
        torch.testing.assert_close(one.forward(one.inverse(image)), image, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("side", ["x", "y"])
@pytest.mark.parametrize("name", ["normal-cdf", "half-cube", "cube", "asinh", "wiggly", "bimodal"])
def test_maps_of_coordinates_increase(name: str, side: Side) -> None:
    grid = torch.linspace(-5, 5, 20_001, dtype=torch.float64).unsqueeze(1)
    values = torch.special.ndtr(grid) if MAPS[name].follows else grid
    assert (MAPS[name](side, 1).forward(values).diff(dim=0) > 0).all()


def test_far_tails_stay_finite() -> None:
    levels = torch.tensor([[1e-300], [1e-17], [0.5], [1 - 2.0**-53]], dtype=torch.float64)
    for side in ("x", "y"):
        chain = read_maps("normal-cdf+bimodal", side, 1, "x")
        image = chain[1].forward(levels)
        assert image.isfinite().all()
        torch.testing.assert_close(chain[1].inverse(image).log(), levels.log(), rtol=1e-9, atol=1e-9)
        assert chain[0].inverse(torch.tensor([0.0, 1.0], dtype=torch.float64)).isfinite().all()


def test_the_mixing_is_orthogonal_and_always_the_same() -> None:
    mixing = read_maps("mixing", "y", 20, "y")[0]
    identity = torch.eye(20, dtype=torch.float64)
    matrix = mixing.forward(identity)
    torch.testing.assert_close(matrix @ matrix.T, identity, rtol=0, atol=1e-13)
    assert torch.equal(matrix, read_maps("mixing", "x", 20, "x")[0].forward(identity))
    assert float(matrix.abs().max()) < 0.95  # no permutation


def test_mixing_spreads_three_pairs_over_fifty_columns() -> None:
    task = get_task("transformed:base=normal-pairs:mi=4:dim_x=3:dim_y=50:pairs=3,x=identity,y=mixing")
    x, y = task.sample(DRAWS, generator())
    assert (task.dim_x, task.dim_y, task.mi) == (3, 50, 4.0)
    told = (x.T @ y / DRAWS).square().sum(0)  # of each column of y, the share of its variance that x explains
    noise = stats.chi2(3).ppf(1 - 1e-6) / DRAWS
    assert (told > noise).all()
    assert float(told.max()) < 0.5


def test_a_base_has_one_spelling_and_one_run_id() -> None:
    short = get_task("transformed:base=student-t:dof=1:mi=2,x=asinh,y=identity")
    long = get_task("transformed:base=student-t-v1:mi=2.0:dim_y=1:dof=1,x=asinh,y=identity")
    assert short == long
    assert dict(short.params())["base"] == "student-t-v1:dim_x=1:dim_y=1:dof=1:mi=2.0"
    assert get_task("transformed", **dict(short.params())) == short
    names = [f"transformed:base={base}" for base in ("normal-pairs", "normal-pairs:mi=2")]
    assert len({spec.run_id for name in names for spec in resolve({"task": name, "estimator": "nwj", "seeds": 1})}) == 1


def test_what_a_transformed_task_knows_is_what_its_base_knows() -> None:
    known = get_task("transformed:base=student-t:mi=2,x=identity,y=cube")
    assert known.has_entropy_x
    assert known.entropy_x == get_task("student-t", mi=2).entropy_x
    changed = get_task("transformed:base=student-t,x=asinh,y=cube")
    assert not changed.has_entropy_x
    with pytest.raises(NotImplementedError):
        _ = changed.entropy_x
    views = get_task("transformed:base=instance-views:instances=4:noise=1,x=cube,y=identity")
    assert (views.mi_method, views.mi_se > 0) == ("monte-carlo", True)


# ---------------------------------------------------------------- gaussian20d-cubic


@pytest.mark.parametrize("mix", [False, True])
@pytest.mark.parametrize(("mi", "dim"), [(5.0, 20), (30.0, 20), (30.0, 2), (30.0, 1)])
def test_cubing_keeps_the_log_ratio_of_the_gaussian_pairs(mi: float, dim: int, mix: bool) -> None:
    cubed, plain = get_task("gaussian20d-cubic", mi=mi, dim=dim, mix=mix), get_task("gaussian20d", mi=mi, dim=dim)
    assert isinstance(cubed, GaussianCubic)
    (x, y), (base_x, base_y) = cubed.sample(2000, generator()), plain.sample(2000, generator())
    assert x.dtype == y.dtype == torch.float64
    assert torch.equal(x, base_x.double())
    mixed = y.sign() * y.abs() ** (1 / 3)
    back = mixed @ cubed.parts.y[0].forward(torch.eye(dim, dtype=torch.float64)).T if mix else mixed
    torch.testing.assert_close(back, base_y.double(), rtol=1e-12, atol=1e-13)
    # an error of 1e-15 in y moves the residual by 1e-15 / exp(-mi / dim)
    room = max(1e-9, 1e-14 * math.exp(mi / dim))
    expected = plain.log_ratio(base_x.double(), base_y.double())
    torch.testing.assert_close(cubed.log_ratio(x, y), expected, rtol=0, atol=10 * room)
    assert cubed.entropy_x == plain.entropy_x


def test_single_precision_pairs_of_the_cubed_gaussian_keep_their_information() -> None:
    task = get_task("gaussian20d-cubic", mi=30.0, mix=True)
    x, y = task.sample(DRAWS, generator())
    ratio = task.log_ratio(x.float(), y.float())  # what a critic in float32 is shown
    assert float(ratio.mean()) == pytest.approx(30, abs=4 * float(ratio.std()) / math.sqrt(DRAWS))


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(("name", "params", "part"), [
    ("normal-pairs", {"mi": -1}, "mi must be a finite number of nats, at least 0, not -1.0"),
    ("normal-pairs", {"mi": math.inf}, "mi must be a finite number"),
    ("normal-pairs", {"mi": 33}, "past double precision; use at most 32 nats or more pairs"),
    ("normal-pairs", {"dim_x": 0}, "dim_x and dim_y must be at least 1, not 0 and 1"),
    ("normal-pairs", {"dim_x": 3, "dim_y": 2, "pairs": 3}, "pairs must lie in 1..2, not 3"),
    ("normal-dense", {"mi": -0.1}, "mi must be a finite number"),
    ("normal-dense", {"mi": 15}, "past double precision; use at most 11"),
    ("normal-dense", {"dim_y": -1}, "must be at least 1"),
    ("normal", {"covariances": "1_0.5/0.4_1"}, "must be finite and symmetric"),
    ("normal", {"covariances": "1_inf/inf_1"}, "must be finite and symmetric"),
    ("normal", {"covariances": "1_2/2_1"}, "is not positive definite"),
    ("normal", {"covariances": "1_1/1_1"}, "is not positive definite"),
    ("normal", {"covariances": "-1_0/0_1"}, "is not positive definite"),
    ("normal", {"covariances": "1_0/0_1/0_0"}, "3 x 2 entries; give a square"),
    ("normal", {"covariances": "1"}, "1 x 1 entries; give a square of at least 2 x 2"),
    ("normal", {"covariances": "1_0/0"}, "rows of 2, 1 entries; make them equal"),
    ("normal", {"covariances": "1_a/a_1"}, "'a' is not a number"),
    ("normal", {"columns_x": 2}, "columns_x must lie in 1..1, not 2"),
    ("student-t", {"dof": 0}, "dof must lie in 1..100, not 0"),
    ("student-t", {"dof": 101}, "dof must lie in 1..100"),
    ("student-t", {"dof": 2.5}, "not a whole number"),
    ("student-t", {"mi": math.inf}, "mi must be finite"),
    ("student-t", {"dim_x": 0}, "must be at least 1"),
    ("additive-noise", {"mi": 0}, "mi must be a finite number of nats, above 0, not 0"),
    ("additive-noise", {"mi": 30}, "past double precision; use at most 22"),
    ("gaussian20d-cubic", {"mi": -1}, "mi must be a finite number"),
    ("gaussian20d-cubic", {"mix": "perhaps"}, "neither true nor false"),
    ("transformed", {"x": "asinch"}, "x: unknown map 'asinch'; did you mean 'asinh'?"),
    ("transformed", {"y": "cube++cube"}, "y: unknown map ''"),
    ("transformed", {"x": "swiss-roll"}, "takes values between 0 and 1; write 'normal-cdf+swiss-roll'"),
    ("transformed", {"y": "normal-cdf+asinh+bimodal"}, "write 'normal-cdf+bimodal'"),
    ("transformed", {"x": "spiral"}, "'spiral' of x takes at least 2 columns, not 1"),
    ("transformed", {"base": "normal-pairs:dim_y=2", "y": "spiral"}, "'spiral' of y takes at least 3 columns, not 2"),
    ("transformed", {"base": "normal-pairs:dim_x=2", "x": "normal-cdf+swiss-roll"}, "takes one column, not 2"),
    ("transformed", {"base": "student"}, "unknown task 'student'"),
    ("transformed", {"base": "student-t:dof"}, "does not parse"),
    ("transformed", {"base": "student-t:tau=1"}, "has no parameter 'tau'"),
    ("transformed", {"base": "transformed"}, "join its maps by '+'"),
    ("transformed", {"base": "transformed-v1:x=cube"}, "join its maps by '+'"),
    ("transformed", {"mi": 2}, "has no parameter 'mi'"),
])  # fmt: skip
def test_bad_parameters_are_refused_in_one_sentence(name: str, params: dict[str, Any], part: str) -> None:
    with pytest.raises(UsageError) as caught:
        get_task(name, **params)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_swiss_roll_may_be_mapped_on() -> None:
    task = get_task("transformed:base=normal-pairs:mi=1,x=normal-cdf+swiss-roll+spiral,y=identity")
    assert isinstance(task, Transformed)
    assert (task.dim_x, task.dim_y) == (2, 1)
    ratio = task.log_ratio(*task.sample(DRAWS, generator()))
    assert abs(float(ratio.mean()) - 1) < 4 * float(ratio.std()) / math.sqrt(DRAWS)
