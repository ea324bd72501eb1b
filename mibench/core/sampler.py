"""Negative samplers: which y a row is contrasted with.

Notable: this axis decides what a bound can return. A random permutation of the batch keeps one fixed point on average,
so that one of N negatives is a positive pair and no critic's ratio can pass N: a ceiling of log N that belongs to the
sampler. Without fixed points there is no ceiling, and what appears is variance.

A sampler says where the negatives of row i lie in a pool of y: the batch's own y first, then what the sampler adds
(`extra` fresh ones, `memory` of earlier batches, or what `propose` makes of them).
"""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar, Self

import torch
from torch import Tensor

from mibench.core.parameters import Parametrised
from mibench.core.task import Task


@dataclasses.dataclass(frozen=True)
class Proposal:
    """The negatives of several batches.

    Parameters
    ----------
    y
        Pool of each batch, shape (steps, B, dim_y), the batch's own y first.
    index
        Negatives as rows of the pool, shape (steps, N, M), int64.
    log_weights
        ``log p(y'_ij) / q(y'_ij | y_i)`` of each negative, (steps, N, M) in float64, nats, where they come from a
        proposal q in place of p(y); None where q is p.
    """

    y: Tensor
    index: Tensor
    log_weights: Tensor | None = None


class NegativeSampler(Parametrised):
    """Base of the negative samplers; a subclass implements `per_row` and `draw`, or `propose` where it needs more."""

    all_pairs: ClassVar[bool] = False
    """Whether the negatives of a row are all other rows of the batch; then nothing is drawn."""

    has_negatives: ClassVar[bool] = True
    """Whether there are negatives at all; False for `none` alone."""

    has_weights: ClassVar[bool] = False
    """Whether the negatives come from a proposal with known log-weights; see `Proposal`."""

    full_support: ClassVar[bool] = True
    """Whether every y can be drawn. Where some cannot, no weights make a bound of what the others give."""

    needs_support: ClassVar[bool] = False
    """Whether the task must know the finite support of y."""

    needs_owner: ClassVar[bool] = False
    """Whether the negatives are something else than draws from p(y), so that they serve only estimators that bring this
    sampler: see `Estimator.own_negatives`."""

    paired_pool: ClassVar[bool] = False
    """Whether a large pool is one of pairs with one negative each, however many a training batch's rows have."""

    exhaustive: ClassVar[bool] = False
    """Whether the negatives of a row are all that there are, so that a large pool would add none."""

    def bound_to(self, task: Task) -> Self:
        """Return the sampler with what it takes from the task filled in; grids ask before any work."""
        return self

    def per_row(self, batch: int) -> int:
        """Negatives of a row, M, at batch size ``batch``."""
        raise NotImplementedError

    def extra(self, batch: int) -> int:
        """Fresh y drawn beside each batch."""
        return 0

    def memory(self, batch: int) -> int:
        """Latest y of earlier batches that follow the fresh ones in the pool; the first batch has fresh ones there."""
        return 0

    def pool(self, batch: int, task: Task) -> int:
        """Size of the pool, B, at batch size ``batch``."""
        return batch + self.extra(batch) + self.memory(batch)

    def propose(self, task: Task, y: Tensor, batch: int, generator: torch.Generator) -> Proposal:
        """Choose the negatives of several batches at once; by default those of `draw`.

        Parameters
        ----------
        task
            What the pairs come from.
        y
            Batch, fresh and earlier y, shape (steps, batch + extra + memory, dim_y).
        batch
            Batch size N.
        generator
            The only source of randomness.
        """
        return Proposal(y, self.draw(y, batch, generator))

    def draw(self, y: Tensor, batch: int, generator: torch.Generator) -> Tensor:
        """Choose the negatives of several batches at once.

        Parameters
        ----------
        y
            Pool of each batch, shape (steps, batch + extra, dim_y); row i of the batch has its positive at i.
        batch
            Batch size N.
        generator
            The only source of randomness.

        Returns
        -------
        Tensor
            Indices into the pool, shape (steps, N, M), int64.
        """
        raise NotImplementedError

    def positives(self, batch: int) -> float:
        """Positive pairs expected among the N negatives of a batch, k."""
        return 0.0

    def predicted_ceiling(self, batch: int) -> float:
        """Cap that the sampler puts on NWJ and DV, ``log(N / k)`` nats; ``inf`` for a clean sampler."""
        k = self.positives(batch)
        return math.log(batch / k) if k > 0 else math.inf
