"""Large pools made small: they take most of a short run's time, and are no part of most tests.

As a module of a process (`main`), a worker whose runs have small pools.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

SMALL_POOLS: Mapping[str, tuple[str, ...]] = {
    "mibench.training.evaluation": ("PAIRS_POOL", "CHEAP_POOL", "COSTLY_POOL"),
    "mibench.training.rows": ("SAMPLE_POOL",),
}
"""Where the numbers of pairs are read, by module."""

PAIRS = 2**9


def shrink(put: Callable[[Any, str, int], None] = setattr) -> None:
    """Evaluate on large pools of 512 pairs, whatever the critic and the sampler."""
    for module, names in SMALL_POOLS.items():
        for name in names:
            put(importlib.import_module(module), name, PAIRS)


def main() -> None:
    """Be a worker process that has small pools once it is ready."""
    from mibench.running import worker_process

    prepare = worker_process._prepare

    def prepare_and_shrink() -> dict[str, Any]:
        message = prepare()
        if "ready" in message:
            shrink()
        return message

    worker_process._prepare = prepare_and_shrink
    worker_process.main()
