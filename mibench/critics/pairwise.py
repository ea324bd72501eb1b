"""Scores of batches, from a function of pairs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mibench.core.task import of_all_pairs

PairScores = Callable[[Tensor, Tensor], Tensor]


def score_batch(score: PairScores, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
    """Raw scores of one run from a function of pairs: (N, N), or (N + N M,) with the positives first."""
    if index is None:
        return of_all_pairs(score, x, y)
    batch, m = index.shape
    negatives = score(x.repeat_interleave(m, 0), y[index.flatten()])
    return torch.cat((score(x, y[:batch]), negatives))
