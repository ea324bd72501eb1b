"""The f-DIME estimators on a table of nine cells, where pairs and products are enumerated exactly."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mibench.core.lookup import get_estimator
from mibench.core.scores import Scores

COUNTS = torch.tensor([[5, 1, 2], [1, 6, 1], [3, 2, 4]])
JOINT = COUNTS.double() / COUNTS.sum()
PRODUCT = JOINT.sum(1, keepdim=True) * JOINT.sum(0, keepdim=True)
LOG_RATIO = (JOINT / PRODUCT).log()

# What the dual of each divergence is worth at its optimum
DIVERGENCES = {
    "kl-dime": float((JOINT * LOG_RATIO).sum()),
    "hd-dime": float((JOINT.sqrt() - PRODUCT.sqrt()).square().sum()),
    "gan-dime": float(
        (JOINT * (2 * JOINT / (JOINT + PRODUCT)).log() + PRODUCT * (2 * PRODUCT / (JOINT + PRODUCT)).log()).sum()
    ),
}


def population(critic: Tensor) -> Scores:
    """A critic's scores (3, 3) of all pairs as often as they occur, each row against every y as often as it occurs."""
    cells = torch.arange(9).repeat_interleave(COUNTS.flatten())
    x, y = cells // 3, cells % 3
    return Scores.from_pairs(critic[x, y], critic[x.unsqueeze(1), y.unsqueeze(0)])


@pytest.mark.parametrize("name", DIVERGENCES)
def test_with_the_exact_critic_the_estimate_is_the_truth_and_the_loss_the_divergence(name: str) -> None:
    estimator, scores = get_estimator(name), population(LOG_RATIO)
    assert float(estimator.estimate(scores)) == pytest.approx(DIVERGENCES["kl-dime"], rel=1e-12)
    assert float(estimator.loss(scores)) == pytest.approx(-DIVERGENCES[name], rel=1e-12)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_the_loss_is_least_at_the_exact_critic(name: str) -> None:
    estimator = get_estimator(name)
    critic = LOG_RATIO.clone().requires_grad_()
    loss = estimator.loss(population(critic))
    (gradient,) = torch.autograd.grad(loss, critic)
    assert float(gradient.abs().max()) < 1e-14
    g = torch.Generator().manual_seed(0)
    for scale in (0.01, 0.3, 2.0):
        for _ in range(20):
            other = LOG_RATIO + scale * torch.randn(3, 3, generator=g, dtype=torch.float64)
            assert float(estimator.loss(population(other))) > float(loss.detach())


def test_kl_dimes_loss_is_that_of_nwj_at_the_critic_plus_one() -> None:
    scores = population(0.3 * LOG_RATIO)
    shifted = Scores(scores.pos + 1, scores.neg + 1)
    assert float(get_estimator("kl-dime").loss(scores)) == pytest.approx(float(get_estimator("nwj").loss(shifted)))


def test_gan_dime_is_js_but_for_a_constant_and_the_negatives() -> None:
    scores, gan, js = population(0.3 * LOG_RATIO), get_estimator("gan-dime"), get_estimator("js")
    assert float(gan.loss(scores)) == pytest.approx(float(js.loss(scores)) - math.log(4))
    assert (gan.default_negatives, js.default_negatives) == ("derangement-v1", "shuffle-v1")
