"""Families of densities, written as inner products.

Notable: a log density of these families is an inner product of features of what it is given with features of what it
is a density of, ``c - 1/2 sum_k (W_k t_k^2 - 2 W_k mu_k t_k)`` for a Gaussian of precisions W, ``sum_k t_k log s_k``
for one-hot columns and shares s. The gradient of the features holds ``A = G t^2``, ``B = G t`` and ``s = sum G`` for
the gradient G of the pairs, which is all that the gradients of the parameters are made of.

A log variance is ``12 tanh(v / 12)`` of what a network gives or what is learned: the identity near 0, where it starts,
and never beyond 12, so that no precision overflows and the inner product keeps its digits in float32. Standard
deviations reach from 0.0025 to 400.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from mibench.core.estimator import Density
from mibench.core.layout import aligned

LOG_VARIANCE_BOUND = 12.0
"""What no log variance passes."""

_FAR = -1e30
"""Logit of a column that is padding; finite, so that zero times it is zero."""


class Family(ABC):
    """A family of densities: inner products of features (..., E), made of vectors of parameters, with targets (..., E).

    Parameters
    ----------
    dim
        Columns of what it is a density of; all vectors are padded with zeros to D, a multiple of 32.
    """

    vectors: int
    """Vectors of parameters, each (R, n, D) or the same for all rows, (R, 1, D)."""

    def __init__(self, dim: int) -> None:
        self.dim, self.width = dim, aligned(dim)

    @abstractmethod
    def targets(self, values: Tensor) -> Tensor:
        """Turn what it is a density of, (R, n, dim), into (R, n, E)."""

    @abstractmethod
    def features(self, parameters: Sequence[Tensor]) -> Tensor:
        """Turn the vectors of parameters into (R, n, E), and keep what `backward` needs."""

    @abstractmethod
    def backward(self, gradient: Tensor) -> list[Tensor]:
        """Gradients (R, n, D) of the vectors, given that of the last features; their padding is to be left out."""


class Gaussian(Family):
    """Independent Gaussian columns: vectors of means, and of numbers that bound log variances unless these are fixed.

    Parameters
    ----------
    dim
        Number of columns.
    variance
        The fixed variance; None where it is a vector of parameters.
    """

    def __init__(self, dim: int, variance: float | None) -> None:
        super().__init__(dim)
        self.vectors = 2 if variance is None else 1
        self._fixed = None if variance is None else math.log(variance)

    def targets(self, values: Tensor) -> Tensor:
        """``[t^2, t, 1]``."""
        h = values.new_zeros(*values.shape[:-1], 2 * self.width + aligned(1))
        h[..., : self.dim] = values.square()
        h[..., self.width : self.width + self.dim] = values
        h[..., 2 * self.width] = 1
        return h

    def features(self, parameters: Sequence[Tensor]) -> Tensor:
        """``[-W / 2, W mu, -1/2 sum (W mu^2 + log variance + log 2 pi)]``."""
        mean = parameters[0]
        if self._fixed is None:
            log_variance = LOG_VARIANCE_BOUND * torch.tanh(parameters[1] / LOG_VARIANCE_BOUND)
        else:
            log_variance = mean.new_zeros(1, 1, self.width)
            log_variance[..., : self.dim] = self._fixed
        precision = torch.exp(-log_variance)
        weighted = precision * mean
        g = mean.new_zeros(*mean.shape[:-1], 2 * self.width + aligned(1))
        g[..., : self.width] = -precision / 2
        g[..., self.width : 2 * self.width] = weighted
        total = (weighted * mean + log_variance).sum(-1)
        g[..., 2 * self.width] = -(total + self.dim * math.log(2 * math.pi)) / 2
        self._mean, self._log_variance, self._precision = mean, log_variance, precision
        return g

    def backward(self, gradient: Tensor) -> list[Tensor]:
        """``W (B - s mu)`` and ``[W (A - 2 mu B + s mu^2) - s] / 2`` times the derivative of the bound."""
        a, b, s = gradient.split((self.width, self.width, aligned(1)), -1)
        total = s[..., :1]
        residual = b - total * self._mean  # sum G (t - mu)
        found = [self._precision * residual]
        if self._fixed is None:
            slope = 1 - (self._log_variance / LOG_VARIANCE_BOUND).square()
            squares = a - self._mean * (b + residual)  # sum G (t - mu)^2
            found.append((self._precision * squares - total) / 2 * slope)
        return found


class Softmax(Family):
    """One-hot columns: a vector of logits."""

    vectors = 1

    def targets(self, values: Tensor) -> Tensor:
        """The columns themselves."""
        return torch.nn.functional.pad(values, (0, self.width - self.dim))

    def features(self, parameters: Sequence[Tensor]) -> Tensor:
        """``log softmax`` of the logits."""
        (logits,) = parameters
        logits[..., self.dim :] = _FAR
        g = torch.log_softmax(logits, -1)
        self._shares = torch.exp(g)
        g[..., self.dim :] = 0
        return g

    def backward(self, gradient: Tensor) -> list[Tensor]:
        """The gradient less the classes' shares of its sum."""
        return [gradient - self._shares * gradient.sum(-1, keepdim=True)]


def family_of(density: Density, dim: int) -> Family:
    """Return the family of a density of ``dim`` columns."""
    if density.family == "softmax":
        return Softmax(dim)
    return Gaussian(dim, None if isinstance(density.variance, str) else density.variance)
