"""The bound of Barber and Agakov, from a conditional density and the entropy of x, and its mixture with CPC.

Notable: the entropy is the task's own, not estimated; tasks that do not know it are refused.
"""

from __future__ import annotations

from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.estimator import Density, Estimator, Extra
from mibench.core.registry import register_estimator
from mibench.core.scores import Scores
from mibench.estimators.infonce import InfoNCE

_ENTROPY = Extra("entropy", of="entropy of x", exact=0.0)
_CPC = InfoNCE()


@register_estimator("barber-agakov", aliases=("ba",))
class BarberAgakov(Estimator):
    """Barber-Agakov: mean log q(x|y) plus the entropy of x, with a learned conditional density.

    ``I = h(X) - h(X|Y) >= E log q(x|y) + h(X)``; estimate and negative loss are ``mean_i p_i + h(X)`` with scores
    ``T(x, y) = log q(x|y)``. A lower bound for every density q, by ``E KL(p(x|y) || q(x|y))``; linear in the batch, so
    without bias at any N. No ceiling. Negatives are not used.

    Source: Barber and Agakov (2003); Poole et al. (2019), section 2; Sinha, Song and Ermon (2021), eq. 2.
    """

    kind = "lower"
    given = "entropy of x; Gaussian x given y"
    own_critic = "conditional-gaussian-v1:of=x"
    extras = (_ENTROPY,)

    def rows(self, scores: Scores) -> Tensor:
        """``[p_i + h(X)]``, shape (..., N, 1)."""
        return (scores.pos + scores.extra("entropy").pos).unsqueeze(-1)

    def reduce(self, rows: Tensor) -> Tensor:
        """Mean over the rows, shape (...)."""
        return rows[..., 0].mean(-1)


@register_estimator("hybrid")
class Hybrid(Estimator):
    """Hybrid bound: a times Barber-Agakov on all of y, plus 1 - a times CPC on the first half of y.

    ``I >= a [E log q(x|y) + h(X)] + (1 - a) I_CPC(x, y_1)`` with y_1 the first ``floor(dim_y / 2)`` columns of y;
    estimate and negative loss are that mixture on the batch. A lower bound for every density and critic, since each
    part is one: information about y_1 is none beyond that about y. Beside a trained critic the second part therefore
    falls short of the truth by ``(1 - a) I(x, y | y_1)``, besides what is lost to m. The exact critic is the log ratio
    of all columns, a valid critic too, whose CPC loses to m alone. No ceiling; CPC's part has ``(1 - a) log m``.

    Parameters
    ----------
    a
        Weight of the Barber-Agakov bound, inside (0, 1).

    Source: Sinha, Song and Ermon (2021), section 3, whose z = [y, w] is y here, and whose alpha is a.
    """

    kind = "lower"
    given = "entropy of x; Gaussian x given y"
    default_negatives = "all-pairs-v1"
    critic_sees = "first half of y"
    extras = (Extra("density", of=Density(of="x", given="y"), exact=1.0), _ENTROPY)

    a: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.a < 1:
            raise UsageError(f"estimator 'hybrid': a must be above 0 and below 1, not {self.a}")

    def rows(self, scores: Scores) -> Tensor:
        """``[a (log q(x_i|y_i) + h(X)) + (1 - a) CPC's row]``, shape (..., N, 1)."""
        density = scores.extra("density").pos + scores.extra("entropy").pos
        return self.a * density.unsqueeze(-1) + (1 - self.a) * _CPC.rows(scores)

    def reduce(self, rows: Tensor) -> Tensor:
        """Mean over the rows, shape (...)."""
        return rows[..., 0].mean(-1)
