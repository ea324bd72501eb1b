"""CPC with a weight alpha on the positives: `alpha-cpc`, and the multi-label bounds `ml-cpc` and `alpha-ml-cpc`.

Notable: a small alpha lifts the ceiling from log m to log(m / alpha). `alpha-cpc` pays for it with its bound; the
multi-label form shares one denominator among all rows and stays a bound down to alpha = m / (N (m - 1) + 1). The exact
log ratio is not the optimal critic of the multi-label forms at finite m: large ratios of positives fill the shared
denominator (at 10 nats the exact critic's value is negative for alpha = 1). The paper's listing takes m columns of
negatives where m - 1 are left, and leaves log(N m) out of the value. The paper's middle schedule is printed as 5 to
2.0; its own remark that all schedules pass alpha = 1 half-way makes that 5 to 0.2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from mibench.core.errors import UsageError
from mibench.core.estimator import Kind
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores, log_mean_exp
from mibench.estimators.contrastive import Contrastive


def log_shares(scores: Scores, alpha: float | Tensor) -> Tensor:
    """``log( m e^{p_i} / (alpha e^{p_i} + (m - alpha)/(m - 1) sum_j e^{q_ij}) )`` of each row, shape (..., N).

    Written as ``log(m/alpha) - softplus(gap_i + log((m - alpha) / (alpha (m - 1))))`` with
    ``gap_i = log sum_j e^{q_ij} - p_i``, so that the ceiling holds up to the rounding of log(m/alpha) itself.

    Parameters
    ----------
    scores
        Shapes (..., N) and (..., N, M).
    alpha
        Weight of the positives in (0, m): a number, or a tensor that broadcasts against (..., N).
    """
    gap = torch.logsumexp(scores.neg, -1) - scores.pos
    odds = (scores.m - alpha) / (alpha * (scores.m - 1))
    return _log(scores.m / alpha) - softplus(gap + _log(odds))


def _log(value: float | Tensor) -> float | Tensor:
    return torch.log(value) if isinstance(value, Tensor) else math.log(value)


def shared_denominator(rows: Tensor) -> Tensor:
    """Multi-label value of the rows ``[p_i, v_i]``, with ``v_i`` from `log_shares`: (..., N, 2) to (...).

    The shared denominator is ``sum_i e^{p_i - v_i}`` up to the factor m, so that the value is
    ``mean_i p_i - log mean_i e^{p_i - v_i}``. It does not change when all scores are shifted; the largest positive is
    taken off first, so that large scores keep their digits.
    """
    pos = rows[..., 0] - rows[..., 0].detach().amax(-1, keepdim=True)
    return pos.mean(-1) - log_mean_exp(pos - rows[..., 1])


class Reweighted(Contrastive):
    """Base of the estimators with a free alpha: its checks, and its geometric schedule while training.

    The schedule moves the loss from ``alpha_start`` to ``alpha`` in ``alpha_steps`` steps, counted over all stairs,
    and stays there. What is reported, its ceiling and its kind belong to ``alpha`` throughout.
    """

    alpha: float = 0.1
    alpha_start: float | None = None
    alpha_steps: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for value in (self.alpha, self.alpha_start):
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"alpha and alpha_start must be finite numbers above 0, not {value}")
        if (self.alpha_start is None) != (self.alpha_steps is None):
            raise UsageError("alpha_start and alpha_steps must be given together: where alpha starts, and for how long")
        if self.alpha_steps is not None and self.alpha_steps < 1:
            raise UsageError(f"alpha_steps must be at least 1, not {self.alpha_steps}")

    def weighted_rows(self, scores: Scores, alpha: float | Tensor) -> Tensor:
        """Per-row statistics at a given alpha, shape (..., N, k)."""
        raise NotImplementedError

    def rows(self, scores: Scores) -> Tensor:
        """Per-row statistics at ``alpha``, shape (..., N, k)."""
        return self.weighted_rows(scores, self.alpha)

    def own_state(self) -> tuple[float, ...]:
        """The number of steps done, where alpha moves."""
        return () if self.alpha_start is None else (0.0,)

    def own_loss(self, scores: Scores, state: Tensor) -> tuple[Tensor, Tensor]:
        """Loss at this step's alpha, ``alpha_start (alpha / alpha_start)^min(step / alpha_steps, 1)``."""
        if self.alpha_start is None or self.alpha_steps is None:
            return self.loss(scores), state
        share = (state / self.alpha_steps).clamp(max=1)  # (..., 1), broadcast over the rows
        alpha = torch.exp(share * math.log(self.alpha / self.alpha_start) + math.log(self.alpha_start))
        return -self.reduce(self.weighted_rows(scores, alpha.to(scores.pos.dtype))), state + 1

    def ceiling(self, n: int, m: int) -> float:
        """``log(m / alpha)`` nats; refuses rows with no more classes than alpha, whose negatives weigh nothing."""
        self.check_classes(m)
        largest = max(self.alpha, self.alpha_start or 0.0)
        if largest >= m:
            raise UsageError(f"alpha = {largest:g} needs more than {largest:g} classes in a row, but there are {m}")
        return math.log(m / self.alpha)


