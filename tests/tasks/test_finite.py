"""Finite alphabets: truth by loops, samples by counts, impossible pairs through estimators, and two trained critics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from mibench.core.errors import UsageError
from mibench.core.lookup import get_estimator, get_task
from mibench.core.scores import Scores, effective_sample_size
from mibench.core.task import Task
from mibench.experiments.grid import resolve
from mibench.negatives.permutations import partial_derangements
from mibench.tasks.finite import FiniteTask, SymmetricChannel
from mibench.testing import check_task
from mibench.training.loop import train_pack

pytestmark = pytest.mark.usefixtures("one_thread")

DRAWS = 10**5
TABLES: dict[str, list[list[float]]] = {
    "symbols:k=2": [[0.5, 0], [0, 0.5]],
    "symbols:k=5": [[0.2 * (i == j) for j in range(5)] for i in range(5)],
    "binary": [[0.5, 0], [0, 0.5]],
    "binary:p=0.07": [[0.93, 0], [0, 0.07]],
    "finite": [[0.4, 0.1], [0.1, 0.4]],
    "finite:table=0.1_0.2_0.05/0_0.3_0.35": [[0.1, 0.2, 0.05], [0, 0.3, 0.35]],
    "finite:table=.06_.14/.15_.35/.09_.21": [[0.06, 0.14], [0.15, 0.35], [0.09, 0.21]],  # independent
    "finite:table=0.5_0_0.25/0_0_0/0_0_0.25": [[0.5, 0, 0.25], [0, 0, 0], [0, 0, 0.25]],  # symbols that never occur
    "finite:table=1_0/0_0": [[1, 0], [0, 0]],
    "symmetric-channel:mi=0,k=2": [[0.25, 0.25], [0.25, 0.25]],
    f"symmetric-channel:mi={math.log(3)},k=3": [[(i == j) / 3 for j in range(3)] for i in range(3)],
    # a flip in 5: ln 2 - H(0.2) nats
    f"symmetric-channel:mi={math.log(2) + 0.2 * math.log(0.2) + 0.8 * math.log(0.8)},k=2": [[0.4, 0.1], [0.1, 0.4]],
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def task_of(name: str) -> FiniteTask:
    task = get_task(name)
    assert isinstance(task, FiniteTask)
    return task


def marginals(table: list[list[float]]) -> tuple[list[float], list[float]]:
    return [sum(row) for row in table], [sum(column) for column in zip(*table, strict=True)]


def all_rows(task: Task) -> tuple[torch.Tensor, torch.Tensor]:
    """Every symbol of x beside every symbol of y, (dim_x, 1, dim_x) and (1, dim_y, dim_y)."""
    return torch.eye(task.dim_x).unsqueeze(1), torch.eye(task.dim_y).unsqueeze(0)


@pytest.mark.parametrize("name", TABLES)
def test_information_and_entropy_are_those_of_plain_loops(name: str) -> None:
    task, table = task_of(name), TABLES[name]
    of_x, of_y = marginals(table)
    information = 0.0
    for p_x, row in zip(of_x, table, strict=True):
        for p_y, p in zip(of_y, row, strict=True):
            if p > 0:
                information += p * math.log(p / (p_x * p_y))
    assert task.mi == pytest.approx(information, rel=1e-12, abs=1e-15)
    assert task.mi >= 0
    assert task.has_entropy_x
    assert task.entropy_x == pytest.approx(-sum(p * math.log(p) for p in of_x if p > 0), rel=1e-12)


@pytest.mark.parametrize(("k", "mi"), [(2, 1e-12), (2, 0.3), (7, 1e-6), (7, 1.9), (1024, 6.9)])
def test_the_symmetric_channel_has_the_information_asked_for(k: int, mi: float) -> None:
    task = SymmetricChannel(k=k, mi=mi)
    assert FiniteTask.mi.fget(task) == pytest.approx(mi, rel=1e-9, abs=1e-14)  # type: ignore[attr-defined]  # the sum
    flip = 1 - float(task.joint.diagonal().sum())
    entropy = -flip * math.log(flip) - (1 - flip) * math.log1p(-flip)
    assert math.log(k) - entropy - flip * math.log(k - 1) == pytest.approx(mi, rel=1e-9, abs=1e-13)


def test_closed_forms_are_those_of_the_definitions() -> None:
    assert get_task("symbols", k=7).mi == math.log(7)
    assert get_task("binary").mi == pytest.approx(math.log(2), rel=1e-15)
    assert get_task("binary", p=1e-12).mi == pytest.approx(1e-12 * (1 + 12 * math.log(10)), rel=1e-9)
    assert get_task("finite").mi == pytest.approx(math.log(2) + 0.8 * math.log(0.8) + 0.2 * math.log(0.2), rel=1e-12)
    methods = [get_task(name).mi_method for name in ("symbols", "binary", "finite")]
    assert methods == ["closed-form", "closed-form", "enumeration"]


@pytest.mark.parametrize("name", TABLES)
def test_the_log_ratio_is_that_of_the_table_and_impossible_pairs_have_minus_infinity(name: str) -> None:
    task, table = task_of(name), TABLES[name]
    of_x, of_y = marginals(table)
    ratio = task.log_ratio(*all_rows(task))
    assert ratio.dtype == torch.float64
    for i, row in enumerate(table):
        for j, p in enumerate(row):
            expected = math.log(p / (of_x[i] * of_y[j])) if p > 0 else -math.inf
            assert float(ratio[i, j]) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", TABLES)
def test_the_mean_log_ratio_of_pairs_is_the_truth(name: str) -> None:
    task = task_of(name)
    ratio = task.log_ratio(*task.sample(DRAWS, generator(1)))
    error = float(ratio.std()) / math.sqrt(DRAWS)
    assert abs(float(ratio.mean()) - task.mi) <= 4 * error + 1e-12


@pytest.mark.parametrize("name", TABLES)
def test_pairs_are_as_frequent_as_the_table_says_and_impossible_ones_never_occur(name: str) -> None:
    task, table = task_of(name), np.array(TABLES[name])
    x, y = task.sample(DRAWS, generator(2))
    assert x.dtype == y.dtype == torch.float32
    for side, columns in ((x, table.shape[0]), (y, table.shape[1])):
        assert side.shape == (DRAWS, columns)
        assert torch.equal(side.sum(1), torch.ones(DRAWS))
        assert torch.equal(side.square(), side)  # zeros and ones
    counts = (x.T.double() @ y.double()).numpy()
    assert not counts[table == 0].any()
    occurs = table > 0
    if occurs.sum() > 1:
        assert stats.chisquare(counts[occurs], DRAWS * table[occurs] / table.sum()).pvalue > 1e-4


@pytest.mark.parametrize("name", ["symbols", "binary:p=0.2", "finite"])
def test_the_same_stream_gives_the_same_pairs_and_every_call_fresh_ones(name: str) -> None:
    task, stream = get_task(name), generator(5)
    first, second = task.sample(100, stream), task.sample(100, stream)
    assert not torch.equal(first[0], second[0])
    for side, again in zip(first, get_task(name).sample(100, generator(5)), strict=True):
        assert torch.equal(side, again)


@pytest.mark.parametrize("name", TABLES)
def test_the_support_of_y_holds_what_occurs_with_its_probability(name: str) -> None:
    task, table = task_of(name), TABLES[name]
    values, log_probabilities = task.support_y()
    _, of_y = marginals(table)
    assert task.has_support_y
    assert log_probabilities.dtype == torch.float64
    assert values.argmax(1).tolist() == [j for j, p in enumerate(of_y) if p > 0]
    assert log_probabilities.exp().tolist() == pytest.approx([p for p in of_y if p > 0], rel=1e-12)
    drawn = task.sample(1000, generator())[1].unique(dim=0)
    assert {tuple(row) for row in drawn.tolist()} == {tuple(row) for row in values.tolist()}


@pytest.mark.parametrize("dim", [1, 20])
def test_gaussians_have_an_entropy_of_x_and_no_finite_support(dim: int) -> None:
    task = get_task("gaussian20d", dim=dim, mi=3.0)
    assert task.has_entropy_x
    assert task.entropy_x == pytest.approx(dim * float(stats.norm.entropy()), rel=1e-12)
    assert not task.has_support_y
    with pytest.raises(NotImplementedError, match="no known finite support"):
        task.support_y()


def test_a_task_without_a_known_entropy_says_so() -> None:
    assert not Task().has_entropy_x
    with pytest.raises(NotImplementedError, match="no known entropy"):
        _ = Task().entropy_x


def test_a_table_has_one_spelling_and_a_sum_of_exactly_one() -> None:
    one, other = get_task("finite:table=.40_1e-1/0.1_.4"), get_task("finite", table=" 0.4_0.1 / 0.1_0.4")
    assert one == other == get_task("finite")
    assert one.params() == (("table", "0.4_0.1/0.1_0.4"),)
    third = task_of("finite:table=0.3333333333_0/0.3333333333_0.3333333333")
    assert float(third.joint.sum()) == pytest.approx(1, abs=1e-15)
    assert third.mi == pytest.approx(math.log(3) - 4 / 3 * math.log(2), rel=1e-12)  # 2 H(1/3) - ln 3


@pytest.mark.parametrize(("name", "params", "part"), [
    ("symbols", {"k": 1}, "k must lie in 2..1024, not 1"),
    ("symbols", {"k": 1025}, "k must lie in 2..1024"),
    ("symbols", {"k": 2.5}, "not a whole number"),
    ("binary", {"p": 0}, "p must lie between 0 and 1"),
    ("binary", {"p": 1}, "p must lie between 0 and 1"),
    ("binary", {"p": math.nan}, "not a number"),
    ("symmetric-channel", {"k": 1}, "k must lie in 2..1024, not 1"),
    ("symmetric-channel", {"mi": 0.7, "k": 2}, "mi must lie between 0 and ln k = 0.693147, not 0.7"),
    ("symmetric-channel", {"mi": -0.1}, "mi must lie between 0 and ln k = 1.38629, not -0.1"),
    ("finite", {"table": "0.4,0.1/0.1,0.4"}, "entries by '_'): '0.4,0.1' is not a number"),
    ("finite", {"table": ""}, "'' is not a number"),
    ("finite", {"table": "0.5_nan/0.25_0.25"}, "'nan' is not a number"),
    ("finite", {"table": "0.5_0.5"}, "1 x 2 entries; give at least 2 x 2"),
    ("finite", {"table": "0.5/0.5"}, "2 x 1 entries; give at least 2 x 2"),
    ("finite", {"table": "0.5_0.25/0.25"}, "rows of 2, 1 entries; make them equal"),
    ("finite", {"table": "0.6_-0.1/0.1_0.4"}, "holds -0.1; probabilities must be at least 0"),
    ("finite", {"table": "0.4_0.1/0.1_0.40000001"}, "sums to 1.00000001; divide"),
    ("finite", {"table": "0_0/0_0"}, "sums to 0;"),
    ("finite", {"table": "inf_0/0_0"}, "sums to inf;"),
])  # fmt: skip
def test_bad_parameters_are_refused_in_one_sentence(name: str, params: dict[str, Any], part: str) -> None:
    with pytest.raises(UsageError) as caught:
        get_task(name, **params)
    assert part in str(caught.value)
    assert f"task '{name}'" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["symbols:k=37", "binary:p=0.2", *[name for name in TABLES if "=1_0" not in name]])
def test_other_parameters_conform_too(name: str) -> None:
    assert [f.sentence for f in check_task(get_task(name)) if not f.passed] == []


def test_impossible_pairs_count_as_equal_in_the_effective_sample_size() -> None:
    impossible, neg = torch.full((2, 3), -math.inf), torch.tensor([[0.0, -math.inf, -math.inf], [1.0, 1.0, -math.inf]])
    assert float(effective_sample_size(Scores.from_pairs(torch.zeros(2), impossible))) == 1
    assert float(effective_sample_size(Scores.from_pairs(torch.zeros(2), neg))) == pytest.approx((1 / 3 + 2 / 3) / 2)
    broken = Scores.from_pairs(torch.zeros(2), torch.tensor([[0.0, math.nan], [0.0, 1.0]]))
    assert math.isnan(float(effective_sample_size(broken)))


def estimates_on_symbols(estimator: str, batch: int, negatives: str, batches: int = 400) -> np.ndarray[Any, Any]:
    """Estimates of the exact critic on batches of 4 equally likely symbols."""
    task, one, stream = get_task("symbols"), get_estimator(estimator), generator(3)
    partners = partial_derangements(batches, batch, 0, stream)
    found = []
    for partner in partners:
        x, y = task.sample(batch, stream)
        matrix = task.log_ratio(x.unsqueeze(1), y.unsqueeze(0)) + one.oracle_offset
        cycle = Scores.from_pairs(matrix.diagonal(), matrix[torch.arange(batch), partner].unsqueeze(1))
        found.append(float(one.estimate(Scores.from_matrix(matrix) if negatives == "all-pairs" else cycle)))
    return np.array(found)


@pytest.mark.parametrize(("batch", "negatives"), [(8, "all-pairs"), (32, "all-pairs"), (32, "derangement")])
def test_infonce_of_the_exact_critic_has_the_mean_of_a_binomial_sum(batch: int, negatives: str) -> None:
    found = estimates_on_symbols("infonce", batch, negatives)
    m = batch if negatives == "all-pairs" else 2
    equal = np.arange(m)  # negatives of the row's own symbol; the others add nothing
    expected = float(np.sum(stats.binom.pmf(equal, m - 1, 0.25) * np.log(m / (1 + equal))))
    assert abs(found.mean() - expected) < 4 * found.std() / math.sqrt(len(found))


@pytest.mark.parametrize(("batch", "negatives"), [(4, "all-pairs"), (32, "all-pairs"), (32, "derangement")])
def test_nwj_of_the_exact_critic_is_unbiased(batch: int, negatives: str) -> None:
    found = estimates_on_symbols("nwj", batch, negatives)
    assert np.isfinite(found).all()  # also where all negatives of a batch are impossible
    assert abs(found.mean() - math.log(4)) < 4 * found.std() / math.sqrt(len(found))


def test_dv_of_the_exact_critic_is_infinite_where_all_negatives_are_impossible() -> None:
    found = estimates_on_symbols("dv", 4, "all-pairs")
    # a batch of 4 different symbols, of probability 4! / 4^4, has no possible pair among its negatives
    assert stats.binomtest(int(np.isposinf(found).sum()), len(found), 24 / 256).pvalue > 1e-4
    assert not np.isnan(found).any()


@pytest.mark.parametrize(("batch", "negatives"), [(4, "all-pairs"), (32, "all-pairs"), (32, "derangement")])
def test_dv_of_the_exact_critic_is_minus_the_log_of_an_unbiased_share(batch: int, negatives: str) -> None:
    shares = np.exp(-estimates_on_symbols("dv", batch, negatives))  # of the negatives with their row's symbol
    assert abs(shares.mean() - 1 / 4) < 4 * shares.std() / math.sqrt(len(shares))


@pytest.mark.parametrize("estimator", ["infonce", "nwj", "dv"])
@pytest.mark.parametrize("negatives", ["all-pairs", "derangement"])
def test_the_oracle_critic_goes_through_a_whole_run(estimator: str, negatives: str) -> None:
    (spec,) = resolve({
        "task": "symbols:k=4", "estimator": estimator, "critic": "oracle", "negatives": negatives,
        "batch": 64, "steps": 40, "window": 40, "every": 10, "seeds": 1,
    })  # fmt: skip
    (result,) = train_pack([spec])
    (row,) = result.rows
    assert (row["status"], row["nonfinite_steps"]) == ("ok", 0)
    assert (row["mi_true"], row["mi_method"]) == (math.log(4), "closed-form")
    assert row["predicted_optimum"] == pytest.approx(math.log(4), rel=1e-12)
    assert row["ess"] == pytest.approx(1 if negatives == "derangement" else 0.25, abs=0.02)
    equal = 1 / 4  # share of negatives with the row's symbol
    two_classes = equal * math.log(1) + (1 - equal) * math.log(2)
    expected = two_classes if (estimator, negatives) == ("infonce", "derangement") else math.log(4)
    # a pool of 2^15 pairs (mean of independent negatives' 0 or 4: sd 0.01 nats) or all pairs of 2^11
    assert row["estimate_fresh_large"] == pytest.approx(expected, abs=0.04)
    assert np.isfinite(result.curve["ess"]).all()


@pytest.mark.parametrize("estimator", ["infonce", "nwj"])
def test_a_separable_critic_learns_the_symbols(estimator: str) -> None:
    (spec,) = resolve({
        "task": "symbols:k=4", "estimator": estimator, "critic": "separable", "negatives": "all-pairs",
        "hidden": "1x32", "batch": 64, "steps": 700, "lr": 1e-3, "seeds": 1,
    })  # fmt: skip
    (row,) = train_pack([spec])[0].rows
    assert row["status"] == "ok"
    assert row["estimate_fresh_large"] == pytest.approx(math.log(4), abs=0.05)
