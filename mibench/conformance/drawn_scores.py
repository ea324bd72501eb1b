"""Scores to try an estimator on: of random pairs, and hard ones; and what is done to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from mibench.core.estimator import Estimator
from mibench.core.scores import Scores

SHAPES = ((2, 1), (8, 1), (8, 7), (5, 3), (64, 1), (64, 63))
"""Batch sizes and negatives per row, (N, M)."""

Functional = Callable[[Scores], Tensor]


def initial_state(estimator: Estimator, like: Tensor) -> Tensor:
    """State of runs before their first step, shape (..., state_size), for positives of shape (..., N)."""
    state = torch.tensor(estimator.initial_state(), dtype=like.dtype)
    return state.expand(*like.shape[:-1], estimator.state_size).clone()


def functionals(estimator: Estimator) -> dict[str, Functional]:
    """Return what maps scores to one number per run, by name; a stateful loss is taken at its initial state."""
    found: dict[str, Functional] = {"estimate": estimator.estimate, "loss": estimator.loss}
    if estimator.state_size:
        found["stateful_loss"] = lambda s: estimator.stateful_loss(s, initial_state(estimator, s.pos))[0]
    return found


def random_scores(
    seed: int, *lead: int, n: int, m: int, scale: float = 1.0, dtype: torch.dtype = torch.float32
) -> Scores:
    """Draw scores of random pairs, with ``m`` negatives per row."""
    generator = torch.Generator().manual_seed(seed)
    pos = scale * torch.randn(*lead, n, generator=generator, dtype=dtype) + 1
    return Scores.from_pairs(pos, scale * torch.randn(*lead, n, m, generator=generator, dtype=dtype))


def with_extras(estimator: Estimator, scores: Scores, seed: int = 0) -> Scores:
    """Put random values of the estimator's extras beside scores, and random weights where it uses them."""
    generator = torch.Generator().manual_seed(1000 + seed)

    def draw(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator, dtype=like.dtype)

    scores = scores.with_extras({extra.name: scores.map(draw) for extra in estimator.extras})
    if not estimator.uses_weights:
        return scores
    return dataclasses.replace(scores, log_weights=draw(scores.neg).double())


def drawn_scores(
    estimator: Estimator, seed: int, *lead: int, n: int, m: int, dtype: torch.dtype = torch.float32
) -> Scores:
    """Draw scores of random pairs, and the estimator's extras."""
    return with_extras(estimator, random_scores(seed, *lead, n=n, m=m, dtype=dtype), seed)


def copied(scores: Scores) -> Scores:
    """Copy scores, so that a check can write into them."""
    return scores.map(torch.clone)


def as_leaves(scores: Scores) -> Scores:
    """Copy scores into tensors that collect gradients."""
    return scores.map(lambda t: t.detach().clone().requires_grad_())


def gradients_of(values: Tensor, leaves: Scores) -> list[Tensor]:
    """Return the gradient of the sum of values; zeros where they have none."""
    if not values.requires_grad:
        return [torch.zeros_like(t) for t in leaves.tensors()]
    return list(torch.autograd.grad(values.sum(), leaves.tensors(), allow_unused=True, materialize_grads=True))


def moved(scores: Scores, steps: Iterable[Tensor], by: float) -> Scores:
    """Scores after a step along a line, away from all gradients."""
    remaining = iter(steps)
    return scores.map(lambda t: t.detach() + by * next(remaining))


def cut_scores(scores: Scores, cut: Callable[[Tensor], Tensor]) -> Scores:
    """Take a part of all tensors, the weights among them."""
    weights = scores.log_weights
    return dataclasses.replace(scores.map(cut), log_weights=None if weights is None else cut(weights))


def part_of(scores: Scores, run: int) -> Scores:
    """Take the scores of one run of a pack, its axis kept."""
    return cut_scores(scores, lambda t: t[run : run + 1])


def hard_scores(n: int, m: int, dtype: torch.dtype) -> Iterator[tuple[str, Scores]]:
    """Yield hard scores with a name: huge, tied, equal, one-sided."""
    for scale in (1.0, 30.0):
        for seed in range(5):
            yield f"random scores of scale {scale:g}", random_scores(seed, n=n, m=m, scale=scale, dtype=dtype)
    ties = random_scores(1, n=n, m=m, dtype=dtype)
    yield "tied scores", Scores(ties.pos.sign(), ties.neg.sign())
    ones = Scores(torch.ones(n, dtype=dtype), torch.ones(n, m, dtype=dtype))
    for p, q in ((0.0, 0.0), (1e4, 1e4), (-1e4, -1e4), (1e4, -1e4), (-1e4, 1e4), (30.0, -30.0)):
        yield f"positives at {p:g} and negatives at {q:g}", Scores(p * ones.pos, q * ones.neg)
    spike = -1e4 * ones.pos
    spike[0] = 1e4
    yield "one positive at 1e4 among scores at -1e4", Scores(spike, -1e4 * ones.neg)
