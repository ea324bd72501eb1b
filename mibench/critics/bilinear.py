"""The bilinear critic: one matrix."""

from __future__ import annotations

from collections.abc import Sequence

from mibench.core.critic import Architecture, Critic
from mibench.core.estimator import Estimator
from mibench.core.registry import register_critic
from mibench.core.scorer import Scorer, Shape
from mibench.critics.dot_products import DotScorer


@register_critic("bilinear")
class Bilinear(Critic):
    """x^T W y: one matrix, no hidden layer."""

    uses = frozenset({"lr", "weight_decay", "products"})
    cheap_pool = True

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build the stacked matrices."""
        return DotScorer(shape, hidden=None)
