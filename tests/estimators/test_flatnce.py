"""FlatNCE and Hoelder-FlatNCE: the identities of their gradients, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mibench.core.lookup import get_estimator
from mibench.core.scores import Scores


def scores(n: int = 8, m: int = 7) -> Scores:
    g = torch.Generator().manual_seed(1)
    pos = 2 * torch.randn(3, n, generator=g, dtype=torch.float64) + 2
    neg = 2 * torch.randn(3, n, m, generator=g, dtype=torch.float64)
    return Scores.from_pairs(pos.requires_grad_(), neg.requires_grad_())


def gradients(name: str, given: Scores, scale: float = 1.0) -> tuple[Tensor, ...]:
    """Gradient, with respect to the scores T, of the loss of the critic ``scale T``."""
    loss = get_estimator(name).loss(Scores(scale * given.pos, scale * given.neg))
    return torch.autograd.grad(loss.sum(), (given.pos, given.neg))


def test_the_loss_is_constantly_one_and_says_so() -> None:
    for name in ("flatnce", "holder-flatnce", "holder-flatnce:gamma=-3"):
        assert torch.equal(get_estimator(name).loss(scores()), torch.ones(3, dtype=torch.float64))
        assert get_estimator(name).surrogate_loss


@pytest.mark.parametrize("name", ["flatnce", "holder-flatnce"])
def test_the_loss_is_one_beside_rows_of_impossible_negatives(name: str) -> None:
    given = scores().map(torch.detach)
    given.neg[:, 0] = -torch.inf
    assert torch.equal(get_estimator(name).loss(given), torch.ones(3, dtype=torch.float64))


def test_a_rows_gradient_is_that_of_infonce_over_the_negatives_share() -> None:
    given = scores()
    flat, info = gradients("flatnce", given), gradients("infonce", given)
    rows = torch.cat((given.pos.detach().unsqueeze(-1), given.neg.detach()), -1)
    missing = 1 - torch.softmax(rows, -1)[..., 0]  # 1 - p_ii
    torch.testing.assert_close(flat[0], info[0] / missing, rtol=1e-12, atol=0)
    torch.testing.assert_close(flat[1], info[1] / missing.unsqueeze(-1), rtol=1e-12, atol=0)


def test_holder_flatnce_of_order_one_has_the_gradient_of_flatnce() -> None:
    for holder, flat in zip(gradients("holder-flatnce:gamma=1", scores()), gradients("flatnce", scores()), strict=True):
        torch.testing.assert_close(holder, flat, rtol=1e-12, atol=0)


@pytest.mark.parametrize("gamma", [-2.0, 0.5, 2.0, 5.0])
def test_holder_flatnces_gradient_is_flatnces_for_the_scaled_critic_over_gamma(gamma: float) -> None:
    holder, flat = gradients(f"holder-flatnce:gamma={gamma}", scores()), gradients("flatnce", scores(), scale=gamma)
    for left, right in zip(holder, flat, strict=True):
        torch.testing.assert_close(left, right / gamma, rtol=1e-11, atol=0)


def test_the_estimate_is_infonces_of_the_same_critic() -> None:
    for name in ("flatnce", "holder-flatnce"):
        assert torch.equal(get_estimator(name).estimate(scores()), get_estimator("infonce").estimate(scores()))
