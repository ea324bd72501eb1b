"""The memory bank: a critic for instance discrimination, whose codes of the instances are kept instead of computed.

Notable: y is the number of an instance and x a view of it. The score is the product of the view's code and the
instance's entry in the bank, a running average of the codes of its earlier views; no gradient flows into the bank. It
is moved once a step, after the backward pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibench.core.critic import Activation, Architecture, Critic
from mibench.core.errors import UsageError
from mibench.core.estimator import Estimator
from mibench.core.layout import Layout
from mibench.core.registry import register_critic
from mibench.core.scorer import CHUNK_ROWS, Scorer, Shape
from mibench.core.task import Task
from mibench.critics.half import perceptrons
from mibench.critics.kernels import product


@register_critic("memory-bank")
class MemoryBank(Critic):
    """E(x)^T M[y] / temperature: codes of views against a bank of codes; y numbers the instances of the task.

    After each step ``M[y] <- rate M[y] + (1 - rate) E(x)``, scaled to unit length, for the instances of the batch (the
    mean code where one stands in it twice). Codes are unit vectors, so that scores lie within 1 / temperature. The bank
    starts at random unit vectors.

    Parameters
    ----------
    rate
        Share of an entry that is kept, in [0, 1); at 0 the bank holds the latest view.
    temperature
        Above 0.
    embed
        Dimension of the codes, at least 1.

    Source: Wu, Xiong, Yu and Lin (2018); Wu, Zhuang, Yamins and Goodman (2020, views), eq. 6 and 7, which do not scale
    the entries.
    """

    uses = frozenset({"hidden", "activation", "lr", "weight_decay", "products"})
    needs_support = True

    rate: float = 0.5
    temperature: float = 0.07
    embed: int = 32

    def __post_init__(self) -> None:
        if not (0 <= self.rate < 1 and 0 < self.temperature < math.inf and self.embed >= 1):
            raise UsageError(
                "critic 'memory-bank': rate must lie in [0, 1), temperature above 0 and embed at least 1, not "
                f"{self.rate}, {self.temperature} and {self.embed}"
            )

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build the stacked encoders; the banks are made when the task is known."""
        hidden = (architecture.depth, architecture.width)
        return MemoryBankScorer(shape, self, hidden=hidden, activation=architecture.activation)


