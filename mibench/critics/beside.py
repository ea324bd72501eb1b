"""What stands beside a critic for the estimators that ask for more: extras, built for a pack."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from mibench.core.critic import Architecture, Critic
from mibench.core.estimator import Density, Estimator, Extra
from mibench.core.scorer import Scorer, Shape
from mibench.critics.density_scorer import density_scorer
from mibench.critics.extras import BaselineScorer, ConstantScorer, EntropyScorer, UniformScorer

_BASELINE = Architecture(depth=1, width=64)
"""Of a baseline beside critics without hidden layers."""


def build_extra(
    critic: Critic,
    extra: Extra,
    shape: Shape,
    architecture: Architecture,
    estimators: Sequence[Estimator],
    scorer: Scorer,
) -> Scorer:
    """Build what stands beside a critic for the estimators of a pack.

    A second critic, also one on pairs of y, is built like the first. A baseline, and what gives a conditional density
    its parameters, is an MLP of the critic's hidden layers and activation, 1x64 relu beside critics that have none, and
    has no dropout. A critic may have something else in its place (`Critic.own_extra`).

    Parameters
    ----------
    critic
        The critic.
    extra
        What it is a function of.
    shape, architecture, estimators
        As in `Critic.build`.
    scorer
        What `Critic.build` gave for the pack.

    Raises
    ------
    UsageError
        For the similarity of codes, where the critic keeps none.
    """
    if (own := critic.own_extra(extra, shape)) is not None:
        return own
    layers = architecture if "hidden" in critic.uses else _BASELINE
    hidden = (layers.depth, layers.width)
    match extra.of:
        case Density():
            return density_scorer(extra.of, shape, hidden=hidden, activation=layers.activation)
        case "pair":
            return critic.build(shape, architecture, estimators)
        case "y pair":
            second = critic.build(dataclasses.replace(shape, dim_x=shape.dim_y), architecture, estimators)
            second.left = "y"
            return second
        case "constant":
            return ConstantScorer(shape)
        case "uniform":
            return UniformScorer(shape)
        case "entropy of x":
            return EntropyScorer(shape)
        case "similarity of codes":
            return scorer.similarity()
        case "x" | "y":
            return BaselineScorer(shape, side=extra.of, hidden=hidden, activation=layers.activation)
