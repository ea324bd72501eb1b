"""Negatives without a permutation: all pairs of the batch, fresh draws, a finite support, a memory, or none."""

from __future__ import annotations

import dataclasses
from typing import Self

import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.registry import register_negatives
from mibench.core.sampler import NegativeSampler, Proposal
from mibench.core.task import Task


@register_negatives("all-pairs")
class AllPairs(NegativeSampler):
    """Every other y of the batch is a negative of a row: M = N - 1."""

    all_pairs = True

    def per_row(self, batch: int) -> int:
        """N - 1 negatives per row."""
        return batch - 1


@register_negatives("independent")
class Independent(NegativeSampler):
    """Fresh draws from p(y), M for each row.

    Parameters
    ----------
    m
        Negatives per row, at least 1.
    """

    m: int = 1

    def __post_init__(self) -> None:
        if self.m < 1:
            raise UsageError(f"negative sampler 'independent': m must be at least 1, not {self.m}")

    def per_row(self, batch: int) -> int:
        """As many as asked for."""
        return self.m

    def extra(self, batch: int) -> int:
        """M fresh y for each of the N rows."""
        return batch * self.m

    def draw(self, y: Tensor, batch: int, generator: torch.Generator) -> Tensor:
        """The fresh y in order, shape (steps, N, M)."""
        index = torch.arange(batch, batch * (1 + self.m), device=y.device)
        return index.view(1, batch, self.m).expand(y.shape[0], -1, -1)


@register_negatives("others")
class Others(NegativeSampler):
    """Every other element of the finite support of y: M = K - 1.

    Parameters
    ----------
    count
        Size of the support, K; None for that of the task.
    """

    needs_support = True
    exhaustive = True

    count: int | None = None

    def bound_to(self, task: Task) -> Self:
        """Fill in the size of the task's support."""
        count = len(task.support_y()[0])
        if self.count not in (None, count) or count < 2:
            raise UsageError(f"negative sampler 'others': count is {self.count}, but y takes {count} values")
        return dataclasses.replace(self, count=count)

    def per_row(self, batch: int) -> int:
        """K - 1 negatives per row."""
        if self.count is None:
            raise UsageError("negative sampler 'others': how many values y takes is not known without a task")
        return self.count - 1

    def pool(self, batch: int, task: Task) -> int:
        """The batch's y and the support."""
        return batch + self.per_row(batch) + 1

    def propose(self, task: Task, y: Tensor, batch: int, generator: torch.Generator) -> Proposal:
        """All elements of the support but the row's own; nothing is drawn."""
        values = task.support_y()[0].to(y)
        own = torch.cdist(y.flatten(0, 1).double(), values.double()).argmin(1)  # (steps N,)
        place = torch.arange(len(values) - 1, device=y.device)
        index = batch + place + (place >= own.unsqueeze(1))  # the own element is stepped over
        pool = torch.cat((y, values.expand(len(y), -1, -1)), 1)
        return Proposal(pool, index.unflatten(0, (len(y), batch)))


@register_negatives("queue")
class Queue(NegativeSampler):
    """A first-in-first-out memory of the y of earlier batches: every row against all M of them.

    The negatives are draws from p(y) that are independent of the batch, so that bounds stay bounds; there are fresh
    draws in the memory until batches have filled it. The y themselves are kept and encoded anew by the present critic:
    memories of codes (MoCo, instance discrimination) hold those of earlier critics.

    Parameters
    ----------
    m
        Size of the memory and negatives per row, at least 1.

    Source: He et al. (2020, MoCo), section 3.2.
    """

    m: int = 256

    def __post_init__(self) -> None:
        if self.m < 1:
            raise UsageError(f"negative sampler 'queue': m must be at least 1, not {self.m}")

    def per_row(self, batch: int) -> int:
        """The whole memory."""
        return self.m

    def memory(self, batch: int) -> int:
        """As many as asked for."""
        return self.m

    def draw(self, y: Tensor, batch: int, generator: torch.Generator) -> Tensor:
        """The memory in the order of time, shape (steps, N, M)."""
        return torch.arange(batch, batch + self.m, device=y.device).expand(y.shape[0], batch, -1)


@register_negatives("none")
class NoNegatives(NegativeSampler):
    """No negatives: what estimators that take a sample of pairs have, and no other."""

    has_negatives = False

    def per_row(self, batch: int) -> int:
        """None."""
        return 0

    def draw(self, y: Tensor, batch: int, generator: torch.Generator) -> Tensor:
        """An empty index, shape (steps, N, 0)."""
        return torch.empty(y.shape[0], batch, 0, dtype=torch.int64, device=y.device)
