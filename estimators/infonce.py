"""InfoNCE, the contrastive bound of CPC."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from mibench.core.registry import register_estimator
from mibench.core.scores import Scores
from mibench.estimators.contrastive import Contrastive


@register_estimator("infonce", aliases=("cpc",))
class InfoNCE(Contrastive):
    """InfoNCE (CPC): mean log of the positive's share among m candidates, plus log m.

    ``I >= mean_i log( m e^{p_i} / (e^{p_i} + sum_j e^{q_ij}) )``, a lower bound for every critic with independent
    negatives, never above ``log m``, where m counts the positive and its negatives. Written as
    ``log m - softplus(log sum_j e^{q_ij} - p_i)``, so that the ceiling holds up to the rounding of log m itself.

    Parameters
    ----------
    ess, ess_rate, ess_sign
        ESS scheduling; see `Contrastive`.

    Source: van den Oord et al. (2018), section 2.3; Poole et al. (2019), section 2; Song and Ermon (2020, multi-label
    CPC), section 2.
    """

    kind = "lower"

    def rows(self, scores: Scores) -> Tensor:
        """``[log m - softplus(log sum_j e^{q_ij} - p_i)]``, shape (..., N, 1)."""
        gap = torch.logsumexp(scores.neg, -1) - scores.pos
        return (math.log(scores.m) - softplus(gap)).unsqueeze(-1)

    def reduce(self, rows: Tensor) -> Tensor:
        """Mean over the rows, shape (...)."""
        return rows[..., 0].mean(-1)
