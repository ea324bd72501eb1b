"""Invertible maps of one side of a pair: they leave mutual information as it is and make it harder to find.

Notable: a map acts on x or on y alone and may differ between the two, as the published ones do. Each comes with its
inverse, so that the density ratio of a transformed pair is that of the pair it was made from. Both work in float64.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor

from mibench.core.errors import UsageError, did_you_mean
from mibench.core.estimator import Side

NO_MAP = "identity"
"""How the absence of a map is written."""

_HALVINGS = 14
_NEWTON_STEPS = 4  # each doubles the digits: from 1e-3 of `_HALVINGS` to double precision


@dataclasses.dataclass(frozen=True)
class Map(abc.ABC):
    """An invertible map of the rows of one side.

    Parameters
    ----------
    side
        ``x`` or ``y``.
    dim
        Number of columns that it is given.
    """

    side: Side
    dim: int

    name: ClassVar[str]
    """How it is called in the parameters of a task."""

    follows: ClassVar[str | None] = None
    """The map that must stand before it; None where any values will do."""

    smallest_dim: ClassVar[Mapping[Side, int]] = MappingProxyType({"x": 1, "y": 1})
    largest_dim: ClassVar[float] = math.inf

    @property
    def dim_out(self) -> int:
        """Number of columns that it gives."""
        return self.dim

    @abc.abstractmethod
    def forward(self, values: Tensor) -> Tensor:
        """Map rows (..., dim) to rows (..., dim_out), float64."""

    @abc.abstractmethod
    def inverse(self, values: Tensor) -> Tensor:
        """Map rows (..., dim_out) back to rows (..., dim), float64."""


def _normal_cdf(values: Tensor) -> Tensor:
    """``Phi(t)`` by the complementary error function, which keeps its digits in the lower tail."""
    return torch.erfc(values / -math.sqrt(2)) / 2


class NormalCdf(Map):
    """``Phi(t)`` of each coordinate: uniform margins where those were standard normal."""

    name = "normal-cdf"

    def forward(self, values: Tensor) -> Tensor:
        """``Phi(t)``."""
        return _normal_cdf(values)

    def inverse(self, values: Tensor) -> Tensor:
        """``Phi^-1(u)``; values that a later map's inverse rounded out of (0, 1) count as its nearest number."""
        tiny, eps = torch.finfo(values.dtype).tiny, torch.finfo(values.dtype).eps
        quantile: Tensor = torch.special.ndtri(values.clamp(tiny, 1 - eps / 2))
        return quantile


class HalfCube(Map):
    """``t sqrt(|t|)`` of each coordinate: longer tails."""

    name = "half-cube"

    def forward(self, values: Tensor) -> Tensor:
        """``sign(t) |t|^(3/2)``."""
        return values * values.abs().sqrt()

    def inverse(self, values: Tensor) -> Tensor:
        """``sign(t) |t|^(2/3)``."""
        return values.sign() * values.abs().pow(2 / 3)


class Cube(Map):
    """``t^3`` of each coordinate."""

    name = "cube"

    def forward(self, values: Tensor) -> Tensor:
        """``t^3``."""
        return values**3

    def inverse(self, values: Tensor) -> Tensor:
        """``sign(t) |t|^(1/3)``."""
        return values.sign() * values.abs().pow(1 / 3)


class Asinh(Map):
    """``arcsinh(t)`` of each coordinate: shorter tails."""

    name = "asinh"

    def forward(self, values: Tensor) -> Tensor:
        """``arcsinh(t)``."""
        return values.asinh()

    def inverse(self, values: Tensor) -> Tensor:
        """``sinh(t)``."""
        return values.sinh()


_WAVES: Mapping[Side, tuple[tuple[float, float, float], ...]] = MappingProxyType(
    {
        "x": ((0.4, 1.0, 0.0), (0.2, 1.7, 1.0), (0.03, 3.3, -2.5)),
        "y": ((-0.4, 0.4, 0.0), (0.17, 1.3, 3.5), (0.02, 4.3, -2.5)),
    }
)
"""Amplitudes, frequencies and phases of `Wiggly`; amplitudes times frequencies sum to less than 1."""


class Wiggly(Map):
    """``t + sum a sin(b t + c)`` of each coordinate: increasing, with a slope that comes and goes."""

    name = "wiggly"

    def forward(self, values: Tensor) -> Tensor:
        """``t + sum a sin(b t + c)``."""
        return self._with_slope(values)[0]

    def inverse(self, values: Tensor) -> Tensor:
        """Root of ``f(t) = v``, which lies within the sum of the amplitudes of v."""
        reach = sum(abs(amplitude) for amplitude, _, _ in _WAVES[self.side])
        return invert_increasing(self._with_slope, values, values - reach, values + reach)

    def _with_slope(self, values: Tensor) -> tuple[Tensor, Tensor]:
        total, slope = values.clone(), torch.ones_like(values)
        for amplitude, frequency, phase in _WAVES[self.side]:
            angle = frequency * values + phase
            total += amplitude * angle.sin()
            slope += amplitude * frequency * angle.cos()
        return total, slope


_MIXTURES: Mapping[Side, tuple[tuple[float, float], ...]] = MappingProxyType(
    {"x": ((0.3, 0.0), (0.7, 5.0)), "y": ((0.5, -1.0), (0.5, 3.0))}
)
"""Weights and means of the two unit normals of `Bimodal`."""


