"""Predictive V-information: the difference of two cross-entropies within a family of predictors."""

from __future__ import annotations

from typing import Literal

from mibench.core.estimator import Density, Extra
from mibench.core.registry import register_estimator
from mibench.critics.densities import read_variance
from mibench.estimators.doe import CrossEntropies


@register_estimator("v-information")
class VInformation(CrossEntropies):
    """V-information: H_V(Y|0) - H_V(Y|X), cross-entropies of the best predictors of y in a family.

    ``I_V(X -> Y) = inf_q E[-log q(y)] - inf_q E[-log q(y|x)]`` over predictors that are given nothing, and given x; the
    loss is the sum of the two cross-entropies, the estimate their difference,
    ``mean_i [log q(y_i|x_i) - log q(y_i)]``. What the family can use of x, not what is there: not symmetric, and equal
    to the mutual information where the family holds the true conditional and the true marginal. A plug-in, no bound:
    the family may fit the conditional better than the marginal. No ceiling, no negatives.

    Parameters
    ----------
    family
        ``gaussian`` (independent columns), or ``softmax`` for one-hot y.
    mean
        What maps x to the mean or the logits: an ``mlp`` of the run's hidden layers, or ``linear``.
    variance
        Of a Gaussian: ``learned`` numbers, one a column, from the ``network`` beside the mean, or a fixed number. The
        predictor given nothing has numbers of its own, or the same fixed one, with which the value is half the mean
        squared error saved over the variance.

    Source: Xu et al. (2020), definitions 2 and 3, with both empirical risks on fresh pairs.
    """

    kind = "plug-in"
    given = "its family of y, and of y given x"

    family: Literal["gaussian", "softmax"] = "gaussian"
    mean: Literal["mlp", "linear"] = "mlp"
    variance: str = "learned"

    def __post_init__(self) -> None:
        object.__setattr__(self, "variance", str(read_variance(self.variance, "estimator 'v-information'")))

    @property
    def own_critic(self) -> str:
        """The conditional density of the family."""
        if self.family == "softmax":
            return f"conditional-softmax-v1:of=y,mean={self.mean}"
        return f"conditional-gaussian-v1:of=y,mean={self.mean},variance={self.variance}"

    @property
    def extras(self) -> tuple[Extra, ...]:
        """The density of the same family given nothing."""
        variance = read_variance(self.variance, "estimator 'v-information'")
        marginal = Density(of="y", given=None, family=self.family, mean=self.mean, variance=variance)
        return (Extra("marginal", of=marginal, exact=0.0),)
