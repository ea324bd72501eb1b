"""A critic that sees only some columns of y."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mibench.core.layout import Layout
from mibench.core.scorer import Scorer
from mibench.core.task import Task


class FirstColumnsScorer(Scorer):
    """Hands another scorer the first columns of y; everything else, the parameters included, is that scorer's.

    Parameters
    ----------
    inner
        What scores x against the columns, built for that many.
    """

    def __init__(self, inner: Scorer) -> None:
        super().__init__(inner.shape, Layout())
        self._inner = inner
        self.dtype, self.parameters, self.gradients = inner.dtype, inner.parameters, inner.gradients

    def _seen(self, y: Tensor) -> Tensor:
        return y[..., : self._inner.shape.dim_y].contiguous()

    def places(self, first: int, last: int) -> list[slice]:
        """Where the inner scorer keeps the parameters; see `Scorer.places`."""
        return self._inner.places(first, last)

    def state_of(self, run: int) -> list[Tensor]:
        """What the inner scorer changes; see `Scorer.state_of`."""
        return self._inner.state_of(run)

    def set_tasks(self, tasks: Sequence[Task]) -> None:
        """Pass the tasks on."""
        self._inner.set_tasks(tasks)

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Draw the inner scorer's parameters; see `Scorer.initialise`."""
        self._inner.initialise(run, generator)

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Score a batch; see `Scorer.forward`."""
        return self._inner.forward(x, self._seen(y), index, train=train)

    def backward(self, gradient: Tensor) -> None:
        """Set the inner scorer's gradients; see `Scorer.backward`."""
        self._inner.backward(gradient)

    def prepare(self, run: int, x: Tensor, y: Tensor) -> Any:
        """Prepare the inner scorer; see `Scorer.prepare`."""
        return self._inner.prepare(run, x, self._seen(y))

    def block(self, prepared: Any, start: int, stop: int) -> Tensor:
        """Rows of the score matrix; see `Scorer.block`."""
        return self._inner.block(prepared, start, stop)

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Scores of n pairs; see `Scorer.pairs`."""
        return self._inner.pairs(run, x, self._seen(y))

    def block_rows(self, n: int) -> int:
        """Rows of the inner scorer's blocks."""
        return self._inner.block_rows(n)
