"""The bound of Nguyen, Wainwright and Jordan (also f-GAN's KL and MINE-f)."""

from __future__ import annotations

import torch
from torch import Tensor

from mibench.core.estimator import Estimator
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores, log_mean_exp


@register_estimator("nwj", aliases=("mine-f",))
class NWJ(Estimator):
    """NWJ bound: mean p - mean exp(q - 1), unbiased on any batch with independent negatives.

    ``I >= E[T(x, y)] - E[exp(T(x, y') - 1)]``, optimal at ``T = 1 + log r``. No ceiling of its own: where a permuted
    batch serves as negatives, about one of them is a positive pair, and it is that sampler which caps the value at
    log N. Gosch (2020) reads the cap as a property of the bound.

    Source: Nguyen, Wainwright and Jordan (2010); Poole et al. (2019), section 2.
    """

    kind = "lower"
    capped_by_sampler = True
    oracle_offset = 1.0

    def rows(self, scores: Scores) -> Tensor:
        """``[p_i, log mean_j exp(q_ij - 1)]``, shape (..., N, 2)."""
        return torch.stack((scores.pos, log_mean_exp(scores.neg) - 1), -1)

    def reduce(self, rows: Tensor) -> Tensor:
        """``mean_i p_i - mean_i exp(row)``, shape (...)."""
        return rows[..., 0].mean(-1) - torch.exp(log_mean_exp(rows[..., 1]))