@register_estimator("alpha-cpc")
class AlphaCPC(Reweighted):
    """alpha-CPC: InfoNCE with weight alpha on the positive, ceiling log(m / alpha).

    ``mean_i log( m e^{p_i} / (alpha e^{p_i} + (m - alpha)/(m - 1) sum_j e^{q_ij}) )``. For alpha < 1 it is no bound: on
    X = Y fair and binary with the exact critic, N = m = 3 and alpha = 0.5, its mean is 0.7174 where the truth is
    0.6931. From alpha = 1 (InfoNCE) up to m it is a lower bound: the denominator lies between that of alpha = 1 and
    that of alpha = m, whose value is 0, and minus the logarithm is convex.

    Parameters
    ----------
    alpha
        Weight of the positive, above 0 and below m.
    alpha_start, alpha_steps
        Geometric schedule of the loss: where alpha starts, and after how many steps it is reached (10 to 0.1, 5 to
        0.2 and 2 to 0.5 are the paper's). None for a constant alpha.
    ess, ess_rate, ess_sign
        ESS scheduling; see `Contrastive`.

    Source: Song and Ermon (2020, multi-label CPC), section 3.1, eq. 5.
    """

    kind = "plug-in"

    def kind_at(self, n: int, m: int) -> Kind:
        """``lower`` from alpha = 1 on."""
        return "lower" if self.alpha >= 1 else "plug-in"

    def weighted_rows(self, scores: Scores, alpha: float | Tensor) -> Tensor:
        """``[log share of the positive]``, shape (..., N, 1)."""
        return log_shares(scores, alpha).unsqueeze(-1)

    def reduce(self, rows: Tensor) -> Tensor:
        """Mean over the rows, shape (...)."""
        return rows[..., 0].mean(-1)


@register_estimator("ml-cpc")
class MultiLabelCPC(Contrastive):
    """ML-CPC: the positives of all rows against one denominator over the whole batch, ceiling log m.

    ``mean_i log( N m e^{p_i} / (sum_j e^{p_j} + sum_jk e^{q_jk}) )``: `alpha-ml-cpc` at alpha = 1, a lower bound for
    every critic with independent negatives. The exact log ratio is not its optimal critic at finite m.

    Parameters
    ----------
    ess, ess_rate, ess_sign
        ESS scheduling; see `Contrastive`.

    Source: Song and Ermon (2020, multi-label CPC), section 3.2, eq. 6.
    """

    kind = "lower"

    def rows(self, scores: Scores) -> Tensor:
        """``[p_i, log share of the positive]``, shape (..., N, 2)."""
        return torch.stack((scores.pos, log_shares(scores, 1.0)), -1)

    def reduce(self, rows: Tensor) -> Tensor:
        """``mean_i p_i - log mean_i e^{p_i - v_i}``, shape (...)."""
        return shared_denominator(rows)


@register_estimator("alpha-ml-cpc")
class AlphaMultiLabelCPC(Reweighted):
    """alpha-ML-CPC: multi-label CPC with weight alpha on the positives, ceiling log(m / alpha).

    ``mean_i log( N m e^{p_i} / (alpha sum_j e^{p_j} + (m - alpha)/(m - 1) sum_jk e^{q_jk}) )``, a lower bound for every
    critic where alpha is at least ``m / (N (m - 1) + 1)`` and the negatives are independent; below that a run is marked
    a plug-in. With negatives from the same batch it can pass the truth by up to 0.0022 nats. The printed proof's
    exchangeability does not hold; the bound does, through the rows' Laplace transforms. The exact log ratio is not the
    optimal critic at finite m.

    Parameters
    ----------
    alpha
        Weight of the positives, above 0 and below m.
    alpha_start, alpha_steps
        Geometric schedule of the loss: where alpha starts, and after how many steps it is reached (10 to 0.1, 5 to
        0.2 and 2 to 0.5 are the paper's). None for a constant alpha.
    ess, ess_rate, ess_sign
        ESS scheduling; see `Contrastive`.

    Source: Song and Ermon (2020, multi-label CPC), section 3.3, eq. 7 and theorem 1, which states alpha <= 1; above it,
    up to m, the bound follows from that at alpha = 1 by convexity, as for `alpha-cpc`.
    """

    kind = "lower"

    def kind_at(self, n: int, m: int) -> Kind:
        """``lower`` from ``alpha = m / (N (m - 1) + 1)`` on."""
        return "lower" if self.alpha >= m / (n * (m - 1) + 1) else "plug-in"

    def weighted_rows(self, scores: Scores, alpha: float | Tensor) -> Tensor:
        """``[p_i, log share of the positive]``, shape (..., N, 2)."""
        return torch.stack((scores.pos, log_shares(scores, alpha)), -1)

    def reduce(self, rows: Tensor) -> Tensor:
        """``mean_i p_i - log mean_i e^{p_i - v_i}``, shape (...)."""
        return shared_denominator(rows)
