"""What stands where there is no critic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mibench.core.critic import Architecture, Critic
from mibench.core.errors import UsageError
from mibench.core.estimator import Estimator
from mibench.core.layout import Layout
from mibench.core.registry import register_critic
from mibench.core.scorer import Scorer, Shape


class NoScorer(Scorer):
    """What stands where there is no critic: without parameters, and without scores to give.

    Parameters
    ----------
    shape
        Sizes of the pack.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape, Layout(), torch.float64)

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Nothing to draw."""

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Refuse; see `Scorer.forward`."""
        raise _no_scores()

    def backward(self, gradient: Tensor) -> None:
        """Nothing to train."""

    def prepare(self, run: int, x: Tensor, y: Tensor) -> Any:
        """Refuse; see `Scorer.prepare`."""
        raise _no_scores()

    def block(self, prepared: Any, start: int, stop: int) -> Tensor:
        """Refuse; see `Scorer.block`."""
        raise _no_scores()

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Refuse; see `Scorer.pairs`."""
        raise _no_scores()


def _no_scores() -> UsageError:
    return UsageError("critic 'none' gives no scores; use another critic for estimators that are trained")


@register_critic("none")
class NoCritic(Critic):
    """No critic: what estimators that take a sample of pairs have, and no other."""

    uses = frozenset()
    scores_pairs = False

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build what gives no scores."""
        return NoScorer(shape)
