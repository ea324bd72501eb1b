"""A gamma variable and an exponential one whose rate it is: heavy tails of y, and x that crowds at zero.

Notable: drawn and scored by logarithms, since x underflows and y overflows long before their logarithms lose a digit.
"""

from __future__ import annotations

import functools
import math
from typing import Literal, Self

import torch
from scipy import optimize, special
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.registry import register_task
from mibench.core.task import Task

_LABEL = "task 'gamma-exponential'"

_LARGE_SHAPE = 100.0
"""From there on three terms of the asymptotic series hold more digits than the difference of two logarithms."""

_LEAST_MI = 1e-6
_MOST_MI = {"linear": 1.2, "log": 25.0}
"""Nats a copy, by scale. Linear: a y beyond the largest float32 number comes up once in 10^9 draws at 1.2 nats, shape
0.235. Log: float64 holds the sum of the two logarithms, of size 1, beside terms of the size of ``exp(I)``."""

_TINY = 2.0**-54  # half the spacing of uniform float64 numbers, for the one that is 0


@register_task("gamma-exponential")
class GammaExponential(Task):
    """x gamma-distributed and y exponential with rate x, d independent copies: y has heavy tails.

    ``p(x, y) = x^t exp(-x - x y) / Gamma(t)`` on x, y > 0, for each copy: x has the gamma density of shape t, y given x
    the rate x, and y alone ``p(y) = t / (1 + y)^(t + 1)``. ``I = d (psi(t + 1) - ln t)`` nats, solved for t. Log ratio:
    ``ln x - x y - ln t + (t + 1) ln(1 + y)``, summed over the copies.

    The more information, the heavier the tails: y has no mean for t up to 1, from 0.42 nats a copy on, and of n draws
    the largest is about ``n^(1 / t)``, 10^16 of 65,536 at 1 nat. Critics that take y as it is see such numbers. On the
    scale ``log`` both sides are logarithms, with exponential tails and the same information.

    Parameters
    ----------
    mi
        Mutual information, nats, at least 1e-6 a copy; at most 1.2 a copy on the scale ``linear``, where more would
        overflow float32, and 25 on the scale ``log``.
    dim
        Number of copies d, at least 1: one column of x and one of y each.
    scale
        ``linear`` for x and y, ``log`` for their logarithms.

    Source: Darbellay and Vajda (1999); Kraskov, Stoegbauer and Grassberger (2004).
    """

    mi: float = 1.0
    dim: int = 1
    scale: Literal["linear", "log"] = "linear"

    default_levels = (0.2, 0.4, 0.6, 0.8, 1.0)

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise UsageError(f"{_LABEL}: dim must be at least 1, not {self.dim}")
        least, most = _LEAST_MI * self.dim, _MOST_MI[self.scale] * self.dim
        if not least <= self.mi <= most:
            raise UsageError(
                f"{_LABEL}: mi must lie between {least:.6g} and {most:.6g} nats, {_MOST_MI[self.scale]} a copy on the "
                f"scale '{self.scale}', not {self.mi}"
            )

    @classmethod
    def of_shape(cls, shape: float, *, dim: int = 1, scale: Literal["linear", "log"] = "linear") -> Self:
        """Build the task from the shape t of the gamma variable, above 0."""
        return cls(mi=dim * _information(shape), dim=dim, scale=scale)

    @functools.cached_property
    def shape(self) -> float:
        """Shape t of the gamma variable: the root of ``psi(t + 1) - ln t = I / d``, solved for ln t."""
        mi = self.mi / self.dim
        # -gamma - ln t < I < 1 / (2 t), with gamma = 0.577...; a little room for rounding
        low, high = -mi - 0.6, -math.log(2 * mi) + 0.01
        return math.exp(optimize.brentq(lambda t: _information(math.exp(t)) / mi - 1, low, high, xtol=1e-15))

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
        """``d (t + ln Gamma(t) + (1 - t) psi(t))`` nats; on the scale ``log``, ``-t`` for ``1 - t``."""
        slope = 1 - self.shape if self.scale == "linear" else -self.shape
        return self.dim * (self.shape + math.lgamma(self.shape) + slope * float(special.digamma(self.shape)))

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs, float64; see `Task.sample`."""
        # A gamma variable of shape t is one of shape t + 1 times a uniform number to the power 1 / t.
        shapes = torch.full((n, self.dim), self.shape + 1, device=generator.device, dtype=torch.float64)
        gamma = torch._standard_gamma(shapes, generator)  # torch.distributions takes no generator
        power, wait = torch.rand(
            2, n, self.dim, generator=generator, device=generator.device, dtype=torch.float64
        ).clamp_min_(_TINY)
        log_x = gamma.log() + power.log() / self.shape
        log_y = (-torch.log1p(-wait)).log() - log_x
        return (log_x, log_y) if self.scale == "log" else (log_x.exp(), log_y.exp())

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """Exact log density ratio of each row, float64; see `Task.log_ratio`."""
        x, y = x.double(), y.double()
        log_x, log_y = (x, y) if self.scale == "log" else (x.log(), y.log())
        # ln(1 + y) = max(ln y, 0) + ln(1 + exp(-|ln y|)), and the large part of it cancels ln x
        log_rest = (-log_y.abs()).exp().log1p()
        over, under = log_y.clamp_min(0), log_y.clamp_max(0)
        shifted = (log_x + log_y) - under + self.shape * over + (self.shape + 1) * log_rest
        return (shifted - (log_x + log_y).exp() - math.log(self.shape)).sum(-1)


def _information(shape: float) -> float:
    """``psi(t + 1) - ln t`` nats."""
    if shape > _LARGE_SHAPE:
        return 1 / (2 * shape) - 1 / (12 * shape**2) + 1 / (120 * shape**4)
    return float(special.digamma(shape + 1)) - math.log(shape)
