"""Instance discrimination with a memory bank, and its variants over neighbours: ir, ball, annulus, local-aggregation.

Notable: the classes are the instances of the task, so that the value of `ir` is the bound of Barber and Agakov with
equally likely classes: below the truth for every bank. The variants contrast with the instances nearest in the bank
alone; dropping the others carries them above the truth or below it, and the paper's claim that they are bounds does
not hold (`vince` shows the same for proposals with truncated support).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from mibench.core.errors import UsageError
from mibench.core.estimator import Estimator, Extra
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores, log_mean_exp


class InstanceEstimator(Estimator):
    """Base of the family: the memory bank's parameters, and every other instance as a negative."""

    rate: float = 0.5
    temperature: float = 0.07
    embed: int = 32

    def __post_init__(self) -> None:
        if not (0 <= self.rate < 1 and 0 < self.temperature < math.inf and self.embed >= 1):
            raise UsageError(
                "rate must lie in [0, 1), temperature above 0 and embed at least 1, not "
                f"{self.rate}, {self.temperature} and {self.embed}"
            )

    @property
    def own_critic(self) -> str:
        """The memory bank; see `mibench.critics.memory_bank.MemoryBank`."""
        return f"memory-bank-v1:rate={self.rate},temperature={self.temperature},embed={self.embed}"

    @property
    def own_negatives(self) -> str:
        """Every other instance of the task."""
        return "others-v1"

    def reduce(self, rows: Tensor) -> Tensor:
        """Mean over the rows, shape (...)."""
        return rows[..., 0].mean(-1)


class NeighbourEstimator(InstanceEstimator):
    """Base of the variants: sets of the instances nearest to the row's own in the bank."""

    extras = (Extra("similarity", of="similarity of codes", exact=0.0),)

    nearest: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nearest < 2:
            raise UsageError(f"nearest must be at least 2, the instance itself and another, not {self.nearest}")

    def size(self, scores: Scores) -> int:
        """Instances in the set, the row's own included: ``nearest``, or all where there are fewer."""
        return min(self.nearest, scores.m)

    def neighbours(self, scores: Scores) -> Tensor:
        """Scores of the other instances of the set, those most similar to the row's own, the nearest first."""
        order = scores.extra("similarity").neg.topk(self.size(scores) - 1, dim=-1).indices
        return scores.neg.gather(-1, order)


@register_estimator("ir")
class InstanceDiscrimination(InstanceEstimator):
    """Instance discrimination: log of the own instance's share among all K, plus log K; ceiling log K.

    ``log K + mean_i log( e^{E(x_i)^T M[y_i] / t} / sum_k e^{E(x_i)^T M[k] / t} )`` with codes E(x), a memory bank M and
    the temperature t: a lower bound on I(X; Y) for every encoder and bank, since the K instances are equally likely.

    Parameters
    ----------
    rate, temperature, embed
        Of the memory bank.

    Source: Wu, Xiong, Yu and Lin (2018); Wu, Zhuang, Yamins and Goodman (2020, views), eq. 6 and theorem 5.1.
    """

    kind = "lower"

    def rows(self, scores: Scores) -> Tensor:
        """``[log K - softplus(log sum_j e^{q_ij} - p_i)]``, shape (..., N, 1)."""
        gap = torch.logsumexp(scores.neg, -1) - scores.pos
        return (math.log(scores.m) - softplus(gap)).unsqueeze(-1)

    def ceiling(self, n: int, m: int) -> float:
        """``log K`` nats: the classes are the instances."""
        return math.log(m)


