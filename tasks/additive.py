"""A uniform variable seen through uniform noise: a bounded support, and pairs that cannot occur.

Notable: the density ratio is constant away from the edges and zero for distant pairs, so that its logarithm is
``-inf`` there, which is exact. Pairs are float64: y lies within the noise of x to the last bits.
"""

from __future__ import annotations

import math
from typing import Self

import torch
from scipy import special
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.registry import register_task
from mibench.core.task import Task

_ROUNDING = 2.0**-50
"""How far past its bounds a pair may lie and still count as possible: rounding of sums of numbers near 1."""

_SMALLEST_NOISE = 1e-10


@register_task("additive-noise")
class AdditiveNoise(Task):
    """x uniform on (0, 1), and y = x plus independent uniform noise on (-e, e).

    ``I = 1 / (4 e)`` for half-widths e of at least 1/2, else ``e - ln(2 e)`` nats. Log ratio: ``-ln w(y)`` where
    ``|y - x| <= e``, with ``w(y) = min(1, y + e) - max(0, y - e)`` the length of the x that could have given y, and
    ``-inf`` elsewhere.

    Parameters
    ----------
    mi
        Mutual information, nats, above 0 and up to about 22.

    Source: Czyz et al. (2023), the additive noise.
    """

    mi: float = 2.0

    default_levels = (2.0, 4.0, 6.0, 8.0, 10.0)

    def __post_init__(self) -> None:
        if not 0 < self.mi < math.inf:
            raise UsageError(f"task 'additive-noise': mi must be a finite number of nats, above 0, not {self.mi}")
        if self.noise < _SMALLEST_NOISE:
            raise UsageError(f"task 'additive-noise': {self.mi} nats is past double precision; use at most 22")

    @classmethod
    def of_noise(cls, noise: float) -> Self:
        """Build the task from the half-width e of the noise, above 0."""
        return cls(mi=1 / (4 * noise) if noise >= 0.5 else noise - math.log(2 * noise))

    @property
    def noise(self) -> float:
        """Half-width e of the noise: ``1 / (4 I)``, or the root of ``I = e - ln(2 e)`` by Lambert's W."""
        return 1 / (4 * self.mi) if self.mi <= 0.5 else -float(special.lambertw(-math.exp(-self.mi) / 2).real)

    @property
    def dim_x(self) -> int:
        """One column."""
        return 1

    @property
    def dim_y(self) -> int:
        """One column."""
        return 1

    @property
    def entropy_x(self) -> float:
        """0 nats, the differential entropy of the unit interval; see `Task.entropy_x`."""
        return 0.0

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs, float64; see `Task.sample`."""
        x, u = torch.rand(2, n, 1, generator=generator, device=generator.device, dtype=torch.float64)
        return x, x + self.noise * (2 * u - 1)

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """Exact log density ratio of each row, float64; ``-inf`` for impossible pairs; see `Task.log_ratio`."""
        x, y, noise = x.double().squeeze(-1), y.double().squeeze(-1), self.noise
        # 2 e less what sticks out of (0, 1) at either end: no digit is lost where e is small
        width = 2 * noise - (noise - y).clamp_min(0) - (y + noise - 1).clamp_min(0)
        possible = ((y - x).abs() <= noise + _ROUNDING) & ((x - 0.5).abs() <= 0.5 + _ROUNDING)
        # At the ends of the support of y the width is 0, and rounding may pass it.
        log_ratio = -width.clamp_min(_ROUNDING).log()
        return torch.where(possible, log_ratio, -math.inf)
