"""Exact moments on the binary pair: the paper's figures, against the estimators themselves on every possible batch."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

import mibench
from mibench.core.errors import UsageError
from mibench.core.lookup import get_estimator, get_task
from mibench.core.scores import Scores
from mibench.tasks.binary_exact import BinaryExact

NAMES = ("infonce", "alpha-cpc", "ml-cpc", "alpha-ml-cpc")


def exact(p: float = 0.5) -> BinaryExact:
    task = get_task("binary-exact", p=p)
    assert isinstance(task, BinaryExact)
    return task


def smallest_alpha(n: int) -> float:
    """Where multi-label CPC stops being a bound, at m = n."""
    return n / (n * (n - 1) + 1)


def values(name: str, symbols: Tensor) -> Tensor:
    """Values of an estimator on batches of symbols, (b, n) to (b,), for the critic that is 1 where x = y and else 0."""
    matrix = (symbols.unsqueeze(-1) == symbols.unsqueeze(-2)).double().log()  # 0 and -inf
    return get_estimator(name).estimate(Scores.from_matrix(matrix))


def test_example_1_of_the_paper() -> None:
    task = exact()
    assert task.expected("alpha-cpc", n=3, alpha=0.5) == pytest.approx(0.7174, abs=5e-5)
    assert task.expected("alpha-ml-cpc", n=3, alpha=0.5) == pytest.approx(0.6082, abs=5e-5)
    # all equal with probability 1/4, else two rows of one equal negative and a row of none
    assert task.expected("cpc", n=3) == pytest.approx(0.75 * (2 * math.log(3 / 2) + math.log(3)) / 3, rel=1e-14, abs=0)
    assert task.variance("ml-cpc", n=3) == pytest.approx(0.75 * 0.25 * math.log(9 / 5) ** 2, rel=1e-14, abs=0)


@pytest.mark.parametrize("p", [0.5, 0.2])
@pytest.mark.parametrize(("name", "alpha"), [
    ("infonce", 1), ("ml-cpc", 1), *itertools.product(("alpha-cpc", "alpha-ml-cpc"), (0.01, 0.5, 1, 1.7)),
])  # fmt: skip
def test_moments_are_those_of_the_estimator_over_all_batches(name: str, alpha: float, p: float) -> None:
    text = f"{name}:alpha={alpha}" if name.startswith("alpha") else name
    for n in range(2, 11):
        batches = torch.tensor(list(itertools.product((0, 1), repeat=n)))
        ones = batches.sum(1).double()
        probability = p**ones * (1 - p) ** (n - ones)
        each = values(text, batches)
        mean = float(probability @ each)
        assert exact(p).expected(name, n=n, alpha=alpha) == pytest.approx(mean, rel=1e-12, abs=0)
        assert exact(p).variance(name, n=n, alpha=alpha) == pytest.approx(
            float(probability @ (each - mean) ** 2), rel=1e-10, abs=0
        )


@pytest.mark.parametrize("name", ["infonce", "alpha-cpc:alpha=0.1", "ml-cpc", "alpha-ml-cpc:alpha=0.1"])
@pytest.mark.parametrize("p", [0.5, 0.3])
def test_moments_agree_with_sampled_batches_of_64(name: str, p: float) -> None:
    task, count = exact(p), 2000
    x, _ = task.sample(64 * count, torch.Generator().manual_seed(0))
    symbols = x.argmax(-1).view(count, 64)
    each = torch.cat([values(name, part) for part in symbols.split(250)])
    mean, variance = each.mean(), each.var()
    assert abs(task.expected(name, n=64) - mean) < 4 * (variance / count).sqrt()
    fourth = (each - mean).pow(4).mean()
    assert abs(task.variance(name, n=64) - variance) < 4 * ((fourth - variance**2) / count).sqrt()


@pytest.mark.parametrize(("name", "alpha"), [("alpha-cpc", 1e-3), ("alpha-cpc", 30), ("alpha-ml-cpc", 1e-3)])
def test_a_large_sum_keeps_its_digits(name: str, alpha: float) -> None:
    n = 1000
    terms = []
    for t in range(n + 1):
        if name == "alpha-cpc":
            rows = [c * math.log(n / (alpha + (n - alpha) * (c - 1) / (n - 1))) / n for c in (t, n - t) if c]
            value = math.fsum(rows)
        else:
            equal = t * (t - 1) + (n - t) * (n - t - 1)
            value = -math.log(alpha / n + (1 - alpha / n) * (equal / (n * (n - 1))))
        terms.append((math.comb(n, t) / 2**n, value))  # a quotient of integers, rounded once
    mean = math.fsum(weight * value for weight, value in terms)
    variance = math.fsum(weight * (value - mean) ** 2 for weight, value in terms)
    assert exact().expected(name, n=n, alpha=alpha) == pytest.approx(mean, rel=1e-13, abs=0)
    assert exact().variance(name, n=n, alpha=alpha) == pytest.approx(variance, rel=1e-10, abs=0)


@pytest.mark.parametrize(("n", "p"), [(10**4, 0.5), (10**5, 0.5), (10**5, 0.01)])
def test_cpc_is_the_plug_in_entropy_of_the_batch_and_has_its_bias(n: int, p: float) -> None:
    # the expansion of that entropy's bias in powers of 1/n; the next term is of the order (1/np)^3
    series = -1 / (2 * n) + (1 - 1 / p - 1 / (1 - p)) / (12 * n**2)
    truth = exact(p).mi
    assert exact(p).expected("cpc", n=n) - truth == pytest.approx(series, abs=1 / (n * p) ** 3 + 2e-15)


@pytest.mark.parametrize("n", [3, 7, 10, 49, 1000])
@pytest.mark.parametrize("alpha", [0.3, 1])
def test_rare_symbols_keep_their_digits(n: int, alpha: float) -> None:
    p = 1e-14  # only batches of at most one 1 matter; one of none must count for nothing, not for a rounding error
    unlike = (1 - alpha / n) / (n - 1)  # weight of the one unequal negative of the other rows
    row_by_row = math.log(n / alpha) / n - (n - 1) / n * math.log1p(-unlike)
    assert exact(p).expected("alpha-cpc", n=n, alpha=alpha) == pytest.approx(n * p * row_by_row, rel=1e-10, abs=0)
    together = -math.log1p(-2 / n * (1 - alpha / n))
    assert exact(p).expected("alpha-ml-cpc", n=n, alpha=alpha) == pytest.approx(n * p * together, rel=1e-10, abs=0)


def test_a_smaller_weight_of_the_positives_gives_a_larger_value_up_to_the_ceiling() -> None:
    for name, n in itertools.product(("alpha-cpc", "alpha-ml-cpc"), (3, 16, 128)):
        curve = [exact().expected(name, n=n, alpha=alpha) for alpha in (2, 1, 0.5, 0.1, 0.01, 1e-4, 1e-300)]
        assert curve == sorted(curve)
        assert 0 < curve[0] < curve[-1] < math.log(n) + 300 * math.log(10)


def test_figure_1_multi_label_cpc_stays_below_the_truth_and_alpha_cpc_does_not() -> None:
    sizes = (3, 4, 8, 16, 64, 256, 1024)
    for p in (0.5, 0.2, 0.05):
        task = exact(p)
        for n in sizes:
            for alpha in (smallest_alpha(n), 0.5, 0.1, 1):
                if alpha >= smallest_alpha(n):
                    assert task.expected("alpha-ml-cpc", n=n, alpha=alpha) < task.mi
            assert task.expected("cpc", n=n) < task.mi
    above = [exact().expected("alpha-cpc", n=n, alpha=0.1) - math.log(2) for n in sizes]
    assert above == sorted(above, reverse=True)
    assert 0 < above[-1] < 1e-3
    assert exact().expected("alpha-ml-cpc", n=64, alpha=smallest_alpha(64) / 2) > math.log(2)


def test_figure_2_multi_label_cpc_at_its_smallest_alpha_trades_variance_for_bias() -> None:
    sizes = [2**k for k in range(1, 11)]
    task, truth = exact(), math.log(2)
    plain = [(truth - task.expected("cpc", n=n), task.variance("cpc", n=n)) for n in sizes]
    multi = [
        (truth - task.expected("alpha-ml-cpc", n=n, alpha=a), task.variance("alpha-ml-cpc", n=n, alpha=a))
        for n, a in zip(sizes, map(smallest_alpha, sizes), strict=True)
    ]
    for curve in (plain, multi):
        assert curve == sorted(curve, reverse=True)  # bias falls with m
        assert [v for _, v in curve] == sorted((v for _, v in curve), reverse=True)  # and so does variance
    for (bias, variance), (multi_bias, multi_variance) in zip(plain, multi, strict=True):
        assert 0 < multi_bias < bias / 2
        assert variance < multi_variance < 4 * variance


def test_one_weight_is_no_weight_and_names_take_every_form() -> None:
    task = exact(0.3)
    assert task.expected("cpc", n=7) == task.expected("infonce-v1", n=7) == task.expected("alpha-cpc", n=7)
    assert task.variance("ml-cpc", n=7) == task.variance("alpha-ml-cpc", n=7, alpha=1)
    assert task.expected("alpha-cpc:alpha=0.2", n=7) == task.expected("alpha-cpc", n=7, alpha=0.2)


@pytest.mark.parametrize(("name", "params", "part"), [
    ("nwj", {"n": 3}, "'nwj' is none of infonce, alpha-cpc, ml-cpc, alpha-ml-cpc"),
    ("cpcc", {"n": 3}, "unknown estimator 'cpcc'; did you mean 'cpc'"),
    ("cpc", {"n": 1}, "n must lie in 2..10000000, not 1"),
    ("cpc", {"n": 10**9}, "n must lie in 2..10000000"),
    ("cpc", {"n": 2.5}, "'2.5' is not a whole number"),
    ("cpc", {"n": 3, "alpha": 0.5}, "estimator 'cpc' has no parameter 'alpha'"),
    ("ml-cpc", {"n": 3, "alpha": math.nan}, "estimator 'ml-cpc' has no parameter 'alpha'"),
    ("alpha-cpc", {"n": 3, "alpha": 0}, "finite numbers above 0, not 0"),
    ("alpha-ml-cpc", {"n": 3, "alpha": math.inf}, "finite numbers above 0, not inf"),
    ("alpha-ml-cpc", {"n": 3, "alpha": math.nan}, "'nan' is not a number"),
    ("alpha-cpc", {"n": 3, "alpha": 3}, "alpha = 3 needs more than 3 classes in a row"),
    ("alpha-cpc:alpha=0.2", {"n": 3, "alpha": 0.3}, "gives 'alpha' twice"),
])  # fmt: skip
def test_bad_arguments_are_refused_in_one_sentence(name: str, params: dict[str, Any], part: str) -> None:
    for moment in (exact().expected, exact().variance):
        with pytest.raises(UsageError) as caught:
            moment(name, **params)
        assert part in str(caught.value)
        assert "\n" not in str(caught.value)


def test_it_is_sampled_like_the_binary_pair() -> None:
    plain, task = get_task("binary", p=0.2), exact(0.2)
    assert "binary-exact" in mibench.list_tasks()
    assert (task.mi, task.mi_method, task.mi_se, task.entropy_x) == (plain.mi, plain.mi_method, 0.0, plain.entropy_x)
    pairs = [t.sample(50, torch.Generator().manual_seed(1)) for t in (plain, task)]
    assert all(torch.equal(a, b) for a, b in zip(*pairs, strict=True))
    assert torch.equal(plain.log_ratio(*pairs[0]), task.log_ratio(*pairs[1]))
