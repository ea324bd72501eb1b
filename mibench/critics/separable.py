"""The separable critic: two towers into a common space."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from mibench.core.critic import Architecture
from mibench.core.errors import UsageError
from mibench.core.estimator import Estimator
from mibench.core.registry import register_critic
from mibench.core.scorer import Scorer, Shape
from mibench.critics.dot_products import DotModule, DotScorer
from mibench.critics.module import ModuleCritic


@register_critic("separable")
class Separable(ModuleCritic):
    """g(x)^T h(y): two MLPs into a common space; all pairs cost N rows.

    Parameters
    ----------
    embed
        Dimension of the common space, at least 1.
    """

    cheap_pool = True

    embed: int = 32

    def __post_init__(self) -> None:
        if self.embed < 1:
            raise UsageError(f"critic 'separable': embed must be at least 1, not {self.embed}")

    def module(self, dim_x: int, dim_y: int, architecture: Architecture) -> nn.Module:
        """Build the critic as a plain module."""
        return DotModule(architecture.mlp(dim_x, self.embed), architecture.mlp(dim_y, self.embed), None)

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build the stacked towers; with dropout, plain modules."""
        if architecture.has_dropout:
            return super().build(shape, architecture, estimators)
        hidden = (architecture.depth, architecture.width)
        return DotScorer(shape, hidden=hidden, activation=architecture.activation, embed=self.embed)
