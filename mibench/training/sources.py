"""Where a run's pairs come from: the seam between tasks and the trainer.

Notable: pairs are drawn for many steps at once, which makes the cost of drawing small beside a step. How many is fixed
by the sizes alone, so that a run's data never depend on its company.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from mibench.core.declared import fault_of_draw
from mibench.core.errors import UsageError
from mibench.core.registry import NEGATIVES
from mibench.core.sampler import NegativeSampler
from mibench.core.task import Task

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


class EpochSource:
    """Pairs of a fixed set, drawn without replacement: every epoch in a new random order, whole batches only.

    What is left at the end of an epoch, less than a batch, is dropped, since a short batch has another ceiling; the
    next order leaves other pairs out.

    Parameters
    ----------
    x, y
        The set, (n, dim_x) and (n, dim_y); n at least the batch size.
    generator
        Of the orders; None takes the pairs as they stand.
    """

    def __init__(self, x: Tensor, y: Tensor, generator: torch.Generator | None) -> None:
        self._x, self._y, self._generator = x, y, generator
        self._done = 0  # steps taken
        self._epoch, self._order = -1, torch.empty(0)  # the last that was begun
        self._orders = self._local = self._starts = torch.empty(0)  # where the last block's batches lie
        self._batch = 0

    def block(self, steps: int, batch: int) -> tuple[Tensor, Tensor]:
        """Take the pairs of the next steps; see `PairSource.block`."""
        device, per_epoch = self._x.device, len(self._x) // batch
        first, last = self._done // per_epoch, (self._done + steps - 1) // per_epoch
        orders = [self._order if epoch == self._epoch else self._new_order() for epoch in range(first, last + 1)]
        taken = torch.arange(self._done, self._done + steps, device=device).unsqueeze(1)
        self._done, self._epoch, self._order = self._done + steps, last, orders[-1]
        self._orders, self._local = torch.stack(orders), taken // per_epoch - first
        self._starts, self._batch = taken % per_epoch * batch, batch
        return self._pairs(torch.arange(batch, device=device).expand(steps, -1))

    def beside(self, steps: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs that are not in the batches of the last block's first steps, uniformly and with replacement."""
        n = len(self._x)
        drawn = torch.randint(n - self._batch, (steps, count), generator=generator, device=generator.device)
        return self._pairs(self._batch + drawn)

    def _pairs(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Pairs at places (steps, k) counted from the start of each step's batch, in the order of its epoch."""
        steps = len(places)
        rows = self._orders[self._local[:steps], (self._starts[:steps] + places) % len(self._x)]
        return self._x[rows], self._y[rows]

    def _new_order(self) -> Tensor:
        n, device = len(self._x), self._x.device
        if self._generator is None:
            return torch.arange(n, device=device)
        return torch.randperm(n, generator=self._generator, device=device)


class BesideSource:
    """Pairs of a fixed set for samplers that contrast with further y: never those of the batch itself.

    Where a sampler remembers earlier batches, a row may meet its own y there, as a draw from the set would make it
    meet it: with a probability of one in the pairs of the set for each negative.
    """

    def __init__(self, batches: EpochSource, generator: torch.Generator) -> None:
        self._batches, self._generator = batches, generator

    def block(self, steps: int, batch: int) -> tuple[Tensor, Tensor]:
        """Draw for the steps that the batches were last taken for; see `PairSource.block`."""
        return self._batches.beside(steps, batch, self._generator)


def block_steps(batch: int, dim_x: int, dim_y: int) -> int:
    """Return for how many steps pairs are drawn at once."""
    return max(1, min(_MOST_STEPS, _BLOCK_NUMBERS // (batch * (dim_x + dim_y))))


@dataclasses.dataclass(frozen=True)
class Batches:
    """Batches of R runs: of one step, or of several with a second axis for the steps.

    Parameters
    ----------
    x
        (R, N, dim_x).
    y
        Pool (R, B, dim_y), the batch's own y first.
    index
        Negatives as pool rows (R, N, M); None for all pairs.
    log_weights
        Of negatives from a proposal (R, N, M); see `mibench.core.sampler.Proposal`.
    """

    x: Tensor
    y: Tensor
    index: Tensor | None = None
    log_weights: Tensor | None = None

    def step(self, s: int) -> Batches:
        """One step of several."""
        return self.map(lambda tensor: tensor[:, s])

    def map(self, function: Callable[[Tensor], Tensor]) -> Batches:
        """Apply a function to every tensor."""
        parts = (self.x, self.y, self.index, self.log_weights)
        return Batches(*(None if part is None else function(part) for part in parts))  # type: ignore[arg-type]  # x, y

    def tensors(self) -> list[Tensor]:
        """Return the tensors that there are."""
        return [part for part in (self.x, self.y, self.index, self.log_weights) if part is not None]


def _stacked(column: Sequence[Tensor]) -> Tensor:
    """Stack one tensor per run; what all rows of a batch share (negatives of a memory) is still written down once."""
    if all(tensor.stride(1) == 0 for tensor in column):
        return torch.stack([tensor[:, :1] for tensor in column]).expand(-1, -1, column[0].shape[1], -1)
    return torch.stack(tuple(column))


class Feed:
    """Pairs and negatives of R runs, stacked.

    Parameters
    ----------
    tasks
        Each run's task.
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
        tasks: Sequence[Task],
        sources: Sequence[PairSource],
        marginals: Sequence[PairSource],
        sampler: NegativeSampler,
        generators: Sequence[torch.Generator],
        batch: int,
        dtype: torch.dtype,
    ) -> None:
        self._tasks, self._sources, self._marginals, self._sampler = tasks, sources, marginals, sampler
        self._generators, self._batch, self._dtype = generators, batch, dtype
        self._memories: list[Tensor | None] = [None] * len(tasks)

    def block(self, steps: int) -> Batches:
        """Return the batches of the next steps: x (R, steps, N, dim_x), and so on."""
        runs = [self._run_block(run, steps) for run in range(len(self._sources))]
        # Runs have the same tensors: a sampler has indices or weights for all of them or for none.
        columns = zip(*(batches.tensors() for batches in runs), strict=True)
        stacked = iter([_stacked(column) for column in columns])
        return runs[0].map(lambda _: next(stacked))

    def _run_block(self, run: int, steps: int) -> Batches:
        x, y = self._sources[run].block(steps, self._batch)
        if self._sampler.all_pairs:
            return Batches(x.to(self._dtype), y.to(self._dtype))
        parts = [y]
        if extra := self._sampler.extra(self._batch):
            parts.append(self._marginals[run].block(steps, extra)[1])
        if memory := self._sampler.memory(self._batch):
            parts.append(self._remember(run, y, memory))
        pool = torch.cat(parts, 1) if len(parts) > 1 else y
        task, batch = self._tasks[run], self._batch
        drawn = self._sampler.propose(task, pool, batch, self._generators[run])
        size = self._sampler.pool(batch, task)
        if fault := fault_of_draw(self._sampler, drawn, steps=steps, batch=batch, pool=size):
            raise UsageError(f"negative sampler '{NEGATIVES.id_of(self._sampler)}': {fault}")
        return Batches(x.to(self._dtype), drawn.y.to(self._dtype), drawn.index, drawn.log_weights)

    def _remember(self, run: int, y: Tensor, size: int) -> Tensor:
        """The y of the batches before each step, (steps, size, dim_y), the latest last."""
        earlier = self._memories[run]
        if earlier is None:
            earlier = self._marginals[run].block(1, size)[1][0]
        series = torch.cat((earlier, y.flatten(0, 1)))  # in the order of time
        self._memories[run] = series[-size:].clone()
        steps = len(y)
        return series.unfold(0, size, self._batch)[:steps].transpose(1, 2)
