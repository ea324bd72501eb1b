"""The siamese critic: one tower for both sides."""

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


@register_critic("siamese")
class Siamese(ModuleCritic):
    """g(x)^T g(y): one encoder for both sides, as for two views of one thing; x and y have the same columns.

    Parameters
    ----------
    embed
        Dimension of the code, at least 1.

    Source: the encoder of Wu, Zhuang, Yamins and Goodman (2020, views), section 4, with codes of two numbers.
    """

    cheap_pool = True
    needs_equal_sides = True

    embed: int = 32

    def __post_init__(self) -> None:
        if self.embed < 1:
            raise UsageError(f"critic 'siamese': embed must be at least 1, not {self.embed}")

    def module(self, dim_x: int, dim_y: int, architecture: Architecture) -> nn.Module:
        """Build the critic as a plain module."""
        encoder = architecture.mlp(dim_x, self.embed)
        return DotModule(encoder, encoder, None)

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build the stacked encoders; with dropout, plain modules."""
        if architecture.has_dropout:
            return super().build(shape, architecture, estimators)
        hidden = (architecture.depth, architecture.width)
        return DotScorer(shape, hidden=hidden, activation=architecture.activation, embed=self.embed, shared=True)
