"""Negatives from permutations of the batch: with fixed points, which cap a bound at log N, and without."""

from __future__ import annotations

import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.registry import register_negatives
from mibench.core.sampler import NegativeSampler


def partial_derangements(steps: int, n: int, fixed: int, generator: torch.Generator) -> Tensor:
    """Draw random permutations of ``n`` with exactly ``fixed`` fixed points, shape (steps, n).

    The fixed points are a uniform subset; the others form one uniformly random cycle, in which every element is
    equally likely to follow every other.
    """
    order = permutations(steps, n, generator)
    image = order.clone()
    image[:, fixed:] = order[:, fixed:].roll(-1, 1)
    return torch.empty_like(order).scatter_(1, order, image)


def permutations(steps: int, n: int, generator: torch.Generator) -> Tensor:
    """Uniformly random permutations, shape (steps, n): the order of random keys of 53 bits."""
    keys = torch.rand(steps, n, generator=generator, device=generator.device, dtype=torch.float64)
    return keys.argsort(1)


@register_negatives("shuffle", aliases=("permutation",))
class Shuffle(NegativeSampler):
    """One y of the batch per row by a random permutation; fixed points are kept and counted.

    Parameters
    ----------
    fixed
        Exact number of fixed points; None for a uniformly random permutation (one on average).

    Source: Belghazi et al. (2018), algorithm 1, as most public codes implement it; the ceiling log(N / k) is in
    `NegativeSampler.predicted_ceiling`.
    """

    fixed: int | None = None

    def __post_init__(self) -> None:
        if self.fixed is not None and self.fixed < 0:
            raise UsageError(f"negative sampler 'shuffle': fixed must be at least 0, not {self.fixed}")

    def per_row(self, batch: int) -> int:
        """One negative per row."""
        if self.fixed is not None and (self.fixed > batch or self.fixed == batch - 1):
            raise UsageError(
                f"negative sampler 'shuffle': no permutation of {batch} has exactly {self.fixed} fixed points"
            )
        return 1

    def draw(self, y: Tensor, batch: int, generator: torch.Generator) -> Tensor:
        """Random permutations, shape (steps, N, 1)."""
        if self.fixed is None:
            return permutations(y.shape[0], batch, generator).unsqueeze(-1)
        return partial_derangements(y.shape[0], batch, self.fixed, generator).unsqueeze(-1)

    def positives(self, batch: int) -> float:
        """One on average, or the number asked for."""
        return 1.0 if self.fixed is None else float(self.fixed)


@register_negatives("derangement")
class Derangement(NegativeSampler):
    """One y of the batch per row by a random cyclic permutation, which has no fixed point."""

    def per_row(self, batch: int) -> int:
        """One negative per row."""
        return 1

    def draw(self, y: Tensor, batch: int, generator: torch.Generator) -> Tensor:
        """Random cycles, shape (steps, N, 1)."""
        return partial_derangements(y.shape[0], batch, 0, generator).unsqueeze(-1)
