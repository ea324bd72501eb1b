"""Critics that are parametric densities: ``T(x, y) = log q`` of one side given the other, normalised.

Notable: what estimators with an `Estimator.own_critic` are made of; any other estimator takes them too, since InfoNCE
of ``log q`` is as valid as of any score. They know no marginal: at their best they are the log ratio plus ``log p(x)``,
which cancels in every row of InfoNCE, or plus ``log p(y)``, a function of the candidate, which costs part of the value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from mibench.core.critic import Architecture
from mibench.core.errors import UsageError, shown
from mibench.core.estimator import Density, Estimator, Side
from mibench.core.numbers import as_float
from mibench.core.registry import register_critic
from mibench.core.scorer import Scorer, Shape
from mibench.critics.density_families import LOG_VARIANCE_BOUND
from mibench.critics.density_scorer import DensityScorer
from mibench.critics.module import ModuleCritic

_WITHOUT_NETWORK = frozenset({"lr", "weight_decay"})
_SMALLEST, _LARGEST = math.exp(-LOG_VARIANCE_BOUND), math.exp(LOG_VARIANCE_BOUND)


def read_variance(text: str, label: str) -> Literal["network", "learned"] | float:
    """Read a parameter that holds ``network``, ``learned`` or a number.

    Parameters
    ----------
    text
        What the user wrote.
    label
        How the component is called in messages.

    Raises
    ------
    UsageError
        For anything else, and for numbers whose precision float32 products cannot hold.
    """
    match text:
        case "network" | "learned":
            return text
    value = as_float(text)
    if not _SMALLEST <= value <= _LARGEST:
        raise UsageError(
            f"{label}: variance must be network, learned or a number in [{_SMALLEST:.1g}, {_LARGEST:.1g}], "
            f"not {shown(text)}"
        )
    return value


class DensityCritic(ModuleCritic):
    """Base of the critics that are densities; a subclass says which one."""

    cheap_pool = True

    @property
    def density(self) -> Density:
        """Which density the scores are the log of."""
        raise NotImplementedError

    @property
    def uses(self) -> frozenset[str]:
        """All options, unless there are no hidden layers."""
        return super().uses if self.density.mean == "mlp" else _WITHOUT_NETWORK

    def module(self, dim_x: int, dim_y: int, architecture: Architecture) -> nn.Module:
        """Build the critic as a plain module."""
        dims = (dim_x, dim_y) if self.density.given == "x" else (dim_y, dim_x)
        return _DensityModule(self.density, *dims, architecture)

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build the stacked densities; with dropout, plain modules."""
        if architecture.has_dropout:
            return super().build(shape, architecture, estimators)
        hidden = (architecture.depth, architecture.width)
        return DensityScorer(shape, self.density, hidden=hidden, activation=architecture.activation)


class _DensityModule(nn.Module):
    """The log of a conditional density as a plain module."""

    def __init__(self, density: Density, dim_given: int, dim: int, architecture: Architecture) -> None:
        super().__init__()
        self._density, self._dim = density, dim
        count = 2 * dim if density.family == "gaussian" and density.variance == "network" else dim
        linear = density.mean == "linear"
        self.network = nn.Linear(dim_given, count) if linear else architecture.mlp(dim_given, count)
        if density.family == "gaussian" and density.variance == "learned":
            self.free = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        given, target = (x, y) if self._density.given == "x" else (y, x)
        parameters: Tensor = self.network(given)
        if self._density.family == "softmax":
            return (target * torch.log_softmax(parameters, -1)).sum(-1)
        mean, log_variance = parameters[..., : self._dim], self._log_variance(parameters)
        squares = (target - mean).square() * torch.exp(-log_variance)
        return -(squares + log_variance + math.log(2 * math.pi)).sum(-1) / 2

    def _log_variance(self, parameters: Tensor) -> Tensor:
        match self._density.variance:
            case "network":
                numbers = parameters[..., self._dim :]
            case "learned":
                numbers = self.free.expand(len(parameters), -1)
            case fixed:
                return parameters.new_full((self._dim,), math.log(fixed))
        return LOG_VARIANCE_BOUND * torch.tanh(numbers / LOG_VARIANCE_BOUND)


def _given(of: Side) -> Side:
    return "x" if of == "y" else "y"


@register_critic("conditional-gaussian")
class ConditionalGaussian(DensityCritic):
    """log q(y|x), or log q(x|y): independent Gaussian columns whose means, and variances, a network gives.

    Parameters
    ----------
    of
        The side that it is a density of, given the other one.
    mean
        An ``mlp`` of the run's hidden layers, or ``linear``.
    variance
        From the ``network`` beside the mean, ``learned`` numbers, one a column, or a fixed number. Standard deviations
        stay within [0.0025, 400].
    """

    of: Literal["x", "y"] = "y"
    mean: Literal["mlp", "linear"] = "mlp"
    variance: str = "network"

    def __post_init__(self) -> None:
        # 1 and 1.0 are one critic
        object.__setattr__(self, "variance", str(read_variance(self.variance, "critic 'conditional-gaussian'")))

    @property
    def density(self) -> Density:
        """The Gaussian that the parameters describe."""
        variance = read_variance(self.variance, "critic 'conditional-gaussian'")
        return Density(self.of, _given(self.of), mean=self.mean, variance=variance)


@register_critic("conditional-softmax")
class ConditionalSoftmax(DensityCritic):
    """log q(y|x), or log q(x|y), of one-hot columns: a softmax of logits that a network gives.

    Parameters
    ----------
    of
        The side that it is a density of, given the other one; each of its rows holds a single 1 among zeros.
    mean
        What gives the logits: an ``mlp`` of the run's hidden layers, or ``linear``.
    """

    of: Literal["x", "y"] = "y"
    mean: Literal["mlp", "linear"] = "mlp"

    @property
    def density(self) -> Density:
        """The softmax that the parameters describe."""
        return Density(self.of, _given(self.of), family="softmax", mean=self.mean)
