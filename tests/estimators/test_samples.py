"""Estimators that take a sample: their values against independent references, and runs of them without a critic."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from numpy.typing import NDArray
from scipy.special import digamma

import mibench
from mibench.core.errors import UsageError
from mibench.core.estimator import SampleEstimator
from mibench.core.scores import Scores
from mibench.core.streams import stream
from mibench.estimators.canonical_correlation import gaussian_bias
from mibench.experiments.grid import resolve
from mibench.experiments.specs import RunSpec
from mibench.report.reports import draw_reports
from mibench.running.packs import pack_key
from mibench.store.columns import RUNS
from mibench.training.evaluation import SAMPLE_POOL
from mibench.training.loop import train_pack
from tests.support.equality import same
from tests.support.pools import PAIRS

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", autouse=True)
def small_pools_of_workers() -> None:
    """Leave pools as they are: the large sample's own error is small."""


Array = NDArray[np.float64]
NAMES = ["ksg", "ksg:variant=2", "ksg-v1", "cca", "cca:corrected=true", "histogram", "histogram:spacing=mass"]


def value(name: str, x: Array, y: Array) -> float:
    estimator = mibench.get_estimator(name)
    assert isinstance(estimator, SampleEstimator)
    return estimator.value(torch.from_numpy(x), torch.from_numpy(y))


def sample(n: int, dim_x: int, dim_y: int, seed: int = 0) -> tuple[Array, Array]:
    """A dependent sample that is not Gaussian."""
    g = np.random.default_rng(seed)
    x = g.normal(size=(n, dim_x))
    y = x[:, :1] ** 2 + 0.5 * x.sum(1, keepdims=True) + g.normal(size=(n, dim_y))
    return x, y


def gaussian(n: int, mi: float, dim: int, seed: int = 0) -> tuple[Array, Array]:
    task = mibench.get_task("gaussian20d", mi=mi, dim=dim)
    x, y = task.sample(n, torch.Generator().manual_seed(seed))
    return x.double().numpy(), y.double().numpy()


# Nearest neighbours


def ksg_in_loops(x: Array, y: Array, k: int, variant: int) -> float:
    n = len(x)
    terms = []
    for i in range(n):
        others = [j for j in range(n) if j != i]
        d_x = {j: max(abs(x[i] - x[j])) for j in others}
        d_y = {j: max(abs(y[i] - y[j])) for j in others}
        reach = sorted(max(d_x[j], d_y[j]) for j in others)[k - 1]
        nearest = [j for j in others if max(d_x[j], d_y[j]) <= reach]
        if variant == 1:
            n_x, n_y = (sum(d[j] < reach for j in others) for d in (d_x, d_y))
            terms.append(digamma(n_x + 1) + digamma(n_y + 1))
        else:
            n_x, n_y = (sum(d[j] <= max(d[i] for i in nearest) for j in others) for d in (d_x, d_y))
            terms.append(digamma(n_x) + digamma(n_y))
    return float(digamma(n) + digamma(k) - (variant == 2) / k - np.mean(terms))


@pytest.mark.parametrize("variant", [1, 2])
@pytest.mark.parametrize(("n", "k", "dim_x", "dim_y"), [(5, 3, 1, 1), (130, 1, 1, 1), (130, 3, 2, 3), (70, 10, 4, 1)])
def test_ksg_is_its_formula(n: int, k: int, dim_x: int, dim_y: int, variant: int) -> None:
    x, y = sample(n, dim_x, dim_y)
    expected = ksg_in_loops(x, y, k, variant)
    assert value(f"ksg-v1:k={k},variant={variant}", x, y) == pytest.approx(expected, rel=1e-12)
    assert value(f"ksg:k={k},variant={variant},scale=none", x, y) == pytest.approx(expected, rel=1e-12)
    quantiles = scipy.stats.norm.ppf((np.arange(n) + 0.5) / n)
    quantiles -= quantiles[::-1]  # what mirrors another is as far from 0, to the last bit
    ranked = (quantiles[scipy.stats.rankdata(side, axis=0).astype(int) - 1] for side in (x, y))
    assert value(f"ksg:k={k},variant={variant}", x, y) == pytest.approx(ksg_in_loops(*ranked, k, variant), rel=1e-12)


