"""Critics that are one perceptron on the concatenated pair.

Notable: the first layer is factorised, ``W [x; y] = Wx x + Wy y``, so that it costs a row per x and per y instead of
one per pair. What follows is done in chunks of rows that stay in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from mibench.core.critic import Activation, Architecture
from mibench.core.estimator import Estimator
from mibench.core.layout import Layout
from mibench.core.registry import register_critic
from mibench.core.scorer import CHUNK_ROWS, Scorer, Shape
from mibench.critics.half import HalfLayers
from mibench.critics.kernels import HiddenLayers, Linear, activate_, rounded
from mibench.critics.module import ModuleCritic


class _JointModule(nn.Module):
    """``f([x; y])`` as a plain module."""

    def __init__(self, f: nn.Module) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        scores: Tensor = self.f(torch.cat((x, y), -1)).squeeze(-1)
        return scores


@register_critic("joint")
class Joint(ModuleCritic):
    """f([x; y]): one MLP on the concatenated pair; all pairs cost N^2 rows."""

    def module(self, dim_x: int, dim_y: int, architecture: Architecture) -> nn.Module:
        """Build the critic as a plain module."""
        return _JointModule(architecture.mlp(dim_x + dim_y, 1))

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build the stacked MLPs; with dropout, plain modules."""
        if architecture.has_dropout:
            return super().build(shape, architecture, estimators)
        kind = JointScorer if shape.hidden is None else HalfJointScorer
        return kind(shape, hidden=(architecture.depth, architecture.width), activation=architecture.activation)


_SPARE = -1
"""Slot of the two gradient buffers."""

KEPT_NUMBERS = 2**27
"""Activations kept for the backward pass (numbers); where a batch needs more, they are computed again."""

_CUDA_CHUNK_ROWS, _CUDA_KEPT_NUMBERS = 2**22, 2**32
"""The same limits on a GPU, whose kernels want all runs at once."""


