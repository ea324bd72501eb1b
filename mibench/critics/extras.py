"""Extras at work: what stands beside the critic, as scorers of the same layout.

Notable: a second critic is a critic (`mibench.critics.dot_products`, `mibench.critics.joint`); here are a baseline,
which sees x or y alone and costs a row of each, a constant, the task's entropy, and random numbers. Their values are
laid out pair by pair, so that objectives and pools treat them like scores; the way back sums the gradients of all pairs
that a value stands in, one run at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mibench.core.critic import Activation
from mibench.core.scorer import Scorer, Shape

if TYPE_CHECKING:
    pass
from abc import abstractmethod

from mibench.core.estimator import Side
from mibench.core.layout import Layout
from mibench.core.scorer import CHUNK_ROWS
from mibench.core.task import Task
from mibench.critics.half import perceptrons


class SideScorer(Scorer):
    """Base of functions of x or of y alone: a row of each, laid out pair by pair.

    Parameters
    ----------
    shape
        Sizes of the pack.
    layout
        The parameters' blocks.
    side
        ``x`` or ``y``.
    """

    def __init__(self, shape: Shape, layout: Layout, side: Side) -> None:
        super().__init__(shape, layout)
        self._of_x = side == "x"

    @abstractmethod
    def _values(self, inputs: Tensor) -> Tensor:
        """Values (R, n) of each row of the side, (R, n, dim)."""

    @abstractmethod
    def _values_backward(self, gradient: Tensor) -> None:
        """Set the gradients of all parameters, given that of the last values, (R, n)."""

    @abstractmethod
    def _values_of(self, run: int, inputs: Tensor) -> Tensor:
        """Values (n,) of one run, given rows (n, dim): for evaluation."""

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Lay out the values of each x or y; see `Scorer.forward`."""
        inputs, self._index = (x if self._of_x else y).to(self.dtype).contiguous(), index
        batch, pool = x.shape[1], y.shape[1]
        self._rows = inputs.shape[1]
        values = self._values(inputs)  # (R, N) or (R, B)
        if index is None:
            return values.unsqueeze(2 if self._of_x else 1).expand(-1, batch, pool).contiguous()
        if self._of_x:
            return torch.cat((values, values.repeat_interleave(index.shape[2], 1)), 1)
        return torch.cat((values[:, :batch], values.gather(1, index.flatten(1))), 1)

    def backward(self, gradient: Tensor) -> None:
        """Sum over the pairs of each x or y, then the function; see `Scorer.backward`."""
        if self._index is None:
            total = torch.stack([of_run.sum(1 if self._of_x else 0) for of_run in gradient])
        elif self._of_x:
            negatives = gradient[:, self._rows :].unflatten(1, (self._rows, -1))
            total = gradient[:, : self._rows] + torch.stack([of_run.sum(1) for of_run in negatives])
        else:
            total = self._sum_by_index(gradient, self._index, self._rows)
        self._values_backward(total)

    def _sum_by_index(self, gradient: Tensor, index: Tensor, pool: int) -> Tensor:
        """Gradient of each y of the pool, (R, B)."""
        batch = index.shape[1]
        total = gradient.new_zeros(len(index), pool)
        total[:, :batch] = gradient[:, :batch]
        for run, rows in enumerate(index):
            total[run].index_add_(0, rows.flatten(), gradient[run, batch:])
        return total

    def prepare(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Values of one run's pool, (n,)."""
        inputs = (x if self._of_x else y).to(self.dtype)
        return torch.cat([self._values_of(run, part) for part in inputs.split(CHUNK_ROWS)])

    def block(self, prepared: Tensor, start: int, stop: int) -> Tensor:
        """Rows of the values; see `Scorer.block`."""
        if self._of_x:
            return prepared[start:stop].unsqueeze(1).expand(-1, len(prepared))
        return prepared.expand(stop - start, -1)

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Values at the x or y of n pairs; see `Scorer.pairs`."""
        return self.prepare(run, x, y)


class BaselineScorer(SideScorer):
    """Baselines ``a(x)`` or ``a(y)``: R stacked perceptrons on the batch's x or the pool's y.

    Parameters
    ----------
    shape
        Sizes of the pack.
    side
        ``x`` or ``y``.
    hidden
        (depth, width).
    activation
        Activation of the hidden layers.
    """

    def __init__(self, shape: Shape, *, side: Side, hidden: tuple[int, int], activation: Activation = "relu") -> None:
        layout, dim = Layout(shape.products, shape.hidden), shape.dim_x if side == "x" else shape.dim_y
        self._mlp = perceptrons(layout, shape.runs, dim, hidden, 1, activation)
        super().__init__(shape, layout, side)
        for linear in self._mlp.linears:
            linear.attach(self.parameters, self.gradients)

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Draw the layers in order; see `Scorer.initialise`."""
        for linear in self._mlp.linears:
            linear.initialise(run, generator)

    def _values(self, inputs: Tensor) -> Tensor:
        self._inputs = inputs
        return self._mlp.forward(inputs)[..., 0]  # the other columns are padding

    def _values_backward(self, gradient: Tensor) -> None:
        output = gradient.new_zeros(*gradient.shape, self._mlp.last.n_out)
        output[..., 0] = gradient
        self._mlp.backward(self._inputs, output)

    def _values_of(self, run: int, inputs: Tensor) -> Tensor:
        return self._mlp.apply(inputs, run)[:, 0]


class ConstantScorer(Scorer):
    """One trained number per run, 0 at the start.

    Parameters
    ----------
    shape
        Sizes of the pack.
    """

    def __init__(self, shape: Shape) -> None:
        layout = Layout()
        block = layout.add(shape.runs, 1)
        super().__init__(shape, layout)
        self._values, self._value_gradients = block.view(self.parameters), block.view(self.gradients)  # (R, 1)

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Start at 0; nothing is drawn."""
        self._values[run] = 0

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Lay out each run's number; see `Scorer.forward`."""
        return _laid_out(self._values, x, y, index)

    def backward(self, gradient: Tensor) -> None:
        """Sum over all pairs; see `Scorer.backward`."""
        self._value_gradients.copy_(torch.stack([of_run.sum() for of_run in gradient]).unsqueeze(1))

    def prepare(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Lay out the number for a pool, (n,)."""
        return self._values[run].expand(len(y))

    def block(self, prepared: Tensor, start: int, stop: int) -> Tensor:
        """Rows of the values; see `Scorer.block`."""
        return prepared.expand(stop - start, -1)

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Values of n pairs; see `Scorer.pairs`."""
        return self.prepare(run, x, y)


class EntropyScorer(Scorer):
    """The entropy h(X) of each run's task, the same for every pair; nothing is trained.

    Parameters
    ----------
    shape
        Sizes of the pack.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape, Layout())
        self._values = torch.zeros(shape.runs, 1, device=shape.device)

    def set_tasks(self, tasks: Sequence[Task]) -> None:
        """Take the entropies of these tasks, in place."""
        self._values.copy_(torch.tensor([[task.entropy_x] for task in tasks]))

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Nothing to draw."""

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Lay out each run's number; see `Scorer.forward`."""
        return _laid_out(self._values, x, y, index)

    def backward(self, gradient: Tensor) -> None:
        """Nothing to train."""

    def prepare(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Lay out the number for a pool, (n,)."""
        return self._values[run].expand(len(y))

    def block(self, prepared: Tensor, start: int, stop: int) -> Tensor:
        """Rows of the values; see `Scorer.block`."""
        return prepared.expand(stop - start, -1)

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Values of n pairs; see `Scorer.pairs`."""
        return self.prepare(run, x, y)


class UniformScorer(Scorer):
    """Random numbers in [0, 1) for every pair; nothing is trained.

    Training and evaluation have generators of their own, seeded from the run's stream, so that neither moves the
    other's numbers. A pool's numbers depend on the run and the pair alone, not on the blocks that it is visited in.

    Parameters
    ----------
    shape
        Sizes of the pack.
    """

    capturable = False

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape, Layout())
        self._seeds = [(0, 0)] * shape.runs  # of evaluation on batches and on pools
        self._generators = [(self._generator(0), self._generator(0))] * shape.runs  # of evaluation and of training

    def _generator(self, seed: int) -> torch.Generator:
        return torch.Generator(device=self.shape.device).manual_seed(seed)

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Draw the seeds; see `Scorer.initialise`."""
        evaluation, training, pool = torch.randint(2**62, (3,), generator=generator).tolist()
        self._generators[run] = self._generator(evaluation), self._generator(training)
        self._seeds[run] = evaluation, pool

    def rewind(self) -> None:
        """Begin the numbers of evaluation on batches anew; see `Scorer.rewind`."""
        for (evaluation, _), (generator, _) in zip(self._seeds, self._generators, strict=True):
            generator.manual_seed(evaluation)

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Draw a number for each pair; see `Scorer.forward`."""
        batch = x.shape[1]
        size = (batch, y.shape[1]) if index is None else (batch + index[0].numel(),)
        return torch.stack([self._draw(size, generators[train]) for generators in self._generators])

    def _draw(self, size: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return torch.rand(size, generator=generator, device=self.shape.device)

    def backward(self, gradient: Tensor) -> None:
        """Nothing to train."""

    def prepare(self, run: int, x: Tensor, y: Tensor) -> tuple[int, int]:
        """Keep the seed and the size of the pool."""
        return self._seeds[run][1], len(y)

    def block(self, prepared: tuple[int, int], start: int, stop: int) -> Tensor:
        """Rows of numbers, each from a generator of its own; see `Scorer.block`."""
        seed, n = prepared
        return torch.stack([self._draw((n,), self._generator(seed + row)) for row in range(start, stop)])

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Numbers for n pairs, the same for every list of n; see `Scorer.pairs`."""
        return self._draw((len(y),), self._generator(self._seeds[run][1]))


def _laid_out(values: Tensor, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
    """A number per run, (R, 1), in the layout of raw scores."""
    batch = x.shape[1]
    if index is None:
        return values.unsqueeze(2).expand(-1, batch, y.shape[1]).contiguous()
    return values.expand(-1, batch + index[0].numel()).contiguous()
