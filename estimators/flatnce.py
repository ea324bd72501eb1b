"""FlatNCE and Hoelder-FlatNCE: InfoNCE's value, trained by a re-weighted gradient.

Notable: a row's gradient is InfoNCE's divided by ``1 - s_i``, with ``s_i`` the positive's share of the row, so that
rows that are nearly solved still count. Nothing ends the growth of the scores: on an unbounded critic they run away
and the estimate falls without end, so that the critic should be bounded (``cosine`` with a scale). The estimate on the
large fresh pool stands beside that on batches, whose ceiling is log m.

The paper explains FlatNCE's gain by InfoNCE's rounding errors near saturation. A softmax cross-entropy in float16
indeed loses the positive's gradient there, ``1 - s_i`` being 0 from a share of about 0.9997 on, and keeps the
negatives'. That is the listing's doing: InfoNCE as a softplus of the gap keeps both, until the negatives' underflow.
FlatNCE keeps both throughout. Trained with float16 scores (cosine, N = 32, 8 nats) both end where they do in float32,
and so does the gap between them: re-weighting is the gain, not rounding.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores, log_mean_exp
from mibench.estimators.infonce import InfoNCE


def _ones(values: Tensor) -> Tensor:
    """``exp(v - sg[v])``: 1 everywhere, with the gradient of v; a row of impossible negatives, at -inf, has none."""
    difference = values - values.detach()
    return torch.exp(torch.where(values.isneginf(), 0.0, difference))


@register_estimator("flatnce")
class FlatNCE(InfoNCE):
    """FlatNCE: InfoNCE's value, trained with the positive taken out of the denominator.

    Loss ``mean_i exp(c_i - sg[c_i])`` with ``c_i = log sum_j e^{q_ij - p_i}`` and ``sg`` the stop gradient: constantly
    1, of use for its gradient ``mean_i grad c_i`` alone. Estimate, bound and ceiling log m are InfoNCE's.

    Parameters
    ----------
    ess, ess_rate, ess_sign
        ESS scheduling; see `Contrastive`.

    Source: Chen et al. (2021), eq. 3.
    """

    kind = "lower"
    surrogate_loss = True

    def loss(self, scores: Scores) -> Tensor:
        """Constantly 1, with the gradient of ``mean_i c_i``, shape (...)."""
        gap = torch.logsumexp(scores.neg, -1) - scores.pos  # (..., N)
        return _ones(gap).mean(-1)


@register_estimator("holder-flatnce")
class HolderFlatNCE(InfoNCE):
    """Hoelder-FlatNCE: FlatNCE with a Hoelder mean of order gamma over the negatives.

    Loss ``mean_i exp(h_i - sg[h_i])`` with ``h_i = 1/gamma log mean_j e^{gamma (q_ij - p_i)}``: constantly 1. Its
    gradient is 1/gamma times that of `flatnce` for the critic gamma T, hence that of `flatnce` at gamma = 1; a larger
    gamma gives more weight to the hardest negatives. Estimate, bound and ceiling log m are InfoNCE's.

    Parameters
    ----------
    gamma
        Order of the mean, finite and not 0; negative orders favour the easiest negatives.
    ess, ess_rate, ess_sign
        ESS scheduling; see `Contrastive`.

    Source: Chen et al. (2021), definition S8 (a sum over the rows; here their mean) and proposition S9.
    """

    kind = "lower"
    coincides = ("flatnce-v1 where n_negatives=1", "flatnce-v1 where gamma=1")
    surrogate_loss = True

    gamma: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gamma == 0 or math.isinf(self.gamma):
            raise UsageError(f"estimator 'holder-flatnce': gamma must be finite and not 0, not {self.gamma}")

    def loss(self, scores: Scores) -> Tensor:
        """Constantly 1, with the gradient of ``mean_i h_i``, shape (...)."""
        mean = log_mean_exp(self.gamma * scores.neg) / self.gamma - scores.pos  # (..., N)
        return _ones(mean).mean(-1)
