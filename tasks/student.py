"""Student-t pairs: dependent through their common scale even where they are uncorrelated, with heavy tails.

Notable: drawn in float64, since the common scale divides by the root of a chi-squared variable that can be tiny.
"""

from __future__ import annotations

import functools
import math
from typing import Self

import torch
from scipy import special
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.registry import register_task
from mibench.core.task import Task
from mibench.tasks.normal import NormalPairs, check_dimensions

_MOST_DOF = 100
"""A chi-squared variable is a sum of that many squares; beyond, the pairs are all but normal."""


@register_task("student-t")
class StudentT(Task):
    """Jointly Student-t x and y, correlated in pairs: heavy tails, and a common scale that alone carries information.

    ``(x, y) = z / sqrt(c / v)`` with one chi-squared variable c of v degrees of freedom for all coordinates, and z
    normal with correlation rho between x_i and y_i (`NormalPairs`). ``I = I(z) + h(m) + h(n) - h(m + n)`` nats, where
    ``h(k) = -lnGamma((v + k) / 2) + lnGamma(v / 2) + (k / 2) ln(v pi) + ((v + k) / 2) (psi((v + k) / 2) - psi(v / 2))``
    is the entropy of k uncorrelated coordinates. The identity dispersion, rho = 0, has the least information.

    Parameters
    ----------
    mi
        Mutual information, nats; at least that of the identity dispersion.
    dof
        Degrees of freedom v, from 1 to 100.
    dim_x, dim_y
        Dimensions m and n, at least 1; the smaller is the number of correlated pairs.

    Source: Czyz et al. (2023), the long-tailed distributions; the entropies are those of Arellano-Valle,
    Contreras-Reyes and Genton (2013).
    """

    mi: float = 1.0
    dof: int = 3
    dim_x: int = 1
    dim_y: int = 1

    default_levels = (2.0, 4.0, 6.0, 8.0, 10.0)

    def __post_init__(self) -> None:
        check_dimensions("student-t", self.dim_x, self.dim_y)
        if not 1 <= self.dof <= _MOST_DOF:
            raise UsageError(f"task 'student-t': dof must lie in 1..{_MOST_DOF}, not {self.dof}")
        if not self.least_mi <= self.mi < math.inf:
            raise UsageError(
                f"task 'student-t': mi must be finite and at least {self.least_mi!r} nats, the information of the "
                f"common scale, not {self.mi}"
            )
        self.normal  # noqa: B018  # refuses an mi that is past double precision

    @classmethod
    def of_correlation(cls, rho: float, *, dof: int, dim_x: int = 1, dim_y: int = 1) -> Self:
        """Build the task from the off-diagonal entry of the pairs' dispersion, at least 0 and below 1."""
        normal = NormalPairs.of_correlation(rho, dim_x=dim_x, dim_y=dim_y, pairs=min(dim_x, dim_y))
        return cls(mi=normal.mi + _scale_mi(dof, dim_x, dim_y), dof=dof, dim_x=dim_x, dim_y=dim_y)

    @property
    def least_mi(self) -> float:
        """``h(m) + h(n) - h(m + n)``: what the common scale alone tells, nats."""
        return _scale_mi(self.dof, self.dim_x, self.dim_y)

    @functools.cached_property
    def normal(self) -> NormalPairs:
        """The normal numerators z."""
        pairs = min(self.dim_x, self.dim_y)
        return NormalPairs(mi=self.mi - self.least_mi, dim_x=self.dim_x, dim_y=self.dim_y, pairs=pairs)

    @property
    def entropy_x(self) -> float:
        """``h(m)``, the differential entropy of x, nats; see `Task.entropy_x`."""
        return _entropy(self.dof, self.dim_x)

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs, float64; see `Task.sample`."""
        x, y = self.normal.sample(n, generator)
        squares = torch.randn(n, self.dof, generator=generator, device=generator.device, dtype=torch.float64).square()
        scale = squares.mean(1, keepdim=True).rsqrt()
        return x * scale, y * scale

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """Exact log density ratio of each row, float64; see `Task.log_ratio`."""
        x, y, pairs = x.double(), y.double(), self.normal.pairs
        norm_x, norm_y = x.square().sum(-1), y.square().sum(-1)
        given_x = self.normal.residual(x, y).square().sum(-1) + y[..., pairs:].square().sum(-1)
        joint = _log_density(norm_x + given_x, self.dof, self.dim_x + self.dim_y) + self.normal.mi
        return joint - _log_density(norm_x, self.dof, self.dim_x) - _log_density(norm_y, self.dof, self.dim_y)


def _log_density(squared_norm: Tensor, dof: int, dim: int) -> Tensor:
    """Log density of ``dim`` uncorrelated coordinates at points of these squared norms, nats."""
    constant = math.lgamma((dof + dim) / 2) - math.lgamma(dof / 2) - dim / 2 * math.log(dof * math.pi)
    return constant - (dof + dim) / 2 * (squared_norm / dof).log1p()


def _entropy(dof: int, dim: int) -> float:
    """``h(k)``: differential entropy of ``dim`` uncorrelated coordinates, nats."""
    volume = math.lgamma(dof / 2) - math.lgamma((dof + dim) / 2) + dim / 2 * math.log(dof * math.pi)
    return volume + (dof + dim) / 2 * float(special.digamma((dof + dim) / 2) - special.digamma(dof / 2))


def _scale_mi(dof: int, dim_x: int, dim_y: int) -> float:
    """Mutual information at the identity dispersion, nats."""
    return _entropy(dof, dim_x) + _entropy(dof, dim_y) - _entropy(dof, dim_x + dim_y)
