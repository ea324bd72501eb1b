"""InfoNCE-anchor: InfoNCE with one more class, "no positive among the candidates", and a plug-in estimate.

Notable: the posterior of InfoNCE's classes does not change when a function of x is added to the critic, so that a mean
of scores says nothing there. A class whose weight does not depend on the critic fixes that function: the optimum is the
log ratio itself, for any number of candidates, and its plain mean has neither ceiling nor partition function.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from mibench.core.errors import UsageError
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores, log_sum_leaving_one_out
from mibench.estimators.dime import RatioPlugIn


@register_estimator("infonce-anchor")
class InfoNCEAnchor(RatioPlugIn):
    """InfoNCE-anchor: mean p, with T trained to find the positive among K candidates or to say that there is none.

    Which of K candidates was drawn with x, or none of them (class 0, of prior weight nu against 1 for each candidate):
    the posterior is ``r(x, y_z) / (nu + sum_k r(x, y_k))`` for candidate z and ``nu / (nu + sum_k r(x, y_k))`` for
    class 0. The loss is the cross-entropy with ``e^T`` for r,
    ``K/(K + nu) E log( (nu + sum_k e^{T_k}) / e^{T_1} ) + nu/(K + nu) E log( (nu + sum_k e^{T_k}) / nu )``, whose
    optimum is ``T = log r`` for every K and every nu > 0; nu = 0 is InfoNCE and leaves T free up to a function of x.
    Both kinds of examples need K = M candidates: the first takes the positive and all negatives of its row but one,
    averaged over the one left out, the second the M negatives. With M = 1 and nu = 1 it is half the loss of `js`. No
    bound, no ceiling.

    Parameters
    ----------
    nu
        Prior weight of class 0, above 0; that of each candidate is 1.

    Source: Ryu et al. (2025), the objective L_{K; nu} with the log score and theorem 3; they take nu = 1 and K = N - 1.
    """

    kind = "plug-in"
    default_negatives = "all-pairs-v1"

    nu: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.nu < math.inf:
            raise UsageError(f"estimator 'infonce-anchor': nu must be a finite number above 0, not {self.nu}")

    def loss(self, scores: Scores) -> Tensor:
        """Cross-entropy of both kinds of examples, weighted by their priors, shape (...)."""
        pos, count, log_nu = scores.pos, scores.m - 1, math.log(self.nu)
        kept = torch.stack((torch.zeros_like(pos), log_nu - pos), -1)
        with_positive = log_sum_leaving_one_out(scores.neg - pos.unsqueeze(-1), kept).mean(-1)  # (..., N)
        without = softplus(torch.logsumexp(scores.neg, -1) - log_nu)
        return (count * with_positive + self.nu * without).mean(-1) / (count + self.nu)
