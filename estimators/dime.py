"""The discriminative estimators f-DIME: a log ratio trained by the dual of an f-divergence, and its plain mean.

Notable: the dual only trains the ratio; what is reported is ``mean_i p_i`` for each of them, so that no partition
function enters the value. Scores are log ratios here: the authors' critic D, an output of a softplus or a sigmoid, is
``e^T`` for KL, ``e^{-T/2}`` for HD and ``1 / (1 + e^T)`` for GAN; each loss is least at ``T = log r``. A derangement
draws the negatives by default: under a permutation with fixed points the learnt ratio is that to a mixture, and the
mean is capped near log N.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mibench.core.estimator import Estimator
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores, log_mean_exp, log_mean_negatives
from mibench.estimators.jensen_shannon import jensen_shannon_loss


class RatioPlugIn(Estimator):
    """Base of the family: the estimate ``mean_i p_i``, and derangement negatives."""

    default_negatives = "derangement-v1"

    def rows(self, scores: Scores) -> Tensor:
        """``[p_i]``, shape (..., N, 1)."""
        return scores.pos.unsqueeze(-1)

    def reduce(self, rows: Tensor) -> Tensor:
        """``mean_i p_i``, shape (...)."""
        return rows[..., 0].mean(-1)


@register_estimator("kl-dime")
class KLDime(RatioPlugIn):
    """KL-DIME: mean p, with T trained by the dual of the Kullback-Leibler divergence.

    Loss ``-(1 + mean_i p_i - mean_ij e^{q_ij})``, least at ``T = log r`` with the value minus the mutual information;
    it is NWJ's at the critic T + 1, without NWJ's exponential in the estimate. No bound, no ceiling.

    Source: Letizia, Novello and Tonello (2024), KL-DIME, with D = e^T.
    """

    kind = "plug-in"

    def loss(self, scores: Scores) -> Tensor:
        """``mean_ij e^{q_ij} - mean_i p_i - 1``, shape (...)."""
        return torch.exp(log_mean_negatives(scores)) - scores.pos.mean(-1) - 1


@register_estimator("hd-dime")
class HellingerDime(RatioPlugIn):
    """HD-DIME: mean p, with T trained by the dual of the squared Hellinger distance.

    Loss ``mean_i e^{-p_i / 2} + mean_ij e^{q_ij / 2} - 2``, least at ``T = log r`` with the value minus the squared
    Hellinger distance ``2 - 2 E sqrt(r)`` between pairs and negatives. No bound, no ceiling.

    Source: Letizia, Novello and Tonello (2024), HD-DIME, with D = e^{-T/2}.
    """

    kind = "plug-in"

    def loss(self, scores: Scores) -> Tensor:
        """``mean_i e^{-p_i / 2} + mean_ij e^{q_ij / 2} - 2``, shape (...)."""
        return torch.exp(log_mean_exp(-scores.pos / 2)) + torch.exp(log_mean_exp(scores.neg / 2, (-2, -1))) - 2


@register_estimator("gan-dime")
class GanDime(RatioPlugIn):
    """GAN-DIME: mean p, with T trained by the dual of the GAN divergence.

    Loss ``mean_i softplus(-p_i) + mean_ij softplus(q_ij) - log 4``, least at ``T = log r`` with the value minus twice
    the Jensen-Shannon divergence. Loss and estimate are those of `js` but for the constant; what is its own is the
    derangement. No bound, no ceiling.

    Source: Letizia, Novello and Tonello (2024), GAN-DIME, with D = 1 / (1 + e^T).
    """

    kind = "plug-in"
    coincides = ("js-v1",)

    def loss(self, scores: Scores) -> Tensor:
        """The Jensen-Shannon objective less log 4, shape (...)."""
        return jensen_shannon_loss(scores) - math.log(4)
