"""Critics at work: R stacked critics that score a batch and turn a gradient of the scores into one of the parameters.

Notable: the objective sees only scores, so that autograd is needed for a tensor of scores alone; what lies behind it is
a hand-written backward pass for the stock critics (`DotScorer`, `JointScorer`) and autograd for everything else
(`ModuleScorer`). Raw scores travel as one tensor: all pairs as (R, N, N), or explicit negatives as (R, N + N M), the
positives first.
"""

from __future__ import annotations

import contextlib
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mibench.interfaces import Task
from mibench.kernels import MLP, Activation, HiddenLayers, Layout, Linear, activate_, product
from mibench.scores import Scores

_CHUNK_ROWS = 1024
"""Rows of hidden activations that a joint critic processes at once on a CPU: they stay in the second-level cache."""

_SPARE = -1
"""Slot of the two gradient buffers."""

_KEPT_NUMBERS = 2**27
"""Activations kept for the backward pass (numbers); where a batch needs more, they are computed again."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes that the runs of a pack share."""

    runs: int
    batch: int
    pool: int
    dim_x: int
    dim_y: int
    device: torch.device


def as_scores(raw: Tensor, batch: int, *, all_pairs: bool) -> Scores:
    """Read raw scores, (R, N, N) or (R, N + N M), as `Scores`."""
    if all_pairs:
        return Scores.from_matrix(raw)
    return Scores.from_pairs(raw[..., :batch], raw[..., batch:].unflatten(-1, (batch, -1)))


