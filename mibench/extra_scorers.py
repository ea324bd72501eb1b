"""Extras at work: what estimators train beside the critic, as scorers of the same layout.

Notable: a second critic is a critic (`mibench.dot_scorer`, `mibench.joint_scorer`); here are a baseline, which sees y
alone and costs a row per y, and a constant. Their values are laid out pair by pair, so that objectives and pools treat
them like scores; the way back sums the gradients of all pairs that a value stands in, one run at a time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mibench.kernels import MLP, Activation, Layout
from mibench.scorers import CHUNK_ROWS, Scorer, Shape


class BaselineScorer(Scorer):
    """Baselines ``a(y)``: R stacked perceptrons on the pool's y.

    Parameters
    ----------
    shape
        Sizes of the pack.
    hidden
        (depth, width).
    activation
        Activation of the hidden layers.
    """

    def __init__(self, shape: Shape, *, hidden: tuple[int, int], activation: Activation = "relu") -> None:
        layout = Layout()
        self._mlp = MLP(layout, shape.runs, shape.dim_y, hidden, 1, activation)
        super().__init__(shape, layout)
        for linear in self._mlp.linears:
            linear.attach(self.parameters, self.gradients)

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Draw the layers in order; see `Scorer.initialise`."""
        for linear in self._mlp.linears:
            linear.initialise(run, generator)

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Lay out the values of each y; see `Scorer.forward`."""
        self._y, self._index, batch = y.to(self.dtype).contiguous(), index, x.shape[1]
        values = self._mlp.forward(self._y)[..., 0]  # (R, B); the other columns are padding
        if index is None:
            return values.unsqueeze(1).expand(-1, batch, -1).contiguous()
        return torch.cat((values[:, :batch], values.gather(1, index.flatten(1))), 1)

    def backward(self, gradient: Tensor) -> None:
        """Sum over the pairs of each y, then the perceptrons; see `Scorer.backward`."""
        runs, pool, _ = self._y.shape
        if self._index is None:
            total = torch.stack([of_run.sum(0) for of_run in gradient])  # (R, B)
        else:
            batch = self._index.shape[1]
            total = gradient.new_zeros(runs, pool)
            total[:, :batch] = gradient[:, :batch]
            for run in range(runs):
                total[run].index_add_(0, self._index[run].flatten(), gradient[run, batch:])
        output = gradient.new_zeros(runs, pool, self._mlp.last.n_out)
        output[..., 0] = total
        self._mlp.backward(self._y, output)

    def prepare(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Values of one run's pool, (n,)."""
        return torch.cat([self._mlp.apply(part.to(self.dtype), run)[:, 0] for part in y.split(CHUNK_ROWS)])

    def block(self, prepared: Tensor, start: int, stop: int) -> Tensor:
        """Rows of the values; see `Scorer.block`."""
        return prepared.expand(stop - start, -1)

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Values at the y of n pairs; see `Scorer.pairs`."""
        return self.prepare(run, x, y)


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
        batch = x.shape[1]
        if index is None:
            return self._values.unsqueeze(2).expand(-1, batch, y.shape[1]).contiguous()
        return self._values.expand(-1, batch + index[0].numel()).contiguous()

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