@pytest.mark.parametrize("k", [3, 7])
def test_ksg_is_scikit_learns(k: int) -> None:
    feature_selection = pytest.importorskip("sklearn.feature_selection")
    x, y = sample(400, 1, 1)
    (expected,) = feature_selection.mutual_info_regression(x, y[:, 0], n_neighbors=k, random_state=0)
    assert value(f"ksg:k={k},scale=standard", x, y) == pytest.approx(expected, rel=1e-9)
    assert value(f"ksg-v1:k={k}", x / x.std(), y / y.std()) == pytest.approx(expected, rel=1e-9)


def correlated(n: int = 1000) -> tuple[Array, Array, Array]:
    """Normal x and y with 0.511 nats, and a normal that is independent of both."""
    g = np.random.default_rng(0)
    x = g.normal(size=(n, 1))
    return x, 0.8 * x + 0.6 * g.normal(size=(n, 1)), g.normal(size=(n, 1))


@pytest.mark.parametrize(("units", "unscaled"), [(1, 0.513), (100, 0.347), (1000, 0.029), (1e6, 0.0)])
def test_units_do_not_matter_to_the_second_version_of_ksg(units: float, unscaled: float) -> None:
    x, y, _ = correlated()
    assert value("ksg-v1", x, units * y) == pytest.approx(unscaled, abs=6e-4)  # its numbers are published
    for name in ("ksg", "ksg:variant=2", "ksg:scale=standard"):
        assert value(name, x, units * y) == pytest.approx(value(name, x, y), rel=1e-9)
        assert value(name, x, units * y) == pytest.approx(0.511, abs=0.03)


def test_units_within_a_side_do_not_matter_either() -> None:
    x, y, z = correlated()
    both = np.hstack((x, z))
    for scale in ("rank", "standard"):
        name = f"ksg:scale={scale}"
        assert value(name, both * [1e3, 1e-3], y) == pytest.approx(value(name, both, y), rel=1e-9)


def test_increasing_maps_do_not_matter_to_ranks() -> None:
    x, y, _ = correlated()
    assert value("ksg", x**3, np.exp(y)) == value("ksg", x, y)
    assert value("ksg-v1", x**3, y**3) == pytest.approx(0.443, abs=6e-4)


def test_a_shipped_task_whose_sides_have_other_units() -> None:
    task = mibench.get_task("normal:covariances=1_90/90_10000")
    x, y = (side.double().numpy() for side in task.sample(1000, torch.Generator().manual_seed(0)))
    assert value("ksg-v1", x, y) == pytest.approx(0.571, abs=6e-4)
    for name in ("ksg", "ksg:variant=2"):
        assert value(name, x, y) == pytest.approx(task.mi, abs=0.03)


def classes(count: int, n: int = 1000) -> tuple[Array, Array, float]:
    """Equally likely classes as one-hot columns, a normal around each one's mean, and their information."""
    g = np.random.default_rng(1)
    label = g.integers(0, count, n)
    y = (3 * label + g.normal(size=n))[:, None]
    at = np.linspace(-8, 3 * count + 8, 20001)
    each = scipy.stats.norm.pdf(at[:, None], 3 * np.arange(count))
    terms = each * np.log(np.maximum(each, 1e-300) / each.mean(1, keepdims=True))
    return np.eye(count)[label], y, float(terms.sum() / count * (at[1] - at[0]))


@pytest.mark.parametrize("variant", [1, 2])
def test_equal_numbers_are_told_apart_without_a_change_of_the_information(variant: int) -> None:
    name = f"ksg:variant={variant}"
    x, y, z = correlated()
    assert value(name, x.round(1), y.round(1)) == pytest.approx(0.511, abs=0.04)
    assert value(name, x.round(1), z.round(1)) == pytest.approx(0, abs=0.04)
    assert value(name, x.round(), z.round()) == pytest.approx(0, abs=0.04)
    bit = np.sign(z)
    ratio = scipy.stats.norm.pdf(y) / sum(scipy.stats.norm.pdf(y + bit, mean) / 2 for mean in (-1, 1))
    assert value(name, bit, bit + y) == pytest.approx(np.log(ratio).mean(), abs=0.04)  # 0.337 with this sample's luck
    for count in (3, 10):
        one_hot, around, truth = classes(count)
        assert value(name, one_hot, around) == pytest.approx(truth, abs=0.07)


