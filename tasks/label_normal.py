"""A label and normal noise around its class's centre: one side discrete, the other continuous, and MI a knob.

Notable: the centres lie on a line, so that one coordinate of y says all there is about the label, whatever the
dimension. It lies across all columns, none of which is idle.
"""

from __future__ import annotations

import functools
import math
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.registry import register_task
from mibench.core.task import Task, Truth
from mibench.tasks.mixtures import label_information, solve_increasing

_LABEL = "task 'label-normal'"
_MOST_CLASSES = 64
_LARGEST_SEPARATION = 20.0  # what is missing of ln k is then below 1e-20 nats
_MOST_OF_ALL = 1 - 1e-6


@register_task("label-normal")
class LabelNormal(Task):
    """A uniform label of k classes, one-hot, and normal noise around its class's centre: at most ln k nats.

    The centres lie on a line at equal distances D, in the direction (1, ..., 1) across the columns, under standard
    normal noise; the columns are then brought to variance 1. With t the coordinate along the line before that,
    ``I = I(C; T) = ln k - E[H(C | T)]`` nats, by quadrature. Log ratio: ``ln k + ln softmax_j(-(t - D z_j)^2 / 2)`` at
    the label, with z_j the places of the centres at a distance of 1.

    Parameters
    ----------
    mi
        Mutual information, nats, from 0 to all but a millionth of ln k; D is solved for.
    k
        Number of classes, 2 to 64, and columns of the label.
    dim
        Columns of the noisy side, at least 1.
    label
        The side that is the label, ``x`` or ``y``; with ``y`` its values are known to samplers of negatives.
    """

    mi_method: ClassVar[Truth] = "quadrature"

    mi: float = 1.0
    k: int = 10
    dim: int = 5
    label: Literal["x", "y"] = "x"

    default_levels = (0.2, 0.5, 1.0, 1.5, 2.0)

    def __post_init__(self) -> None:
        if not 2 <= self.k <= _MOST_CLASSES or self.dim < 1:
            raise UsageError(
                f"{_LABEL}: k must lie in 2..{_MOST_CLASSES} and dim be at least 1, not {self.k} and {self.dim}"
            )
        if not 0 <= self.mi <= math.log(self.k) * _MOST_OF_ALL:
            raise UsageError(f"{_LABEL}: mi must be at least 0 and below ln k = {math.log(self.k):.6g}, not {self.mi}")

    @property
    def separation(self) -> float:
        """Distance D between neighbouring centres, in standard deviations of the noise."""
        return _separation_of(self.k, self.mi)

    @property
    def dim_x(self) -> int:
        """As many as there are classes for a label, else those of the noisy side."""
        return self.k if self.label == "x" else self.dim

    @property
    def dim_y(self) -> int:
        """Those of the noisy side, or as many as there are classes for a label."""
        return self.dim if self.label == "x" else self.k

    @property
    def has_support_y(self) -> bool:
        """Whether y is the label."""
        return self.label == "y"

    def support_y(self) -> tuple[Tensor, Tensor]:
        """One-hot rows of the classes, equally likely, where y is the label; see `Task.support_y`."""
        if self.label == "x":
            return super().support_y()
        return torch.eye(self.k), torch.full((self.k,), -math.log(self.k), dtype=torch.float64)

    @property
    def noise_scale(self) -> float:
        """Standard deviation of the noise in every column, once the columns have variance 1."""
        return 1 / math.sqrt(1 + self.separation**2 * (self.k**2 - 1) / (12 * self.dim))

    @property
    def entropy_x(self) -> float:
        """``ln k``, or ``(dim / 2) ln(2 pi e s^2) + I`` where x is the noisy side, nats; see `Task.entropy_x`."""
        if self.label == "x":
            return math.log(self.k)
        return self.dim * (math.log(2 * math.pi * math.e) / 2 + math.log(self.noise_scale)) + self.mi

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs, float32; see `Task.sample`."""
        device = generator.device
        label = torch.randint(self.k, (n,), generator=generator, device=device)
        noise = torch.randn(n, self.dim, generator=generator, device=device)
        shift = self.separation * (label - (self.k - 1) / 2) / math.sqrt(self.dim)
        noisy = self.noise_scale * (noise + shift.unsqueeze(1).to(noise))
        one_hot = torch.nn.functional.one_hot(label, self.k).float()
        return (one_hot, noisy) if self.label == "x" else (noisy, one_hot)

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """Exact log density ratio of each row, float64; see `Task.log_ratio`."""
        one_hot, noisy = (x, y) if self.label == "x" else (y, x)
        along = noisy.double().sum(1, keepdim=True) / (self.noise_scale * math.sqrt(self.dim))
        places = torch.arange(self.k, device=along.device, dtype=torch.float64) - (self.k - 1) / 2
        posterior = (-(along - self.separation * places).square() / 2).log_softmax(1)
        return posterior.gather(1, one_hot.argmax(1, keepdim=True)).squeeze(1) + math.log(self.k)


@functools.cache
def _separation_of(k: int, mi: float) -> float:
    """Separation at which the label and the coordinate along the line share ``mi`` nats; once a process."""
    places = np.arange(k, dtype=np.float64)
    weights, ones = np.full(k, 1 / k), np.ones(k)
    return solve_increasing(lambda d: label_information(weights, (d * places, ones)), mi, _LARGEST_SEPARATION)
