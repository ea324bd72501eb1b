"""Optimisers over the flat parameters of a pack: torch's fused kernels, called directly.

Notable: `torch.optim` imports torch's compiler when its first optimiser is built, which takes a worker as long as torch
itself, and checks its groups anew at every step. The kernels, and so the bits, are the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8
"""What Adam adds to the root of a gradient's mean square."""


@dataclasses.dataclass(frozen=True)
class Group:
    """Parameters of one type that share a learning rate and an L2 penalty, with their gradients, as views."""

    parameters: list[Tensor]
    gradients: list[Tensor]
    lr: float
    weight_decay: float


class Optimiser(Protocol):
    """What training asks of an optimiser."""

    def step(self) -> None:
        """Move the parameters against their gradients, in place."""
        ...

    def reset(self) -> None:
        """Set averages and step counts back to zero, in place."""
        ...


class Adam:
    """Adam (Kingma and Ba, 2015, algorithm 1) with bias correction; the penalty is added to the gradient."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = [
            (group, _zeros_like(group.parameters), _zeros_like(group.parameters), _counts(group)) for group in groups
        ]

    def step(self) -> None:
        """As `Optimiser.step`."""
        for group, means, squares, counts in self._groups:
            torch._foreach_add_(counts, 1)
            torch._fused_adam_(
                group.parameters,
                group.gradients,
                means,
                squares,
                [],
                counts,
                lr=group.lr,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=group.weight_decay,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    @property
    def state(self) -> list[list[list[Tensor]]]:
        """Of each group the running means of gradients and of their squares, and the step counts; updated in place."""
        return [state for _, *state in self._groups]

    def reset(self) -> None:
        """As `Optimiser.reset`."""
        for state in self.state:
            for tensors in state:
                torch._foreach_zero_(tensors)


class Descent:
    """Gradient descent, with momentum if told: ``v <- momentum v + g``, ``p <- p - lr v``."""

    def __init__(self, groups: Sequence[Group], momentum: float) -> None:
        self._momentum = momentum
        self._groups = [(group, _zeros_like(group.parameters) if momentum else []) for group in groups]

    def step(self) -> None:
        """As `Optimiser.step`."""
        for group, velocities in self._groups:
            torch._fused_sgd_(
                group.parameters,
                group.gradients,
                velocities,
                weight_decay=group.weight_decay,
                momentum=self._momentum,
                lr=group.lr,
                dampening=0.0,
                nesterov=False,
                maximize=False,
                is_first_step=False,  # velocities start at zero, which comes to the same
            )

    def reset(self) -> None:
        """As `Optimiser.reset`."""
        for _, velocities in self._groups:
            if velocities:
                torch._foreach_zero_(velocities)


def _zeros_like(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [torch.zeros_like(tensor) for tensor in tensors]


def _counts(group: Group) -> list[Tensor]:
    """Steps done, one count a parameter on its device, as the kernel wants it."""
    return [torch.zeros((), dtype=torch.float32, device=tensor.device) for tensor in group.parameters]
