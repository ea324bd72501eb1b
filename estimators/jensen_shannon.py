"""Density-ratio estimation by the Jensen-Shannon objective: the plug-in `js` and the bound `js-nwj`.

Notable: the objective's optimum is ``T = log r`` itself, so NWJ's critic is ``T + 1``. Several public codes put ``T``
into NWJ and are off by design: with the exact critic they return 1.02 where the truth is 1.39.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from mibench.core.estimator import Estimator
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores, log_mean_exp


def jensen_shannon_loss(scores: Scores) -> Tensor:
    """``mean_i softplus(-p_i) + mean_ij softplus(q_ij)``, shape (...); least at ``T = log r``.

    Source: Nowozin et al. (2016); Gosch (2020), eq. 7, which lacks the minus before the first softplus.
    """
    return softplus(-scores.pos).mean(-1) + softplus(scores.neg).mean((-2, -1))


@register_estimator("js")
class JensenShannon(Estimator):
    """Plug-in of a density ratio trained by the Jensen-Shannon objective: mean p.

    Loss ``mean softplus(-p) + mean softplus(q)``; estimate ``mean_i p_i``. No bound, no ceiling. With permuted
    negatives the estimate loses monotonicity in the true MI, through the permutation's fixed points.

    Source: Gosch (2020), section 3.2.1; Mescheder et al. (2017).
    """

    kind = "plug-in"

    def loss(self, scores: Scores) -> Tensor:
        """The Jensen-Shannon objective, shape (...)."""
        return jensen_shannon_loss(scores)

    def rows(self, scores: Scores) -> Tensor:
        """``[p_i]``, shape (..., N, 1)."""
        return scores.pos.unsqueeze(-1)

    def reduce(self, rows: Tensor) -> Tensor:
        """``mean_i p_i``, shape (...)."""
        return rows[..., 0].mean(-1)


@register_estimator("js-nwj")
class JensenShannonNWJ(Estimator):
    """NWJ's value of T + 1, with T trained by the Jensen-Shannon objective: mean p + 1 - mean exp q.

    Unbiased at the exact log ratio, a lower bound for every critic, no ceiling.

    Source: Poole et al. (2019), section 2; Gosch (2020), section 3.2.1.
    """

    kind = "lower"
    capped_by_sampler = True

    def loss(self, scores: Scores) -> Tensor:
        """The Jensen-Shannon objective, shape (...)."""
        return jensen_shannon_loss(scores)

    def rows(self, scores: Scores) -> Tensor:
        """``[p_i, log mean_j exp q_ij]``, shape (..., N, 2)."""
        return torch.stack((scores.pos, log_mean_exp(scores.neg)), -1)

    def reduce(self, rows: Tensor) -> Tensor:
        """``mean_i p_i + 1 - mean_i exp(row)``, shape (...)."""
        return rows[..., 0].mean(-1) + 1 - torch.exp(log_mean_exp(rows[..., 1]))
