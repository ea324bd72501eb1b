"""The optimisers against torch's own, bit for bit; and what they are for: no compiler is imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

from mibench.training.optimisers import Adam, Descent, Group, Optimiser

RATES = ((1e-3, 0.0), (5e-2, 1e-2))
SHAPES = ((7,), (3, 5))
OPTIMISERS: dict[
    str, tuple[Callable[[list[Group]], Optimiser], Callable[[list[dict[str, Any]]], torch.optim.Optimizer]]
] = {
    "adam": (Adam, lambda groups: torch.optim.Adam(groups, fused=True)),
    "descent": (lambda groups: Descent(groups, 0.0), lambda groups: torch.optim.SGD(groups, lr=0.0, fused=True)),
    "momentum": (
        lambda groups: Descent(groups, 0.9),
        lambda groups: torch.optim.SGD(groups, lr=0.0, momentum=0.9, fused=True),
    ),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_bit_is_that_of_torch(name: str, dtype: torch.dtype) -> None:
    ours, theirs = OPTIMISERS[name]
    generator = torch.Generator().manual_seed(3)

    def draw() -> list[list[torch.Tensor]]:
        return [[torch.randn(shape, generator=generator, dtype=dtype) for shape in SHAPES] for _ in RATES]

    parameters, gradients = draw(), draw()
    copies = [[tensor.clone().requires_grad_() for tensor in group] for group in parameters]
    pairs = list(zip(parameters, gradients, RATES, strict=True))
    optimiser = ours([Group(values, slopes, *rates) for values, slopes, rates in pairs])
    reference = theirs(
        [{"params": group, "lr": lr, "weight_decay": decay} for group, (lr, decay) in zip(copies, RATES, strict=True)]
    )
    start = [[tensor.clone() for tensor in group] for group in parameters]
    for again in range(2):  # the second time after a reset, from the start
        for step in range(20):
            for group, twins, values in zip(gradients, copies, draw(), strict=True):
                for gradient, twin, value in zip(group, twins, values, strict=True):
                    gradient.copy_(value)
                    twin.grad = value.clone()
            optimiser.step()
            reference.step()
            assert all(
                torch.equal(one, twin) for one_group, twins in zip(parameters, copies, strict=True)
                for one, twin in zip(one_group, twins, strict=True)
            ), (again, step)  # fmt: skip
        optimiser.reset()
        reference.state.clear()
        for group, twins, values in zip(parameters, copies, start, strict=True):
            for tensor, twin, value in zip(group, twins, values, strict=True):
                tensor.copy_(value)
                twin.data.copy_(value)


def test_training_imports_no_compiler() -> None:
    code = (
        "import sys; from mibench.experiments.grid import resolve; from mibench.training.loop import train_pack\n"
        "train_pack(resolve({'task': 'gaussian20d:dim=2', 'mi': 1.0, 'estimator': 'nwj', 'batch': 8, 'hidden': '1x4', "
        "'steps': 2, 'seeds': 1}))\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
