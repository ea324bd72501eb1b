"""Telescoping density-ratio estimation: a large log ratio as a sum of small ones, each easy to learn.

Notable: a classifier that tells pairs from independent pairs without error says nothing of how large the ratio is. The
laws of waypoints between the two are harder to tell apart, so that each of their ratios can be learnt, and the ratios'
sum is the one asked for, whatever the waypoints are.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from mibench.core.errors import UsageError
from mibench.core.estimator import Estimator, Extra
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores


@register_estimator("tre")
class TelescopingRatios(Estimator):
    """TRE: mean of the sum of B log ratios, each trained between neighbouring waypoints from pairs to products.

    Waypoints ``y^(0) = y, ..., y^(B) = y'`` lead from a pair to an independent one (negative sampler `waypoints`,
    which takes the place of every other). Bridge k is trained to the log ratio of ``(x, y^(k))`` to ``(x, y^(k+1))`` by
    ``mean softplus(-T_k(x_i, y_i^(k))) + mean softplus(T_k(x_i, y_i^(k+1)))``; the loss is the mean over the bridges.
    The estimate is ``mean_i sum_k T_k(x_i, y_i)``. No bound, no ceiling. One bridge is `js` with a derangement.

    The critic is bridge 0; the others are critics of the same kind with parameters of their own, where the authors'
    networks share their lower layers. With the exact critic bridge 0 is the whole log ratio and the others are 0: that
    is the exact sum, not the exact bridges, so that the estimate is ``mean_i log r`` and the loss has no meaning.

    Parameters
    ----------
    bridges
        B, at least 1.
    power
        Of the waypoints' spacing; see `waypoints`.

    Source: Rhodes, Xu and Gutmann (2020), sections 3.1 to 3.3, with linear combinations, there called waymarks.
    """

    kind = "plug-in"

    bridges: int = 4
    power: float = 1.0

    def __post_init__(self) -> None:
        if self.bridges < 1:
            raise UsageError(f"estimator 'tre': bridges must be at least 1, not {self.bridges}")

    @property
    def extras(self) -> tuple[Extra, ...]:
        """Bridges 1 to B - 1."""
        return tuple(Extra(f"bridge-{k}", of="pair", exact=0.0) for k in range(1, self.bridges))

    @property
    def own_negatives(self) -> str:
        """The waypoints 1 to B of each row, in order."""
        return f"waypoints-v1:m={self.bridges},power={self.power}"

    def loss(self, scores: Scores) -> Tensor:
        """Mean over the bridges of their logistic losses, shape (...); of as many as the row has waypoints for."""
        losses = []
        for k, bridge in enumerate(self._bridges(scores)[: scores.m - 1]):
            near, far = bridge.pos if k == 0 else bridge.neg[..., k - 1], bridge.neg[..., k]
            losses.append(softplus(-near).mean(-1) + softplus(far).mean(-1))
        return sum(losses[1:], losses[0]) / len(losses)

    def rows(self, scores: Scores) -> Tensor:
        """``[sum_k T_k(x_i, y_i)]``, shape (..., N, 1)."""
        first, *others = (bridge.pos for bridge in self._bridges(scores))
        return sum(others, first).unsqueeze(-1)

    def reduce(self, rows: Tensor) -> Tensor:
        """Mean over the rows, shape (...)."""
        return rows[..., 0].mean(-1)

    def _bridges(self, scores: Scores) -> list[Scores]:
        return [scores, *(scores.extra(extra.name) for extra in self.extras)]
