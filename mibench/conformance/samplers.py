"""Conformance checks of negative samplers: what training and the predicted ceilings rely on."""

from __future__ import annotations

import math

import torch

from mibench.conformance.declared import check_statements
from mibench.conformance.findings import (
    Check,
    Failed,
    Finding,
    check_docstring,
    is_number,
    no_global_randomness,
    run_checks,
    subject_of,
)
from mibench.core.declared import fault_of_draw
from mibench.core.errors import shown
from mibench.core.sampler import NegativeSampler, Proposal
from mibench.core.task import Task
from mibench.negatives.pairs import NoNegatives
from mibench.tasks.finite import Finite
from mibench.tasks.gaussian import Gaussian20D

_BATCH = 16
_TASK = Gaussian20D(mi=1.0, dim=3)
_FINITE_TASK = Finite(table="0.3_0.2_0.1/0.1_0.2_0.1")


def check_negatives(sampler: NegativeSampler) -> list[Finding]:
    """Check what a sampler draws: shape, range, randomness, and the positives and weights that it admits to.

    Parameters
    ----------
    sampler
        An instance. The sampler that is none has nothing to check.
    """
    subject = subject_of("negatives", sampler)
    sampler = sampler.bound_to(_task(sampler))
    checks = NEGATIVE_CHECKS[:2] if isinstance(sampler, NoNegatives) else NEGATIVE_CHECKS
    return run_checks(subject, sampler, checks, gates=3)


def _task(sampler: NegativeSampler) -> Task:
    return _FINITE_TASK if sampler.needs_support else _TASK


def _draw(sampler: NegativeSampler, steps: int, seed: int = 0) -> Proposal:
    generator, task = torch.Generator().manual_seed(seed), _task(sampler)
    given = _BATCH + sampler.extra(_BATCH) + sampler.memory(_BATCH)
    _, y = task.sample(steps * given, generator)
    return sampler.propose(task, y.view(steps, given, -1), _BATCH, generator)


def _check_indices(sampler: NegativeSampler) -> str:
    count = sampler.per_row(_BATCH)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise Failed(f"per_row({_BATCH}) is {count!r}; a row needs at least one negative")
    if sampler.all_pairs:
        if count != _BATCH - 1:
            raise Failed(f"per_row({_BATCH}) is {count} for all pairs; it must be {_BATCH - 1}")
        return "every other y of the batch"
    if fault := fault_of_draw(
        sampler, _draw(sampler, 5), steps=5, batch=_BATCH, pool=sampler.pool(_BATCH, _task(sampler))
    ):
        raise Failed(fault)
    return f"{count} per row, inside the pool"


def _check_draws(sampler: NegativeSampler) -> str:
    if sampler.all_pairs:
        return "nothing is drawn"
    with no_global_randomness("draw"):
        first, second = _draw(sampler, 5), _draw(sampler, 5)
    if not (torch.equal(first.index, second.index) and torch.equal(first.y, second.y)):
        raise Failed("generators in the same state give different negatives")
    return "generators in the same state give the same negatives"


def _check_positives(sampler: NegativeSampler) -> str:
    ceiling = sampler.predicted_ceiling(_BATCH)
    if not is_number(ceiling) or math.isnan(ceiling):
        given = f"predicted_ceiling({_BATCH}) is {shown(ceiling, repr)}"
        raise Failed(f"{given}; it must be a number of nats, inf where there is none")
    if sampler.all_pairs:
        return "none among the negatives"
    steps = 4000
    index = _draw(sampler, steps).index
    found = (index == torch.arange(_BATCH).view(1, _BATCH, 1)).double().sum((1, 2)) / sampler.per_row(_BATCH)
    mean, error = float(found.mean()), float(found.std()) / math.sqrt(steps) + 1e-9
    stated = sampler.positives(_BATCH)
    if abs(mean - stated) > 4 * error:
        raise Failed(
            f"{mean:.3f} +- {error:.3f} positive pairs stand among {_BATCH} negatives, but positives says {stated:g}"
        )
    return f"{stated:g} positive pairs among {_BATCH} negatives, as stated"


def _check_weights(sampler: NegativeSampler) -> str:
    if not sampler.has_weights:
        return "none: the negatives come from p(y)"
    steps = 1000
    weights = _draw(sampler, steps).log_weights
    assert weights is not None  # the check of the indices says so
    found = weights.exp().mean((1, 2))
    mean, error = float(found.mean()), float(found.std()) / math.sqrt(steps)
    if mean > 1 + 4 * error + 1e-9 or (sampler.full_support and mean < 1 - 4 * error - 1e-9):
        wanted = "1" if sampler.full_support else "the probability of what can be drawn, at most 1"
        raise Failed(f"the mean weight p/q is {mean:.3f} +- {error:.3f}; under q it must be {wanted}")
    return f"their mean under the proposal is {mean:.3f}"


NEGATIVE_CHECKS: tuple[Check[NegativeSampler], ...] = (
    ("docstring", check_docstring),
    ("declared", check_statements),
    ("indices", _check_indices),
    ("own stream", _check_draws),
    ("positives", _check_positives),
    ("weights", _check_weights),
)
"""In the order in which they run."""
