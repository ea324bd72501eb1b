"""Classifiers of many training parts, fitted together: one batched product for all of them at each step.

Notable: a part's stopping rows decide how long it is fitted, and nothing else of a fit sees them. Sums run in float32
while weights are fitted; probabilities are float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_EVERY = 10  # steps between looks at the stopping rows
_ROWS = 4096  # whose probabilities are computed at once


@dataclass(frozen=True)
class Recipe:
    """How a stack is fitted.

    Parameters
    ----------
    hidden
        Widths of the hidden layers; none for a logistic regression.
    rate
        Adam's step size.
    decay
        Weight decay, by AdamW's rule.
    steps
        At most.
    patience
        Looks in a row after which a part's fit ends when its stopping rows are told no better.
    batch
        Rows of a step, drawn with replacement.
    """

    hidden: tuple[int, ...]
    rate: float
    decay: float
    steps: int = 600
    patience: int = 8
    batch: int = 128


@dataclass(frozen=True)
class Part:
    """Rows of one fit.

    Parameters
    ----------
    fitted, stopping
        Their numbers, without a row in common.
    """

    fitted: NDArray[np.int64]
    stopping: NDArray[np.int64]


class Stack:
    """Fitted classifiers, one for each part."""

    def __init__(self, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> None:
        self._weights = [weight.detach() for weight in weights]
        self._biases = [bias.detach() for bias in biases]

    def log_probabilities(
        self, features: NDArray[np.float64], rows: NDArray[np.int64], part: int
    ) -> NDArray[np.float64]:
        """``log q(label | x)`` by the fit of one part, (rows, labels), nats."""
        found = []
        for start in range(0, len(rows), _ROWS):
            inputs = torch.from_numpy(features[rows[start : start + _ROWS]]).float()[None]
            logits = _logits(inputs, [w[part, None] for w in self._weights], [b[part, None] for b in self._biases])
            found.append(torch.log_softmax(logits[0].double(), -1))
        return np.asarray(torch.cat(found).numpy())


def fit(
    features: NDArray[np.float64],
    codes: NDArray[np.int64],
    parts: Sequence[Part],
    recipe: Recipe,
    generator: torch.Generator,
) -> Stack:
    """Fit a classifier to each part, all of them in one computation.

    Parameters
    ----------
    features
        Shape (n, p), of variance near 1.
    codes
        Of the labels, (n,), from 0 without gaps.
    generator
        Of first weights and batches.
    """
    inputs, targets = torch.from_numpy(features).float(), torch.from_numpy(codes)
    weights, biases = _first_weights(len(parts), inputs.shape[1], int(codes.max()) + 1, recipe, generator)
    optimizer = torch.optim.AdamW([*weights, *biases], lr=recipe.rate, weight_decay=recipe.decay)
    fitted, sizes = _padded([part.fitted for part in parts])
    stopping, stop_sizes = _padded([part.stopping for part in parts])
    mask = (torch.arange(stopping.shape[1]) < stop_sizes[:, None]).float()
    batch = min(recipe.batch, fitted.shape[1])
    kept = [tensor.detach().clone() for tensor in (*weights, *biases)]
    least = torch.full((len(parts),), torch.inf)
    waited = torch.zeros(len(parts))
    for step in range(recipe.steps + 1):
        if step % _EVERY == 0:
            with torch.no_grad():
                loss = _losses(inputs[stopping], targets[stopping], weights, biases)
                loss = (loss * mask).sum(1) / stop_sizes
                better = (loss < least) & (waited < recipe.patience)  # no part waits for another's rows
                least = torch.where(better, loss, least)
                for best, now in zip(kept, (*weights, *biases), strict=True):
                    best[better] = now[better]
            waited = torch.where(better, 0, waited + 1)
            if bool((waited >= recipe.patience).all()):
                break
        drawn = (torch.rand((len(parts), batch), generator=generator) * sizes[:, None]).long()
        rows = fitted.gather(1, drawn)
        optimizer.zero_grad()
        _losses(inputs[rows], targets[rows], weights, biases).mean(1).sum().backward()
        optimizer.step()
    return Stack(kept[: len(weights)], kept[len(weights) :])


def _first_weights(
    parts: int, inputs: int, labels: int, recipe: Recipe, generator: torch.Generator
) -> tuple[list[Tensor], list[Tensor]]:
    """Hidden layers by He's rule, and a last layer of zeros: at first no label is told from another."""
    widths = [inputs, *recipe.hidden, labels]
    weights, biases = [], []
    for layer, (below, above) in enumerate(pairwise(widths)):
        weight = torch.zeros((parts, below, above))
        if layer < len(recipe.hidden):
            weight = torch.randn(weight.shape, generator=generator) * (2 / below) ** 0.5
        weights.append(weight.requires_grad_())
        biases.append(torch.zeros((parts, 1, above)).requires_grad_())
    return weights, biases


def _logits(inputs: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Tensor:
    """Logits, (parts, rows, labels), of inputs (parts, rows, p)."""
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        inputs = torch.relu(torch.baddbmm(bias, inputs, weight))
    return torch.baddbmm(biases[-1], inputs, weights[-1])


def _losses(inputs: Tensor, targets: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Tensor:
    """Cross-entropy of each row, (parts, rows)."""
    logits = _logits(inputs, weights, biases)
    return torch.logsumexp(logits, -1) - logits.gather(-1, targets[..., None])[..., 0]


def _padded(rows: Sequence[NDArray[np.int64]]) -> tuple[Tensor, Tensor]:
    """Stack lists of rows, (parts, longest), filled up with row 0, and their lengths, (parts,)."""
    table = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for at, own in enumerate(rows):
        table[at, : len(own)] = own
    return torch.from_numpy(table), torch.tensor([len(own) for own in rows])
