"""The options that a grid is written in: their names, their defaults, and the words that some take.

How an option is read is in `mibench.experiments.reading`. Nothing here imports torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from mibench.core.errors import UsageError, did_you_mean

OPTION_NAMES = (
    "task",
    "mi",
    "schedule",
    "estimator",
    "batch",
    "samples",
    "critic",
    "hidden",
    "activation",
    "dropout",
    "weight_decay",
    "precision",
    "negatives",
    "optimiser",
    "steps",
    "lr",
    "seeds",
    "seed",
    "window",
    "every",
    "patience",
    "budget",
)
"""Every option of a grid, in the order in which the product runs: the first varies slowest."""

DEFAULTS: Mapping[str, Any] = {
    "critic": "joint-v1",
    "hidden": "2x256",
    "activation": "relu",
    "dropout": 0.0,
    "weight_decay": 0.0,
    "precision": "float32",
    "optimiser": "adam",
    "lr": 5e-4,
    "batch": 64,
    "budget": "standard",
}
"""What is taken where an option is not given; the others are derived (see `mibench.experiments.grid.resolve`)."""

PATIENCE = 10
"""Checkpoints without improvement on the validation part after which a run on a fixed sample stops."""

ACTIVATIONS = ("relu", "elu")
"""Activations of the stock critics."""

PRECISIONS = ("float32", "bfloat16", "bfloat16-products", "float16-scores", "bfloat16-scores")
"""How a run computes; what each stands for is in `mibench.training.precision.PRECISIONS`.

A name stands for one arithmetic and is part of a run's id: other arithmetic is another name.
"""

PRODUCT_PRECISIONS = ("bfloat16", "bfloat16-products")
"""Those that concern a critic's products, and critics without any therefore not."""

OPTIMISERS = ("adam", "sgd")
"""Optimisers: Adam with torch's averages, and stochastic gradient descent, with momentum where it is given."""


@dataclasses.dataclass(frozen=True)
class Budget:
    """What one word on effort stands for: training steps and seeds; both yield to explicit ones."""

    steps: int
    seeds: int


BUDGETS: Mapping[str, Budget] = {
    "quick": Budget(steps=1000, seeds=1),
    "standard": Budget(steps=3000, seeds=2),
    "paper": Budget(steps=20000, seeds=5),
}


def check_option_name(name: str, *, where: str = "", extra: Sequence[str] = ()) -> None:
    """Refuse a name that is no option.

    Parameters
    ----------
    name
        The name as the user wrote it.
    where
        Where it stands, for the message: ``" in 'grid.toml'"``.
    extra
        Further names that are allowed there.

    Raises
    ------
    UsageError
        With the nearest names.
    """
    if name not in (*OPTION_NAMES, *extra):
        raise UsageError(f"unknown option '{name}'{where}{did_you_mean(name, (*OPTION_NAMES, *extra))}")
