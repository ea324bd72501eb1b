"""Normal pairs whose correlation is itself random: a cross without linear correlation, and a line among noise.

Notable: x alone and y alone are standard normal whatever the correlation, so that the information is that of the parts
less what a pair says about its correlation. That is computed in the coordinates x + y and x - y, in which the parts are
independent.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from scipy import special
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.registry import register_task
from mibench.core.task import Task, Truth
from mibench.tasks.mixtures import label_information, solve_increasing

_MOST_STRENGTH = 16.0
"""Nats of a correlated part, where the standard deviation of y given x is 1e-7: the grid of the quadrature grows."""

_SINGLE_PRECISION_SCALE = 2.0**-12
"""Below this conditional standard deviation float32 can no longer hold y given x to three digits."""

_LEAST_SHARE = 0.01

Parts = tuple[tuple[float, int], ...]
"""Weight, and sign of the correlation, -1, 0 or 1, of each part of a mixture; the weights sum to 1."""


class CorrelationMixture(Task):
    """Base of the mixtures of standard normal pairs; a subclass has the fields ``mi`` and ``dim`` and `parts`."""

    mi_method: ClassVar[Truth] = "quadrature"

    dim: int = 1

    @property
    def parts(self) -> Parts:
        """The parts of which a pair is one."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """How the task is called in messages."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise UsageError(f"{self.label}: dim must be at least 1, not {self.dim}")
        correlated, told = _bounds(self.parts)
        most = (correlated * _MOST_STRENGTH - told) * self.dim
        if not 0 <= self.mi <= most:
            raise UsageError(f"{self.label}: mi must lie between 0 and {most:.6g} nats, not {self.mi}")

    @functools.cached_property
    def strength(self) -> float:
        """``-ln(1 - rho^2) / 2``, the information of a correlated part, nats; solved for."""
        return _strength_of(self.parts, self.mi / self.dim)

    @property
    def noise_scale(self) -> float:
        """``sqrt(1 - rho^2)``, the standard deviation of y given x in a correlated part."""
        return math.exp(-self.strength)

    @property
    def correlation(self) -> float:
        """``rho``, the size of the correlation of the correlated parts."""
        return math.sqrt(-math.expm1(-2 * self.strength))

    @property
    def dtype(self) -> torch.dtype:
        """float64 where y given x is too narrow for float32, else float32."""
        return torch.float64 if self.noise_scale < _SINGLE_PRECISION_SCALE else torch.float32

    @property
    def dim_x(self) -> int:
        """One column a copy."""
        return self.dim

    @property
    def dim_y(self) -> int:
        """One column a copy."""
        return self.dim

    @property
    def entropy_x(self) -> float:
        """Differential entropy ``(d / 2) ln(2 pi e)`` of x, nats; see `Task.entropy_x`."""
        return self.dim / 2 * math.log(2 * math.pi * math.e)

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs; see `Task.sample`."""
        device = generator.device
        x, noise = torch.randn(2, n, self.dim, generator=generator, device=device, dtype=self.dtype)
        uniform = torch.rand(n, self.dim, generator=generator, device=device, dtype=torch.float64)
        weights, signs = torch.tensor(self.parts, device=device, dtype=torch.float64).T
        sign = signs[torch.searchsorted(weights.cumsum(0)[:-1].contiguous(), uniform, right=True)].to(x)
        return x, sign * self.correlation * x + torch.where(sign == 0, 1.0, self.noise_scale) * noise

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """Exact log density ratio of each row, float64; see `Task.log_ratio`."""
        x, y = x.double(), y.double()
        parts = []
        for weight, sign in self.parts:
            residual = (y - sign * self.correlation * x) / self.noise_scale
            ratio = self.strength + (y.square() - residual.square()) / 2 if sign else torch.zeros_like(x)
            parts.append(ratio + math.log(weight))
        return torch.stack(parts).logsumexp(0).sum(-1)


def _bounds(parts: Parts) -> tuple[float, float]:
    """Weight w of the correlated parts, and entropy H of the choice: at strength t, ``w t - H <= I <= w t``."""
    weights = np.array([weight for weight, _ in parts])
    return sum(weight for weight, sign in parts if sign), float(special.entr(weights).sum())


def _information(parts: Parts) -> Callable[[float], float]:
    """Return the mutual information of a pair as a function of the strength, nats."""
    weights, signs = np.array(parts, dtype=np.float64).T

    def information(strength: float) -> float:
        rho, variance = math.sqrt(-math.expm1(-2 * strength)), math.exp(-2 * strength)
        # 1 - rho loses its digits; (1 - rho^2) / (1 + rho) keeps them
        wide, narrow = math.sqrt(1 + rho), math.sqrt(variance / (1 + rho))
        sums, differences = (np.choose(1 + sign * signs.astype(int), [narrow, 1.0, wide]) for sign in (1, -1))
        centre = np.zeros(len(signs))
        return float(weights @ signs**2) * strength - label_information(weights, (centre, sums), (centre, differences))

    return information


@functools.cache
def _strength_of(parts: Parts, mi: float) -> float:
    """Strength at which a pair has ``mi`` nats; once a process."""
    correlated, told = _bounds(parts)
    return solve_increasing(_information(parts), mi, (mi + told) / correlated + 1e-6)


@register_task("mixture-cross")
class MixtureCross(CorrelationMixture):
    """Normal pairs of correlation rho or -rho, equally likely: no linear correlation; d independent copies.

    Each copy is ``y = s rho x + sqrt(1 - rho^2) e`` with s a fair sign that no one sees. ``I = d (t - I(S; X, Y))``
    with ``t = -ln(1 - rho^2) / 2``, between ``t - ln 2`` and t nats a copy: what is lost is what a pair says about its
    sign, which is found by quadrature. Unbounded as rho goes to 1. Log ratio: ``ln((r(rho) + r(-rho)) / 2)`` summed
    over the copies, with r the density ratio of a normal pair.

    Parameters
    ----------
    mi
        Mutual information, nats, from 0 to 15.3 a copy; rho is solved for.
    dim
        Number of copies d, at least 1: one column of x and one of y each.

    Source: Czyz et al. (2023, profiles), the X distribution, there with rho = 0.9.
    """

    mi: float = 1.0

    default_levels = (0.5, 1.0, 2.0, 3.0, 4.0)

    @property
    def parts(self) -> Parts:
        """Both signs, a half each."""
        return (0.5, 1), (0.5, -1)

    @property
    def label(self) -> str:
        """How the task is called in messages."""
        return "task 'mixture-cross'"


@register_task("mixture-inliers")
class MixtureInliers(CorrelationMixture):
    """A share of normal pairs is correlated, the others independent with the same marginals; d independent copies.

    Each copy is ``y = rho x + sqrt(1 - rho^2) e`` with probability a, else y is standard normal noise.
    ``I = d (a t - I(K; X, Y))`` with ``t = -ln(1 - rho^2) / 2``, between ``a t - H(a)`` and ``a t`` nats a copy: what
    is lost is what a pair says about its kind K, which is found by quadrature. Log ratio: ``ln(a r(rho) + 1 - a)``
    summed over the copies, with r the density ratio of a normal pair: never below ``ln(1 - a)`` a copy.

    Parameters
    ----------
    mi
        Mutual information, nats, from 0 to 16 a - H(a) a copy, 7.3 for a half; rho is solved for.
    dim
        Number of copies d, at least 1: one column of x and one of y each.
    share
        Probability a that a pair is correlated, from 0.01 to 0.99.

    Source: Czyz et al. (2023, profiles), inliers among outliers of the same marginals.
    """

    mi: float = 1.0
    share: float = 0.5

    default_levels = (0.5, 1.0, 2.0, 3.0, 4.0)

    def __post_init__(self) -> None:
        if not _LEAST_SHARE <= self.share <= 1 - _LEAST_SHARE:
            raise UsageError(
                f"{self.label}: share must lie between {_LEAST_SHARE} and {1 - _LEAST_SHARE}, not {self.share}"
            )
        super().__post_init__()

    @property
    def parts(self) -> Parts:
        """Correlated pairs and independent ones."""
        return (self.share, 1), (1 - self.share, 0)

    @property
    def label(self) -> str:
        """How the task is called in messages."""
        return "task 'mixture-inliers'"
