"""Spots of normal noise along a wave: no linear correlation, and y is a wave's height that x places.

Notable: given the spot, x and y are independent, so that all information goes through it: at most that of the heights.
"""

from __future__ import annotations

import functools
import math
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.registry import register_task
from mibench.core.task import Task, Truth
from mibench.tasks.mixtures import Array, label_information, solve_increasing

_LABEL = "task 'mixture-waves'"
_LARGEST_SEPARATION = 20.0  # what is missing of ln(heights) is then below 1e-20 nats
_MOST_SPOTS = 32
_MOST_OF_ALL = 1 - 1e-6
_BLOCK = 2**20  # numbers in a tensor of points by components


@register_task("mixture-waves")
class MixtureWaves(Task):
    """Normal spots in a row at the heights of a wave that rises and falls, without linear correlation; d copies.

    With h heights and T periods the m = 2 h T spots are equally likely, a distance D apart in x, and in y at D times
    the heights ``0, 1, ..., h - 1, h - 1, ..., 1, 0``, T times over, with standard normal noise on both; each side is
    then brought to mean 0 and variance 1. ``I = d (I(K; X) + I(K; Y) - I(K; X, Y))`` nats with K the spot, by
    quadrature; it grows with D to ``d ln h``. Log ratio: ``ln(sum_k p(x|k) p(y|k) / m) - ln p(x) - ln p(y)``, summed
    over the copies.

    Parameters
    ----------
    mi
        Mutual information, nats, from 0 to all but a millionth of d ln h; D is solved for.
    dim
        Number of copies d, at least 1: one column of x and one of y each.
    heights
        Number of heights h, at least 2.
    periods
        Number of times T that the wave rises and falls, at least 1; h T is at most 16.

    Source: Czyz et al. (2023, profiles), the Waves distribution: there 12 spots at heights that rise four times over,
    and a further map of x. Here they fall too, which leaves no linear correlation.
    """

    mi_method: ClassVar[Truth] = "quadrature"

    mi: float = 0.6
    dim: int = 1
    heights: int = 4
    periods: int = 2

    default_levels = (0.2, 0.4, 0.6, 0.8, 1.0)

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise UsageError(f"{_LABEL}: dim must be at least 1, not {self.dim}")
        if self.heights < 2 or self.periods < 1 or 2 * self.heights * self.periods > _MOST_SPOTS:
            raise UsageError(
                f"{_LABEL}: heights must be at least 2, periods at least 1 and their product at most "
                f"{_MOST_SPOTS // 2}, not {self.heights} and {self.periods}"
            )
        most = self.dim * math.log(self.heights)
        if not 0 <= self.mi <= most * _MOST_OF_ALL:
            raise UsageError(f"{_LABEL}: mi must be at least 0 and below dim ln(heights) = {most:.6g}, not {self.mi}")

    @property
    def separation(self) -> float:
        """Distance D between neighbouring spots in x, and between neighbouring heights, in standard deviations."""
        return _separation_of(self.heights, self.periods, self.mi / self.dim)

    @property
    def dim_x(self) -> int:
        """One column a copy."""
        return self.dim

    @property
    def dim_y(self) -> int:
        """One column a copy."""
        return self.dim

    @functools.cached_property
    def _sides(self) -> tuple[tuple[Array, float], tuple[Array, float]]:
        """Means of the spots in x and in y, (K,) each, and the standard deviation of the noise, after scaling."""
        sides = []
        for centres in _centres(self.heights, self.periods):
            total = math.sqrt(1 + self.separation**2 * float(np.var(centres)))
            sides.append((self.separation * centres / total, 1 / total))
        return sides[0], sides[1]

    @functools.cached_property
    def entropy_x(self) -> float:
        """``d (ln(2 pi e s^2) / 2 + I(K; X))`` nats, with s the standard deviation of a spot; see `Task.entropy_x`."""
        means, scale = self._sides[0]
        weights = np.full(len(means), 1 / len(means))
        told = label_information(weights, (means, np.full(len(means), scale)))
        return self.dim * (math.log(2 * math.pi * math.e) / 2 + math.log(scale) + told)

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs; see `Task.sample`."""
        device = generator.device
        spots = len(self._sides[0][0])
        chosen = torch.randint(spots, (n, self.dim), generator=generator, device=device)
        noise = torch.randn(2, n, self.dim, generator=generator, device=device)
        x, y = (
            torch.from_numpy(means).to(noise)[chosen] + scale * part
            for (means, scale), part in zip(self._sides, noise, strict=True)
        )
        return x, y

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """Exact log density ratio of each row, float64; see `Task.log_ratio`."""
        spots = len(self._sides[0][0])
        rows = max(_BLOCK // (spots * self.dim), 1)
        parts = []
        for block in zip(x.double().split(rows), y.double().split(rows), strict=True):
            log_x, log_y = (
                -((side.unsqueeze(-1) - torch.from_numpy(means).to(side)) / scale).square() / 2  # (rows, dim, K)
                for side, (means, scale) in zip(block, self._sides, strict=True)
            )
            ratio = (log_x + log_y).logsumexp(-1) - log_x.logsumexp(-1) - log_y.logsumexp(-1) + math.log(spots)
            parts.append(ratio.sum(-1))
        return torch.cat(parts)


def _centres(heights: int, periods: int) -> tuple[Array, Array]:
    """Places in x and heights in y of the spots, (K,) each, a distance 1 apart and of mean 0."""
    rise = np.arange(heights, dtype=np.float64)
    y = np.tile(np.concatenate((rise, rise[::-1])), periods)
    x = np.arange(len(y), dtype=np.float64)
    return x - x.mean(), y - y.mean()


@functools.cache
def _separation_of(heights: int, periods: int, mi: float) -> float:
    """Separation at which a pair has ``mi`` nats; once a process."""
    x, y = _centres(heights, periods)
    ones = np.ones(len(x))
    weights = ones / len(x)

    def information(separation: float) -> float:
        sides = (separation * x, ones), (separation * y, ones)
        alone = sum(label_information(weights, side) for side in sides)
        return alone - label_information(weights, *sides)

    return solve_increasing(information, mi, _LARGEST_SEPARATION)
