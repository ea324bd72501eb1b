"""Small runs for tests: a base of options, and packs of what it resolves to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from mibench.experiments.grid import resolve
from mibench.experiments.specs import RunSpec
from mibench.training.components import Run
from mibench.training.pack import Pack


def specs_over(base: Mapping[str, Any]) -> Callable[..., list[RunSpec]]:
    """Return a function of options that resolves the base with them in place of its own."""

    def specs_of(**options: Any) -> list[RunSpec]:
        return resolve({**base, **options})

    return specs_of


def pack_over(specs: Sequence[RunSpec]) -> Pack:
    """Build a pack on the CPU."""
    return Pack([Run.from_spec(spec) for spec in specs], torch.device("cpu"))
