"""What a run needs of memory, before anything of it is allocated.

Notable: critics are built on torch's ``meta`` device, where tensors have sizes and no contents, so that what they hold
is counted and not guessed; the rest (data, negatives, scores, pools) follows from sizes alone. It is an estimate of the
peak: some factors are of what autograd and Adam keep, and a plug-in may hold more than it shows.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from mibench.core.estimator import SampleEstimator
from mibench.core.faults import exceptions_alone
from mibench.core.scorer import Shape
from mibench.core.task import Task
from mibench.critics.joint import KEPT_NUMBERS
from mibench.experiments.specs import RunSpec
from mibench.training.components import Run, architecture, build_scorers
from mibench.training.evaluation import SAMPLE_POOL, choose_pool
from mibench.training.sources import block_steps

_FLOAT32, _FLOAT64, _INT64 = 4, 8, 8
_TRAINED = 4  # times a parameter: itself, its gradient, and Adam's two averages
_DRAWN = _FLOAT64 + _FLOAT32  # tasks draw in float64, critics take float32
_COUNTABLE = 2.0**50  # numbers that no machine holds, beyond which there is nothing to count on
_DEEP = 100  # layers: deeper ones take long to build, and are counted by the formula
_SCORE = 8 * _FLOAT64  # a score with what the objective makes of it, and its gradient


class Memory(NamedTuple):
    """What a run adds to a worker process, bytes.

    Parameters
    ----------
    held
        As long as its pack is trained, beside that of the pack's other runs.
    passing
        While it is evaluated at the end, when the other runs are not.
    """

    held: float
    passing: float


def memory_of(spec: RunSpec) -> Memory:
    """Estimate the peak memory that one run adds to a worker process.

    Raises
    ------
    UsageError
        Where a component is unknown or refuses its parameters.
    """
    run = Run.from_spec(spec)
    task, batch = run.tasks[0], spec.batch
    sampler = run.sampler.bound_to(task)
    per_row, pool = sampler.per_row(batch), sampler.pool(batch, task)
    dims = task.dim_x + task.dim_y
    total = 3.0 * spec.steps * _FLOAT64  # the history of losses, estimates and fixed points
    total += (spec.samples or 0) * dims * 2 * _DRAWN  # the sample, and its parts
    block = block_steps(batch, task.dim_x, task.dim_y)
    total += block * (batch * task.dim_x + pool * task.dim_y) * _DRAWN
    if isinstance(run.estimator, SampleEstimator):
        return Memory(total, float(SAMPLE_POOL * dims * _DRAWN))
    pairs = batch * (batch if sampler.all_pairs else 1 + per_row)
    if not sampler.all_pairs:
        total += block * batch * per_row * (_INT64 + (_FLOAT64 if sampler.has_weights else 0))
    total += pairs * _SCORE * (1 + len(run.estimator.extras))
    layers = architecture(spec)
    units = layers.depth * layers.width if "hidden" in run.critic.uses else 0
    rows = batch + pool if run.critic.cheap_pool else pairs
    kept = rows * units if layers.has_dropout else min(rows * units, KEPT_NUMBERS)
    total += 2 * kept * _FLOAT32
    total += _TRAINED * _parameters(run, task, batch, pool)
    chosen = choose_pool(run.estimator, per_row=per_row, cheap=run.critic.cheap_pool, paired=sampler.paired_pool)
    # Where every pair of the pool passes through the critic, it does so in blocks that the allocator may not give back.
    passed = chosen.pairs ** (2 if chosen.negatives > 1 and not run.critic.cheap_pool else 1)
    return Memory(total, float(chosen.pairs * dims * _DRAWN + passed * layers.width * _FLOAT32 * bool(units)))


def _parameters(run: Run, task: Task, batch: int, pool: int) -> float:
    """Bytes of the parameters of a run's critic and of what stands beside it."""
    layers = architecture(run.spec)
    sides = task.dim_x + task.dim_y
    perceptron = (sides + 1) * layers.width + (layers.depth - 1) * (layers.width + 1) * layers.width + layers.width
    numbers = float(perceptron * (1 + len(run.estimator.extras))) if "hidden" in run.critic.uses else float(sides)
    guess = numbers * _FLOAT32
    if numbers > _COUNTABLE or layers.depth > _DEEP:
        return guess
    shape = Shape(1, batch, pool, task.dim_x, task.dim_y, torch.device("meta"))
    try:
        with exceptions_alone(), torch.device("meta"):
            scorer, extras = build_scorers(run, shape, [run.estimator])
    except Exception:  # a plug-in's module may ask for contents; what is wrong with it is for the run to say
        return guess
    return float(sum(part.parameters.nbytes for part in (scorer, *extras.values())))
