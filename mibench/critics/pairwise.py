"""Scores of batches and of all pairs, from a function of pairs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

PairScores = Callable[[Tensor, Tensor], Tensor]


def score_batch(score: PairScores, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
    """Raw scores of one run from a function of pairs: (N, N), or (N + N M,) with the positives first."""
    if index is None:
        return score_all_pairs(score, x, y)
    batch, m = index.shape
    negatives = score(x.repeat_interleave(m, 0), y[index.flatten()])
    return torch.cat((score(x, y[:batch]), negatives))


def score_all_pairs(score: PairScores, x: Tensor, y: Tensor) -> Tensor:
    """Scores of every x with every y, (n_x, n_y), from a function of pairs."""
    n_x, n_y = len(x), len(y)
    pairs_x = x.unsqueeze(1).expand(-1, n_y, -1).reshape(n_x * n_y, -1)
    pairs_y = y.unsqueeze(0).expand(n_x, -1, -1).reshape(n_x * n_y, -1)
    return score(pairs_x, pairs_y).view(n_x, n_y)
