"""Views of numbered instances: what instance discrimination estimates the information of.

Notable: x is a noisy view of one of K fixed points and y the point's number, so that I(X; Y) is what a view says about
its instance, at most ln K. Bounds on it need no densities of views: the instances are equally likely and known.
"""

from __future__ import annotations

import functools
import math
from typing import ClassVar

import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.registry import register_task
from mibench.core.task import Task, Truth

_TRUTH_DRAWS = 2**16
_BLOCK_ROWS = 2**12


@register_task("instance-views")
class InstanceViews(Task):
    """A noisy view of one of K fixed points, and the point's number: at most ln K nats.

    ``x = c_y + noise e`` with y uniform on 0, ..., K - 1, fixed centres ``c_k`` drawn from N(0, I_dim), and e from
    N(0, I_dim). ``I = ln K - E H(Y | X)``, a mean of the exact log ratio over 2^16 pairs.

    Parameters
    ----------
    instances
        Number of points K, at least 2.
    noise
        Standard deviation of a view, above 0.
    dim
        Dimension of the views, at least 1.
    layout
        Seed of the centres: another number, another task.

    Source: the setting of Wu, Zhuang, Yamins and Goodman (2020, views), section 5.3: instances seen through views.
    """

    mi_method: ClassVar[Truth] = "monte-carlo"

    instances: int = 256
    noise: float = 0.1
    dim: int = 2
    layout: int = 0

    def __post_init__(self) -> None:
        if self.instances < 2 or self.dim < 1 or not 0 < self.noise < math.inf or self.layout < 0:
            raise UsageError(
                "task 'instance-views': instances must be at least 2, dim at least 1, noise above 0 and layout at "
                f"least 0, not {self.instances}, {self.dim}, {self.noise} and {self.layout}"
            )

    @property
    def dim_x(self) -> int:
        """Columns of a view."""
        return self.dim

    @property
    def dim_y(self) -> int:
        """One column: the instance's number."""
        return 1

    @functools.cached_property
    def centres(self) -> Tensor:
        """The points, shape (K, dim), float64."""
        generator = torch.Generator().manual_seed(self.layout)
        return torch.randn(self.instances, self.dim, generator=generator, dtype=torch.float64)

    @functools.cached_property
    def _truth(self) -> tuple[float, float]:
        """Mean of the log ratio over pairs from a stream of its own, and its standard error, nats."""
        x, y = self.sample(_TRUTH_DRAWS, torch.Generator().manual_seed(self.layout + 1))
        log_ratio = self.log_ratio(x, y)
        return float(log_ratio.mean()), float(log_ratio.std()) / math.sqrt(_TRUTH_DRAWS)

    @property
    def mi(self) -> float:
        """``ln K - E H(Y | X)``, nats, by Monte Carlo over the exact log ratio."""
        return self._truth[0]

    @property
    def mi_se(self) -> float:
        """Standard error of the truth, nats."""
        return self._truth[1]

    def support_y(self) -> tuple[Tensor, Tensor]:
        """The numbers 0, ..., K - 1, equally likely; see `Task.support_y`."""
        numbers = torch.arange(self.instances, dtype=torch.float32).unsqueeze(1)
        return numbers, torch.full((self.instances,), -math.log(self.instances), dtype=torch.float64)

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n views and their instances; see `Task.sample`."""
        device = generator.device
        chosen = torch.randint(self.instances, (n,), generator=generator, device=device)
        noise = torch.randn(n, self.dim, generator=generator, device=device)
        x = self.centres.to(device, torch.float32)[chosen] + self.noise * noise
        return x, chosen.unsqueeze(1).float()

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """``log p(x | y) - log mean_k p(x | k)`` of each row, float64; see `Task.log_ratio`."""
        centres = self.centres.to(x.device)
        parts = []
        for views, numbers in zip(x.double().split(_BLOCK_ROWS), y.split(_BLOCK_ROWS), strict=True):
            log_density = -(torch.cdist(views, centres) / self.noise).square() / 2  # (rows, K), up to a constant
            own = log_density.gather(1, numbers.long()).squeeze(1)
            parts.append(own - torch.logsumexp(log_density, 1) + math.log(self.instances))
        return torch.cat(parts)
