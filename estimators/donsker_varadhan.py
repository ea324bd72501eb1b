"""The Donsker-Varadhan bound, trained directly (`dv`) and with MINE's corrected gradient (`mine`).

Notable: the log of a batch mean under-estimates the log of the mean, so that a finite batch over-estimates the bound.
With in-batch negatives drawn by a permutation its best value is capped near log N by the sampler, not by the bound.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.estimator import Estimator
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores, log_mean_exp, log_mean_negatives


@register_estimator("dv")
class DonskerVaradhan(Estimator):
    """Donsker-Varadhan bound: mean p - log mean exp q, trained by its own gradient.

    ``I >= E[T(x, y)] - log E[exp T(x, y')]``; estimate and loss share ``mean_i p_i - log mean_ij exp q_ij``.
    A lower bound in the population; on a batch it over-estimates, because the mean stands inside a logarithm.
    The optimum is ``T = log r + c`` for any constant c. No ceiling.

    Source: Donsker and Varadhan (1983); Belghazi et al. (2018), section 3.1.
    """

    kind = "lower"
    capped_by_sampler = True

    def rows(self, scores: Scores) -> Tensor:
        """``[p_i, log mean_j exp q_ij]``, shape (..., N, 2)."""
        return torch.stack((scores.pos, log_mean_exp(scores.neg)), -1)

    def reduce(self, rows: Tensor) -> Tensor:
        """``mean_i p_i - log mean_i exp(row mean)``, shape (...)."""
        return rows[..., 0].mean(-1) - log_mean_exp(rows[..., 1])


@register_estimator("mine")
class Mine(DonskerVaradhan):
    """MINE: the Donsker-Varadhan value, trained with a running average in the gradient's denominator.

    The gradient descends ``-(mean p - mean exp q / ema)``, where ``ema`` is the exponential moving average of
    ``mean exp q``, held constant in the gradient. It is kept as a logarithm and corrected for its start like Adam's
    moments, so that the first step is plain Donsker-Varadhan. The estimate is that of `dv`. Without state, `loss` is
    that first step.

    Parameters
    ----------
    rate
        Weight of the past in the average, in [0, 1).

    Source: Belghazi et al. (2018), section 3.2.
    """

    kind = "lower"

    rate: float = 0.99

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise UsageError(f"estimator 'mine': rate must lie in [0, 1), not {self.rate}")

    def initial_state(self) -> tuple[float, ...]:
        """``log`` of an empty average, and the weight that it has collected."""
        return (-math.inf, 0.0)

    def stateful_loss(self, scores: Scores, state: Tensor) -> tuple[Tensor, Tensor]:
        """``-(mean p - exp(log mean exp q - log ema))`` and the updated average."""
        log_mean = log_mean_negatives(scores)
        log_rate = math.log(self.rate) if self.rate > 0 else -math.inf
        log_sum = torch.logaddexp(state[..., 0] + log_rate, log_mean.detach() + math.log1p(-self.rate))
        weight = self.rate * state[..., 1] + (1 - self.rate)
        log_average = (log_sum - torch.log(weight)).to(log_mean.dtype)
        loss = torch.exp(log_mean - log_average) - scores.pos.mean(-1)
        return loss, torch.stack((log_sum, weight), -1)
