"""alpha-CPC and multi-label CPC: exact figures on a binary pair, bounds and ceilings, and alpha's schedule."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from mibench.core.errors import UsageError
from mibench.core.lookup import get_estimator, get_task
from mibench.core.scores import Scores
from mibench.experiments.grid import resolve

TRUTH = math.log(2)  # of X = Y, fair and binary
UNEQUAL = -1e4  # the identity critic's log score of an unequal pair: its exponential is zero in float64


def identity(x: tuple[int, ...], y: tuple[tuple[int, ...], ...]) -> Scores:
    """Scores of rows x_i = y_i against negatives y[i] by the identity critic: g = 1 for equal symbols, else 0."""
    neg = [[0.0 if a == b else UNEQUAL for b in row] for a, row in zip(x, y, strict=True)]
    return Scores.from_pairs(torch.zeros(len(x), dtype=torch.float64), torch.tensor(neg, dtype=torch.float64))


def expectation(name: str, n: int = 3, *, independent: bool = False) -> float:
    """Exact mean over all equally likely batches with m = n classes, negatives in-batch or drawn independently."""
    estimator, values = get_estimator(name), []
    for x in itertools.product((0, 1), repeat=n):
        others = [tuple(x[:i] + x[i + 1 :] for i in range(n))]
        if independent:
            rows = itertools.product((0, 1), repeat=n - 1)
            others = list(itertools.product(list(rows), repeat=n))
        values += [float(estimator.estimate(identity(x, negatives))) for negatives in others]
    return math.fsum(values) / len(values)


def test_alpha_cpc_passes_the_truth_on_a_fair_binary_pair() -> None:
    assert expectation("alpha-cpc:alpha=0.5") == pytest.approx(0.7174, abs=5e-5)
    assert expectation("alpha-cpc:alpha=1") < TRUTH


def test_multi_label_cpc_stays_below_the_truth_on_a_fair_binary_pair() -> None:
    assert expectation("alpha-ml-cpc:alpha=0.5") == pytest.approx(0.6082, abs=5e-5)
    assert expectation("alpha-ml-cpc:alpha=0.5", independent=True) == pytest.approx(0.5879, abs=5e-5)
    smallest = 3 / (3 * 2 + 1)
    assert expectation(f"alpha-ml-cpc:alpha={smallest}", independent=True) < TRUTH


def test_multi_label_cpc_passes_the_truth_below_its_smallest_alpha_only() -> None:
    # X = Y uniform on some symbols, n = m = 3: of six independent negatives a binomial number equals its row's symbol
    def excess(alpha: float, symbols: int) -> float:
        estimator, values = get_estimator("alpha-ml-cpc", alpha=alpha), []
        for equal in range(7):
            neg = torch.tensor([0.0] * equal + [UNEQUAL] * (6 - equal), dtype=torch.float64).view(3, 2)
            probability = math.comb(6, equal) * (1 / symbols) ** equal * (1 - 1 / symbols) ** (6 - equal)
            value = estimator.estimate(Scores.from_pairs(torch.zeros(3, dtype=torch.float64), neg))
            values.append(probability * float(value))
        return math.fsum(values) - math.log(symbols)

    smallest = 3 / (3 * 2 + 1)
    assert max(excess(smallest, symbols) for symbols in range(2, 60)) < 0
    assert max(excess(smallest / 2, symbols) for symbols in range(2, 60)) > 0


def test_at_its_smallest_alpha_the_bound_reaches_beyond_log_m() -> None:
    n = 64
    alpha = n / (n * (n - 1) + 1)
    estimator, task = get_estimator("alpha-ml-cpc", alpha=alpha), get_task("gaussian20d", mi=6.0, dim=20)
    x, y = (side.double() for side in task.sample(n, torch.Generator().manual_seed(0)))
    matrix = task.log_ratio(x.repeat_interleave(n, 0), y.repeat(n, 1)).view(n, n)
    value = float(estimator.estimate(Scores.from_matrix(0.5 * matrix)))
    assert math.log(n) < value < 6.0
    assert estimator.ceiling(n, n) == pytest.approx(math.log(n * (n - 1) + 1))
    assert estimator.kind_at(n, n) == "lower"


@pytest.mark.parametrize(
    ("name", "n", "m", "kind"),
    [
        ("alpha-cpc:alpha=0.99", 64, 64, "plug-in"),
        ("alpha-cpc:alpha=1", 64, 64, "lower"),
        ("alpha-ml-cpc:alpha=0.016", 64, 64, "lower"),  # from 64 / 4033 = 0.01587 on
        ("alpha-ml-cpc:alpha=0.015", 64, 64, "plug-in"),
        ("alpha-ml-cpc:alpha=0.015", 64, 2, "plug-in"),  # from 2 / 65 on
        ("alpha-ml-cpc:alpha=0.031", 64, 2, "lower"),
        ("alpha-ml-cpc:alpha=0.015", 128, 128, "lower"),
        ("ml-cpc", 2, 2, "lower"),
    ],
)
def test_the_kind_depends_on_alpha_and_on_the_batch(name: str, n: int, m: int, kind: str) -> None:
    assert get_estimator(name).kind_at(n=n, m=m) == kind


def random_scores(dtype: torch.dtype = torch.float64, n: int = 64) -> Scores:
    g = torch.Generator().manual_seed(0)
    pos = 3 * torch.randn(3, n, generator=g, dtype=dtype)
    return Scores.from_pairs(pos, 3 * torch.randn(3, n, n - 1, generator=g, dtype=dtype))


@pytest.mark.parametrize(("weighted", "plain"), [("alpha-cpc:alpha=1", "infonce"), ("alpha-ml-cpc:alpha=1", "ml-cpc")])
def test_alpha_one_has_the_bits_of_the_estimator_without_alpha(weighted: str, plain: str) -> None:
    scores = random_scores(torch.float32)
    values = [get_estimator(name).estimate(scores) for name in (weighted, plain)]
    assert torch.equal(*values)


@pytest.mark.parametrize("name", ["alpha-cpc", "alpha-ml-cpc"])
@pytest.mark.parametrize(("start", "end"), [(10.0, 0.1), (5.0, 0.2), (2.0, 0.5)])
def test_alpha_moves_geometrically_and_then_stays(name: str, start: float, end: float) -> None:
    estimator = get_estimator(name, alpha=end, alpha_start=start, alpha_steps=4)
    scores = random_scores()
    state = torch.tensor([estimator.initial_state()] * 3, dtype=torch.float64)
    for step in range(7):
        alpha = start * (end / start) ** (min(step, 4) / 4)
        loss, state = estimator.stateful_loss(scores, state)
        torch.testing.assert_close(loss, get_estimator(name, alpha=alpha).loss(scores), rtol=1e-12, atol=0)
    assert torch.equal(estimator.estimate(scores), get_estimator(name, alpha=end).estimate(scores))
    assert estimator.ceiling(64, 64) == math.log(64 / end)


def test_a_constant_alpha_carries_no_state() -> None:
    estimator, scores = get_estimator("alpha-ml-cpc"), random_scores()
    assert (estimator.state_size, get_estimator("alpha-ml-cpc:alpha_start=2,alpha_steps=9").state_size) == (0, 1)
    assert torch.equal(estimator.stateful_loss(scores, torch.empty(3, 0))[0], estimator.loss(scores))


def test_a_grid_refuses_rows_with_no_more_classes_than_alpha() -> None:
    grid = {"task": "gaussian20d", "mi": 2, "estimator": "alpha-cpc:alpha_start=10,alpha_steps=100", "batch": 64}
    assert len(resolve(grid)) > 0
    for change in ({"batch": 10}, {"negatives": "shuffle"}):
        with pytest.raises(UsageError, match="alpha = 10 needs more than 10 classes in a row"):
            resolve({**grid, **change})
