"""Every estimator against plain float64 loops over its formula, and the properties that all must have."""

from __future__ import annotations

import functools
import math
import re

import pytest
import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.estimator import Estimator, SampleEstimator
from mibench.core.lookup import get_estimator, get_task, list_estimators
from mibench.core.scores import Scores
from tests.support.paths import ROOT
from tests.support.references import REFERENCES


def random_scores(n: int, m: int, *leading: int, scale: float = 2.0, dtype: torch.dtype = torch.float64) -> Scores:
    g = torch.Generator().manual_seed(n * 1000 + m)
    pos = scale * torch.randn(*leading, n, generator=g, dtype=dtype)
    return Scores.from_pairs(pos, scale * torch.randn(*leading, n, m, generator=g, dtype=dtype))


def test_every_estimator_has_a_reference() -> None:
    scoring = {name for name in list_estimators() if not isinstance(get_estimator(name), SampleEstimator)}
    assert {name.partition(":")[0] for name in REFERENCES} == scoring


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize(("n", "m"), [(2, 1), (5, 1), (5, 4), (64, 63)])
def test_estimate_and_loss_are_their_formulas(name: str, n: int, m: int) -> None:
    estimator, scores = get_estimator(name), random_scores(n, m)
    estimate, loss = REFERENCES[name]
    pos, neg = scores.pos.tolist(), scores.neg.tolist()
    assert float(estimator.estimate(scores)) == pytest.approx(estimate(pos, neg), rel=1e-10)
    # MINE's loss has DV's gradient at the first step; its value is another constant
    if name != "mine":
        assert float(estimator.loss(scores)) == pytest.approx(loss(pos, neg), rel=1e-10)


@pytest.mark.parametrize("name", REFERENCES)
def test_stacked_equals_single_bit_for_bit(name: str) -> None:
    estimator = get_estimator(name)
    for stacked in (random_scores(64, 63, 5, dtype=torch.float32), random_scores(64, 1, 5, dtype=torch.float32)):
        for r in range(5):
            single = Scores.from_pairs(stacked.pos[r : r + 1], stacked.neg[r : r + 1])
            assert torch.equal(estimator.estimate(stacked)[r], estimator.estimate(single)[0])
            assert torch.equal(estimator.loss(stacked)[r], estimator.loss(single)[0])


@pytest.mark.parametrize("name", [name for name in REFERENCES if not get_estimator(name).surrogate_loss])
def test_gradients_agree_with_finite_differences(name: str) -> None:
    estimator, scores = get_estimator(name), random_scores(4, 3)

    def loss(pos: Tensor, neg: Tensor) -> Tensor:
        return estimator.loss(Scores.from_pairs(pos, neg))

    inputs = (scores.pos.requires_grad_(), scores.neg.requires_grad_())
    assert torch.autograd.gradcheck(loss, inputs, eps=1e-6, atol=1e-7)


def adversarial() -> list[Scores]:
    ties = torch.zeros(6)
    huge = torch.full((6,), 1e4)
    return [
        Scores.from_pairs(ties, torch.zeros(6, 5)),
        Scores.from_pairs(huge, torch.full((6, 5), -1e4)),
        Scores.from_pairs(-huge, torch.full((6, 5), 1e4)),
        Scores.from_pairs(huge, torch.full((6, 5), 1e4)),
        Scores.from_pairs(torch.tensor([1e4, -1e4]), torch.tensor([[-1e4], [1e4]])),
        random_scores(6, 5, scale=1e4, dtype=torch.float32),
        random_scores(2, 1, scale=30, dtype=torch.float32),
    ]


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("scores", adversarial())
def test_the_ceiling_is_never_passed_and_log_space_stays_finite(name: str, scores: Scores) -> None:
    estimator = get_estimator(name)
    value = float(estimator.estimate(scores))
    rounded = 1 + torch.finfo(torch.float32).eps  # of the ceiling itself, as a float32 number
    assert value <= estimator.ceiling(n=scores.n, m=scores.m) * rounded
    # Only a bound that takes an exponential of scores may overflow, and then downwards.
    assert math.isfinite(value) or (name in ("nwj", "js-nwj", "tuba", "flo") and value == -math.inf)


@functools.lru_cache(maxsize=1)
def log_ratios(batches: int, n: int, mi: float, dim: int) -> torch.Tensor:
    """Exact log ratios of all pairs of some batches, (batches, n, n); the same for every estimator."""
    task = get_task("gaussian20d", mi=mi, dim=dim)
    x, y = task.sample(batches * n, torch.Generator().manual_seed(3))
    x, y = x.view(batches, n, 1, dim).double(), y.view(batches, 1, n, dim).double()
    return torch.cat([task.log_ratio(*sides) for sides in zip(x.split(100), y.split(100), strict=True)])


