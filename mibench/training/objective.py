"""The objectives of a pack: losses, estimates and the gradient of the scores, for mixed estimators.

Notable: neighbouring runs with the same estimator are evaluated as one stack where that cannot change a bit. Vector
kernels treat the last few numbers of a tensor apart from the others; with a batch size that is a multiple of 32 no run
ends in such a tail, so that its numbers do not depend on its company. Other batch sizes are evaluated run by run.

In half precision the scores are rounded, and loss and gradient are computed in it, without a scaling of the loss; the
gradient goes back to the critic in the critic's own precision. Estimates are made of the rounded scores in the critic's
precision, so that they can be compared. What estimators carry from step to step stays in float32, like weights.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from mibench.core.estimator import Estimator
from mibench.core.scorer import as_scores
from mibench.core.scores import Scores, effective_sample_size

_VECTOR = 32


@dataclasses.dataclass(frozen=True)
class _Group:
    """Neighbouring runs with one estimator."""

    runs: slice
    estimator: Estimator
    state: Tensor | None  # (runs, state_size), updated in place


class Objective:
    """Losses and estimates of a pack.

    Parameters
    ----------
    estimators
        The estimator of each run.
    batch
        Batch size N.
    all_pairs
        Layout of the raw scores; see `mibench.core.scorer`.
    device
        Where the state is kept.
    dtype
        What scores are rounded to, and losses and gradients are computed in; None leaves the critic's.
    """

    def __init__(
        self,
        estimators: Sequence[Estimator],
        batch: int,
        *,
        all_pairs: bool,
        device: torch.device,
        dtype: torch.dtype | None = None,
    ) -> None:
        self._batch, self._all_pairs, self._dtype = batch, all_pairs, dtype
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

    def state_of(self, run: int) -> list[Tensor]:
        """What a run's estimator carries from step to step, as a view; empty where it carries nothing."""
        group, r = self._place(run)
        return [] if group.state is None else [group.state[r]]

    def transform(self, run: int) -> Callable[[Scores], Scores] | None:
        """Return what becomes of a run's scores before its estimate, at its present state; None where nothing does."""
        group, r = self._place(run)
        state = None if group.state is None else group.state[r].clone()
        if state is None and self._dtype is None:
            return None

        def apply(scores: Scores) -> Scores:
            if self._dtype is not None:
                scores = _cast(_cast(scores, self._dtype), scores.pos.dtype)
            return scores if state is None else group.estimator.transform(scores, state)

        return apply

    def inverse_temperature(self, run: int) -> float | None:
        """Return the factor that a run's estimator puts on its scores at its present state; None without one."""
        group, r = self._place(run)
        factor = None if group.state is None else group.estimator.inverse_temperature(group.state[r])
        return None if factor is None else float(factor)

    def effective_sample_size(self, raw: Tensor) -> Tensor:
        """ESS of a batch, (R,), from raw scores, with the state that the last step left."""
        reported = (self._scores(group, raw[group.runs], {}, None)[1] for group in self._groups)
        return _join([effective_sample_size(scores) for scores in reported])

    def _place(self, run: int) -> tuple[_Group, int]:
        """A run's group, and its place in it."""
        group = next(group for group in self._groups if group.runs.start <= run < group.runs.stop)
        return group, run - group.runs.start

    @torch.enable_grad()
    def step(
        self, raw: Tensor, extras: Mapping[str, Tensor], log_weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Take the gradient of the losses, and advance the state.

        Parameters
        ----------
        raw
            Raw scores of all runs.
        extras
            Raw values of what stands beside the critic, by name.
        log_weights
            Of negatives from a proposal, (R, N, M).

        Returns
        -------
        loss, estimate, gradients
            Shapes (R,) and (R,), and the gradients with respect to the raw scores and to each of the extras.
        """
        losses: list[Tensor] = []
        estimates: list[Tensor] = []
        gradients = []
        for group in self._groups:
            leaves = [tensor[group.runs].detach().requires_grad_() for tensor in (raw, *extras.values())]
            given, reported = self._scores(group, leaves[0], dict(zip(extras, leaves[1:], strict=True)), log_weights)
            if group.state is None:
                loss = group.estimator.loss(given)
            else:
                loss, state = group.estimator.stateful_loss(given, group.state)
                group.state.copy_(state.detach())
            # A loss may leave an extra out; its gradient is then zero.
            gradients.append(torch.autograd.grad(loss.sum(), leaves, allow_unused=True, materialize_grads=True))
            losses.append(loss.detach().to(raw.dtype))
            with torch.no_grad():
                estimates.append(self._estimate(group, losses[-1], reported))
        return _join(losses), _join(estimates), [_join(parts) for parts in zip(*gradients, strict=True)]

    @torch.no_grad()
    def evaluate(
        self, raw: Tensor, extras: Mapping[str, Tensor], log_weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Loss (R,) and estimate (R,) without a gradient and without touching the state."""
        losses, estimates = [], []
        for group in self._groups:
            own = {name: values[group.runs] for name, values in extras.items()}
            given, reported = self._scores(group, raw[group.runs], own, log_weights)
            losses.append(group.estimator.loss(given).to(raw.dtype))
            estimates.append(self._estimate(group, losses[-1], reported))
        return _join(losses), _join(estimates)

    def _estimate(self, group: _Group, loss: Tensor, reported: Scores) -> Tensor:
        """The estimate, (runs,), which may be the negative of the loss and need not be computed again then."""
        same = type(group.estimator).loss is Estimator.loss and group.state is None and self._dtype is None
        return -loss if same else group.estimator.estimate(reported)

    def _scores(
        self, group: _Group, raw: Tensor, extras: Mapping[str, Tensor], log_weights: Tensor | None
    ) -> tuple[Scores, Scores]:
        """What a group's loss is given, and what its estimate is made of: the same but for their precision."""
        scores = as_scores(raw, self._batch, all_pairs=self._all_pairs, extras=extras)
        if log_weights is not None:
            scores = dataclasses.replace(scores, log_weights=log_weights[group.runs])
        if self._dtype is None:
            given = _shaped(scores, group)
            return given, given
        rounded = _cast(scores, self._dtype)
        return _shaped(rounded, group), _shaped(_cast(rounded, raw.dtype), group)


def _shaped(scores: Scores, group: _Group) -> Scores:
    return scores if group.state is None else group.estimator.transform(scores, group.state)


def _cast(scores: Scores, dtype: torch.dtype) -> Scores:
    cast = scores.map(lambda tensor: tensor.to(dtype))
    return cast if cast.log_weights is None else dataclasses.replace(cast, log_weights=cast.log_weights.to(dtype))


def _join(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(tuple(parts))