class Scorer(ABC):
    """R stacked critics with their parameters in one flat tensor.

    Parameters
    ----------
    shape
        Sizes of the pack.
    layout
        The parameters' blocks; empty for critics without any.
    """

    def __init__(self, shape: Shape, layout: Layout) -> None:
        self.shape = shape
        self.dtype = torch.float32
        self.parameters = torch.zeros(layout.size, device=shape.device)
        self.gradients = torch.zeros_like(self.parameters)
        self._layout = layout

    def places(self, first: int, last: int) -> list[slice]:
        """Where the parameters of runs first..last lie in the flat tensor: one piece for all runs, else many."""
        if last - first == self.shape.runs:
            return [slice(None)]
        per_run = [block.stacked // self.shape.runs for block in self._layout.blocks]
        return [b.rows(first * k, last * k) for b, k in zip(self._layout.blocks, per_run, strict=True)]

    @abstractmethod
    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Draw the initial parameters of one run."""

    @abstractmethod
    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Score a batch of every run.

        Parameters
        ----------
        x
            (R, N, dim_x).
        y
            Pool (R, B, dim_y), the batch's own y first.
        index
            Negatives as pool rows (R, N, M); None for all pairs.
        train
            Whether dropout acts and `backward` may follow.

        Returns
        -------
        Tensor
            Raw scores; see `as_scores`.
        """

    @abstractmethod
    def backward(self, gradient: Tensor) -> None:
        """Overwrite `gradients`, given the gradient of the last raw scores."""

    @abstractmethod
    def prepare(self, run: int, x: Tensor, y: Tensor) -> Any:
        """Do the part of an all-pairs evaluation that is linear in the number of pairs."""

    @abstractmethod
    def block(self, prepared: Any, start: int, stop: int) -> Tensor:
        """Scores of rows start..stop of x against every y, (stop - start, n)."""

    @abstractmethod
    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Scores of n pairs, (n,)."""

    def block_rows(self, n: int) -> int:
        """Rows of a block such that its scores take about 2 MB."""
        return max(1, min(64, 2**19 // n))


class DotScorer(Scorer):
    """Critics ``scale * g(x)^T h(y)``: separable, bilinear (h the identity) and cosine (unit vectors).

    Parameters
    ----------
    shape
        Sizes of the pack.
    hidden
        (depth, width) of both towers; None for the bilinear critic, whose g is linear and whose h is the identity.
    activation
        Activation of the towers.
    embed
        Dimension of the embedding.
    scale
        For unit vectors: factor on their product (an inverse temperature); None leaves the vectors as they are.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        hidden: tuple[int, int] | None,
        activation: Activation = "relu",
        embed: int = 32,
        scale: float | None = None,
    ) -> None:
        self._scale = scale
        self._twins = hidden is not None and shape.dim_x == shape.dim_y and shape.pool == shape.batch
        layout, runs, dims = Layout(), shape.runs, (shape.dim_x, shape.dim_y)
        self._towers: tuple[MLP, ...] = ()
        if hidden is None:
            self._linear = Linear(layout, runs, *dims, bias=False, pad_in=False)
        elif self._twins:  # towers of one shape are stacked themselves: network 2r is g of run r, 2r + 1 is h
            self._towers = (MLP(layout, 2 * runs, shape.dim_x, hidden, embed, activation),)
        else:
            self._towers = tuple(MLP(layout, runs, dim, hidden, embed, activation) for dim in dims)
        super().__init__(shape, layout)
        linears = [linear for tower in self._towers for linear in tower.linears] or [self._linear]
        for linear in linears:
            linear.attach(self.parameters, self.gradients)

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Draw g, then h; see `Scorer.initialise`."""
        if not self._towers:
            self._linear.initialise(run, generator)
        for tower in (0, 1) if self._towers else ():
            mlp, s = self._tower(run, tower)
            for linear in mlp.linears:
                linear.initialise(s, generator)

    def _tower(self, run: int, tower: int) -> tuple[MLP, int]:
        return (self._towers[0], 2 * run + tower) if self._twins else (self._towers[tower], run)

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Score a batch; see `Scorer.forward`."""
        g, h = self._embed(x, y)  # (R, N, E), (R, B, E)
        if self._scale is not None:
            self._norms = (g.norm(dim=-1, keepdim=True), h.norm(dim=-1, keepdim=True))
            g, h = g / self._norms[0], h / self._norms[1]
        self._embedded, self._index = (g, h), index
        if index is None:
            raw = product(g, h.transpose(1, 2))
        else:
            batch = x.shape[1]
            positives = (g * h[:, :batch]).sum(-1)
            negatives = (g.unsqueeze(2) * _gather(h, index)).sum(-1)
            raw = torch.cat((positives, negatives.flatten(1)), 1)
        return raw if self._scale is None else raw.mul_(self._scale)

    def _embed(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if not self._towers:
            self._inputs: tuple[Tensor, ...] = (x, y)
            return product(x, self._linear.weight), nn.functional.pad(y, (0, self._linear.n_out - y.shape[-1]))
        if self._twins:
            both = torch.stack((x, y), 1).flatten(0, 1)  # (2R, N, d)
            self._inputs = (both,)
            g, h = self._towers[0].forward(both).unflatten(0, (-1, 2)).unbind(1)
            return g, h
        self._inputs = (x.contiguous(), y.contiguous())
        return self._towers[0].forward(self._inputs[0]), self._towers[1].forward(self._inputs[1])

    def backward(self, gradient: Tensor) -> None:
        """Chain rule through the product, the normalisation and the towers; see `Scorer.backward`."""
        g, h = self._embedded
        if self._scale is not None:
            gradient = gradient * self._scale
        if self._index is None:
            dg, dh = product(gradient, h), product(gradient.transpose(1, 2), g)
        else:
            dg, dh = self._pairs_backward(gradient, g, h, self._index)
        if self._scale is not None:
            dg = (dg - g * (g * dg).sum(-1, keepdim=True)) / self._norms[0]
            dh = (dh - h * (h * dh).sum(-1, keepdim=True)) / self._norms[1]
        if not self._towers:
            self._linear.backward(self._inputs[0], dg, slice(None), add=False)
        elif self._twins:
            self._towers[0].backward(self._inputs[0], torch.stack((dg, dh), 1).flatten(0, 1))
        else:
            for tower, inputs, d in zip(self._towers, self._inputs, (dg, dh), strict=True):
                tower.backward(inputs, d)

    def _pairs_backward(self, gradient: Tensor, g: Tensor, h: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        batch = g.shape[1]
        d_pos = gradient[:, :batch].unsqueeze(-1)  # (R, N, 1)
        d_neg = gradient[:, batch:].unflatten(1, (batch, -1)).unsqueeze(-1)  # (R, N, M, 1)
        dg = d_pos * h[:, :batch] + (d_neg * _gather(h, index)).sum(2)
        dh = torch.zeros(h.shape, device=h.device)
        dh[:, :batch] = d_pos * g
        _scatter_add(dh, index, d_neg * g.unsqueeze(2))
        return dg, dh

    def prepare(self, run: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Embed both sides of one run's pool, (n, E) each."""
        if not self._towers:
            return x @ self._linear.weight[run, :, : y.shape[-1]], y
        (tower_x, sx), (tower_y, sy) = self._tower(run, 0), self._tower(run, 1)
        g = torch.cat([tower_x.apply(part, sx) for part in x.split(_CHUNK_ROWS)])
        h = torch.cat([tower_y.apply(part, sy) for part in y.split(_CHUNK_ROWS)])
        if self._scale is not None:
            g, h = nn.functional.normalize(g, dim=-1) * self._scale, nn.functional.normalize(h, dim=-1)
        return g, h

    def block(self, prepared: tuple[Tensor, Tensor], start: int, stop: int) -> Tensor:
        """Rows of the score matrix; see `Scorer.block`."""
        g, h = prepared
        return g[start:stop] @ h.T

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Scores of n pairs; see `Scorer.pairs`."""
        g, h = self.prepare(run, x, y)
        return (g * h).sum(-1)


class JointScorer(Scorer):
    """Critic ``f([x; y])``, an MLP on the concatenation, with its first layer factorised: ``W [x; y] = Wx x + Wy y``.

    The hidden rows are processed in chunks that stay in the cache; a chunk is either all runs (few rows) or a piece of
    one run. Activations of all chunks are kept for the backward pass where they fit, else computed again.
    """

    def __init__(self, shape: Shape, *, hidden: tuple[int, int], activation: Activation) -> None:
        depth, width = hidden
        layout, runs, fan_in = Layout(), shape.runs, shape.dim_x + shape.dim_y
        self._first_x = Linear(layout, runs, shape.dim_x, width, fan_in=fan_in, bias=False, pad_in=False)
        self._first_y = Linear(layout, runs, shape.dim_y, width, fan_in=fan_in, pad_in=False)
        self._inner = HiddenLayers(layout, runs, depth, width, activation)
        self._last = Linear(layout, runs, width, 1, pad_out=False)
        super().__init__(shape, layout)
        self._linears = [self._first_x, self._first_y, *self._inner.layers, self._last]
        for linear in self._linears:
            linear.attach(self.parameters, self.gradients)
        self._width, self._depth, self._activation = self._first_x.n_out, depth, activation
        self._slots: dict[tuple[int, int, int], list[Tensor]] = {}

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Draw the layers in order; see `Scorer.initialise`."""
        for linear in self._linears:
            linear.initialise(run, generator)

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Score a batch; see `Scorer.forward`."""
        self._x, self._y = x, y
        runs, batch, pool, every = x.shape[0], x.shape[1], y.shape[1], slice(None)
        self._u = self._first_x.forward(x, x.new_empty(runs, batch, self._width), every)
        self._v = self._first_y.forward(y, y.new_empty(runs, pool, self._width), every)
        self._partners = None if index is None else _partners(index, pool)  # (R, N, K)
        cells = x.new_empty(runs, batch, pool if self._partners is None else self._partners.shape[2])
        self._chunks = self._plan(cells)
        self._kept = cells.numel() * self._width * self._depth <= _KEPT_NUMBERS
        for slot, (which, piece) in enumerate(self._chunks):
            activations = self._fill(which, piece, slot)
            target = cells[which, piece]
            target.copy_(self._scores(activations[-1], which).view_as(target))
        return cells if index is None else torch.cat((cells[:, :, 0], cells[:, :, 1:].flatten(1)), 1)

    def _plan(self, cells: Tensor) -> list[tuple[slice, slice]]:
        """Cut the scores (R, N, K) into chunks: slices of the runs and of the rows of x, each with its K partners."""
        _, rows, partners = cells.shape
        if cells.is_cuda or rows * partners <= _CHUNK_ROWS:
            return [(slice(None), slice(0, rows))]
        step = max(1, _CHUNK_ROWS // partners)
        pieces = [slice(start, min(start + step, rows)) for start in range(0, rows, step)]
        return [(slice(run, run + 1), piece) for run in range(len(cells)) for piece in pieces]

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
        activate_(first, self._activation)
        self._inner.forward(activations, which)
        return activations

    def _slot(self, slot: int, stacked: int, n: int) -> list[Tensor]:
        """Memory for the activations of a chunk; one slot serves all where they are not kept."""
        return self._memory(slot if self._kept else 0, stacked, n, self._depth)

    def _memory(self, slot: int, stacked: int, n: int, count: int) -> list[Tensor]:
        key = (slot, stacked, n)
        if key not in self._slots:
            self._slots[key] = [self._u.new_empty(stacked, n, self._width) for _ in range(count)]
        return self._slots[key]

    def _scores(self, activation: Tensor, which: slice) -> Tensor:
        """``a w + b``, (S, n): an inner product per row, which no other row can touch."""
        weight, bias = self._last.weight[which], self._last.bias[which]
        scores: Tensor = torch.linalg.vecdot(activation, weight.transpose(1, 2)).add_(bias[:, 0])
        return scores

    def backward(self, gradient: Tensor) -> None:
        """Chain rule chunk by chunk; see `Scorer.backward`."""
        du, dv = torch.empty_like(self._u), torch.zeros_like(self._v)
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
            torch.mul(d.unsqueeze(-1), self._last.weight[which].transpose(1, 2), out=first)
            inner = self._inner.backward(activations, first, second, which, add=add)
            self._unload(inner, which, piece, du, dv)
        self._first_x.backward(self._x, du, slice(None), add=False)
        self._first_y.backward(self._y, dv, slice(None), add=False)

    def _last_backward(self, activation: Tensor, d: Tensor, which: slice, *, add: bool) -> None:
        """Gradients of the output layer, one product of a row vector and a matrix per run."""
        weights, biases = self._last.weight_gradient[which], self._last.bias_gradient[which]
        for a, row, weight, bias in zip(activation, d, weights, biases, strict=True):
            if add:
                weight.T.addmm_(row.unsqueeze(0), a)
                bias.add_(row.sum())
            else:
                torch.mm(row.unsqueeze(0), a, out=weight.T)
                bias.copy_(row.sum())

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
        u = x @ self._first_x.weight[run]
        return run, u, torch.addmm(self._first_y.bias[run], y, self._first_y.weight[run])

    def block(self, prepared: tuple[int, Tensor, Tensor], start: int, stop: int) -> Tensor:
        """Rows of the score matrix; see `Scorer.block`."""
        run, u, v = prepared
        return self._evaluate(run, (u[start:stop].unsqueeze(1) + v).flatten(0, 1)).view(stop - start, -1)

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Scores of n pairs; see `Scorer.pairs`."""
        scores = []
        for a, b in zip(x.split(4 * _CHUNK_ROWS), y.split(4 * _CHUNK_ROWS), strict=True):
            _, u, v = self.prepare(run, a, b)
            scores.append(self._evaluate(run, u.add_(v)))
        return torch.cat(scores)

    def _evaluate(self, run: int, hidden: Tensor) -> Tensor:
        """Scores of one run from first-layer pre-activations (n, H), which are overwritten."""
        a = activate_(hidden, self._activation)
        for layer in self._inner.layers:
            a = activate_(torch.addmm(layer.bias[run], a, layer.weight[run]), self._activation)
        return self._scores(a.unsqueeze(0), slice(run, run + 1))[0]

    def block_rows(self, n: int) -> int:
        """Rows of a block such that its activations stay in the cache."""
        return max(1, 4 * _CHUNK_ROWS // n)


class OracleScorer(Scorer):
    """The exact critic: each run's log density ratio plus a constant; nothing is trained.

    Parameters
    ----------
    shape
        Sizes of the pack.
    offsets
        Constant that each run's estimator wants added, nats.
    """

    def __init__(self, shape: Shape, offsets: Sequence[float]) -> None:
        super().__init__(shape, Layout())
        self.dtype = torch.float64
        self._offsets = offsets
        self.tasks: Sequence[Task] = ()

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Nothing to draw."""

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Score a batch; see `Scorer.forward`."""
        return torch.stack(
            [
                _score_batch(partial(self.pairs, run), x[run], y[run], None if index is None else index[run])
                for run in range(self.shape.runs)
            ]
        )

    def backward(self, gradient: Tensor) -> None:
        """Nothing to train."""

    def prepare(self, run: int, x: Tensor, y: Tensor) -> tuple[int, Tensor, Tensor]:
        """Keep the pool as it is."""
        return run, x, y

    def block(self, prepared: tuple[int, Tensor, Tensor], start: int, stop: int) -> Tensor:
        """Rows of the score matrix; see `Scorer.block`."""
        run, x, y = prepared
        return _all_pairs(partial(self.pairs, run), x[start:stop], y)

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Exact log density ratios of n pairs, plus the run's constant."""
        return self.tasks[run].log_ratio(x, y) + self._offsets[run]

    def block_rows(self, n: int) -> int:
        """Rows of a block of about 2^16 pairs, whose vectors must be laid out."""
        return max(1, 2**16 // n)


class ModuleScorer(Scorer):
    """Any torch module as a critic, one per run, trained by autograd.

    Parameters
    ----------
    shape
        Sizes of the pack.
    build
        Makes a module whose ``forward(x, y)`` maps (n, dim_x) and (n, dim_y) to scores (n,). Its parameters are moved
        into the flat tensor.

    Notable: modules draw initial weights and dropout masks from torch's global generator, so that both happen inside
    a fork of its state, seeded from the run's own stream.
    """

    def __init__(self, shape: Shape, build: Callable[[], nn.Module]) -> None:
        with torch.random.fork_rng(devices=[]):
            sizes = [p.shape for p in build().parameters()]
        layout = Layout()
        self._blocks = [layout.add(shape.runs, *size) for size in sizes]
        super().__init__(shape, layout)
        self._build = build
        self._modules: list[nn.Module] = [nn.Identity()] * shape.runs
        self._generators: list[torch.Generator] = [torch.Generator()] * shape.runs

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Build one run's module under its own stream and move its parameters into the flat tensor."""
        with _seeded(generator, self.shape.device):
            module = self._build().to(self.shape.device)
        for parameter, block in zip(module.parameters(), self._blocks, strict=True):
            place = block.view(self.parameters)[run]
            parameter.data = place.copy_(parameter.data)
            parameter.grad = block.view(self.gradients)[run]
        self._modules[run], self._generators[run] = module, generator

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Score a batch, recording the graph where ``train``; see `Scorer.forward`."""
        raws = []
        with torch.set_grad_enabled(train):
            for run, module in enumerate(self._modules):
                module.train(train)
                chosen = None if index is None else index[run]
                if train:
                    with _seeded(self._generators[run], self.shape.device):
                        raws.append(_score_batch(module, x[run], y[run], chosen))
                else:
                    raws.append(_score_batch(module, x[run], y[run], chosen))
        self._graphs = raws
        return torch.stack([raw.detach() for raw in raws])

    def backward(self, gradient: Tensor) -> None:
        """Autograd through every run's module; see `Scorer.backward`."""
        self.gradients.zero_()
        torch.autograd.backward(self._graphs, list(gradient))

    @torch.no_grad()
    def prepare(self, run: int, x: Tensor, y: Tensor) -> tuple[int, Tensor, Tensor]:
        """Keep the pool as it is."""
        self._modules[run].eval()
        return run, x, y

    @torch.no_grad()
    def block(self, prepared: tuple[int, Tensor, Tensor], start: int, stop: int) -> Tensor:
        """Rows of the score matrix; see `Scorer.block`."""
        run, x, y = prepared
        return _all_pairs(self._modules[run], x[start:stop], y)

    @torch.no_grad()
    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Scores of n pairs; see `Scorer.pairs`."""
        module = self._modules[run].eval()
        parts = zip(x.split(4 * _CHUNK_ROWS), y.split(4 * _CHUNK_ROWS), strict=True)
        return torch.cat([module(a, b) for a, b in parts])

    def block_rows(self, n: int) -> int:
        """Rows of a block of about 4096 pairs."""
        return max(1, 4 * _CHUNK_ROWS // n)


PairScores = Callable[[Tensor, Tensor], Tensor]


def _score_batch(score: PairScores, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
    """Raw scores of one run from a function of pairs: (N, N), or (N + N M,) with the positives first."""
    if index is None:
        return _all_pairs(score, x, y)
    batch, m = index.shape
    negatives = score(x.repeat_interleave(m, 0), y[index.flatten()])
    return torch.cat((score(x, y[:batch]), negatives))


def _all_pairs(score: PairScores, x: Tensor, y: Tensor) -> Tensor:
    """Scores of every x with every y, (n_x, n_y), from a function of pairs."""
    n_x, n_y = len(x), len(y)
    pairs_x = x.unsqueeze(1).expand(-1, n_y, -1).reshape(n_x * n_y, -1)
    pairs_y = y.unsqueeze(0).expand(n_x, -1, -1).reshape(n_x * n_y, -1)
    return score(pairs_x, pairs_y).view(n_x, n_y)


@contextlib.contextmanager
def _seeded(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """Run a block under the global generator seeded from a run's own stream; its state is put back afterwards."""
    seed = int(torch.randint(2**62, (1,), generator=generator))
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def _partners(index: Tensor, pool: int) -> Tensor:
    """Each row's own y and then its negatives, (R, N, 1 + M), as rows of the pool counted through the stacked runs."""
    runs, batch, _ = index.shape
    own = torch.arange(batch, device=index.device).view(1, -1, 1).expand(runs, -1, -1)
    run = torch.arange(runs, device=index.device).view(-1, 1, 1)
    return torch.cat((own, index), 2) + run * pool


def _gather(pool: Tensor, index: Tensor) -> Tensor:
    """Rows (R, N, M, E) of a pool (R, B, E) by indices (R, N, M)."""
    runs, size, width = pool.shape
    flat = index.flatten(1) + torch.arange(0, runs * size, size, device=index.device).unsqueeze(1)
    return pool.reshape(-1, width).index_select(0, flat.flatten()).view(*index.shape, width)


def _scatter_add(pool: Tensor, index: Tensor, rows: Tensor) -> None:
    """Add rows (R, N, M, E) to a contiguous pool (R, B, E) at indices (R, N, M)."""
    runs, size, width = pool.shape
    flat = index.flatten(1) + torch.arange(0, runs * size, size, device=index.device).unsqueeze(1)
    pool.view(-1, width).index_add_(0, flat.flatten(), rows.reshape(-1, width))
