"""Which runs are trained together, and which packs first.

Notable: a run's numbers do not depend on its pack, so the planner is free. Packs are as large as the engine likes them,
unless that left a worker idle; the long ones start first, so that the workers finish together.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Hashable, Mapping, Sequence

from mibench.core.registry import ESTIMATORS
from mibench.experiments.specs import RunSpec, parse_hidden

Pack = tuple[RunSpec, ...]

# What may differ between the runs of a pack: it changes data, weights or the objective, never a shape.
_FREE = frozenset({"task", "task_params", "schedule", "estimator", "estimator_params", "lr", "weight_decay", "seed"})
# A core's caches hold what few costly critics compute; cheap ones spend their time on calls, which a larger pack shares
# (docs/measured.md).
_CPU_PACK = 4
_LIGHT_CPU_PACK = 16
_LIGHT_STEP = 2**24  # multiplications, those of a separable 2x256 at N = 64
_CUDA_PACK = 64


def pack(
    specs: Sequence[RunSpec], *, jobs: int, device: str, codes: Mapping[str, str] | None = None
) -> tuple[Pack, ...]:
    """Group runs that can be stacked into packs of nearly equal size, the most expensive pack first.

    ``codes`` holds, by run id, the code from outside that runs are trained with: runs of a pack share it, so that what
    such code turns out to use while it trains is known to be theirs.
    """
    groups: dict[Hashable, list[RunSpec]] = {}
    for spec in specs:
        groups.setdefault((pack_key(spec), (codes or {}).get(spec.run_id)), []).append(spec)
    members = list(groups.values())
    counts = [math.ceil(len(runs) / pack_size(runs[0], device)) for runs in members]
    costs = [cost(runs) for runs in members]
    while sum(counts) < jobs:
        # The group with the longest packs gets one more, as long as a pack of it can be split.
        lengths = [c / n if n < len(runs) else 0.0 for c, runs, n in zip(costs, members, counts, strict=True)]
        if not lengths or max(lengths) == 0:
            break
        counts[lengths.index(max(lengths))] += 1
    packs = [part for runs, n in zip(members, counts, strict=True) for part in _split(runs, n)]
    return tuple(sorted(packs, key=cost, reverse=True))


def _split(runs: Sequence[RunSpec], parts: int) -> list[Pack]:
    """Split into parts whose sizes differ by at most one."""
    bounds = [len(runs) * k // parts for k in range(parts + 1)]
    return [tuple(runs[a:b]) for a, b in itertools.pairwise(bounds)]


def cost(runs: Sequence[RunSpec]) -> float:
    """Estimate a pack's time up to a factor: good for an order, not for a clock."""
    return sum(spec.steps * _cost_of_step(spec) for spec in runs)


def _cost_of_step(spec: RunSpec) -> float:
    """Multiplications of a step: rows through the critic times its weights; pairs count where every pair is a row."""
    depth, width = parse_hidden(spec.hidden) if spec.hidden else (1, 32)
    every_pair = spec.critic.startswith("joint") and spec.negatives.startswith("all-pairs")
    rows = spec.batch**2 if every_pair else 2 * spec.batch
    return float(rows * depth * width**2)


def pack_key(spec: RunSpec) -> Hashable:
    """Return what the runs of a pack have in common: critic, sampler, sizes, steps and extras.

    Tasks are told apart by their versioned name and the parameters other than MI, which fix the dimensions.
    """
    shared = tuple((f.name, getattr(spec, f.name)) for f in dataclasses.fields(spec) if f.name not in _FREE)
    shape = tuple(pair for pair in spec.task_params if pair[0] != "mi")
    return shared, spec.task, shape, spec.stairs, _beside(spec)


def pack_size(spec: RunSpec, device: str) -> int:
    """Return how many runs like this one are best trained together on a device."""
    if device == "cuda":
        return _CUDA_PACK
    return _LIGHT_CPU_PACK if spec.hidden and _cost_of_step(spec) <= _LIGHT_STEP else _CPU_PACK


def _beside(spec: RunSpec) -> Hashable:
    """What stands beside the critic, and what the critic sees."""
    estimator = ESTIMATORS.create(spec.estimator, dict(spec.estimator_params))
    return estimator.extras, estimator.critic_sees
