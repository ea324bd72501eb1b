"""The tractable unnormalised Barber-Agakov bound, with a learned baseline.

Notable: the estimate depends on critic and baseline through ``T(x, y) - a(y)`` alone, so that the baseline adds no
function that a joint critic could not learn; to a separable critic it adds a term of y.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mibench.core.estimator import Estimator, Extra
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores, log_mean_exp


@register_estimator("tuba")
class TUBA(Estimator):
    """TUBA: 1 + mean (p - a) - mean exp(q - a), with a baseline a(y) that is learned.

    ``I >= 1 + E[T(x, y) - a(y)] - E[exp(T(x, y') - a(y'))]``; estimate and negative loss are
    ``1 + mean_i (p_i - a(y_i)) - mean_ij exp(q_ij - a(y'_ij))``. A lower bound for every critic and baseline, unbiased
    on any batch with independent negatives, optimal where ``T(x, y) - a(y) = log r``. No ceiling. Scores without a
    baseline are those of ``a = 0``; ``a = 1`` is `nwj`. Poole et al. write ``log a(y)`` for a(y) here.

    Source: Poole et al. (2019), section 2.1, the bound I_TUBA; Barber and Agakov (2003).
    """

    kind = "lower"
    capped_by_sampler = True
    extras = (Extra("baseline", of="y", exact=0.0),)

    def rows(self, scores: Scores) -> Tensor:
        """``[p_i - a(y_i), log mean_j exp(q_ij - a(y'_ij))]``, shape (..., N, 2)."""
        baseline = scores.extra("baseline")
        return torch.stack((scores.pos - baseline.pos, log_mean_exp(scores.neg - baseline.neg)), -1)

    def reduce(self, rows: Tensor) -> Tensor:
        """``1 + mean_i row - mean_i exp(row)``, shape (...)."""
        return 1 + rows[..., 0].mean(-1) - torch.exp(log_mean_exp(rows[..., 1]))
