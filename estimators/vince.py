"""VINCE: InfoNCE whose negatives come from a proposal, and VINCE+, which learns what its proposal accepts.

Notable: the theorem's ``- K + 1`` is not needed. The expectation that its proof bounds by K, of ``e^f / a`` under
``p(x) p(y_1:K)``, is 1 by the symmetry that the same paper uses for InfoNCE; what remains is InfoNCE by importance
weights, whose product over a row's negatives grows exponentially. With the term the statement says nothing: its
expectation is never above ``log K - K + 1``, which is at most 0. Eq. 4, which is what gets trained, drops the weights
and with them the bound: with 4 equally likely symbols (1.39 nats) and K = 64 it is 4.16 where the own symbol is always
rejected, and 0 where nothing else is accepted. Corollary 3.1.2 puts the least value of the weights before the
log term, which raises it where it is negative. A learned acceptance gives no bound either: see `VINCEPlus`.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from mibench.core.estimator import Estimator, Extra, Kind
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores
from mibench.estimators.contrastive import Contrastive
from mibench.estimators.multi_label_cpc import log_shares


def _product(log_weights: Tensor, like: Tensor) -> Tensor:
    """Product of each row's weights, (..., N), in float64; held at the largest number of the scores' precision."""
    product = torch.exp(log_weights.double().sum(-1))
    return product.clamp(max=torch.finfo(like.dtype).max).to(like.dtype)


@register_estimator("vince")
class VINCE(Contrastive):
    """VINCE: InfoNCE over a proposal's negatives, as trained, by importance weights, or as stated.

    With the row's log share ``v_i = log( m e^{p_i} / (e^{p_i} + sum_j e^{q_ij}) )``, m classes and the weights
    ``w_ij = p(y'_ij) / q(y'_ij | y_i)`` of the sampler, 1 where the negatives come from p(y):

    - ``simplified``: ``mean_i v_i``, InfoNCE of the proposal's negatives; a plug-in, never above ``log m``.
    - ``weighted``: ``mean_i v_i prod_j w_ij``, a lower bound where the proposal has full support. Its weights are
      exponential in m: for few negatives only.
    - ``stated``: ``weighted - m + 1``, the theorem's bound with 1/m in the partition, which the theorem's print leaves
      out and its proof has. Its expectation is never above ``log m - m + 1``, at most 0.

    Single batches have no ceiling in the last two forms, since a product of weights has none. All three are InfoNCE,
    up to the constant, on the large fresh pool, whose negatives come from p(y).

    Parameters
    ----------
    form
        ``simplified``, ``weighted`` or ``stated``.
    ess, ess_rate, ess_sign
        ESS scheduling; see `Contrastive`.

    Source: Wu et al. (2020, VINCE), eq. 4 and theorem 3.1.
    """

    kind = "plug-in"
    coincides = ("infonce-v1 where form=simplified",)

    form: Literal["simplified", "weighted", "stated"] = "simplified"

    @property
    def uses_weights(self) -> bool:
        """All but the simplified form."""
        return self.form != "simplified"

    def rows(self, scores: Scores) -> Tensor:
        """``[v_i prod_j w_ij]``, less ``m - 1`` as stated, shape (..., N, 1)."""
        rows = log_shares(scores, 1.0)
        if self.uses_weights and scores.log_weights is not None:
            rows = rows * _product(scores.log_weights, rows)
        return (rows - (scores.m - 1) if self.form == "stated" else rows).unsqueeze(-1)

    def reduce(self, rows: Tensor) -> Tensor:
        """Mean over the rows, shape (...)."""
        return rows[..., 0].mean(-1)

    def ceiling(self, n: int, m: int) -> float:
        """``log m`` nats for the simplified form; none where a product of weights stands before the log share."""
        self.check_classes(m)
        return math.inf if self.uses_weights else math.log(m)

    def kind_at(self, n: int, m: int) -> Kind:
        """``lower`` for the forms with weights."""
        return "lower" if self.uses_weights else "plug-in"


@register_estimator("vince-plus")
class VINCEPlus(Estimator):
    """VINCE+: InfoNCE over negatives that a learned acceptance lets through, out of draws from p(y).

    Candidate j of row i is accepted with probability ``r_ij = sigmoid(a(y_i, y'_ij))``: where a uniform number is below
    r_ij. With the K_i accepted ones, the log share ``v_i = log( (K_i + 1) e^{p_i} / (e^{p_i} + sum e^{q_ij}) )`` is 0
    where none is. The estimate is ``mean_i v_i`` or, as ``form=weighted``, ``mean_i v_i prod_j Z_i / r_ij`` over the
    accepted, with Z_i the mean of r over the row's candidates.

    A plug-in in both forms. Without weights the objective is raised by rejecting hard negatives, which the acceptance
    learns to do. With weights, even with the exact Z, K_i depends on y_i: an acceptance that leaves rows of low value
    without negatives counts them as 0, and the mean of the others is no bound. (For a fixed number of accepted
    negatives it would be one, whose expectation does not depend on the acceptance, so that it teaches it nothing.)

    Training ascends ``objective`` by its gradient: that of the scores and, for the acceptance, that of the log
    probability of what was accepted, ``sum_j log r_ij`` over the accepted and ``log(1 - r_ij)`` over the others, times
    the row's value less the mean value of the other rows. The lemma's gradient has the accepted alone, as though r p
    were normalised. The loss's value is minus the objective; its gradient is right in expectation over the uniform
    numbers only.

    Parameters
    ----------
    form
        What is reported: ``simplified`` or ``weighted``.
    objective
        What is trained: ``simplified``, ``mean_i v_i``, or ``printed``, ``mean_i v_i prod_j 1 / r_ij`` over the
        accepted, which drops Z and runs away by its product.

    Source: Wu et al. (2020, VINCE), appendix C, eq. 17 and lemma C.1.
    """

    kind = "plug-in"
    surrogate_loss = True  # no difference of its values shows the gradient of the acceptance
    default_negatives = "all-pairs-v1"
    needs_marginal = True
    extras = (Extra("acceptance", of="y pair", exact=0.0), Extra("uniform", of="uniform", exact=0.0))

    form: Literal["simplified", "weighted"] = "simplified"
    objective: Literal["simplified", "printed"] = "simplified"

    def rows(self, scores: Scores) -> Tensor:
        """``[v_i]``, or ``[v_i prod_j Z_i / r_ij]``, shape (..., N, 1)."""
        accepted = _accepted(scores)
        shares = _accepted_shares(scores, accepted)
        if self.form == "weighted":
            log_r = logsigmoid(scores.extra("acceptance").neg)
            log_z = torch.logsumexp(log_r, -1, keepdim=True) - math.log(scores.m - 1)
            shares = shares * _product((log_z - log_r) * accepted, shares)
        return shares.unsqueeze(-1)

    def reduce(self, rows: Tensor) -> Tensor:
        """Mean over the rows, shape (...)."""
        return rows[..., 0].mean(-1)

    def loss(self, scores: Scores) -> Tensor:
        """Minus the objective, with the score function's gradient for the acceptance, shape (...)."""
        accepted = _accepted(scores)
        values = _accepted_shares(scores, accepted)
        logits = scores.extra("acceptance").neg
        if self.objective == "printed":
            values = values * _product(-logsigmoid(logits) * accepted, values)
        log_probability = logsigmoid(torch.where(accepted, logits, -logits)).sum(-1)  # (..., N)
        others = (values.sum(-1, keepdim=True) - values) / (scores.n - 1)
        advantage = (values - others).detach()
        return -(values + advantage * (log_probability - log_probability.detach())).mean(-1)

    def ceiling(self, n: int, m: int) -> float:
        """``log m`` nats for the simplified form; none for the weighted one."""
        return math.inf if self.form == "weighted" else math.log(m)


def _accepted(scores: Scores) -> Tensor:
    """Which candidates are accepted, (..., N, M)."""
    return scores.extra("uniform").neg < torch.sigmoid(scores.extra("acceptance").neg)


def _accepted_shares(scores: Scores, accepted: Tensor) -> Tensor:
    """Log share of the positive beside the accepted negatives, plus the log of how many classes that is, (..., N)."""
    gap = torch.logsumexp(scores.neg.masked_fill(~accepted, -math.inf), -1) - scores.pos
    classes = (accepted.sum(-1) + 1).to(gap.dtype)
    return torch.log(classes) - softplus(gap)