def test_what_the_first_version_says_of_equal_numbers_stays() -> None:
    x, y, z = correlated()
    assert value("ksg-v1", x.round(1), y.round(1)) == pytest.approx(2.352, abs=6e-4)
    assert value("ksg-v1:variant=2", x.round(1), y.round(1)) == pytest.approx(-0.236, abs=6e-4)
    assert value("ksg-v1", x.round(1), z.round(1)) == pytest.approx(1.239, abs=6e-4)
    assert value("ksg-v1:variant=2", 0 * x, y) == pytest.approx(-1 / 3, abs=2e-3)
    assert value("ksg-v1:variant=2", np.sign(z), np.sign(z) + y) == pytest.approx(0.0, abs=0.05)  # of 0.337


@pytest.mark.parametrize("variant", [1, 2])
def test_how_equal_numbers_are_told_apart_depends_on_the_pairs_and_not_on_their_order(variant: int) -> None:
    name, order = f"ksg:variant={variant}", np.random.default_rng(3).permutation(300)
    x, y = (side.round() for side in sample(300, 2, 2))
    assert value(name, x[order], y[order]) == pytest.approx(value(name, x, y), rel=1e-12)
    assert value(name, 1000 * x, y - 7) == pytest.approx(value(name, x, y), rel=1e-12)


def test_constant_columns_tell_nothing() -> None:
    x, y, _ = correlated(100)
    constant = np.full((100, 2), 1e9)
    for name in ("ksg", "ksg:variant=2", "ksg:scale=standard"):
        assert value(name, constant, y) == value(name, x, constant) == value(name, constant, constant) == 0.0
        assert value(name, np.hstack((x, constant)), y) == value(name, x, y)


def test_rows_that_are_given_several_times_are_refused() -> None:
    x, y, z = correlated()
    with pytest.raises(UsageError, match=r"^400 of 1200 rows repeat others, .* give each pair once"):
        value("ksg", np.vstack((x, x[:200])), np.vstack((y, y[:200])))
    drawn = np.random.default_rng(5).integers(0, 1000, 1000)  # a bootstrap
    with pytest.raises(UsageError, match="rows repeat others"):
        value("ksg", x[drawn], y[drawn])
    few = np.vstack((x, x[:4])), np.vstack((y, y[:4]))
    assert value("ksg", *few) == pytest.approx(value("ksg", x, y), abs=0.02)
    bit = np.sign(z)  # repeats with many partners, and repeats that are many
    assert value("ksg", x[drawn], bit[drawn]) == pytest.approx(0, abs=0.05)
    assert value("ksg", bit, -bit) == pytest.approx(math.log(2), abs=0.1)


def test_equal_numbers_without_ranks_are_refused() -> None:
    x, y, _ = correlated()
    for scale in ("standard", "none"):
        with pytest.raises(UsageError, match=f"stand there more than once, .* with scale={scale}; use scale=rank"):
            value(f"ksg:scale={scale}", x.round(2), y)
        assert math.isfinite(value(f"ksg:scale={scale}", x.round(5), y))


def test_ksgs_ceilings_are_reached() -> None:
    line = np.arange(400.0)[:, None] ** 1.01  # no two distances are equal
    ksg = mibench.get_estimator("ksg-v1:k=2")
    assert value("ksg-v1:k=2", line, line) == pytest.approx(float(digamma(400) - digamma(2)), rel=1e-12)
    second = mibench.get_estimator("ksg-v1:k=2,variant=2")
    assert value("ksg-v1:k=2,variant=2", line, line) == pytest.approx(second.ceiling(n=400, m=1), rel=1e-12)
    same = np.zeros((400, 1))
    assert value("ksg-v1:k=2", same, same) == pytest.approx(ksg.ceiling(n=400, m=1), rel=1e-12)
    assert ksg.ceiling(n=400, m=1) == pytest.approx(float(digamma(400) + digamma(2) - 2 * digamma(1)), rel=1e-12)


# Gaussian


def canonical_correlations(x: Array, y: Array) -> Array:
    """From the covariance's blocks: the roots of the eigenvalues of S_xx^-1 S_xy S_yy^-1 S_yx."""
    d = x.shape[1]
    s = np.cov(np.hstack((x, y)), rowvar=False)
    product = np.linalg.solve(s[:d, :d], s[:d, d:]) @ np.linalg.solve(s[d:, d:], s[d:, :d])
    roots: Array = np.sqrt(np.sort(np.linalg.eigvals(product).real)[::-1][: min(d, y.shape[1])])
    return roots


