"""A specification with its components built: what training works on."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from mibench.core.critic import Activation, Architecture, Critic
from mibench.core.estimator import Estimator
from mibench.core.parameters import split_name
from mibench.core.registry import CRITICS, ESTIMATORS, NEGATIVES, TASKS
from mibench.core.sampler import NegativeSampler
from mibench.core.scorer import Scorer, Shape
from mibench.core.task import Task
from mibench.critics.beside import build_extra
from mibench.critics.first_columns import FirstColumnsScorer
from mibench.experiments.specs import RunSpec, parse_hidden
from mibench.training.optimisers import Adam, Descent, Group, Optimiser


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's specification and its components."""

    spec: RunSpec
    tasks: tuple[Task, ...]  # one per stair
    estimator: Estimator
    critic: Critic
    sampler: NegativeSampler

    @classmethod
    def from_spec(cls, spec: RunSpec) -> Run:
        """Build the components that a specification names.

        Raises
        ------
        UsageError
            Where a component is unknown or refuses its parameters.
        """
        fixed = dict(spec.task_params)
        levels = [{"mi": mi} for mi in spec.schedule] or [{}]
        return cls(
            spec=spec,
            tasks=tuple(TASKS.create(spec.task, {**fixed, **level}) for level in levels),
            estimator=ESTIMATORS.create(spec.estimator, dict(spec.estimator_params)),
            critic=CRITICS.create(spec.critic, dict(spec.critic_params)),
            sampler=NEGATIVES.create(spec.negatives, dict(spec.negatives_params)),
        )


def architecture(spec: RunSpec) -> Architecture:
    """Read a run's options as an architecture; the defaults stand where the critic uses none."""
    if spec.hidden is None:
        return Architecture()
    depth, width = parse_hidden(spec.hidden)
    rates = tuple(float(rate) for rate in (spec.dropout or "0").split("/"))
    return Architecture(
        depth=depth,
        width=width,
        activation=cast("Activation", spec.activation),
        dropout=rates * depth if len(rates) == 1 else rates,
    )


def build_scorers(run: Run, shape: Shape, estimators: Sequence[Estimator]) -> tuple[Scorer, dict[str, Scorer]]:
    """Build the critics of a pack, and by name what stands beside them.

    Where the estimator lets the critic see the first half of y, that is what it is built for; the extras see all of y,
    and so does the exact critic.

    Parameters
    ----------
    run
        Any run of the pack: they share the critic, its architecture and the extras.
    shape
        Sizes of the pack.
    estimators
        The estimator of each run.
    """
    layers = architecture(run.spec)
    if run.estimator.critic_sees == "all" or run.critic.needs_log_ratio:  # log r of all of y is a valid critic too
        scorer = run.critic.build(shape, layers, estimators)
    else:
        seen = dataclasses.replace(shape, dim_y=shape.dim_y // 2)
        scorer = FirstColumnsScorer(run.critic.build(seen, layers, estimators))
    extras = {
        extra.name: build_extra(run.critic, extra, shape, layers, estimators, scorer) for extra in run.estimator.extras
    }
    return scorer, extras


def build_optimiser(scorers: Sequence[Scorer], specs: Sequence[RunSpec]) -> Optimiser | None:
    """Build the runs' optimiser, one group per neighbourhood of equal rates; None without parameters.

    It works on the flat parameters; critic and extras share each run's rates. The weight decay is an L2 penalty, as in
    the papers, not the decoupled one.
    """
    trained = [scorer for scorer in scorers if scorer.parameters.numel()]
    if not trained:
        return None
    groups = []
    for (lr, weight_decay), members in itertools.groupby(
        range(len(specs)), lambda r: (specs[r].lr or 0.0, specs[r].weight_decay or 0.0)
    ):
        runs = list(members)
        by_type: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}
        for scorer in trained:
            parameters, gradients = by_type.setdefault(scorer.parameters.dtype, ([], []))
            for place in scorer.places(runs[0], runs[-1] + 1):
                parameters.append(scorer.parameters[place])
                gradients.append(scorer.gradients[place])
        groups += [Group(*tensors, lr, weight_decay) for tensors in by_type.values()]
    name, params = split_name(specs[0].optimiser)
    return Descent(groups, float(params.get("momentum", 0.0))) if name == "sgd" else Adam(groups)
