"""The negative samplers: what they draw, how uniformly, and what they promise."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from mibench.core.errors import UsageError
from mibench.core.lookup import get_task
from mibench.core.registry import NEGATIVES
from mibench.core.sampler import NegativeSampler
from mibench.negatives.permutations import partial_derangements
from mibench.training.evaluation import predicted_optimum

N, STEPS = 8, 4000


def draw(name: str, steps: int = STEPS, n: int = N) -> torch.Tensor:
    sampler = NEGATIVES.create(name)
    y = torch.zeros(steps, n + sampler.extra(n), 1)
    return sampler.draw(y, n, torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ["shuffle", "shuffle:fixed=3", "derangement"])
def test_permutations_use_every_row_once(name: str) -> None:
    index = draw(name)
    assert index.shape == (STEPS, N, 1)
    assert torch.equal(index[..., 0].sort(1).values, torch.arange(N).expand(STEPS, -1))


@pytest.mark.parametrize(("name", "fixed"), [("derangement", 0), ("shuffle:fixed=0", 0), ("shuffle:fixed=3", 3)])
def test_fixed_points_are_exactly_as_many_as_asked_for(name: str, fixed: int) -> None:
    counts = (draw(name)[..., 0] == torch.arange(N)).sum(1)
    assert counts.unique().tolist() == [fixed]


def test_a_shuffle_has_one_fixed_point_on_average_with_variance_one() -> None:
    counts = (draw("shuffle")[..., 0] == torch.arange(N)).sum(1).double()
    assert abs(float(counts.mean()) - 1) < 4 / math.sqrt(STEPS)
    assert abs(float(counts.var()) - 1) < 0.15


@pytest.mark.parametrize(("name", "forbidden"), [("shuffle", False), ("derangement", True)])
def test_every_partner_is_equally_likely(name: str, forbidden: bool) -> None:
    partner = draw(name)[:, 0, 0]
    counts = torch.bincount(partner, minlength=N).tolist()
    if forbidden:
        assert counts.pop(0) == 0
    assert stats.chisquare(counts).pvalue > 1e-4


def test_which_points_stay_fixed_is_uniform() -> None:
    image = partial_derangements(STEPS, N, 2, torch.Generator().manual_seed(2))
    counts = (image == torch.arange(N)).sum(0).tolist()
    assert stats.chisquare(counts).pvalue > 1e-4


def test_independent_negatives_are_the_fresh_rows_of_the_pool_each_once() -> None:
    sampler = NEGATIVES.create("independent:m=3")
    assert (sampler.per_row(N), sampler.extra(N)) == (3, 3 * N)
    index = draw("independent:m=3", steps=2)
    assert index[0].flatten().tolist() == list(range(N, 4 * N))
    assert torch.equal(index[0], index[1])


def test_all_pairs_contrasts_with_every_other_row() -> None:
    sampler = NEGATIVES.create("all-pairs")
    assert sampler.all_pairs
    assert sampler.per_row(N) == N - 1


@pytest.mark.parametrize(
    ("name", "ceiling"),
    [
        ("shuffle", math.log(64)),
        ("shuffle:fixed=4", math.log(16)),
        ("shuffle:fixed=0", math.inf),
        ("derangement", math.inf),
        ("all-pairs", math.inf),
        ("independent:m=2", math.inf),
    ],
)
def test_the_predicted_ceiling_is_log_n_over_k(name: str, ceiling: float) -> None:
    assert NEGATIVES.create(name).predicted_ceiling(64) == pytest.approx(ceiling)


@pytest.mark.parametrize(
    ("batch", "mi", "expected"),
    [(64, 2.5, 2.05), (64, 10.0, 4.03), (64, 30.0, 4.16), (256, 5.0, 3.94), (1024, 7.5, 5.73), (1024, 30.0, 6.93)],
)
def test_the_predicted_optimum_of_a_shuffle(batch: int, mi: float, expected: float) -> None:
    task = get_task("gaussian20d", mi=mi)
    value = predicted_optimum(task, NEGATIVES.create("shuffle"), batch, "any run", 0)
    assert value == pytest.approx(expected, abs=0.05)  # the draws' standard error is about 0.015


def test_the_predicted_optimum_of_a_clean_sampler_is_the_truth() -> None:
    task = get_task("gaussian20d", mi=7.0)
    assert predicted_optimum(task, NEGATIVES.create("derangement"), 64, "any run", 0) == 7.0


@pytest.mark.parametrize("name", ["shuffle:fixed=-1", "independent:m=0"])
def test_parameters_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="at least"):
        NEGATIVES.create(name)


@pytest.mark.parametrize("fixed", [7, 9])
def test_impossible_numbers_of_fixed_points_are_refused(fixed: int) -> None:
    sampler: NegativeSampler = NEGATIVES.create(f"shuffle:fixed={fixed}")
    with pytest.raises(UsageError, match="no permutation"):
        sampler.per_row(8)
