"""Independent sides that are not normal: what an estimator reports here is its error.

Notable: the tails and edges of the marginals are what there is to be misled by.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.registry import register_task
from mibench.core.task import Task

Marginal = Literal["uniform", "exponential", "laplace", "log-normal"]


@dataclasses.dataclass(frozen=True)
class _Law:
    """How a column is made of two uniform numbers in [0, 1), and its differential entropy, nats."""

    quantile: Callable[[Tensor, Tensor], Tensor]
    entropy: float


def _exponential(u: Tensor) -> Tensor:
    return -torch.log1p(-u)


def _normal(u: Tensor, v: Tensor) -> Tensor:
    """By Box and Muller's formula."""
    return (2 * _exponential(u)).sqrt() * (2 * math.pi * v).cos()


_LAWS: Mapping[str, _Law] = MappingProxyType(
    {
        "uniform": _Law(lambda u, v: u, 0.0),
        "exponential": _Law(lambda u, v: _exponential(u), 1.0),
        "laplace": _Law(lambda u, v: _exponential(u) - _exponential(v), 1 + math.log(2)),
        "log-normal": _Law(lambda u, v: _normal(u, v).exp(), math.log(2 * math.pi * math.e) / 2),
    }
)


@register_task("independent")
class Independent(Task):
    """Independent x and y with marginals that are not normal: 0 nats.

    All columns are independent, with the density 1 on (0, 1) (uniform), ``exp(-t)`` on t > 0 (exponential),
    ``exp(-|t|) / 2`` (laplace), or that of ``exp(z)`` with z standard normal (log-normal). The log ratio is 0.

    Parameters
    ----------
    x, y
        Marginals of the columns of x and of y: ``uniform``, ``exponential``, ``laplace`` or ``log-normal``.
    dim_x, dim_y
        Dimensions, at least 1.
    """

    x: Marginal = "exponential"
    y: Marginal = "laplace"
    dim_x: int = 1
    dim_y: int = 1

    def __post_init__(self) -> None:
        if self.dim_x < 1 or self.dim_y < 1:
            raise UsageError(
                f"task 'independent': dim_x and dim_y must be at least 1, not {self.dim_x} and {self.dim_y}"
            )

    @property
    def mi(self) -> float:
        """0 nats."""
        return 0.0

    @property
    def entropy_x(self) -> float:
        """``dim_x`` times 0, 1, ``1 + ln 2`` or ``ln(2 pi e) / 2`` nats; see `Task.entropy_x`."""
        return self.dim_x * _LAWS[self.x].entropy

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs, float32; see `Task.sample`."""
        columns = self.dim_x + self.dim_y
        uniform = torch.rand(2, n, columns, generator=generator, device=generator.device, dtype=torch.float64)
        of_x, of_y = uniform.split([self.dim_x, self.dim_y], 2)
        return _LAWS[self.x].quantile(*of_x).float(), _LAWS[self.y].quantile(*of_y).float()

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """0 for each row, float64; see `Task.log_ratio`."""
        return torch.zeros(len(x), dtype=torch.float64, device=x.device)