class MemoryBankScorer(Scorer):
    """R stacked encoders, each with its bank.

    Parameters
    ----------
    shape
        Sizes of the pack; y has one column.
    critic
        Rate, temperature and dimension of the codes.
    hidden, activation
        Of the encoders.
    """

    def __init__(self, shape: Shape, critic: MemoryBank, *, hidden: tuple[int, int], activation: Activation) -> None:
        layout = Layout(shape.products, shape.hidden)
        self._encoder = perceptrons(layout, shape.runs, shape.dim_x, hidden, critic.embed, activation)
        super().__init__(shape, layout)
        for linear in self._encoder.linears:
            linear.attach(self.parameters, self.gradients)
        self._critic = critic
        self._generators = [torch.Generator()] * shape.runs
        self.bank = torch.empty(shape.runs, 0, self._encoder.last.n_out, device=shape.device)  # (R, K, E)

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Draw the encoder's layers in order; the bank follows from the same stream."""
        for linear in self._encoder.linears:
            linear.initialise(run, generator)
        self._generators[run] = generator

    def set_tasks(self, tasks: Sequence[Task]) -> None:
        """Draw the banks at the first task; later ones show other views of the same instances."""
        if self.bank.shape[1]:
            return
        count, (_, columns) = len(tasks[0].support_y()[0]), self._encoder.last.real
        self.bank = self.bank.new_zeros(self.shape.runs, count, self._encoder.last.n_out)
        for run, generator in enumerate(self._generators):
            drawn = torch.randn(count, self._critic.embed, generator=generator, device=generator.device)
            self.bank[run, :, columns] = normalize(drawn, dim=-1).to(self.bank.device)

    def state(self) -> list[Tensor]:
        """The bank, which a step changes."""
        return [self.bank]

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Score a batch; see `Scorer.forward`."""
        self._x, self._index = x.contiguous(), index
        codes = self._encoder.forward(self._x)  # (R, N, E)
        self._norm = codes.norm(dim=-1, keepdim=True)
        self._code = codes / self._norm
        self._instances = instances(y)  # (R, B)
        self._entries = entries(self.bank, self._instances)  # (R, B, E)
        return pair_values(self._code, self._entries, index).div_(self._critic.temperature)

    def backward(self, gradient: Tensor) -> None:
        """Chain rule through the code, and then the bank's own step; see `Scorer.backward`."""
        batch = self._x.shape[1]
        if self._index is None:
            matrix = gradient
        else:
            matrix = gradient.new_zeros(len(gradient), batch, self._entries.shape[1])
            matrix.scatter_add_(2, self._index, gradient[:, batch:].unflatten(1, (batch, -1)))
            matrix.diagonal(dim1=1, dim2=2).add_(gradient[:, :batch])
        d_code = product(matrix, self._entries) / self._critic.temperature
        along = (self._code * d_code).sum(-1, keepdim=True)
        self._encoder.backward(self._x, (d_code - self._code * along) / self._norm)
        self._move_bank(self._instances[:, :batch])

    def _move_bank(self, seen: Tensor) -> None:
        """Average the entries of the batch's instances (R, N) with the codes of their views."""
        runs, count, width = self.bank.shape
        rows = seen + torch.arange(0, runs * count, count, device=seen.device).unsqueeze(1)
        sums = self.bank.new_zeros(runs * count, width).index_add_(0, rows.flatten(), self._code.flatten(0, 1))
        views = self.bank.new_zeros(runs * count).index_add_(0, rows.flatten(), self._norm.new_ones(rows.numel()))
        mean = (sums / views.clamp(min=1).unsqueeze(1)).view_as(self.bank)
        moved = normalize(self._critic.rate * self.bank + (1 - self._critic.rate) * mean, dim=-1)
        self.bank.copy_(torch.where(views.view(runs, count, 1) > 0, moved, self.bank))

    def prepare(self, run: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Codes of the views and entries of the instances, (n, E) each."""
        codes = torch.cat([self._encoder.apply(part, run) for part in x.split(CHUNK_ROWS)])
        return normalize(codes, dim=-1) / self._critic.temperature, self.bank[run, instances(y)]

    def block(self, prepared: tuple[Tensor, Tensor], start: int, stop: int) -> Tensor:
        """Rows of the score matrix; see `Scorer.block`."""
        codes, kept = prepared
        return codes[start:stop] @ kept.T

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Scores of n pairs; see `Scorer.pairs`."""
        codes, kept = self.prepare(run, x, y)
        return (codes * kept).sum(-1)

    def similarity(self) -> Scorer:
        """Similarity of the entries of two instances; see `Scorer.similarity`."""
        return BankSimilarityScorer(self)


class BankSimilarityScorer(Scorer):
    """``M[y_i]^T M[y_j]`` of the row's own instance and the pair's; nothing is trained.

    Parameters
    ----------
    critics
        Whose banks are compared.
    """

    def __init__(self, critics: MemoryBankScorer) -> None:
        super().__init__(critics.shape, Layout())
        self._critics = critics

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Nothing to draw."""

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Compare each row's instance with those of its pairs; see `Scorer.forward`."""
        kept = entries(self._critics.bank, instances(y))
        return pair_values(kept[:, : x.shape[1]].contiguous(), kept, index)

    def backward(self, gradient: Tensor) -> None:
        """Nothing to train."""

    def prepare(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Entries of the instances, (n, E)."""
        return self._critics.bank[run, instances(y)]

    def block(self, prepared: Tensor, start: int, stop: int) -> Tensor:
        """Rows of the similarities; see `Scorer.block`."""
        return prepared[start:stop] @ prepared.T

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """An entry is as similar to itself as can be: ones, (n,)."""
        return x.new_ones(len(y))


def instances(y: Tensor) -> Tensor:
    """Numbers of the instances, (..., n), from y (..., n, 1)."""
    return y[..., 0].long()


def entries(bank: Tensor, chosen: Tensor) -> Tensor:
    """Entries (R, B, E) of banks (R, K, E)."""
    runs = torch.arange(len(bank), device=bank.device).unsqueeze(1)
    return bank[runs, chosen]


def pair_values(left: Tensor, right: Tensor, index: Tensor | None) -> Tensor:
    """Inner products of rows (R, N, E) and a pool (R, B, E), in the layout of raw scores."""
    matrix = product(left, right.transpose(1, 2))  # (R, N, B)
    if index is None:
        return matrix
    return torch.cat((matrix.diagonal(dim1=1, dim2=2), matrix.gather(2, index).flatten(1)), 1)