class JointScorer(Scorer):
    """Critic ``f([x; y])``, an MLP on the concatenation, with its first layer factorised: ``W [x; y] = Wx x + Wy y``.

    The hidden rows are processed in chunks that stay in the cache; a chunk is either all runs (few rows) or a piece of
    one run. Activations of all chunks are kept for the backward pass where they fit, else computed again.
    """

    layers: ClassVar[type[HiddenLayers]] = HiddenLayers
    """What computes the hidden layers after the first."""

    chunk_rows: ClassVar[int] = CHUNK_ROWS
    """Rows of a chunk on a CPU, at most; they are part of the arithmetic, since gradients are summed chunk by chunk."""

    def __init__(self, shape: Shape, *, hidden: tuple[int, int], activation: Activation) -> None:
        depth, width = hidden
        layout, runs, fan_in = Layout(shape.products, shape.hidden), shape.runs, shape.dim_x + shape.dim_y
        self._first_x = Linear(layout, runs, shape.dim_x, width, fan_in=fan_in, bias=False, pad_in=False)
        self._first_y = Linear(layout, runs, shape.dim_y, width, fan_in=fan_in, pad_in=False)
        self._inner = self.layers(layout, runs, depth, width, activation)
        self._last = Linear(layout, runs, width, 1, pad_out=False)
        super().__init__(shape, layout)
        self._linears = [self._first_x, self._first_y, *self._inner.layers, self._last]
        for linear in self._linears:
            linear.attach(self.parameters, self.gradients)
        self._width, self._depth, self._activation = self._first_x.n_out, depth, activation
        self._slots: dict[tuple[int, int, int], list[Tensor]] = {}
        self._factors: dict[tuple[str, int], Tensor] = {}

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Draw the layers in order; see `Scorer.initialise`."""
        for linear in self._linears:
            linear.initialise(run, generator)

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Score a batch; see `Scorer.forward`."""
        self._x, self._y = x, y
        runs, batch, pool, every = x.shape[0], x.shape[1], y.shape[1], slice(None)
        self._inner.read_weights()
        self._u = self._kept_as(self._first_x.forward(x, self._factor("u", runs, batch), every))
        self._v = self._kept_as(self._first_y.forward(y, self._factor("v", runs, pool), every))
        self._partners = None if index is None else _partners(index, pool)  # (R, N, K)
        cells = x.new_empty(runs, batch, pool if self._partners is None else self._partners.shape[2])
        self._chunks = self._plan(cells)
        most = _CUDA_KEPT_NUMBERS if cells.is_cuda else KEPT_NUMBERS
        self._kept = cells.numel() * self._width * self._depth <= most
        for slot, (which, piece) in enumerate(self._chunks):
            activations = self._fill(which, piece, slot)
            target = cells[which, piece]
            stacked, n, _ = activations[-1].shape
            spare = self._memory(_SPARE, stacked, n, 2)[0]
            target.copy_(self._scores(activations[-1], which, spare).view_as(target))
        return cells if index is None else torch.cat((cells[:, :, 0], cells[:, :, 1:].flatten(1)), 1)

    def _plan(self, cells: Tensor) -> list[tuple[slice, slice]]:
        """Cut the scores (R, N, K) into chunks: slices of the runs and of the rows of x, each with its K partners."""
        runs, rows, partners = cells.shape
        most = _CUDA_CHUNK_ROWS if cells.is_cuda else self.chunk_rows
        if rows * partners * (runs if cells.is_cuda else 1) <= (most if cells.is_cuda else CHUNK_ROWS):
            return [(slice(None), slice(0, rows))]
        step = max(1, most // partners)
        pieces = [slice(start, min(start + step, rows)) for start in range(0, rows, step)]
        return [(slice(run, run + 1), piece) for run in range(runs) for piece in pieces]

    def _fill(self, which: slice, piece: slice, slot: int) -> list[Tensor]:
        """Compute the activations of one chunk into its slot."""
        u, v = self._u[which, piece].unsqueeze(2), self._v[which].unsqueeze(1)  # (S, rows, 1, H), (S, 1, B, H)
        partners = v.shape[2] if self._partners is None else self._partners.shape[2]
        activations = self._slot(slot, len(u), u.shape[1] * partners)
        first = activations[0].view(len(u), -1, partners, self._width)
        if self._partners is None:
            torch.add(u, v, out=first)
        else:
            rows = self._partners[which, piece].flatten()
            torch.index_select(self._v.view(-1, self._width), 0, rows, out=first.view(-1, self._width))
            first.add_(u)
        self._activate_(activations[0])
        self._inner.forward(activations, which)
        return activations

    def _activate_(self, hidden: Tensor) -> None:
        """Apply the activation in place to (S, n, H)."""
        activate_(hidden, self._activation)

    def _slot(self, slot: int, stacked: int, n: int) -> list[Tensor]:
        """Memory for the activations of a chunk; one slot serves all where they are not kept."""
        return self._memory(slot if self._kept else 0, stacked, n, self._depth)

    def _factor(self, name: str, runs: int, rows: int) -> Tensor:
        """Memory for a factor of the first layer or its gradient, (R, rows, H)."""
        key = (name, rows)
        if key not in self._factors:
            self._factors[key] = torch.empty(runs, rows, self._width, device=self.shape.device)
        return self._factors[key]

    def _memory(self, slot: int, stacked: int, n: int, count: int) -> list[Tensor]:
        key = (slot, stacked, n)
        if key not in self._slots:
            self._slots[key] = [self._u.new_empty(stacked, n, self._width) for _ in range(count)]
        return self._slots[key]

    def _kept_as(self, factor: Tensor) -> Tensor:
        """A factor of the first layer in the precision of hidden activations."""
        return factor

    def _scores(self, activation: Tensor, which: slice, spare: Tensor | None = None) -> Tensor:
        """``a w + b``, (S, n): a sum per row, which no other row can touch; ``spare`` (S, n, H) is overwritten."""
        weight, bias = self._rounded(self._last.weight[which]), self._last.bias[which]
        return torch.mul(self._hidden_rounded(activation), weight.transpose(1, 2), out=spare).sum(-1).add_(bias[:, 0])

    def _rounded(self, tensor: Tensor) -> Tensor:
        """What enters a product."""
        return rounded(tensor, self.shape.products)

    def _hidden_rounded(self, activation: Tensor) -> Tensor:
        """Activations as they enter a product with the output layer."""
        return self._rounded(activation)

    def backward(self, gradient: Tensor) -> None:
        """Chain rule chunk by chunk; see `Scorer.backward`."""
        du, dv = self._factor("du", *self._u.shape[:2]), self._factor("dv", *self._v.shape[:2]).zero_()
        if self._partners is not None:  # back from the layout of raw scores to one row of x after the other
            batch = self._u.shape[1]
            negatives = gradient[:, batch:].unflatten(1, (batch, -1))
            gradient = torch.cat((gradient[:, :batch].unsqueeze(2), negatives), 2)
        for slot, (which, piece) in enumerate(self._chunks):
            d = gradient[which, piece].flatten(1)  # (S, n)
            stacked, n = d.shape
            activations = self._slot(slot, stacked, n) if self._kept else self._fill(which, piece, slot)
            first, second = self._memory(_SPARE, stacked, n, 2)
            add = piece.start > 0  # the first chunk of a run sets its gradients
            self._last_backward(activations[-1], d, which, add=add)
            self._last_input_gradient(d, first, which)
            inner = self._inner.backward(activations, first, second, which, add=add)
            self._unload(inner, which, piece, du, dv)
        self._first_x.backward(self._x, du, slice(None), add=False)
        self._first_y.backward(self._y, dv, slice(None), add=False)

    def _last_backward(self, activation: Tensor, d: Tensor, which: slice, *, add: bool) -> None:
        """Gradients of the output layer, one product of a row vector and a matrix per run."""
        weights, biases = self._last.weight_gradient[which], self._last.bias_gradient[which]
        for a, row, weight, bias in zip(activation, d, weights, biases, strict=True):
            left, right = self._rounded(row).unsqueeze(0), self._hidden_rounded(a)
            if add:
                weight.T.addmm_(left, right)
                bias.add_(row.sum())
            else:
                torch.mm(left, right, out=weight.T)
                bias.copy_(row.sum())

    def _last_input_gradient(self, d: Tensor, out: Tensor, which: slice) -> None:
        """Carry the gradient of the scores (S, n) back to the last activation (S, n, H): an outer product per run."""
        weight = self._rounded(self._last.weight[which]).transpose(1, 2)
        torch.mul(self._rounded(d).unsqueeze(-1), weight, out=out)

    def _unload(self, gradient: Tensor, which: slice, piece: slice, du: Tensor, dv: Tensor) -> None:
        """Add the gradient of a chunk's pre-activations to those of the factors."""
        cells = gradient.unflatten(1, (piece.stop - piece.start, -1))  # (S, rows, K, H)
        du[which, piece] = cells.sum(2)
        if self._partners is None:
            dv[which] += cells.sum(1)
        else:
            rows = self._partners[which, piece].flatten()
            dv.view(-1, self._width).index_add_(0, rows, gradient.flatten(0, 1))

    def prepare(self, run: int, x: Tensor, y: Tensor) -> tuple[int, Tensor, Tensor]:
        """Apply the first layer to both sides of one run's pool, (n, H) each."""
        return run, self._kept_as(self._first_x.apply(x, run)), self._kept_as(self._first_y.apply(y, run))

    def block(self, prepared: tuple[int, Tensor, Tensor], start: int, stop: int) -> Tensor:
        """Rows of the score matrix; see `Scorer.block`."""
        run, u, v = prepared
        return self._evaluate(run, (u[start:stop].unsqueeze(1) + v).flatten(0, 1)).view(stop - start, -1)

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Scores of n pairs; see `Scorer.pairs`."""
        scores = []
        for a, b in zip(x.split(4 * CHUNK_ROWS), y.split(4 * CHUNK_ROWS), strict=True):
            _, u, v = self.prepare(run, a, b)
            scores.append(self._evaluate(run, u.add_(v)))
        return torch.cat(scores)

    def _evaluate(self, run: int, hidden: Tensor) -> Tensor:
        """Scores of one run from first-layer pre-activations (n, H), which are overwritten."""
        self._activate_(hidden.unsqueeze(0))
        return self._scores(self._inner.apply(hidden, run).unsqueeze(0), slice(run, run + 1))[0]

    def block_rows(self, n: int) -> int:
        """Rows of a block such that its activations stay in the cache."""
        return max(1, 4 * CHUNK_ROWS // n)


class HalfJointScorer(JointScorer):
    """The joint critic with hidden activations in bfloat16; see `mibench.critics.half`.

    The first layer's factors are rounded, then added and rounded again. Chunks are longer than in float32, since each
    one's gradients are rounded.
    """

    layers = HalfLayers
    chunk_rows = 4 * CHUNK_ROWS
    _inner: HalfLayers

    def _kept_as(self, factor: Tensor) -> Tensor:
        return factor.to(torch.bfloat16)

    def _activate_(self, hidden: Tensor) -> None:
        self._inner.activate_(hidden)

    def _scores(self, activation: Tensor, which: slice, spare: Tensor | None = None) -> Tensor:
        """``a w + b``, (S, n), run by run: a product with a vector."""
        weight, bias = self._rounded(self._last.weight[which]), self._last.bias[which]
        wide = self._inner.scratch.widened(activation, "result")
        found = wide.new_empty(wide.shape[:2])
        for a, w, scores in zip(wide, weight[:, :, 0], found, strict=True):
            torch.mv(a, w, out=scores)
        return found.add_(bias[:, 0])

    def _hidden_rounded(self, activation: Tensor) -> Tensor:
        return self._inner.scratch.widened(activation, "input")

    def _last_input_gradient(self, d: Tensor, out: Tensor, which: slice) -> None:
        weight = self._last.weight[which].to(out.dtype).transpose(1, 2)
        torch.mul(d.to(out.dtype).unsqueeze(-1), weight, out=out)

    def _unload(self, gradient: Tensor, which: slice, piece: slice, du: Tensor, dv: Tensor) -> None:
        super()._unload(self._inner.scratch.widened(gradient, "gradient"), which, piece, du, dv)


def _partners(index: Tensor, pool: int) -> Tensor:
    """Each row's own y and then its negatives, (R, N, 1 + M), as rows of the pool counted through the stacked runs."""
    runs, batch, _ = index.shape
    own = torch.arange(batch, device=index.device).view(1, -1, 1).expand(runs, -1, -1)
    run = torch.arange(runs, device=index.device).view(-1, 1, 1)
    return torch.cat((own, index), 2) + run * pool
