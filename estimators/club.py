"""Upper bounds from a conditional density: CLUB and the leave-one-out bound.

Notable: both bounds hold for the true conditional. The density is fitted to the positives by maximum likelihood, which
neither tightens a bound nor keeps it: with a learnt density the values are plug-ins that may fall on either side, as
Cheng et al. (2020) say of their variational form.
"""

from __future__ import annotations

from torch import Tensor

from mibench.core.estimator import Estimator
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores, log_mean_exp


class _Likelihood(Estimator):
    """Base of the two: scores are log densities, trained on the positives alone."""

    default_negatives = "all-pairs-v1"

    def loss(self, scores: Scores) -> Tensor:
        """``-mean_i p_i``, the cross-entropy of the conditional density, shape (...)."""
        return -scores.pos.mean(-1)


@register_estimator("club")
class CLUB(_Likelihood):
    """CLUB: mean log q(y|x) on pairs minus its mean on negatives; upper with the true conditional only.

    ``I <= E log p(y|x) - E_x E_y' log p(y'|x)``; estimate ``mean_i p_i - mean_ij q_ij`` with scores
    ``T(x, y) = log q(y|x)``, loss ``-mean_i p_i``. Only with the true conditional is it above the mutual information,
    by the reverse divergence ``KL(p(x) p(y) || p(x, y))``, large where the dependence is strong: 10 correlated Gaussian
    pairs at 2 nats give 4.92. With the learnt Gaussian that every run but the exact one trains it is no bound. No
    ceiling. The negatives leave the positive out, which Cheng et al. count among them.

    Source: Cheng et al. (2020), section 3.
    """

    kind = "upper"
    given = "Gaussian y given x"
    own_critic = "conditional-gaussian-v1:of=y"

    def rows(self, scores: Scores) -> Tensor:
        """``[p_i - mean_j q_ij]``, shape (..., N, 1)."""
        return (scores.pos - scores.neg.mean(-1)).unsqueeze(-1)

    def reduce(self, rows: Tensor) -> Tensor:
        """Mean over the rows, shape (...)."""
        return rows[..., 0].mean(-1)


@register_estimator("l1out")
class LeaveOneOut(_Likelihood):
    """Leave-one-out: log q(x|y) minus the log of its mean over other y; upper with the true conditional only.

    ``I <= E[log p(x|y) - log 1/M sum_j p(x|y'_j)]``; estimate ``mean_i [p_i - log mean_j exp q_ij]`` with scores
    ``T(x, y) = log q(x|y)``, loss ``-mean_i p_i``. Only with the true conditional is it above the mutual information:
    the mean over M others is ``p(x)`` on average, and its log too low on average, the more so the stronger the
    dependence. With the learnt Gaussian that every run but the exact one trains it is no bound. No ceiling. Poole et
    al. write it for y given x; here a row holds one x and many y, and the information is symmetric.

    Source: Poole et al. (2019), section 2, the bound I_L1Out.
    """

    kind = "upper"
    given = "Gaussian x given y"
    own_critic = "conditional-gaussian-v1:of=x"

    def rows(self, scores: Scores) -> Tensor:
        """``[p_i - log mean_j exp q_ij]``, shape (..., N, 1)."""
        return (scores.pos - log_mean_exp(scores.neg)).unsqueeze(-1)

    def reduce(self, rows: Tensor) -> Tensor:
        """Mean over the rows, shape (...)."""
        return rows[..., 0].mean(-1)
