"""Which runs can be stacked, and how many at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable

from mibench.core.registry import ESTIMATORS
from mibench.experiments.specs import RunSpec

# What may differ between the runs of a pack: it changes data, weights or the objective, never a shape.
_FREE = frozenset({"task", "task_params", "schedule", "estimator", "estimator_params", "lr", "weight_decay", "seed"})

_CPU_PACK = 4  # 2 to 16 are equally fast on a CPU, 64 is slower: the caches
_CUDA_PACK = 64


def pack_key(spec: RunSpec) -> Hashable:
    """Return what the runs of a pack have in common: critic, sampler, sizes, steps and extras.

    Tasks are told apart by their versioned name and the parameters other than MI, which fix the dimensions.
    """
    shared = tuple((f.name, getattr(spec, f.name)) for f in dataclasses.fields(spec) if f.name not in _FREE)
    shape = tuple(pair for pair in spec.task_params if pair[0] != "mi")
    return shared, spec.task, shape, spec.stairs, _beside(spec)


def pack_size(spec: RunSpec, device: str) -> int:
    """Return how many runs like this one are best trained together on a device."""
    return _CUDA_PACK if device == "cuda" else _CPU_PACK


def _beside(spec: RunSpec) -> Hashable:
    """What stands beside the critic, and what the critic sees."""
    estimator = ESTIMATORS.create(spec.estimator, dict(spec.estimator_params))
    return estimator.extras, estimator.critic_sees
