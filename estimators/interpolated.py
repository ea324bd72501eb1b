"""The interpolated bound I_alpha: between TUBA, unbiased and noisy, and InfoNCE, which has a ceiling.

Notable: a row holds a positive and M negatives, and its joint term and its marginal term must contrast the same number
of candidates: the positive with all but one of the negatives (each left out in turn), and the negatives alone. What
both share is a denominator with the baseline in it, so that no exponential of a score is ever left unbounded.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.estimator import Estimator, Extra
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores, log_mean_exp, log_sum_leaving_one_out


@register_estimator("interpolated")
class Interpolated(Estimator):
    """I_alpha: a learned baseline a(x) mixed with weight 1 - alpha into the mean over M candidates.

    With ``d(c) = log( alpha mean_{y in c} e^{T(x, y)} + (1 - alpha) e^{a(x)} )`` for a set c of M candidates, estimate
    and negative loss are ``1 + mean_ij (p_i - d_ij) - mean_ik exp(q_ik - d_i)``, where ``d_ij`` takes the positive and
    all negatives of row i but the j-th, and ``d_i`` takes its M negatives. A lower bound for every critic and baseline,
    unbiased on any batch with independent negatives. Poole et al. write ``log q(y)`` for the baseline and exchange x
    and y. ``alpha = 1`` is InfoNCE with M candidates; as alpha tends to 0 the bound tends to TUBA with a baseline of x.
    Scores without a baseline are those of ``a = 0``.

    Ceiling: ``1 + log(M / alpha)`` for alpha < 1, approached where the baseline lies far above the negatives and far
    below the positive: the joint term tends to ``log(M / alpha)``, the marginal one to 0. The paper's
    ``log(K / alpha)`` leaves out the 1. With alpha = 1 the marginal term is 1, and the ceiling ``log M``.

    Parameters
    ----------
    alpha
        Weight of the candidates' mean in (0, 1].

    Source: Poole et al. (2019), the nonlinearly interpolated bound I_alpha; the sets of equal size are those of the
    authors' code.
    """

    kind = "lower"
    default_negatives = "all-pairs-v1"
    extras = (Extra("baseline", of="x", exact=0.0),)

    alpha: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 1:
            raise UsageError(f"estimator 'interpolated': alpha must be above 0 and at most 1, not {self.alpha}")

    @property
    def _log_odds(self) -> float:
        """``log( (1 - alpha) / alpha )``."""
        return math.log1p(-self.alpha) - math.log(self.alpha) if self.alpha < 1 else -math.inf

    def rows(self, scores: Scores) -> Tensor:
        """``[mean_j (p_i - d_ij), mean_k exp(q_ik - d_i)]``, shape (..., N, 2).

        Written as ``log(M/alpha) - log( e^{p - p} + sum_{k != j} e^{q_k - p} + M (1 - alpha)/alpha e^{a - p} )`` and as
        ``sigmoid(log mean_k e^{q_k} - a - log((1 - alpha)/alpha)) / alpha``, so that the ceiling holds up to rounding.
        """
        pos, baseline, count = scores.pos, scores.extra("baseline").pos, scores.m - 1
        level = math.log(count) + self._log_odds + baseline - pos
        kept = torch.stack((torch.zeros_like(pos), level), -1)
        denominators = log_sum_leaving_one_out(scores.neg - pos.unsqueeze(-1), kept)  # (..., N, M)
        joint = math.log(count / self.alpha) - denominators.mean(-1)
        marginal = torch.sigmoid(log_mean_exp(scores.neg) - baseline - self._log_odds) / self.alpha
        return torch.stack((joint, marginal), -1)

    def reduce(self, rows: Tensor) -> Tensor:
        """``1 + mean_i joint - mean_i marginal``, shape (...)."""
        return 1 + (rows[..., 0].mean(-1) - rows[..., 1].mean(-1))

    def ceiling(self, n: int, m: int) -> float:
        """``1 + log(M / alpha)`` nats with ``M = m - 1``; ``log M`` where alpha is 1."""
        return math.log((m - 1) / self.alpha) + (self.alpha < 1)
