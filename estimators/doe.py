"""Difference of entropies, each an upper bound by a cross-entropy.

Notable: each cross-entropy is minimised by itself; the estimate is their difference, so that the two errors pull in
opposite directions and neither sign of the total is sure.
"""

from __future__ import annotations

from torch import Tensor

from mibench.core.estimator import Density, Estimator, Extra
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores


class CrossEntropies(Estimator):
    """Base of differences of two cross-entropies: scores are ``log q(y|x)``, the extra ``marginal`` is ``log q(y)``."""

    def loss(self, scores: Scores) -> Tensor:
        """``-mean_i log q(y_i|x_i) - mean_i log q(y_i)``, shape (...)."""
        return -(scores.pos + scores.extra("marginal").pos).mean(-1)

    def rows(self, scores: Scores) -> Tensor:
        """``[log q(y_i|x_i) - log q(y_i)]``, shape (..., N, 1)."""
        return (scores.pos - scores.extra("marginal").pos).unsqueeze(-1)

    def reduce(self, rows: Tensor) -> Tensor:
        """Mean over the rows, shape (...)."""
        return rows[..., 0].mean(-1)


@register_estimator("doe")
class DifferenceOfEntropies(CrossEntropies):
    """DoE: mean log q(y|x) - mean log q(y), two learned densities, each by maximum likelihood.

    ``I = H(Y) - H(Y|X)``, with each entropy replaced by a cross-entropy, its upper bound; the loss is the sum of the
    two, the estimate their difference. Too high where the marginal is fitted badly, too low where the conditional is:
    no bound. No ceiling, no negatives. Both densities are Gaussians with independent columns: a marginal of another
    form is over-estimated by its divergence from that.

    Source: McAllester and Stratos (2020), the difference-of-entropies estimator.
    """

    kind = "plug-in"
    given = "Gaussian y, and y given x"
    own_critic = "conditional-gaussian-v1:of=y"
    extras = (Extra("marginal", of=Density(of="y", given=None, variance="learned"), exact=0.0),)
