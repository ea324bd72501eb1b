"""FLO, the Fenchel-Legendre bound: a contrastive critic beside a second one that learns the log of its row's sum.

Notable: u takes the logarithm out of the objective, so that a batch of any size gives an unbiased value; the price is
an exponential of scores, as in NWJ, and its variance.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mibench.core.estimator import Estimator, Extra
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores, log_mean_exp


@register_estimator("flo")
class FLO(Estimator):
    """FLO: 1 - mean [u + exp(-u) mean exp(q - p)], with a second critic u(x, y) that is learned.

    ``I >= 1 - E[u(x, y) + exp(-u(x, y)) E exp(T(x, y') - T(x, y))]``; estimate and negative loss are
    ``1 - mean_i [u_i + exp(-u_i) mean_j exp(q_ij - p_i)]`` with ``u_i = u(x_i, y_i)``. A lower bound for every critic
    and every u, unbiased on any batch with independent negatives, optimal where ``T = log r + c(x)`` and
    ``u = -log r``. Only u at the positives enters. No ceiling. Scores without u are those of ``u = 0``, a bound that
    the exact critic leaves at 0.

    Source: Guo et al. (2022), the bound I_FLO; Chen et al. (2021), table S2, whose exponent has u(x_i, y_j) by a slip.
    """

    kind = "lower"
    extras = (Extra("dual", of="pair", exact=-1.0),)

    def rows(self, scores: Scores) -> Tensor:
        """``[u_i, log mean_j exp(q_ij - p_i) - u_i]``, shape (..., N, 2)."""
        dual = scores.extra("dual").pos
        return torch.stack((dual, log_mean_exp(scores.neg) - scores.pos - dual), -1)

    def reduce(self, rows: Tensor) -> Tensor:
        """``1 - mean_i u_i - mean_i exp(row)``, shape (...)."""
        return 1 - rows[..., 0].mean(-1) - torch.exp(log_mean_exp(rows[..., 1]))
