"""One correct plug-in of each kind, as third parties write them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

import mibench


@mibench.register_estimator("my-infonce")
class MyInfoNCE(mibench.Estimator):
    """InfoNCE with a temperature of the value's own: mean log-softmax of the positive, plus log m."""

    kind = "lower"
    default_negatives = "all-pairs"

    temperature: float = 1.0

    def estimate(self, scores: mibench.Scores) -> Tensor:
        """The bound, shape (...)."""
        both = torch.cat((scores.pos.unsqueeze(-1), scores.neg), -1) / self.temperature
        return (both[..., 0] - mibench.log_mean_exp(both)).mean(-1)

    def ceiling(self, n: int, m: int) -> float:
        """``log m`` nats."""
        return math.log(m)


@mibench.register_task("my-sum")
class MySum(mibench.Task):
    """y = x + noise in one dimension, with the noise's scale solved for the mutual information."""

    mi: float = 1.0

    default_levels = (0.5, 2.0)
    dim_x = 1
    dim_y = 1

    @property
    def noise(self) -> float:
        """``I = log(1 + 1 / noise^2) / 2``."""
        return 1 / math.sqrt(math.expm1(2 * self.mi))

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs."""
        x, e = torch.randn(2, n, 1, generator=generator)
        return x, x + self.noise * e

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """Exact log density ratio of each row."""
        variance = 1 + self.noise**2
        return (self.mi + y.square() / (2 * variance) - (y - x).square() / (2 * self.noise**2)).squeeze(-1)


class _Distance(nn.Module):
    def __init__(self, f: nn.Module, g: nn.Module) -> None:
        super().__init__()
        self.f, self.g = f, g

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return -(self.f(x) - self.g(y)).square().sum(-1)


@mibench.register_critic("my-distance")
class MyDistance(mibench.ModuleCritic):
    """Minus the squared distance of two embeddings."""

    def module(self, dim_x: int, dim_y: int, architecture: mibench.Architecture) -> nn.Module:
        """Build the critic."""
        return _Distance(architecture.mlp(dim_x, 4), architecture.mlp(dim_y, 4))


@mibench.register_negatives("my-shift")
class MyShift(mibench.NegativeSampler):
    """The next row's y."""

    def per_row(self, batch: int) -> int:
        """One negative per row."""
        return 1

    def draw(self, y: Tensor, batch: int, generator: torch.Generator) -> Tensor:
        """The next row, shape (steps, N, 1)."""
        return torch.arange(batch).roll(-1).view(1, batch, 1).expand(y.shape[0], -1, -1)