def exact_scores(name: str, batches: int, n: int = 64, mi: float = 1.386, dim: int = 10) -> tuple[Estimator, Scores]:
    estimator = get_estimator(name)
    return estimator, Scores.from_matrix(log_ratios(batches, n, mi, dim) + estimator.oracle_offset)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nwj", 1.386),
        ("js-nwj", 1.386),
        ("js", 1.386),
        ("infonce", 1.31),
        ("flatnce", 1.31),
        ("smile:tau=1", 1.63),
        ("kl-dime", 1.386),
        ("hd-dime", 1.386),
        ("gan-dime", 1.386),
        ("infonce-anchor", 1.386),
        ("tre", 1.386),
    ],
)
def test_values_with_the_exact_critic(name: str, expected: float) -> None:
    estimator, scores = exact_scores(name, batches=2000)
    values = estimator.estimate(scores)
    error = 2 * float(values.std()) / math.sqrt(len(values)) + 0.005  # figures are quoted to two decimals
    assert float(values.mean()) == pytest.approx(expected, abs=error)


def test_smile_passes_the_truth_or_stays_below_it_as_the_page_on_theory_says() -> None:
    section = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8").partition("### SMILE")[2].partition("###")[0]
    said = " ".join(section.split())
    smile = get_estimator("smile", tau=1)
    for symbols, words in ((2, "a fair bit and its copy give"), (3, "three equal symbols and theirs")):
        ratios = torch.eye(symbols, dtype=torch.float64).log() + math.log(symbols)
        exact = float(smile.estimate(Scores.from_pairs(ratios.diagonal(), ratios)))  # each pair of symbols once
        assert exact < math.log(symbols)
        assert f"{words} {exact:.3f} of {math.log(symbols):.3f}" in said
    task, generator = get_task("gaussian20d", dim=10, mi=2 * math.log(2)), torch.Generator().manual_seed(5)
    x, y = task.sample(2**18, generator)
    clipped = task.log_ratio(x, y.roll(1, 0)).double().clamp(-1, 1).exp()
    value = task.mi - math.log(float(clipped.mean()))
    error = 3 * float(clipped.std()) / math.sqrt(len(x)) / float(clipped.mean())
    assert value - error > task.mi
    quoted = re.search(r"tau = 1, ([\d.]+) where ([\d.]+) is true of 10 Gaussian pairs", said)
    assert quoted is not None
    above, true = quoted.groups()
    assert float(above) == pytest.approx(value, abs=error + 0.005)  # written with two decimals
    assert float(true) == pytest.approx(task.mi, abs=0.005)


def test_donsker_varadhan_over_estimates_on_a_small_batch_with_the_exact_critic() -> None:
    estimator, scores = exact_scores("dv", batches=4000, n=8, mi=3.0)
    values = estimator.estimate(scores)
    assert float(values.mean()) - 3 * float(values.std()) / math.sqrt(len(values)) > 3.0


def test_mine_averages_the_denominator_over_the_steps_of_each_run_alone() -> None:
    mine = get_estimator("mine", rate=0.9)
    steps = [random_scores(4, 3, 2), random_scores(4, 3, 2, scale=0.5)]
    state = torch.tensor([mine.initial_state()] * 2, dtype=torch.float64)
    expected = torch.zeros(2, dtype=torch.float64)
    weight = 0.0
    for scores in steps:
        neg = scores.neg.clone().requires_grad_()
        loss, state = mine.stateful_loss(Scores.from_pairs(scores.pos, neg), state)
        (gradient,) = torch.autograd.grad(loss.sum(), neg)
        batch_mean = scores.neg.exp().mean((1, 2))
        expected, weight = 0.9 * expected + 0.1 * batch_mean, 0.9 * weight + 0.1
        average = (expected / weight)[:, None, None]
        torch.testing.assert_close(gradient, scores.neg.exp() / (12 * average), rtol=1e-10, atol=0)


def test_mines_first_step_descends_donsker_varadhan() -> None:
    scores = random_scores(4, 3)
    gradients = []
    for name in ("mine", "dv"):
        neg = scores.neg.clone().requires_grad_()
        estimator, joint = get_estimator(name), Scores.from_pairs(scores.pos, neg)
        if estimator.state_size:
            loss, _ = estimator.stateful_loss(joint, torch.tensor(estimator.initial_state(), dtype=torch.float64))
        else:
            loss = estimator.loss(joint)
        gradients.append(torch.autograd.grad(loss, neg)[0])
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=0)


@pytest.mark.parametrize(
    "name",
    [
        "smile:tau=0",
        "smile:tau=-1",
        "mine:rate=1",
        "mine:rate=-0.1",
        "holder-flatnce:gamma=0",
        "holder-flatnce:gamma=inf",
        "infonce-anchor:nu=0",
        "infonce-anchor:nu=inf",
        "interpolated:alpha=0",
        "interpolated:alpha=1.1",
        "tre:bridges=0",
        "alpha-cpc:alpha=0",
        "alpha-ml-cpc:alpha=inf",
        "alpha-cpc:alpha_start=10",
        "alpha-cpc:alpha_steps=5",
        "alpha-ml-cpc:alpha_start=-1,alpha_steps=5",
        "alpha-cpc:alpha_start=1,alpha_steps=0",
        "hybrid:a=0",
        "hybrid:a=1",
        "v-information:variance=0",
        "v-information:variance=wide",
    ],
)
def test_parameters_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="must"):
        get_estimator(name)
