"""Which components go together: what has no meaning is refused in one sentence, before any work."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mibench.core.errors import MismatchError, UsageError
from mibench.core.registry import CRITICS, ESTIMATORS, NEGATIVES
from mibench.experiments.specs import PARTS, split_sizes

if TYPE_CHECKING:
    from mibench.core.critic import Critic
    from mibench.core.estimator import Estimator
    from mibench.core.sampler import NegativeSampler
    from mibench.core.task import Task


def check_components(task: Task, name: str, estimator: Estimator, critic: Critic, sampler: NegativeSampler) -> None:
    """Refuse a task that does not know what the others ask of it, and components that do not go together.

    Parameters
    ----------
    task, name
        The task, and how the user wrote it.
    estimator, critic, sampler
        The others, those that the estimator brings included.

    Raises
    ------
    MismatchError
        With the first reason.
    """
    reasons = itertools.chain(
        _of_task(task, name, estimator, critic, sampler), _of_estimator(estimator, critic, sampler)
    )
    if (first := next(reasons, None)) is not None:
        raise MismatchError(first)


def _of_task(task: Task, name: str, estimator: Estimator, critic: Critic, sampler: NegativeSampler) -> Iterator[str]:
    own, by, from_ = ESTIMATORS.id_of(estimator), CRITICS.id_of(critic), NEGATIVES.id_of(sampler)
    if critic.needs_log_ratio and not task.has_log_ratio:
        yield f"task '{name}' has no known density ratio; use another critic than '{by}'"
    if critic.needs_support and not (task.has_support_y and task.dim_y == 1):
        what = f"critic '{by}'" if estimator.own_critic is None else f"estimator '{own}'"
        yield f"{what} needs a task whose y number instances, as instance-views, which those of '{name}' do not"
    if critic.needs_equal_sides and (task.dim_x != task.dim_y or estimator.critic_sees != "all"):
        sees = f"a critic that sees both sides whole, which estimator '{own}' does not give"
        what = f"as many columns of x as of y, which task '{name}' has not" if task.dim_x != task.dim_y else sees
        yield f"critic '{by}' needs {what}; use another critic"
    if sampler.needs_support and not task.has_support_y:
        yield f"task '{name}' has no finite support of y; use another negative sampler than '{from_}'"
    if not task.has_entropy_x and any(extra.of == "entropy of x" for extra in estimator.extras):
        yield f"task '{name}' does not know the entropy of x; use another estimator than '{own}'"
    if estimator.critic_sees == "first half of y" and task.dim_y < 2:
        yield f"task '{name}' has a single column of y; '{own}' needs two, of which its critic sees half"


def _of_estimator(estimator: Estimator, critic: Critic, sampler: NegativeSampler) -> Iterator[str]:
    own, from_ = ESTIMATORS.id_of(estimator), NEGATIVES.id_of(sampler)
    if not critic.scores_pairs and estimator.own_critic is None:
        yield f"critic 'none' gives no scores, which estimator '{own}' needs; use another critic"
    if not sampler.has_negatives and estimator.own_negatives is None:
        yield f"negative sampler 'none' gives no negatives, which estimator '{own}' needs; use another sampler"
    if sampler.needs_owner and estimator.own_negatives is None:
        yield f"'{from_}' gives no draws from p(y), which '{own}' needs; use another negative sampler"
    if sampler.has_weights and estimator.needs_marginal:
        yield (
            f"estimator '{own}' needs negatives from p(y), but negative sampler '{from_}' proposes others; use "
            "all-pairs or independent"
        )


def check_sizes(
    task: Task, name: str, estimator: Estimator, sampler: NegativeSampler, *, batch: int, samples: int | None
) -> None:
    """Refuse a batch, or a fixed sample, on which the components are not defined.

    Parameters
    ----------
    task, name
        The task, and how the user wrote it.
    estimator, sampler
        As in `check_components`, the sampler bound to the task.
    batch
        Batch size N.
    samples
        Pairs of the fixed sample; None where pairs are fresh at every step.

    Raises
    ------
    UsageError
        With the first reason.
    """
    from mibench.core.estimator import SampleEstimator

    per_row = sampler.per_row(batch)  # refuses what the batch cannot hold
    if isinstance(estimator, SampleEstimator):
        least = estimator.smallest_sample(task.dim_x, task.dim_y)
        if batch < least:
            label, what = ESTIMATORS.id_of(estimator), "a batch" if samples is None else "a fixed set"
            raise UsageError(
                f"{what} of {batch} is too small a sample of task '{name}' for estimator '{label}'; "
                f"use at least {least}"
            )
    elif samples is not None:
        _check_split(samples, batch, sampler)
    estimator.ceiling(n=batch, m=per_row + 1)  # refuses batches that the estimator is not defined on


def _check_split(samples: int, batch: int, sampler: NegativeSampler) -> None:
    """Refuse a fixed sample whose smallest part holds no batch, or no y beside it where the sampler asks for some."""
    beside = 1 if sampler.extra(batch) or sampler.memory(batch) else 0
    if split_sizes(samples)[-1] < batch + beside:
        also = " and, for this negative sampler, a pair beside it" if beside else ""
        raise UsageError(
            f"samples {samples} are too few for a batch of {batch}: a fifth of them is the test part, which must hold "
            f"a batch{also}; use at least {PARTS * (batch + beside)}"
        )
