"""The cosine critic: two towers onto a sphere."""

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


@register_critic("cosine")
class Cosine(ModuleCritic):
    """scale * cos(g(x), h(y)): separable with unit vectors, so that scores are bounded by the scale.

    Parameters
    ----------
    scale
        Inverse temperature, above 0; scores lie in [-scale, scale].
    embed
        Dimension of the common space, at least 1.
    """

    cheap_pool = True

    scale: float = 20.0
    embed: int = 32

    def __post_init__(self) -> None:
        if not (0 < self.scale < float("inf") and self.embed >= 1):
            raise UsageError(
                f"critic 'cosine': scale must be above 0 and embed at least 1, not {self.scale} and {self.embed}"
            )

    def module(self, dim_x: int, dim_y: int, architecture: Architecture) -> nn.Module:
        """Build the critic as a plain module."""
        return DotModule(architecture.mlp(dim_x, self.embed), architecture.mlp(dim_y, self.embed), self.scale)

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build the stacked towers; with dropout, plain modules."""
        if architecture.has_dropout:
            return super().build(shape, architecture, estimators)
        hidden = (architecture.depth, architecture.width)
        return DotScorer(shape, hidden=hidden, activation=architecture.activation, embed=self.embed, scale=self.scale)
