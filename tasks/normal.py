"""Correlated normal pairs beyond `gaussian20d`: interacting pairs of coordinates, dense correlation, any covariance.

Notable: all are written in terms of y given x, whose covariance has a closed form in the two families with a knob, so
that no digit is lost by a difference of nearly equal matrices. Density ratios are computed in float64.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Self

import torch
from scipy import optimize
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.parameters import from_rows, to_rows
from mibench.core.registry import register_task
from mibench.core.task import Task

_SINGLE_PRECISION_SCALE = 2.0**-12
"""Below this conditional standard deviation float32 can no longer hold y given x to three digits."""

_SMALLEST_VARIANCE = 1e-10
"""Smallest conditional variance at which a Cholesky factor in float64 keeps six digits."""

_LOG_2_PI_E = math.log(2 * math.pi * math.e)


def check_dimensions(task: str, dim_x: int, dim_y: int) -> None:
    """Refuse dimensions below 1 with `UsageError`."""
    if dim_x < 1 or dim_y < 1:
        raise UsageError(f"task '{task}': dim_x and dim_y must be at least 1, not {dim_x} and {dim_y}")


def check_mi(task: str, mi: float) -> None:
    """Refuse what is no finite number of nats of at least 0 with `UsageError`."""
    if not 0 <= mi < math.inf:
        raise UsageError(f"task '{task}': mi must be a finite number of nats, at least 0, not {mi}")


@register_task("normal-pairs")
class NormalPairs(Task):
    """Standard normal x and y whose first coordinates are correlated in pairs, the others independent.

    ``y_i = rho x_i + sqrt(1 - rho^2) e_i`` for i up to ``pairs`` = k, with ``I = -(k / 2) ln(1 - rho^2)`` nats; all
    other coordinates are noise. One pair in 1 x 1 dimensions is the bivariate normal. Log ratio:
    ``I + sum_{i <= k} (y_i^2 - (y_i - rho x_i)^2 / (1 - rho^2)) / 2``.

    Parameters
    ----------
    mi
        Mutual information, nats, at least 0.
    dim_x, dim_y
        Dimensions, at least 1.
    pairs
        Number k of correlated pairs, from 1 to the smaller dimension.

    Source: Czyz et al. (2023), the sparse interactions ("2-pair": k = 2, rho = 0.8).
    """

    mi: float = 2.0
    dim_x: int = 1
    dim_y: int = 1
    pairs: int = 1

    default_levels = (2.0, 4.0, 6.0, 8.0, 10.0)

    def __post_init__(self) -> None:
        check_dimensions("normal-pairs", self.dim_x, self.dim_y)
        check_mi("normal-pairs", self.mi)
        smaller = min(self.dim_x, self.dim_y)
        if not 1 <= self.pairs <= smaller:
            raise UsageError(f"task 'normal-pairs': pairs must lie in 1..{smaller}, not {self.pairs}")
        if self.noise_scale < 1e-14:
            raise UsageError(
                f"task 'normal-pairs': {self.mi} nats over {self.pairs} pairs is past double precision; "
                f"use at most {32 * self.pairs} nats or more pairs"
            )

    @classmethod
    def of_correlation(cls, rho: float, *, dim_x: int = 1, dim_y: int = 1, pairs: int = 1) -> Self:
        """Build the task from the correlation of the pairs, at least 0 and below 1."""
        return cls(mi=-pairs / 2 * math.log1p(-rho * rho), dim_x=dim_x, dim_y=dim_y, pairs=pairs)

    @property
    def noise_scale(self) -> float:
        """``sqrt(1 - rho^2) = exp(-I / k)``, the standard deviation of y_i given x_i."""
        return math.exp(-self.mi / self.pairs)

    @property
    def correlation(self) -> float:
        """``rho = sqrt(1 - exp(-2 I / k))``."""
        return math.sqrt(-math.expm1(-2 * self.mi / self.pairs))

    @property
    def dtype(self) -> torch.dtype:
        """float64 where y given x is too narrow for float32 (about 8.3 nats a pair), else float32."""
        return torch.float64 if self.noise_scale < _SINGLE_PRECISION_SCALE else torch.float32

    @property
    def entropy_x(self) -> float:
        """Differential entropy ``(dim_x / 2) ln(2 pi e)`` of x, nats; see `Task.entropy_x`."""
        return self.dim_x / 2 * _LOG_2_PI_E

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs; see `Task.sample`."""
        columns = self.dim_x + self.dim_y
        normal = torch.randn(n, columns, generator=generator, device=generator.device, dtype=self.dtype)
        x, y = normal.split([self.dim_x, self.dim_y], 1)
        y[:, : self.pairs].mul_(self.noise_scale).add_(x[:, : self.pairs], alpha=self.correlation)
        return x.contiguous(), y.contiguous()

    def residual(self, x: Tensor, y: Tensor) -> Tensor:
        """``(y_i - rho x_i) / sqrt(1 - rho^2)`` of the correlated pairs, shape (n, k), float64."""
        inner_x, inner_y = x[..., : self.pairs].double(), y[..., : self.pairs].double()
        return (inner_y - self.correlation * inner_x) / self.noise_scale

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """Exact log density ratio of each row, float64; see `Task.log_ratio`."""
        own = y[..., : self.pairs].double().square()
        return self.mi + 0.5 * (own - self.residual(x, y).square()).sum(-1)


