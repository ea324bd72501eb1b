"""What the InfoNCE-like estimators share: rows of one positive against its negatives, and ESS scheduling.

Notable: the effective sample size (ESS) of a row's negatives says how many of them the gradient comes from. An inverse
temperature beta on the scores sharpens their weights, which lowers the ESS; to hold a target, beta must rise where the
ESS is above it. The paper's listing has the opposite sign, positive feedback: from an ESS above the target beta falls
to 0 and the ESS runs to 1; from one below it, beta grows without end and the ESS runs to 1/M.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.estimator import Estimator
from mibench.core.scores import Scores, effective_sample_size


class Contrastive(Estimator):
    """Base of the estimators that find the positive of a row among its negatives; offers ESS scheduling.

    With ``ess`` set, critic scores are multiplied by an inverse temperature beta, 1 at the start, before loss and
    estimate see them. After every training step beta is multiplied by ``1 + ess_rate`` where the ESS of the batch's
    scaled scores lies above the target, and by ``1 - ess_rate`` where it does not. Large pools are given the beta at
    the end of training. A scaled critic is a critic, so that kind and ceiling stay. Beside critics that are not
    trained, beta stays 1.

    A subclass that carries numbers of its own from step to step gives them by `own_state` and `own_loss`.

    Parameters
    ----------
    ess
        Target of the ESS, in (1/M, 1] on rows with M negatives; None for scores as they are.
    ess_rate
        Relative change of beta in a step, in (0, 1); 0.01 where ``ess`` is set and this is not.
    ess_sign
        ``corrected``, the default, or ``printed``: the paper's listing, which lowers beta where the ESS is above the
        target and so runs away, to an ESS of 1 or 1/M.

    Source: Chen et al. (2021, FlatNCE), section 4 and algorithm S2, with a scheduler that is constant.
    """

    default_negatives = "all-pairs-v1"

    ess: float | None = None
    ess_rate: float | None = None
    ess_sign: Literal["corrected", "printed"] | None = None

    def __post_init__(self) -> None:
        if self.ess is None:
            if self.ess_rate is not None or self.ess_sign is not None:
                raise UsageError("ess_rate and ess_sign shape the way to a target; give ess too")
            return
        # Resolved here, so that a default that is spelt out is the same run.
        object.__setattr__(self, "ess_rate", 0.01 if self.ess_rate is None else self.ess_rate)
        object.__setattr__(self, "ess_sign", self.ess_sign or "corrected")
        if not 0 < self.ess <= 1:
            raise UsageError(f"ess must lie in (0, 1], not {self.ess}")
        if not 0 < self._rate < 1:
            raise UsageError(f"ess_rate must lie in (0, 1), not {self._rate}")

    @property
    def _rate(self) -> float:
        return self.ess_rate or 0.0

    def own_state(self) -> tuple[float, ...]:
        """Numbers that a run carries from step to step beside beta; none by default."""
        return ()

    def own_loss(self, scores: Scores, state: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of one step and the state after it, where the state is that of `own_state`."""
        return self.loss(scores), state

    def initial_state(self) -> tuple[float, ...]:
        """``log beta`` where the ESS is scheduled, and the estimator's own numbers."""
        return self.own_state() if self.ess is None else (0.0, *self.own_state())

    def inverse_temperature(self, state: Tensor) -> Tensor | None:
        """Beta, shape (...); None where the ESS is not scheduled."""
        return None if self.ess is None else torch.exp(state[..., 0])

    def transform(self, scores: Scores, state: Tensor) -> Scores:
        """Critic scores times beta, in their own precision; extras stay."""
        beta = self.inverse_temperature(state)
        if beta is None:
            return scores
        factor = beta.to(scores.pos.dtype).unsqueeze(-1)  # (..., 1)
        return dataclasses.replace(scores, pos=scores.pos * factor, neg=scores.neg * factor.unsqueeze(-1))

    def stateful_loss(self, scores: Scores, state: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of one step, and the state with beta moved by the batch's ESS."""
        if self.ess is None:
            return self.own_loss(scores, state)
        loss, own = self.own_loss(scores, state[..., 1:])
        above = effective_sample_size(scores).detach() > self.ess
        sharper = above if self.ess_sign == "corrected" else ~above
        log_beta = state[..., 0] + torch.where(sharper, math.log1p(self._rate), math.log1p(-self._rate))
        return loss, torch.cat((log_beta.unsqueeze(-1), own), -1)

    def ceiling(self, n: int, m: int) -> float:
        """``log m`` nats; refuses rows with so few negatives that their ESS is never as low as the target."""
        self.check_classes(m)
        return math.log(m)

    def check_classes(self, m: int) -> None:
        """Refuse rows on which the target cannot be held: M = m - 1 negatives have an ESS of at least 1/M.

        Parameters
        ----------
        m
            Classes of a row, the positive included.

        Raises
        ------
        UsageError
            Where ``ess`` is at most 1/M; with one negative the ESS is always 1.
        """
        if self.ess is not None and self.ess * (m - 1) <= 1:
            raise UsageError(
                f"ess = {self.ess:g} needs more than {1 / self.ess:g} negatives in a row, but there are {m - 1}; "
                "use a negative sampler with more, as all-pairs"
            )
