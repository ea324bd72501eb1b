"""Tasks and estimators whose attributes are not what a row can hold, one attribute each; those named odd-numpy are."""

from __future__ import annotations

import os
import time
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

import mibench
from mibench.estimators.nwj import NWJ


class _Pairs(mibench.Task):
    """Two columns, of which y is x with noise."""

    dim_x = 2
    dim_y = 2
    mi = 0.5

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, noise = torch.randn(2, n, 2, generator=generator)
        return x, x + noise


def _raises(task: mibench.Task) -> float:
    raise KeyError("no such row")


def _leaves(task: mibench.Task) -> float:
    os._exit(3)


def _hangs(task: mibench.Task) -> float:
    while True:
        time.sleep(1)


TASKS: dict[str, dict[str, Any]] = {
    "odd-tensor": {"mi": torch.tensor(0.5)},
    "odd-text": {"mi": "0.5"},
    "odd-truth": {"mi": True},
    "odd-object": {"mi": object()},
    "odd-nan": {"mi": float("nan")},
    "odd-infinite": {"mi": float("inf")},
    "odd-huge": {"mi": 10**400},
    "odd-negative": {"mi": -0.5},
    "odd-raises": {"mi": property(_raises)},
    "odd-leaves": {"mi": property(_leaves)},
    "odd-hangs": {"mi": property(_hangs)},
    "odd-error": {"mi_se": torch.tensor(0.1)},
    "odd-method": {"mi_method": "by heart"},
    "odd-columns": {"dim_x": torch.tensor(2)},
    "odd-width": {"dim_x": property(_raises)},
    "odd-numpy": {"mi": np.float32(0.5), "dim_x": np.int64(2), "mi_se": Fraction(0)},
}
ESTIMATORS: dict[str, dict[str, Any]] = {
    "odd-ceiling": {"ceiling": lambda self, n, m: torch.tensor(2.0)},
    "odd-nan-ceiling": {"ceiling": lambda self, n, m: float("nan")},
    "odd-kind": {"kind": "lowr"},
    "odd-numpy-ceiling": {"ceiling": lambda self, n, m: np.float32(2.0)},
}

for name, body in TASKS.items():
    mibench.register_task(name)(type(name, (_Pairs,), {"__doc__": name, "__module__": __name__, **body}))
for name, body in ESTIMATORS.items():
    mibench.register_estimator(name)(type(name, (NWJ,), {"__doc__": name, "__module__": __name__, **body}))
