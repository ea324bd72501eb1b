"""Critics that are an inner product of two embeddings: separable, siamese, bilinear and cosine.

Notable: the towers see N rows each, whatever the number of pairs. Towers of one shape are stacked with the runs, so
that one batched product serves both sides of all runs. Where all rows of a batch share their negatives, the scores are
one product too, and no row of the pool is copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from mibench.core.critic import Activation
from mibench.core.scorer import Scorer, Shape

if TYPE_CHECKING:
    pass
from mibench.core.layout import Layout
from mibench.core.scorer import CHUNK_ROWS
from mibench.critics.half import perceptrons
from mibench.critics.kernels import MLP, Linear, product, rounded


class DotModule(nn.Module):
    """``scale * g(x)^T h(y)`` as a plain module; unit vectors where there is a scale."""

    def __init__(self, g: nn.Module, h: nn.Module, scale: float | None) -> None:
        super().__init__()
        self.g, self.h, self.scale = g, h, scale

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Score n pairs, (n,)."""
        g, h = self.g(x), self.h(y)
        if self.scale is not None:
            g, h = self.scale * nn.functional.normalize(g, dim=-1), nn.functional.normalize(h, dim=-1)
        scores: Tensor = (g * h).sum(-1)
        return scores


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
    shared
        Whether h is g: one encoder for both sides, which have the same columns.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        hidden: tuple[int, int] | None,
        activation: Activation = "relu",
        embed: int = 32,
        scale: float | None = None,
        shared: bool = False,
    ) -> None:
        self._scale, self._embed_size, self._shared = scale, embed, shared
        self._twins = hidden is not None and shape.dim_x == shape.dim_y and shape.pool == shape.batch and not shared
        layout, runs, dims = Layout(shape.products, shape.hidden), shape.runs, (shape.dim_x, shape.dim_y)
        self._towers: tuple[MLP, ...] = ()
        if hidden is None:
            self._linear = Linear(layout, runs, *dims, bias=False, pad_in=False)
        elif self._twins:  # towers of one shape are stacked themselves: network 2r is g of run r, 2r + 1 is h
            self._towers = (perceptrons(layout, 2 * runs, shape.dim_x, hidden, embed, activation),)
        else:
            self._towers = tuple(
                perceptrons(layout, runs, dim, hidden, embed, activation) for dim in dims[: 1 if shared else 2]
            )
        super().__init__(shape, layout)
        linears = [linear for tower in self._towers for linear in tower.linears] or [self._linear]
        for linear in linears:
            linear.attach(self.parameters, self.gradients)

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Draw g, then h; see `Scorer.initialise`."""
        if not self._towers:
            self._linear.initialise(run, generator)
        for tower in range(2 - self._shared) if self._towers else ():
            mlp, s = self._tower(run, tower)
            for linear in mlp.linears:
                linear.initialise(s, generator)

    def silence(self, run: int) -> None:
        """Let every score of one run be 0 until it is trained: the last layer of h is put to zero, that of g is not."""
        mlp, s = self._tower(run, 1)
        last = mlp.linears[-1]
        last.weight[s].zero_()
        last.bias[s].zero_()

    def _tower(self, run: int, tower: int) -> tuple[MLP, int]:
        if self._twins:
            return self._towers[0], 2 * run + tower
        return self._towers[0 if self._shared else tower], run

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Score a batch; see `Scorer.forward`."""
        g, h = self._embed(x, y)  # (R, N, E), (R, B, E)
        if self._scale is not None:
            self._norms = (g.norm(dim=-1, keepdim=True), h.norm(dim=-1, keepdim=True))
            g, h = g / self._norms[0], h / self._norms[1]
        self._embedded, self._index = (g, h), index
        raw = inner_products(self._rounded(g), self._rounded(h), index)
        return raw if self._scale is None else raw.mul_(self._scale)

    def _embed(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if not self._towers:
            self._inputs: tuple[Tensor, ...] = (x, y)
            return product(x, self._linear.weight, dtype=self.shape.products), nn.functional.pad(
                y, (0, self._linear.n_out - y.shape[-1])
            )
        if self._twins:
            both = torch.stack((x, y), 1).flatten(0, 1)  # (2R, N, d)
            self._inputs = (both,)
            g, h = self._towers[0].forward(both).unflatten(0, (-1, 2)).unbind(1)
            return g, h
        if self._shared:
            self._inputs = (torch.cat((x, y), 1),)  # (R, N + B, d)
            g, h = self._towers[0].forward(self._inputs[0]).split((x.shape[1], y.shape[1]), 1)
            return g, h
        self._inputs = (x.contiguous(), y.contiguous())
        return self._towers[0].forward(self._inputs[0]), self._towers[1].forward(self._inputs[1])

    def backward(self, gradient: Tensor) -> None:
        """Chain rule through the product, the normalisation and the towers; see `Scorer.backward`."""
        g, h = self._embedded
        if self._scale is not None:
            gradient = gradient * self._scale
        d, a, b = self._rounded(gradient), self._rounded(g), self._rounded(h)
        dg, dh = gradient_of_rows(d, b, self._index), gradient_of_pool(d, a, h.shape[1], self._index)
        if self._scale is not None:
            dg = (dg - g * (g * dg).sum(-1, keepdim=True)) / self._norms[0]
            dh = (dh - h * (h * dh).sum(-1, keepdim=True)) / self._norms[1]
        if not self._towers:
            self._linear.backward(self._inputs[0], dg, slice(None), add=False)
        elif self._twins:
            self._towers[0].backward(self._inputs[0], torch.stack((dg, dh), 1).flatten(0, 1))
        elif self._shared:
            self._towers[0].backward(self._inputs[0], torch.cat((dg, dh), 1))
        else:
            for tower, inputs, d in zip(self._towers, self._inputs, (dg, dh), strict=True):
                tower.backward(inputs, d)

    def _rounded(self, tensor: Tensor) -> Tensor:
        """What enters a product."""
        return rounded(tensor, self.shape.products)

    def prepare(self, run: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Embed both sides of one run's pool, (n, E) each."""
        if not self._towers:
            return self._rounded(self._linear.apply(x, run)[:, : y.shape[-1]]), self._rounded(y)
        (tower_x, sx), (tower_y, sy) = self._tower(run, 0), self._tower(run, 1)
        g = torch.cat([tower_x.apply(part, sx) for part in x.split(CHUNK_ROWS)])
        h = torch.cat([tower_y.apply(part, sy) for part in y.split(CHUNK_ROWS)])
        if self._scale is not None:
            g, h = nn.functional.normalize(g, dim=-1), nn.functional.normalize(h, dim=-1)
        g, h = self._rounded(g), self._rounded(h)
        return (g if self._scale is None else g * self._scale), h

    def codes(self, run: int, x: Tensor) -> Tensor | None:
        """What g makes of x; see `Scorer.codes`."""
        if not self._towers:
            return None
        tower, s = self._tower(run, 0)
        code = torch.cat([tower.apply(part, s) for part in x.split(CHUNK_ROWS)])[:, : self._embed_size]
        return code if self._scale is None else nn.functional.normalize(code, dim=-1)

    def block(self, prepared: tuple[Tensor, Tensor], start: int, stop: int) -> Tensor:
        """Rows of the score matrix; see `Scorer.block`."""
        g, h = prepared
        return g[start:stop] @ h.T

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Scores of n pairs; see `Scorer.pairs`."""
        g, h = self.prepare(run, x, y)
        return (g * h).sum(-1)


def inner_products(g: Tensor, h: Tensor, index: Tensor | None) -> Tensor:
    """Inner products of embedded pairs in the layout of raw scores.

    Parameters
    ----------
    g, h
        Embedded batch (R, N, E) and pool (R, B, E), with E a multiple of 32.
    index
        Negatives as pool rows (R, N, M); None for all pairs.
    """
    if index is None:
        return product(g, h.transpose(1, 2))
    positives = (g * h[:, : g.shape[1]]).sum(-1)
    if _is_shared(index):
        negatives = product(g, _gather(h, index[:, :1])[:, 0].transpose(1, 2))
    else:
        negatives = (g.unsqueeze(2) * _gather(h, index)).sum(-1)
    return torch.cat((positives, negatives.flatten(1)), 1)


def _is_shared(index: Tensor) -> bool:
    """Whether all rows have the same negatives, written down once: see `mibench.training.sources.Feed`."""
    return index.shape[1] > 1 and index.stride(1) == 0


def gradient_of_rows(gradient: Tensor, h: Tensor, index: Tensor | None) -> Tensor:
    """Gradient of the embedded batch g, (R, N, E), given that of the inner products."""
    if index is None:
        return product(gradient, h)
    d_pos, d_neg = _unlisted(gradient, index)
    of_positives = d_pos * h[:, : d_pos.shape[1]]
    if _is_shared(index):
        return of_positives + product(d_neg.squeeze(-1), _gather(h, index[:, :1])[:, 0])
    return of_positives + (d_neg * _gather(h, index)).sum(2)


def gradient_of_pool(gradient: Tensor, g: Tensor, pool: int, index: Tensor | None) -> Tensor:
    """Gradient of the embedded pool h of ``pool`` rows, (R, B, E), given that of the inner products."""
    if index is None:
        return product(gradient.transpose(1, 2), g)
    d_pos, d_neg = _unlisted(gradient, index)
    dh = g.new_zeros(len(g), pool, g.shape[2])
    dh[:, : g.shape[1]] = d_pos * g
    if _is_shared(index):
        _scatter_add(dh, index[:, :1], product(d_neg.squeeze(-1).transpose(1, 2), g).unsqueeze(1))
    else:
        _scatter_add(dh, index, d_neg * g.unsqueeze(2))
    return dh


def _unlisted(gradient: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of positives (R, N, 1) and of negatives (R, N, M, 1), out of a list of pairs."""
    batch = index.shape[1]
    return gradient[:, :batch].unsqueeze(-1), gradient[:, batch:].unflatten(1, (batch, -1)).unsqueeze(-1)


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
