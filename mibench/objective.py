"""The objectives of a pack: losses, estimates and the gradient of the scores, for mixed estimators.

Notable: neighbouring runs with the same estimator are evaluated as one stack where that cannot change a bit. Vector
kernels treat the last few numbers of a tensor apart from the others; with a batch size that is a multiple of 32 no run
ends in such a tail, so that its numbers do not depend on its company. Other batch sizes are evaluated run by run.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from mibench.interfaces import Estimator
from mibench.scorers import as_scores

_VECTOR = 32


@dataclasses.dataclass(frozen=True)
class _Group:
    """Neighbouring runs with one estimator."""

    runs: slice
    estimator: Estimator
    state: Tensor | None  # (runs, state_size), updated in place

    @property
    def loss_is_estimate(self) -> bool:
        """Whether the estimate is the negative of the loss, so that it need not be computed again."""
        return type(self.estimator).loss is Estimator.loss and self.state is None


class Objective:
    """Losses and estimates of a pack.

    Parameters
    ----------
    estimators
        The estimator of each run.
    batch
        Batch size N.
    all_pairs
        Layout of the raw scores; see `mibench.scorers`.
    device
        Where the state is kept.
    """

    def __init__(self, estimators: Sequence[Estimator], batch: int, *, all_pairs: bool, device: torch.device) -> None:
        self._batch, self._all_pairs = batch, all_pairs
        self._groups = []
        stacked = batch % _VECTOR == 0
        for _, members in itertools.groupby(enumerate(estimators), lambda e: (e[1], None if stacked else e[0])):
            indices, same = zip(*members, strict=True)
            first = same[0].initial_state()
            state = torch.tensor([first] * len(indices), device=device) if same[0].state_size else None
            self._groups.append(_Group(slice(indices[0], indices[-1] + 1), same[0], state))

    @property
    def states(self) -> list[Tensor]:
        """What estimators carry from step to step, updated in place."""
        return [group.state for group in self._groups if group.state is not None]

    @torch.enable_grad()
    def step(self, raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Loss (R,), estimate (R,) and the loss's gradient with respect to the raw scores; advances the state."""
        losses, estimates, gradients = [], [], []
        for group in self._groups:
            leaf = raw[group.runs].detach().requires_grad_()
            scores = as_scores(leaf, self._batch, all_pairs=self._all_pairs)
            if group.state is None:
                loss = group.estimator.loss(scores)
            else:
                loss, state = group.estimator.stateful_loss(scores, group.state)
                group.state.copy_(state.detach())
            (gradient,) = torch.autograd.grad(loss.sum(), leaf)
            losses.append(loss.detach())
            gradients.append(gradient)
            if group.loss_is_estimate:
                estimates.append(-losses[-1])
            else:
                with torch.no_grad():
                    estimates.append(group.estimator.estimate(scores))
        return _join(losses), _join(estimates), _join(gradients)

    @torch.no_grad()
    def evaluate(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Loss (R,) and estimate (R,) without a gradient and without touching the state."""
        losses, estimates = [], []
        for group in self._groups:
            scores = as_scores(raw[group.runs], self._batch, all_pairs=self._all_pairs)
            losses.append(group.estimator.loss(scores))
            estimates.append(-losses[-1] if group.loss_is_estimate else group.estimator.estimate(scores))
        return _join(losses), _join(estimates)


def _join(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)