@register_estimator("ball")
class BallDiscrimination(NeighbourEstimator):
    """Ball discrimination: the own instance among its B nearest in the bank, plus log B; ceiling log B.

    ``log B + mean_i log( p(i | x_i) / p(B_i | x_i) )``, B_i the B entries of the bank nearest to the instance's own,
    itself included. No bound: instances outside the ball, which are easy to tell apart, are not counted.

    Parameters
    ----------
    nearest
        Size B of the ball, at least 2; all instances where there are fewer.
    rate, temperature, embed
        Of the memory bank.

    Source: Wu, Zhuang, Yamins and Goodman (2020, views), definition 5.2.
    """

    kind = "plug-in"

    def rows(self, scores: Scores) -> Tensor:
        """``[log B - softplus(log sum_{B_i} e^{q_ij} - p_i)]``, shape (..., N, 1)."""
        gap = torch.logsumexp(self.neighbours(scores), -1) - scores.pos
        return (math.log(self.size(scores)) - softplus(gap)).unsqueeze(-1)

    def ceiling(self, n: int, m: int) -> float:
        """``log B`` nats."""
        return math.log(min(self.nearest, m))


class CloseEstimator(NeighbourEstimator):
    """Base of the variants with two sets: the ``close`` nearest within the ``nearest``."""

    close: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.close < self.nearest:
            raise UsageError(f"close must be at least 1 and below nearest = {self.nearest}, not {self.close}")

    def inner(self, size: int) -> int:
        """Instances in the inner of two sets, of which the outer has ``size``."""
        return min(self.close, size - 1)


@register_estimator("annulus")
class AnnulusDiscrimination(CloseEstimator):
    """Annulus discrimination: the own instance against those of the B nearest that are not among the C nearest.

    ``log(B - C) + mean_i log( p(i | x_i) / p(B_i without C_i | x_i) )``. The own instance is nearest to itself, so that
    it is in C_i and not in the sum, as the definition has it: no ceiling, and no bound.

    Parameters
    ----------
    nearest, close
        Sizes B and C of the outer and the inner set, the instance itself included; C below B. With fewer than B
        instances, all of them, and at most all but one.
    rate, temperature, embed
        Of the memory bank.

    Source: Wu, Zhuang, Yamins and Goodman (2020, views), definition 5.3.
    """

    kind = "plug-in"

    def rows(self, scores: Scores) -> Tensor:
        """``[p_i - log mean_{B_i without C_i} e^{q_ij}]``, shape (..., N, 1)."""
        ring = self.neighbours(scores)[..., self.inner(self.size(scores)) - 1 :]
        return (scores.pos - log_mean_exp(ring)).unsqueeze(-1)


@register_estimator("local-aggregation")
class LocalAggregation(CloseEstimator):
    """Local aggregation: the C nearest instances together among the B nearest, plus log(B / C); ceiling log(B / C).

    ``log(B / C) + mean_i log( p(C_i | x_i) / p(B_i | x_i) )``: the mean share of a close neighbour instead of the own.
    No bound, for the reason of `ball`; at C = 1 it is `ball`.

    Parameters
    ----------
    nearest, close
        Sizes B and C of the background and the close set, the instance itself included; C below B. With fewer than B
        instances, all of them, and at most all but one.
    rate, temperature, embed
        Of the memory bank.

    Source: Zhuang, Zhai and Yamins (2019); Wu, Zhuang, Yamins and Goodman (2020, views), eq. 8 with the close set by
    nearest neighbours.
    """

    kind = "plug-in"

    def rows(self, scores: Scores) -> Tensor:
        """``[log mean_{C_i} e^{s_ik} - log mean_{B_i} e^{s_ik}]``, shape (..., N, 1)."""
        others, size = self.neighbours(scores), self.size(scores)
        inner = self.inner(size)
        close = torch.logsumexp(torch.cat((scores.pos.unsqueeze(-1), others[..., : inner - 1]), -1), -1)
        far = torch.logsumexp(others[..., inner - 1 :], -1)
        return (math.log(size / inner) - softplus(far - close)).unsqueeze(-1)

    def ceiling(self, n: int, m: int) -> float:
        """``log(B / C)`` nats."""
        size = min(self.nearest, m)
        return math.log(size / self.inner(size))
