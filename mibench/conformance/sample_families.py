"""Samples of known mutual information to try estimators on that take a sample: of numbers, and with labels."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from mibench.tasks.gaussian import Gaussian20D

Sample = tuple[Tensor, Tensor]

_LABELS = 4


@dataclasses.dataclass(frozen=True)
class Family:
    """Samples that one kind of estimator is meant for."""

    name: str
    """What they are called in a sentence."""

    levels: tuple[float, float, float, float]
    """Mutual information in nats, rising; the first is 0."""

    pairs: Callable[[int, float, int], tuple[Tensor, Tensor, Tensor]]
    """Draw n pairs with one column a side at a level, by a seed: x, y, and the log ratio of each pair."""

    columns: Callable[[int, tuple[int, int], int], Sample]
    """Draw n pairs with so many columns a side, by a seed; the information is of no matter."""


def gaussian(n: int, dims: tuple[int, int] = (1, 1), seed: int = 0, *, mi: float = 1.0) -> Sample:
    """Draw n Gaussian pairs in float64; the information is ``mi`` where both sides have one column."""
    x, y = Gaussian20D(mi=mi, dim=max(dims)).sample(n, torch.Generator().manual_seed(seed))
    return x[:, : dims[0]].double(), y[:, : dims[1]].double()


def _gaussian_pairs(n: int, mi: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    x, y = gaussian(n, seed=seed, mi=mi)
    return x, y, Gaussian20D(mi=mi, dim=1).log_ratio(x, y)


def _labels(n: int) -> Tensor:
    """Labels that each stand twice in a row, (n, 1)."""
    return (torch.arange(n) // 2 % _LABELS).double().unsqueeze(1)


def _label_and_numbers(n: int, dims: tuple[int, int], seed: int) -> Sample:
    return _labels(n).expand(-1, dims[0]).clone(), gaussian(n, dims, seed)[1]


def _two_labels(n: int, dims: tuple[int, int], seed: int) -> Sample:
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    labels = _labels(n)
    return labels.expand(-1, dims[0]).clone(), labels[order].expand(-1, dims[1]).clone()


def _uniform_pairs(n: int, mi: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """A label d of four and a number that is uniform on [s d, s d + 1]: ``log 4 - 3/2 (1 - s) log 2`` for s >= 1/2."""
    generator = torch.Generator().manual_seed(seed)
    shift = 0.0 if mi == 0 else 1 - (math.log(_LABELS) - mi) / (1.5 * math.log(2))
    labels = torch.randint(_LABELS, (n, 1), generator=generator).double()
    numbers = shift * labels + torch.rand(n, 1, generator=generator, dtype=torch.float64)
    starts = shift * torch.arange(_LABELS)
    over = ((starts <= numbers) & (numbers <= starts + 1)).sum(1)
    return labels, numbers, math.log(_LABELS) - over.double().log()


def _channel_pairs(n: int, mi: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """A label of four and what a channel makes of it, which gives any other with the same probability."""
    generator = torch.Generator().manual_seed(seed)
    noise = _noise_of(mi)
    sent = torch.randint(_LABELS, (n, 1), generator=generator)
    other = torch.randint(1, _LABELS, (n, 1), generator=generator)
    wrong = torch.rand(n, 1, generator=generator, dtype=torch.float64) < noise
    received = torch.where(wrong, (sent + other) % _LABELS, sent)
    ratio = torch.where(wrong, _LABELS * noise / (_LABELS - 1), _LABELS * (1 - noise))
    return sent.double(), received.double(), ratio[:, 0].double().log()


def _noise_of(mi: float) -> float:
    """Probability of another label at which the channel carries that much, by bisection."""
    low, high = 0.0, 1 - 1 / _LABELS
    for _ in range(60):
        noise = (low + high) / 2
        kept = 1 - noise
        carried = math.log(_LABELS) + kept * math.log(kept) + noise * math.log(noise / (_LABELS - 1))
        low, high = (noise, high) if carried > mi else (low, noise)
    return (low + high) / 2


FAMILIES: Mapping[str, Family] = {
    "numbers": Family("the bivariate Gaussian", (0.0, 0.5, 1.0, 1.5), _gaussian_pairs, gaussian),
    "a label": Family("a label and a uniform number", (0.0, 0.9, 1.1, 1.3), _uniform_pairs, _label_and_numbers),
    "labels": Family("a channel of four labels", (0.0, 0.5, 1.0, 1.3), _channel_pairs, _two_labels),
}
"""By what an estimator takes; see `SampleEstimator.takes`."""