class Bimodal(Map):
    """Quantiles of a mixture of two normals: two modes where the margins were uniform."""

    name = "bimodal"
    follows = "normal-cdf"

    def forward(self, values: Tensor) -> Tensor:
        """Quantile of each level."""
        # Beyond 9 standard deviations of the outer modes no level below 1 is left in double precision.
        means = [mean for _, mean in _MIXTURES[self.side]]
        low, high = torch.full_like(values, min(means) - 40), torch.full_like(values, max(means) + 9)
        return invert_increasing(self._with_slope, values, low, high)

    def inverse(self, values: Tensor) -> Tensor:
        """Level of each quantile: the mixture's distribution function."""
        return self._with_slope(values)[0]

    def _with_slope(self, values: Tensor) -> tuple[Tensor, Tensor]:
        level, density = torch.zeros_like(values), torch.zeros_like(values)
        for weight, mean in _MIXTURES[self.side]:
            centred = values - mean
            level += weight * _normal_cdf(centred)
            density += weight / math.sqrt(2 * math.pi) * (-0.5 * centred.square()).exp()
        return level, density


class SwissRoll(Map):
    """The unit interval rolled up in the plane: ``(t cos t, t sin t) / 21`` with ``t = 1.5 pi (1 + 2 u)``."""

    name = "swiss-roll"
    follows = "normal-cdf"
    largest_dim = 1

    @property
    def dim_out(self) -> int:
        """The plane."""
        return 2

    def forward(self, values: Tensor) -> Tensor:
        """Roll up: (..., 1) to (..., 2)."""
        angle = 1.5 * math.pi * (1 + 2 * values)
        return torch.cat([angle * angle.cos(), angle * angle.sin()], -1) / 21

    def inverse(self, values: Tensor) -> Tensor:
        """Unroll: the distance from the centre is ``t / 21``."""
        angle = 21 * torch.linalg.vector_norm(values, dim=-1, keepdim=True)
        level: Tensor = (angle / (1.5 * math.pi) - 1) / 2
        return level


class Spiral(Map):
    """A plane of coordinates turned by an angle of ``||x||^2 / dim``: x in its first two, y in its second and third."""

    name = "spiral"
    smallest_dim = MappingProxyType({"x": 2, "y": 3})

    def forward(self, values: Tensor) -> Tensor:
        """Turn by ``||x||^2 / dim``."""
        return self._turn(values, 1 / self.dim)

    def inverse(self, values: Tensor) -> Tensor:
        """Turn back: the norm is that of the point turned."""
        return self._turn(values, -1 / self.dim)

    def _turn(self, values: Tensor, speed: float) -> Tensor:
        angle = speed * values.square().sum(-1)
        first = 0 if self.side == "x" else 1
        a, b = values[..., first], values[..., first + 1]
        turned = values.clone()
        turned[..., first] = angle.cos() * a - angle.sin() * b
        turned[..., first + 1] = angle.sin() * a + angle.cos() * b
        return turned


class Mixing(Map):
    """A fixed orthogonal matrix, the same for each dimension and side."""

    name = "mixing"

    @functools.cached_property
    def matrix(self) -> Tensor:
        """Orthogonal matrix (dim, dim) of a normal one's QR factors, with R's diagonal positive; float64."""
        normal = torch.randn(self.dim, self.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        q, r = torch.linalg.qr(normal)
        signed: Tensor = q * r.diagonal().sign()
        return signed

    def forward(self, values: Tensor) -> Tensor:
        """``Q t``."""
        return values @ self.matrix.T.to(values)

    def inverse(self, values: Tensor) -> Tensor:
        """``Q^T t``."""
        return values @ self.matrix.to(values)


MAPS: Mapping[str, type[Map]] = MappingProxyType(
    {kind.name: kind for kind in (Asinh, Bimodal, Cube, HalfCube, Mixing, NormalCdf, Spiral, SwissRoll, Wiggly)}
)
"""All maps by name."""


def invert_increasing(
    with_slope: Callable[[Tensor], tuple[Tensor, Tensor]], target: Tensor, low: Tensor, high: Tensor
) -> Tensor:
    """Solve ``f(t) = target`` elementwise for an increasing f.

    Parameters
    ----------
    with_slope
        f and its derivative.
    target
        Values of f, float64.
    low, high
        Bounds on the solutions, of the same shape.

    Returns
    -------
    Tensor
        The solutions: a few halvings, then Newton's steps that never leave the interval found.
    """
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = with_slope(middle)[0] > target
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    found = (low + high) / 2
    for _ in range(_NEWTON_STEPS):
        value, slope = with_slope(found)
        # where the slope vanishes to rounding the interval is all that is known
        step = ((value - target) / slope).nan_to_num(0.0)
        found = (found - step).clamp(low, high)
    return found


def read_maps(text: str, side: Side, dim: int, label: str) -> tuple[Map, ...]:
    """Read ``"normal-cdf+spiral"``: maps in the order in which they are applied.

    Parameters
    ----------
    text
        Names joined by ``+``, or ``identity`` for none.
    side
        What they act on.
    dim
        Columns of that side before them.
    label
        How the parameter is called in messages.

    Raises
    ------
    UsageError
        For unknown maps, and for values that a map does not take.
    """
    maps: list[Map] = []
    for name in text.split("+") if text != NO_MAP else []:
        if name not in MAPS:
            raise UsageError(f"{label}: unknown map '{name}'{did_you_mean(name, (*MAPS, NO_MAP))}")
        kind = MAPS[name]
        if kind.follows is not None and (not maps or maps[-1].name != kind.follows):
            raise UsageError(f"{label}: '{name}' takes values between 0 and 1; write '{kind.follows}+{name}'")
        columns = maps[-1].dim_out if maps else dim
        if not kind.smallest_dim[side] <= columns <= kind.largest_dim:
            wanted = "one column" if kind.largest_dim == 1 else f"at least {kind.smallest_dim[side]} columns"
            raise UsageError(f"{label}: '{name}' of {side} takes {wanted}, not {columns}; change the base's dimensions")
        maps.append(kind(side, columns))
    return tuple(maps)
