"""Correlated Gaussians: d independent pairs with one correlation, at any mutual information.

Notable: everything is written in terms of ``s = sqrt(1 - rho^2) = exp(-I / d)``, which keeps its digits at 30 nats and
beyond, where rho itself is 1 to machine precision.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.registry import register_task
from mibench.core.task import Task

# Below this conditional standard deviation float32 can no longer hold y given x to three digits.
_SINGLE_PRECISION_SCALE = 2.0**-12


@register_task("gaussian20d", aliases=("gaussian",))
class Gaussian20D(Task):
    """d independent standard Gaussian pairs of equal correlation; d = 20 unless told.

    ``y = rho x + sqrt(1 - rho^2) e`` elementwise, with ``I = -(d / 2) ln(1 - rho^2)`` nats, so that
    ``sqrt(1 - rho^2) = exp(-I / d)``. Log ratio: ``I + sum_k (y_k^2 - (y_k - rho x_k)^2 / (1 - rho^2)) / 2``.

    Parameters
    ----------
    mi
        Mutual information, nats, at least 0.
    dim
        Number of pairs d, at least 1.

    Source: Belghazi et al. (2018), section 4.1; Poole et al. (2019), section 3; Song and Ermon (2020), section 6.1,
    whose appendix C.2 writes rho where rho squared belongs.
    """

    mi: float = 10.0
    dim: int = 20

    default_levels = (2.0, 4.0, 6.0, 8.0, 10.0)

    def __post_init__(self) -> None:
        if not 0 <= self.mi < math.inf:
            raise UsageError(f"task 'gaussian20d': mi must be a finite number of nats, at least 0, not {self.mi}")
        if self.dim < 1:
            raise UsageError(f"task 'gaussian20d': dim must be at least 1, not {self.dim}")
        if self.noise_scale < 1e-14:
            raise UsageError(
                f"task 'gaussian20d': {self.mi} nats over {self.dim} dimensions is past double precision; "
                f"use at most {32 * self.dim} nats or more dimensions"
            )

    @property
    def dim_x(self) -> int:
        """Number of columns of x, d."""
        return self.dim

    @property
    def dim_y(self) -> int:
        """Number of columns of y, d."""
        return self.dim

    @property
    def noise_scale(self) -> float:
        """``sqrt(1 - rho^2)``, the standard deviation of y given x."""
        return math.exp(-self.mi / self.dim)

    @property
    def correlation(self) -> float:
        """``rho = sqrt(1 - exp(-2 I / d))``."""
        return math.sqrt(-math.expm1(-2 * self.mi / self.dim))

    @property
    def dtype(self) -> torch.dtype:
        """float64 where y given x is too narrow for float32 (about 8.3 nats a dimension), else float32."""
        return torch.float64 if self.noise_scale < _SINGLE_PRECISION_SCALE else torch.float32

    @property
    def entropy_x(self) -> float:
        """Differential entropy ``(d / 2) ln(2 pi e)`` of x, nats; see `Task.entropy_x`."""
        return self.dim / 2 * math.log(2 * math.pi * math.e)

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs; see `Task.sample`."""
        normal = torch.randn(2, n, self.dim, generator=generator, device=generator.device, dtype=self.dtype)
        x, noise = normal
        return x, noise.mul_(self.noise_scale).add_(x, alpha=self.correlation)

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """Exact log density ratio of each row; see `Task.log_ratio`."""
        residual = (y - self.correlation * x) / self.noise_scale
        return self.mi + 0.5 * (y.square() - residual.square()).sum(-1)
