"""Negative samplers that propose: negatives from a distribution q(y' | y_i) in place of p(y), and waypoints to them.

Notable: no bound that was proved for negatives from p(y) holds for such negatives. What rejects hard negatives carries
contrastive estimates above the truth, what keeps only hard ones pulls them below. With the weights p/q of `Proposal`
there is a bound again (`vince` with ``form=weighted``), but only where q can draw everything that p can: `uniform`
does; `threshold`, `ball` and `annulus` leave a part of the support out, and their weights are right on the rest only.

A rejection sampler with acceptance probability r draws from ``q = r p / Z`` with ``Z = E_p[r]``, so that p/q is
``Z / r``; the paper, whose q is ``r p``, drops Z. Here r is 0 or 1 and Z is the accepted share of the candidates:
draws from p(y) that all rows of a batch share, and that are never the batch's own y.

Source: Wu et al. (2020, VINCE), section 3.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibench.core.errors import UsageError
from mibench.core.registry import register_negatives
from mibench.core.sampler import NegativeSampler, Proposal
from mibench.core.task import Task
from mibench.negatives.permutations import partial_derangements

Similarity = Literal["rbf", "cosine"]


class Rejection(NegativeSampler):
    """Base of the samplers that choose each row's negatives among candidates by their nearness to the row's y."""

    has_weights = True
    full_support = False

    m: int = 64
    candidates: int = 512

    def __post_init__(self) -> None:
        if not 1 <= self.m <= self.candidates:
            raise UsageError(
                f"negative sampler '{type(self).__name__.lower()}': m must be at least 1 and at most the "
                f"{self.candidates} candidates, not {self.m}; give more candidates"
            )

    def per_row(self, batch: int) -> int:
        """As many as asked for."""
        return self.m

    def extra(self, batch: int) -> int:
        """The candidates, fresh from p(y)."""
        return self.candidates

    def propose(self, task: Task, y: Tensor, batch: int, generator: torch.Generator) -> Proposal:
        """Choose each row's negatives step by step, which bounds the memory; see `NegativeSampler.propose`."""
        own, others = y.double().split((batch, self.candidates), 1)
        steps = [self.choose(*pair, generator) for pair in zip(own, others, strict=True)]
        chosen, accepted = zip(*steps, strict=True)
        share = torch.stack(accepted).double() / self.candidates  # (steps, N)
        log_weights = share.log().unsqueeze(-1).expand(-1, -1, self.m)
        return Proposal(y, torch.stack(chosen) + batch, log_weights)

    @abstractmethod
    def choose(self, y: Tensor, candidates: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Choose the negatives of one batch.

        Parameters
        ----------
        y, candidates
            Shapes (N, dim_y) and (C, dim_y), float64.
        generator
            The only source of randomness.

        Returns
        -------
        index, accepted
            Candidates chosen, (N, M), and how many of them each row accepts, (N,).
        """


@register_negatives("threshold")
class Threshold(Rejection):
    """Candidates whose similarity to the row's own y is at most t: hard negatives are rejected.

    M of the accepted ones are drawn without replacement, or with replacement where fewer are accepted.
    ``log p/q = log Z`` with Z the row's accepted share; the paper drops Z. No weights make a bound of what is left
    after the similar y are rejected: the estimates of `vince`, `infonce` and others pass the truth.

    Parameters
    ----------
    m
        Negatives per row, at least 1.
    t
        Largest similarity that is accepted, above 0 and at most 1.
    candidates
        Fresh y from p(y) that all rows of a batch choose from, at least m.
    similarity
        ``cosine``, ``(1 + cos(y, y')) / 2``, or ``rbf``, ``exp(-||y - y'||^2 / (2 dim_y))``; both lie in [0, 1].

    Source: Wu et al. (2020, VINCE), example 1. The paper calls the ball of nearest neighbours an instance of it, which
    is its opposite: see `ball`.
    """

    t: float = 0.5
    similarity: Similarity = "cosine"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.t <= 1:
            raise UsageError(f"negative sampler 'threshold': t must be above 0 and at most 1, not {self.t}")

    def choose(self, y: Tensor, candidates: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw among the dissimilar ones; see `Rejection.choose`.

        Raises
        ------
        UsageError
            Where a row accepts no candidate.
        """
        keys = torch.rand(len(y), len(candidates), generator=generator, device=y.device, dtype=y.dtype)
        is_accepted = self._similarities(y, candidates) <= self.t
        accepted = is_accepted.sum(1)
        if not accepted.all():
            raise UsageError(
                f"negative sampler 'threshold': none of {self.candidates} candidates has a similarity of at most "
                f"t = {self.t:g} to a row's y; raise t, or give more candidates"
            )
        # The accepted in random order, then the others; a position past the accepted is drawn again among them.
        order = keys.masked_fill(~is_accepted, 2.0).topk(self.m, 1, largest=False).indices
        again = torch.rand(order.shape, generator=generator, device=y.device, dtype=y.dtype) * accepted.unsqueeze(1)
        in_turn = torch.arange(self.m, device=y.device).expand_as(order)
        enough = accepted.unsqueeze(1) >= self.m
        return order.gather(1, torch.where(enough, in_turn, again.long())), accepted

    def _similarities(self, y: Tensor, candidates: Tensor) -> Tensor:
        """Similarities (N, C) in [0, 1]."""
        if self.similarity == "cosine":
            return (1 + normalize(y, dim=1) @ normalize(candidates, dim=1).T) / 2
        return torch.exp(-_distances(y, candidates).square() / (2 * y.shape[1]))


@register_negatives("ball")
class Ball(Rejection):
    """The m candidates that are nearest to the row's own y: only hard negatives are kept.

    Nearness is Euclidean; ``log p/q = log(m / candidates)``. The smaller the ball, the more its y are as likely with x
    as the row's own, and the further estimates fall below the truth.

    Parameters
    ----------
    m
        Negatives per row, at least 1.
    candidates
        Fresh y from p(y) that all rows of a batch choose from, at least m.

    Source: Wu et al. (2020, VINCE), section 5, after Zhuang et al. (2019), whose background neighbours are the nearest
    codes of a memory.
    """

    def choose(self, y: Tensor, candidates: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Take the nearest; see `Rejection.choose`."""
        return _ranks(y, candidates, 0, self.m)


@register_negatives("annulus")
class Annulus(Rejection):
    """The m next nearest candidates after the ``skip`` nearest ones: neither the hardest nor the easiest negatives.

    Nearness is Euclidean; ``log p/q = log(m / candidates)``. With ``skip + m`` candidates it rejects the hardest and
    keeps all others.

    Parameters
    ----------
    m
        Negatives per row, at least 1.
    skip
        Nearest candidates that are left out, at least 0.
    candidates
        Fresh y from p(y) that all rows of a batch choose from, at least ``skip + m``.

    Source: Wu et al. (2020, VINCE), example 2 and section 5 (ANN).
    """

    skip: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.skip <= self.candidates - self.m:
            raise UsageError(
                f"negative sampler 'annulus': of {self.candidates} candidates {self.m} are kept, so that skip must be "
                f"between 0 and {self.candidates - self.m}, not {self.skip}; give more candidates"
            )

    def choose(self, y: Tensor, candidates: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Take the next nearest; see `Rejection.choose`."""
        return _ranks(y, candidates, self.skip, self.skip + self.m)


def _ranks(y: Tensor, candidates: Tensor, first: int, last: int) -> tuple[Tensor, Tensor]:
    """Candidates at ranks ``first`` to ``last`` of nearness to each y, (N, last - first), and how many, (N,)."""
    order = _distances(y, candidates).topk(last, 1, largest=False).indices
    return order[:, first:], torch.full((len(y),), last - first, device=y.device)


def _distances(y: Tensor, candidates: Tensor) -> Tensor:
    """Euclidean distances (N, C), exactly 0 between equal rows."""
    return torch.cdist(y, candidates, compute_mode="donot_use_mm_for_euclid_dist")


@register_negatives("uniform")
class Uniform(NegativeSampler):
    """Uniform draws from the finite support of y, M for each row, whatever p(y) is.

    ``log p/q = log p(y') + log k`` for a support of k values. Everything can be drawn, so that the weighted form of
    `vince` is a lower bound. Only for tasks that know the support of y.

    Parameters
    ----------
    m
        Negatives per row, at least 1.

    Source: Wu et al. (2020, VINCE), example 3.
    """

    has_weights = True
    needs_support = True

    m: int = 1

    def __post_init__(self) -> None:
        if self.m < 1:
            raise UsageError(f"negative sampler 'uniform': m must be at least 1, not {self.m}")

    def per_row(self, batch: int) -> int:
        """As many as asked for."""
        return self.m

    def pool(self, batch: int, task: Task) -> int:
        """The batch's own y and the support."""
        return batch + len(task.support_y()[0])

    def propose(self, task: Task, y: Tensor, batch: int, generator: torch.Generator) -> Proposal:
        """Draw from the support, which follows the batch in the pool; see `NegativeSampler.propose`."""
        values, log_p = (part.to(y.device) for part in task.support_y())
        steps, k = len(y), len(values)
        drawn = torch.randint(k, (steps, batch, self.m), generator=generator, device=y.device)
        pool = torch.cat((y, values.to(y.dtype).expand(steps, -1, -1)), 1)
        return Proposal(pool, drawn + batch, log_p.double()[drawn] + math.log(k))


@register_negatives("waypoints")
class Waypoints(NegativeSampler):
    """M points on the way from each y to an independent one of the batch; for `tre` alone.

    Waypoint k = 1..M of row i is ``sqrt(1 - a_k^2) y_i + a_k y'_i`` with ``a_k = (k / M)^power``; y' is the batch by a
    random cyclic permutation, so that the last waypoint is a negative sample, and the others are no draws from p(y).
    Where y has mean 0, all have its mean and covariance.

    Parameters
    ----------
    m
        Waypoints per row, at least 1.
    power
        Of the spacing, above 0; larger powers put more waypoints near the positive.

    Source: Rhodes, Xu and Gutmann (2020), section 3.1, there called waymarks; the authors' configurations have a
    power of 1 but for their one-dimensional example.
    """

    needs_owner = True
    paired_pool = True

    m: int = 4
    power: float = 1.0

    def __post_init__(self) -> None:
        if self.m < 1:
            raise UsageError(f"negative sampler 'waypoints': m must be at least 1, not {self.m}")
        if not 0 < self.power < math.inf:
            raise UsageError(f"negative sampler 'waypoints': power must be a finite number above 0, not {self.power}")

    def per_row(self, batch: int) -> int:
        """As many as asked for."""
        return self.m

    def pool(self, batch: int, task: Task) -> int:
        """The batch's y, and M waypoints of each."""
        return batch * (1 + self.m)

    def propose(self, task: Task, y: Tensor, batch: int, generator: torch.Generator) -> Proposal:
        """Waypoints row after row; see `NegativeSampler.propose`."""
        steps, _, dim = y.shape
        partner = partial_derangements(steps, batch, 0, generator).unsqueeze(-1)  # (steps, N, 1)
        ends = y.gather(1, partner.expand(-1, -1, dim))
        mixed = []
        for k in range(1, self.m + 1):
            share = (k / self.m) ** self.power
            mixed.append(math.sqrt(1 - share**2) * y + share * ends)
        points = torch.stack(mixed, 2).flatten(1, 2)  # (steps, N M, dim)
        index = torch.arange(batch, batch * (1 + self.m), device=y.device).view(1, batch, self.m)
        return Proposal(torch.cat((y, points), 1), index.expand(steps, -1, -1))