@dataclasses.dataclass(frozen=True)
class _Factors:
    """Lower Cholesky factors of the covariances of x, of y, and of y given x, and the slope of ``E[y | x]``."""

    x: Tensor  # (dim_x, dim_x)
    y: Tensor  # (dim_y, dim_y)
    noise: Tensor  # (dim_y, dim_y)
    slope: Tensor  # (dim_y, dim_x)

    @property
    def log_ratio_of_volumes(self) -> float:
        """``ln det(S_y) / det(S_y|x)`` over 2: the mutual information, nats."""
        return float((self.y.diagonal().log() - self.noise.diagonal().log()).sum())


class NormalTask(Task):
    """Base of the normal tasks with matrices; a subclass implements `covariance`, and `conditional` where it can."""

    def covariance(self) -> Tensor:
        """Covariance of (x, y), shape (dim_x + dim_y, dim_x + dim_y), float64."""
        raise NotImplementedError

    def conditional(self) -> Tensor:
        """Covariance of y given x, shape (dim_y, dim_y), float64: ``S_yy - S_yx S_xx^-1 S_xy``."""
        joint, dim = self.covariance(), self.dim_x
        explained: Tensor = joint[dim:, :dim] @ torch.linalg.solve(joint[:dim, :dim], joint[:dim, dim:])
        return joint[dim:, dim:] - explained

    @functools.cached_property
    def factors(self) -> _Factors:
        """What samples and density ratios are made with."""
        joint, dim = self.covariance(), self.dim_x
        x = torch.linalg.cholesky(joint[:dim, :dim])
        return _Factors(
            x=x,
            y=torch.linalg.cholesky(joint[dim:, dim:]),
            noise=torch.linalg.cholesky(self.conditional()),
            slope=torch.cholesky_solve(joint[:dim, dim:], x).T,
        )

    @functools.cached_property
    def dtype(self) -> torch.dtype:
        """float64 where some direction is too narrow for float32, else float32."""
        scales = torch.cat([(part / part.norm(dim=1)).diagonal() for part in (self.factors.x, self.factors.y)])
        given_x = self.factors.noise.diagonal() / self.factors.y.norm(dim=1)
        narrowest = float(torch.cat([scales, given_x]).min())
        return torch.float64 if narrowest < _SINGLE_PRECISION_SCALE else torch.float32

    @property
    def entropy_x(self) -> float:
        """Differential entropy ``(dim_x / 2) ln(2 pi e) + ln det(S_x) / 2`` of x, nats; see `Task.entropy_x`."""
        return self.dim_x / 2 * _LOG_2_PI_E + float(self.factors.x.diagonal().log().sum())

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs, x first and y given it; see `Task.sample`."""
        columns = self.dim_x + self.dim_y
        normal = torch.randn(n, columns, generator=generator, device=generator.device, dtype=self.dtype)
        factors = self.factors
        x = normal[:, : self.dim_x] @ factors.x.T.to(normal)
        return x, x @ factors.slope.T.to(normal) + normal[:, self.dim_x :] @ factors.noise.T.to(normal)

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """Exact log density ratio of each row, float64; see `Task.log_ratio`."""
        x, y, factors = x.double(), y.double(), self.factors
        residual = y - x @ factors.slope.T.to(x)
        whole = _squared_norm(factors.y, y) - _squared_norm(factors.noise, residual)
        return self.mi + 0.5 * whole


def _squared_norm(factor: Tensor, rows: Tensor) -> Tensor:
    """``r^T (L L^T)^-1 r`` of each row, (..., d) to (...)."""
    inverse: Tensor = torch.linalg.solve_triangular(factor, torch.eye(len(factor), dtype=factor.dtype), upper=False)
    return (rows @ inverse.T.to(rows)).square().sum(-1)


@register_task("normal-dense")
class NormalDense(NormalTask):
    """Standard normal coordinates with one correlation between any two, also inside x and inside y.

    With m and n dimensions, ``I = (ln(1 + (m - 1) rho) + ln(1 + (n - 1) rho) - ln(1 - rho) - ln(1 + (m + n - 1) rho))
    / 2`` nats, which is solved for rho in terms of ``-ln(1 - rho)``.

    Parameters
    ----------
    mi
        Mutual information, nats, at least 0; up to about 11.
    dim_x, dim_y
        Dimensions m and n, at least 1.

    Source: Czyz et al. (2023), the dense interactions.
    """

    mi: float = 2.0
    dim_x: int = 2
    dim_y: int = 2

    default_levels = (2.0, 4.0, 6.0, 8.0, 10.0)

    def __post_init__(self) -> None:
        check_dimensions("normal-dense", self.dim_x, self.dim_y)
        check_mi("normal-dense", self.mi)
        if self.own_variance < _SMALLEST_VARIANCE:
            raise UsageError(
                f"task 'normal-dense': {self.mi} nats is past double precision; use at most 11, or 'gaussian20d'"
            )

    @classmethod
    def of_correlation(cls, rho: float, *, dim_x: int, dim_y: int) -> Self:
        """Build the task from its correlation, at least 0 and below 1."""
        return cls(mi=_dense_mi(-math.log1p(-rho), dim_x, dim_y), dim_x=dim_x, dim_y=dim_y)

    @functools.cached_property
    def own_variance(self) -> float:
        """``1 - rho``, the variance that a coordinate shares with no other."""
        if self.mi == 0:
            return 1.0
        # The other three logarithms sum to at least -ln 2, so that -ln(1 - rho) is at most 2 I + ln 2.
        found = optimize.brentq(
            lambda value: _dense_mi(value, self.dim_x, self.dim_y) - self.mi, 0.0, 2 * self.mi + 1, xtol=1e-15
        )
        return math.exp(-found)

    @property
    def correlation(self) -> float:
        """``rho``, between any two coordinates."""
        return 1 - self.own_variance

    def covariance(self) -> Tensor:
        """1 on the diagonal, rho elsewhere; see `NormalTask.covariance`."""
        return self._constant(self.dim_x + self.dim_y, self.correlation)

    def conditional(self) -> Tensor:
        """``(1 - rho) (1 + rho / (1 + (m - 1) rho))`` on the diagonal; see `NormalTask.conditional`."""
        shared = self.correlation / (1 + (self.dim_x - 1) * self.correlation)
        return self._constant(self.dim_y, self.own_variance * shared)

    def _constant(self, dim: int, shared: float) -> Tensor:
        """``(1 - rho) identity + shared``, shape (dim, dim)."""
        return self.own_variance * torch.eye(dim, dtype=torch.float64) + shared


def _dense_mi(minus_log: float, dim_x: int, dim_y: int) -> float:
    """Mutual information of `NormalDense` as a function of ``-ln(1 - rho)``, nats."""
    rho = -math.expm1(-minus_log)
    inside = math.log1p((dim_x - 1) * rho) + math.log1p((dim_y - 1) * rho)
    return 0.5 * (inside + minus_log - math.log1p((dim_x + dim_y - 1) * rho))


@register_task("normal")
class Normal(NormalTask):
    """Jointly normal x and y of any covariance, mean 0; a bivariate normal of correlation 0.75 unless told.

    ``I = (ln det S_x + ln det S_y - ln det S) / 2`` nats.

    Parameters
    ----------
    covariances
        The covariance of (x, y): rows separated by ``/``, entries by ``_`` (a comma would end the parameter), for
        example ``1_0.75/0.75_1``. Symmetric and positive definite. Kept in one spelling.
    columns_x
        How many of the first coordinates are x; the others are y.
    """

    covariances: str = "1_0.75/0.75_1"
    columns_x: int = 1

    def __post_init__(self) -> None:
        label = "task 'normal', covariances (rows separated by '/', entries by '_')"
        rows = to_rows(self.covariances, label)
        if len(rows) != len(rows[0]) or len(rows) < 2:
            raise UsageError(f"{label} has {len(rows)} x {len(rows[0])} entries; give a square of at least 2 x 2")
        # frozen: the one spelling that ids are made of replaces the user's
        object.__setattr__(self, "covariances", from_rows(rows))
        joint = self.covariance()
        if not torch.equal(joint, joint.T) or not joint.isfinite().all():
            raise UsageError(f"{label} must be finite and symmetric; write both halves alike")
        if not 1 <= self.columns_x < len(rows):
            raise UsageError(f"task 'normal': columns_x must lie in 1..{len(rows) - 1}, not {self.columns_x}")
        scale = joint.diagonal().clamp_min(1e-300).sqrt()
        if float(torch.linalg.eigvalsh(joint / torch.outer(scale, scale)).min()) < _SMALLEST_VARIANCE:
            raise UsageError(f"{label} is not positive definite, or too close to singular for double precision")

    @property
    def dim_x(self) -> int:
        """Columns of x."""
        return self.columns_x

    @property
    def dim_y(self) -> int:
        """Columns of y."""
        return len(self.covariance()) - self.columns_x

    @functools.cached_property
    def mi(self) -> float:
        """``ln det(S_y) / det(S_y|x)`` over 2, nats."""
        return max(self.factors.log_ratio_of_volumes, 0.0)  # rounding

    def covariance(self) -> Tensor:
        """Read the matrix; see `NormalTask.covariance`."""
        return torch.tensor(to_rows(self.covariances, "covariances"), dtype=torch.float64)