@pytest.mark.parametrize(("dim_x", "dim_y"), [(1, 1), (2, 3), (5, 2), (20, 20)])
def test_cca_is_its_formula(dim_x: int, dim_y: int) -> None:
    x, y = sample(150, dim_x, dim_y)
    expected = -0.5 * float(np.log1p(-(canonical_correlations(x, y) ** 2)).sum())
    assert value("cca", x, y) == pytest.approx(expected, rel=1e-9)


def test_cca_of_chosen_correlations_is_exact() -> None:
    """Columns of an orthogonal matrix make a sample with the correlations 0.6, 0.8 and 1 - 1e-12."""
    g = np.random.default_rng(1)
    base = np.linalg.qr(np.hstack((np.ones((50, 1)), g.normal(size=(50, 6)))))[0][:, 1:]
    sines = np.array([0.8, 0.6, 1e-6])
    x, other = base[:, :3], base[:, 3:]
    y = np.sqrt(1 - sines**2) * x + sines * other
    mixed_x, mixed_y = x @ g.normal(size=(3, 3)) + 4, y @ g.normal(size=(3, 3)) - 1  # of no consequence
    assert value("cca", mixed_x, mixed_y) == pytest.approx(-float(np.log(sines).sum()), rel=1e-8)


def test_columns_that_add_nothing_leave_cca_as_it_is() -> None:
    x, y = sample(60, 2, 2)
    wider = np.hstack((x, x.sum(1, keepdims=True), np.full((60, 1), 0.1)))
    for name in ("cca", "cca:corrected=true"):
        assert value(name, wider, y) == pytest.approx(value(name, x, y), rel=1e-9)
    assert value("cca", np.full((60, 2), 0.1), y) == 0.0


@pytest.mark.parametrize("mi", [0.0, 4.0])
def test_ccas_bias_on_gaussians_is_the_one_stated(mi: float) -> None:
    n, dim = 40, 3
    values = np.array([value("cca", *gaussian(n, mi, dim, seed)) for seed in range(800)])
    error = 4 * values.std() / math.sqrt(len(values))
    bias = gaussian_bias(n, dim, dim)
    assert error < bias / 2  # so that the test can tell
    assert abs(values.mean() - mi - bias) < error
    corrected = value("cca:corrected=true", *gaussian(n, mi, dim))
    assert corrected == pytest.approx(values[0] - bias, rel=1e-12)


# Histogram


def test_the_histogram_counts_cells() -> None:
    x = np.array([0.0, 0.9, 2.1, 3.0, 4.0, 4.0])[:, None]  # two bins of width 2: 0 0 1 1 1 1
    y = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 1.0])[:, None]
    cells = {(0, 0): 1, (0, 1): 1, (1, 0): 1, (1, 1): 3}
    p_x, p_y = {0: 2 / 6, 1: 4 / 6}, {0: 2 / 6, 1: 4 / 6}
    expected = sum(c / 6 * math.log(c / 6 / (p_x[a] * p_y[b])) for (a, b), c in cells.items())
    assert value("histogram:bins=2", x, y) == pytest.approx(expected, rel=1e-12)
    corrected = expected + (2 + 2 - 4 - 1) / 12
    assert value("histogram:bins=2,miller_madow=true", x, y) == pytest.approx(corrected, rel=1e-12)


def test_equal_mass_puts_equally_many_into_each_bin_and_parts_no_ties() -> None:
    x = np.exp(np.arange(12.0))[:, None]
    assert value("histogram:bins=4,spacing=mass", x, x) == pytest.approx(math.log(4), rel=1e-12)
    tied = np.array([0.0] * 8 + [1.0] * 4)[:, None]  # bins 0 and 2 of 4
    entropy = -(2 / 3) * math.log(2 / 3) - (1 / 3) * math.log(1 / 3)
    assert value("histogram:bins=4,spacing=mass", tied, tied) == pytest.approx(entropy, rel=1e-12)


def test_in_high_dimension_the_histogram_returns_its_ceiling() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 256, 20))  # independent
    for name in ("histogram", "histogram:miller_madow=true", "histogram:spacing=mass"):
        assert value(name, x, y) == pytest.approx(mibench.get_estimator(name).ceiling(n=256, m=1), rel=1e-12)


