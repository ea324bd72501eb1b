"""Where a run's pairs come from: the seam between tasks and the trainer.

Notable: pairs are drawn for many steps at once, which makes the cost of drawing small beside a step. How many is fixed
by the sizes alone, so that a run's data never depend on its company.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from mibench.interfaces import Task
from mibench.negatives import NegativeSampler

_BLOCK_NUMBERS = 2**18
_MOST_STEPS = 64


class PairSource(Protocol):
    """Gives a run the pairs of its next steps."""

    def block(self, steps: int, batch: int) -> tuple[Tensor, Tensor]:
        """Return x (steps, batch, dim_x) and y (steps, batch, dim_y) of the next steps."""
        ...


class StreamSource:
    """Fresh pairs at every step, from one task and one random stream."""

    def __init__(self, task: Task, generator: torch.Generator) -> None:
        self._task, self._generator = task, generator

    def block(self, steps: int, batch: int) -> tuple[Tensor, Tensor]:
        """Draw the pairs of the next steps; see `PairSource.block`."""
        x, y = self._task.sample(steps * batch, self._generator)
        return x.view(steps, batch, -1), y.view(steps, batch, -1)


def block_steps(batch: int, dim_x: int, dim_y: int) -> int:
    """Return for how many steps pairs are drawn at once."""
    return max(1, min(_MOST_STEPS, _BLOCK_NUMBERS // (batch * (dim_x + dim_y))))


class Feed:
    """Pairs and negatives of R runs, stacked: x (R, steps, N, dim_x), the pool of y, and the negatives' places in it.

    Parameters
    ----------
    sources
        Each run's pairs.
    marginals
        Each run's further draws, for samplers that contrast with fresh y.
    sampler
        The pack's negative sampler.
    generators
        Each run's stream of negatives.
    batch
        Batch size N.
    dtype
        What the critic computes in.
    """

    def __init__(
        self,
        sources: Sequence[PairSource],
        marginals: Sequence[PairSource],
        sampler: NegativeSampler,
        generators: Sequence[torch.Generator],
        batch: int,
        dtype: torch.dtype,
    ) -> None:
        self._sources, self._marginals, self._sampler = sources, marginals, sampler
        self._generators, self._batch, self._dtype = generators, batch, dtype

    def block(self, steps: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return x (R, steps, N, dim_x), y (R, steps, B, dim_y) and indices (R, steps, N, M), None for all pairs."""
        xs, ys, indices = [], [], []
        extra = self._sampler.extra(self._batch)
        for source, marginal, generator in zip(self._sources, self._marginals, self._generators, strict=True):
            x, y = source.block(steps, self._batch)
            if extra:
                y = torch.cat((y, marginal.block(steps, extra)[1]), 1)
            xs.append(x.to(self._dtype))
            ys.append(y.to(self._dtype))
            if not self._sampler.all_pairs:
                indices.append(self._sampler.draw(y, self._batch, generator))
        return torch.stack(xs), torch.stack(ys), torch.stack(indices) if indices else None
