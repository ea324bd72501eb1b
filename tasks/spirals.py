"""Interleaved spirals: two noisy views of one point of a curve.

Notable: a view adds U(0, eta) to each coordinate, so that its density given the point is constant on a square, and the
ratio of densities is one of counts: of the curve's points that can have given the first view, the second, and both. The
curve is a finite set of points, drawn with equal probabilities; so the counts are exact, and only their mean over pairs
is estimated. Points are stored in float32, the views' precision, and the squares are those of rounded sums: a view
never leaves the square of its own point by rounding.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.parameters import Params
from mibench.core.registry import register_task
from mibench.core.task import Task, Truth
from mibench.tasks.rectangle_counts import RectangleCounts

_TRUTH_DRAWS = 2**16
_TRUTH_SEED = 20200123
_MOST_POINTS = 2**20
_SMALLEST_ETA, _LARGEST_ETA = 2.0**-12, 2.0**10
"""In units of the radius. In float32 the noise has at least 2^11 values at the one, and the curve 2^13 at the other."""
_NEWTON_STEPS = 12
_BLOCK_PAIRS = 2**16


@register_task("double-spirals")
class DoubleSpirals(Task):
    """Two views of one point on interleaved spirals: U(0, eta) noise on each coordinate.

    ``x = c + eta u`` and ``y = c + eta u'``, with c uniform on the points of the curve and u, u' uniform on the unit
    square. Arms are Archimedean, ``r = radius phi / (2 pi turns)`` for phi from 0 to ``2 pi turns``, and turned against
    each other by equal angles; their points are equally far apart along the arm. Log ratio: ``log n_xy M / (n_x n_y)``,
    where n counts those of the M points that can have given x, y, or both; ``-inf`` where none can have given both.
    `sample_labelled` adds the arm, which a probe of a representation is asked for.

    Parameters
    ----------
    eta
        Width of the noise; 0, where the views are the point itself and ``I = ln M``, or from radius / 4096 up to
        1024 radius.
    arms
        Number of spirals, at least 1.
    turns
        Revolutions of an arm, above 0 and up to 100.
    radius
        Distance of an arm's end from the centre, from 1e-6 to 1e6.
    points
        Points M of the whole curve, from `arms` to 2^20; 2^16 unless told. While their distance (at 2^16 and the
        other defaults 0.0004) is far below eta, the information is that of the continuous curve, whose own at eta = 0
        is infinite. The paper's training set has 12800 (10,000 steps of 128 in 100 epochs).
    turning
        ``alike``: all arms turn counter-clockwise; ``opposed``: every second arm turns clockwise, and crosses others.

    Source: Wu, Zhuang, Yamins and Goodman (2020, views), section 4, figure 1, which gives neither turns nor radius. Its
    text has one spiral turn clockwise and the other counter-clockwise, which is ``opposed``.
    """

    eta: float = 0.4
    arms: int = 2
    turns: float = 2.0
    radius: float = 2.0
    points: int = 2**16
    turning: Literal["alike", "opposed"] = "alike"

    def __post_init__(self) -> None:
        label = "task 'double-spirals'"
        if not (self.arms >= 1 and 0 < self.turns <= 100 and 1e-6 <= self.radius <= 1e6):
            raise UsageError(
                f"{label}: arms must be at least 1, turns above 0 and up to 100 and radius from 1e-6 to 1e6, not "
                f"{self.arms}, {self.turns} and {self.radius}"
            )
        if not self.arms <= self.points <= _MOST_POINTS:
            raise UsageError(f"{label}: points must lie in {self.arms}..{_MOST_POINTS}, not {self.points}")
        smallest, largest = _SMALLEST_ETA * self.radius, _LARGEST_ETA * self.radius
        if self.eta != 0 and not smallest <= self.eta <= largest:
            raise UsageError(f"{label}: eta must be 0 or lie between {smallest:g} and {largest:g}, not {self.eta}")

    @property
    def dim_x(self) -> int:
        """Two coordinates."""
        return 2

    @property
    def dim_y(self) -> int:
        """Two coordinates."""
        return 2

    @property
    def mi_method(self) -> Truth:  # type: ignore[override]  # a class attribute of tasks with one way for all parameters
        """``monte-carlo``; ``enumeration`` where no two points share a view, as at eta = 0: every pair has ``ln M``."""
        return "monte-carlo" if self.mi_se else "enumeration"

    @functools.cached_property
    def labels(self) -> Tensor:
        """Arm of each point, (M,), int64: 0, 1, ... in turn, so that the arms' shares differ by at most one point."""
        return torch.arange(self.points) % self.arms

    @functools.cached_property
    def curve(self) -> Tensor:
        """The points, (M, 2), float32."""
        end = 2 * math.pi * self.turns
        share = (torch.arange(self.points, dtype=torch.float64) + 0.5) / self.points
        phi = _angle(share * _length(torch.tensor(end, dtype=torch.float64)))
        way = 1 - 2 * (self.labels % 2) if self.turning == "opposed" else 1
        direction = way * phi + 2 * math.pi * self.labels / self.arms
        return (torch.stack((direction.cos(), direction.sin()), -1) * (self.radius / end * phi).unsqueeze(-1)).float()

    @functools.cached_property
    def _edges(self) -> tuple[Tensor, Tensor]:
        """Ascending coordinates of the points, and the largest view of each, both (2, M), float32."""
        lower = self.curve.T.sort(-1).values.contiguous()
        return lower, (lower.double() + self.eta).float()

    @functools.cached_property
    def _counts(self) -> RectangleCounts:
        return RectangleCounts(self.curve)

    @property
    def mi(self) -> float:
        """Mean of the exact log ratio, nats, over 2^16 pairs; at eta = 0 over all points, ``ln M``."""
        return _truth(self.params())[0]

    @property
    def mi_se(self) -> float:
        """Standard error of the truth, nats; 0 where no two points share a view."""
        return _truth(self.params())[1]

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs of views, the first two results of `sample_labelled`; see `Task.sample`."""
        return self.sample_labelled(n, generator)[:2]

    def sample_labelled(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Draw n pairs of views and the arms of their points.

        Parameters
        ----------
        n
            Number of pairs.
        generator
            The only source of randomness; its device is where the pairs are made.

        Returns
        -------
        x, y, label
            Shapes (n, 2) and (n, 2), float32, and (n,), int64, from 0 to arms - 1.
        """
        device = generator.device
        chosen = torch.randint(self.points, (n,), generator=generator, device=device)
        noise = torch.rand(2, n, 2, generator=generator, device=device, dtype=torch.float64)
        x, y = (noise.mul_(self.eta) + self.curve.to(device)[chosen]).float()
        return x, y, self.labels.to(device)[chosen]

    def labelled(self, n: int, generator: torch.Generator, *, held_out: bool) -> tuple[Tensor, Tensor]:
        """Draw n points of the curve itself, without noise, and their arms; see `Task.labelled`."""
        chosen = torch.randint(self.points, (n,), generator=generator, device=generator.device).cpu()
        return self.curve[chosen].to(generator.device), self.labels[chosen].to(generator.device)

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """``log n_xy M / (n_x n_y)`` of each row, float64; see `Task.log_ratio`.

        Exact for the finite set of points, up to the rounding of views to float32: at the edge of a point's square the
        last value counts as much as those inside.
        """
        pairs = zip(x.split(_BLOCK_PAIRS), y.split(_BLOCK_PAIRS), strict=True)
        return torch.cat([self._log_ratio(*block) for block in pairs])

    def _log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        of_x, of_y = self._ranks(x), self._ranks(y)
        start, stop, lower, upper = zip(of_x, of_y, strict=True)
        both = (torch.maximum(*start), torch.minimum(*stop), torch.maximum(*lower), torch.minimum(*upper))
        (close,) = ((both[0] < both[1]) & (both[2] < both[3])).nonzero(as_tuple=True)  # few, among all pairs of a batch
        n_x, n_y, n_xy = (self._log_count([bound[close] for bound in ranks]) for ranks in (of_x, of_y, both))
        ratio = torch.full((len(x),), -math.inf, dtype=torch.float64, device=x.device)
        # A view that the curve cannot have given has no count of its own, and none together with another.
        ratio[close] = torch.where(n_xy == -math.inf, n_xy, n_xy + math.log(self.points) - n_x - n_y)
        return ratio

    def _log_count(self, ranks: Sequence[Tensor]) -> Tensor:
        start, stop, lower, upper = ranks
        return self._counts((start, stop), (lower, upper)).double().log()

    def _ranks(self, views: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Ranges of ranks, by each coordinate, of the points that can have given each view: four of shape (n,)."""
        lower, upper = (edge.to(views) for edge in self._edges)  # (2, M)
        columns = views.T.contiguous()
        start = torch.searchsorted(upper, columns)  # below it the largest view lies short of this one
        stop = torch.searchsorted(lower, columns, right=True)  # from it on the point itself lies beyond it
        return start[0], stop[0], start[1], stop[1]


@functools.cache
def _truth(params: Params) -> tuple[float, float]:
    """Mean of the log ratio over pairs from a stream of its own, and its standard error, nats; once a process."""
    task = DoubleSpirals(**dict(params))  # type: ignore[arg-type]  # a task's own parameters
    if task.eta == 0:
        return float(task.log_ratio(task.curve, task.curve).mean()), 0.0
    log_ratio = task.log_ratio(*task.sample(_TRUTH_DRAWS, torch.Generator().manual_seed(_TRUTH_SEED)))
    return float(log_ratio.mean()), float(log_ratio.std()) / math.sqrt(_TRUTH_DRAWS)


def _length(angle: Tensor) -> Tensor:
    """Length of the spiral ``r = phi`` from the centre to an angle."""
    return (angle * (1 + angle.square()).sqrt() + angle.asinh()) / 2


def _angle(length: Tensor) -> Tensor:
    """Inverse of `_length` by Newton's method, from the right: the length is convex and at least angle^2 / 2."""
    angle = (2 * length).sqrt()
    for _ in range(_NEWTON_STEPS):
        angle = angle - (_length(angle) - length) / (1 + angle.square()).sqrt()
    return angle