@pytest.mark.parametrize("spacing", ["width", "mass"])
@pytest.mark.parametrize("dims", [(1, 1), (2, 1)])
def test_the_histogram_is_the_sum_over_a_dense_table(spacing: str, dims: tuple[int, int]) -> None:
    (x, y), bins = sample(300, *dims), 4

    def cells(columns: Array) -> list[tuple[int, ...]]:
        if spacing == "width":
            edges = [np.linspace(c.min(), c.max(), bins + 1)[1:-1] for c in columns.T]
        else:
            edges = [np.sort(c)[[len(c) * b // bins for b in range(1, bins)]] for c in columns.T]
        return [tuple(sum(v >= edge for edge in e) for v, e in zip(row, edges, strict=True)) for row in columns]

    cells_x, cells_y = cells(x), cells(y)
    joint = [(a, b) for a, b in zip(cells_x, cells_y, strict=True)]
    expected = sum(
        p * math.log(p / (cells_x.count(a) / 300 * (cells_y.count(b) / 300)))
        for a, b in set(joint)
        for p in [joint.count((a, b)) / 300]
    )
    assert value(f"histogram:bins={bins},spacing={spacing}", x, y) == pytest.approx(expected, rel=1e-12)


# The contract


@pytest.mark.parametrize("name", NAMES)
def test_values_are_float64_and_symmetric_and_do_not_depend_on_the_order(name: str) -> None:
    x, y = sample(100, 2, 2)
    order = np.random.default_rng(3).permutation(100)
    first = value(name, x, y)
    assert value(name, x[order], y[order]) == pytest.approx(first, rel=1e-12)
    assert value(name, y, x) == pytest.approx(first, rel=1e-9)
    assert value(name, x * 3 + 1, y) == pytest.approx(first, rel=1e-9) or name == "ksg-v1"


@pytest.mark.parametrize("name", NAMES)
def test_there_are_no_scores(name: str) -> None:
    estimator, scores = mibench.get_estimator(name), Scores(torch.ones(4), torch.ones(4, 1))
    with pytest.raises(TypeError, match="takes a sample of pairs and no scores; call value"):
        estimator.estimate(scores)
    with pytest.raises(TypeError, match="trains nothing and has no loss; call value"):
        estimator.loss(scores)


@pytest.mark.parametrize(
    ("x", "y", "part"),
    [
        (torch.ones(9), torch.ones(9, 1), r"not \(9,\) and \(9, 1\); give a row per pair"),
        (torch.ones(9, 1), torch.ones(8, 1), r"not \(9, 1\) and \(8, 1\)"),
        (torch.ones(9, 0), torch.ones(9, 1), r"not \(9, 0\) and \(9, 1\)"),
        (torch.ones(3, 1), torch.ones(3, 1), "too small for KSG; give at least 4"),
        (torch.full((9, 1), math.nan), torch.ones(9, 1), "numbers that are not finite"),
        (torch.ones(9, 1), torch.full((9, 1), math.inf), "numbers that are not finite"),
    ],
)
def test_bad_samples_are_refused(x: torch.Tensor, y: torch.Tensor, part: str) -> None:
    ksg = mibench.get_estimator("ksg")
    assert isinstance(ksg, SampleEstimator)
    with pytest.raises(UsageError, match=part):
        ksg.value(x, y)


@pytest.mark.parametrize("name", ["ksg:k=0", "ksg:variant=3", "histogram:bins=1", "histogram:spacing=log"])
def test_parameters_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        mibench.get_estimator(name)


# Runs


def specs_of(**options: Any) -> list[RunSpec]:
    base = {"task": "gaussian20d:dim=2", "batch": 64, "steps": 12, "window": 6, "every": 5, "seeds": 1}
    level = {} if "schedule" in options else {"mi": 1.0}
    return resolve({**base, **level, **options})


def test_critics_and_samplers_of_a_grid_make_no_difference() -> None:
    (plain,) = specs_of(estimator="ksg")
    grid = specs_of(estimator="ksg", critic=["joint", "oracle", "cosine", "none"], negatives=["shuffle", "none"])
    assert [spec.run_id for spec in grid] == [plain.run_id]
    assert (plain.critic, plain.negatives) == ("none-v1", "none-v1")
    assert (plain.hidden, plain.activation, plain.dropout, plain.lr, plain.weight_decay) == (None,) * 5
    assert [spec.run_id for spec in specs_of(estimator="ksg", lr=[1e-3, 1e-4], hidden=["1x8", "2x8"])] == [plain.run_id]
    mixed = specs_of(estimator=["nwj", "ksg"], critic=["joint", "oracle"])
    assert sorted(spec.critic for spec in mixed) == ["joint-v1", "none-v1", "oracle-v1"]


def test_a_step_evaluates_a_fresh_sample(small_pools: None) -> None:
    (spec,) = specs_of(estimator="cca", every=1)
    (result,) = train_pack([spec])
    task, cca = mibench.get_task("gaussian20d", dim=2, mi=1.0), mibench.get_estimator("cca")
    assert isinstance(cca, SampleEstimator)
    x, y = task.sample(12 * 64, stream(spec.run_id, "data"))
    values = [cca.value(a, b) for a, b in zip(x.split(64), y.split(64), strict=True)]
    assert result.curve["estimate_train"].tolist() == values
    assert result.curve["loss"].tolist() == [-v for v in values]
    row = result.rows[0]
    assert row["estimate_train"] == pytest.approx(np.mean(values[-6:]), rel=1e-12)
    pool = cca.value(*task.sample(PAIRS, stream(spec.run_id, "pool")))
    assert (row["estimate_fresh_large"], row["fresh_pool"], row["fresh_pool_negatives"]) == (pool, PAIRS, 0)


def test_rows_say_that_there_is_no_critic(small_pools: None) -> None:
    (result,) = train_pack(specs_of(estimator="histogram:bins=8"))
    (row,) = result.rows
    assert list(row) == [column.name for column in RUNS]
    assert (row["critic"], row["negatives"], row["n_negatives"], row["fixed_points"]) == ("none", "none", 0, 0.0)
    assert (row["kind"], row["ceiling"], row["predicted_ceiling"]) == ("plug-in", math.log(64), math.inf)
    assert (row["lr"], row["hidden"], row["status"]) == (None, None, "ok")
    assert math.isnan(row["ess"])
    assert np.isnan(result.curve["ess"]).all()


def test_a_run_is_the_same_alone_and_in_a_pack(small_pools: None) -> None:
    specs = specs_of(estimator=["ksg", "cca", "histogram"], schedule=[0.5, 2.0], batch=50)
    assert len({pack_key(spec) for spec in specs}) == 1
    together = train_pack(specs)
    assert [row["mi_true"] for row in together[0].rows] == [0.5, 2.0]
    for spec, result in zip(specs, together, strict=True):
        assert same(train_pack([spec])[0], result)


def test_a_trained_estimator_without_a_critic_is_refused_in_the_engine_too() -> None:
    (spec,) = specs_of(estimator="nwj", critic="bilinear", batch=8)
    without = RunSpec.from_json(spec.canonical.replace("bilinear-v1", "none-v1"))
    with pytest.raises(UsageError, match="critic 'none' gives no scores"):
        train_pack([without])


def test_end_to_end_with_a_trained_run_beside(tmp_path: Path) -> None:
    runs = mibench.run(
        task="gaussian20d:dim=2",
        mi=[1, 2],
        estimator=["ksg", "cca", "histogram", "nwj"],
        critic="bilinear",
        batch=256,
        steps=20,
        seeds=1,
        results=tmp_path / "results",
    )
    assert runs["status"].tolist() == ["ok"] * 8
    assert runs.groupby("critic")["estimator"].unique().map(set).to_dict() == {
        "none": {"ksg", "cca", "histogram"},
        "bilinear": {"nwj"},
    }
    taken = runs[runs["critic"] == "none"]
    assert set(taken["fresh_pool"]) == {SAMPLE_POOL}
    large = taken.set_index(["estimator", "mi_true"])["estimate_fresh_large"]
    for mi in (1.0, 2.0):  # four standard deviations of one sample of 8192
        assert large["ksg", mi] == pytest.approx(mi, abs=0.08)
        assert large["cca", mi] == pytest.approx(mi, abs=0.06)
    for where in ({"critic": ["none"]}, {}):  # alone, and beside the trained one
        done = draw_reports(
            ["saturation", "curves", "divergence"],
            results=tmp_path / "results",
            output=tmp_path / "reports",
            where=where,
        )
        assert all(result.files for result in done)
    assert "cca" in (tmp_path / "reports" / "curves.md").read_text(encoding="utf-8")
