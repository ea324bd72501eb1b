"""The sizes of a run that follow from each other: batch, fixed sample, steps, window and the spacing of the curve."""

from __future__ import annotations

import dataclasses

from mibench.core.errors import UsageError
from mibench.experiments.options import PATIENCE, Budget
from mibench.experiments.reading import Combination
from mibench.experiments.specs import split_sizes


@dataclasses.dataclass(frozen=True)
class Lengths:
    """The sizes of a run, named as in `mibench.experiments.specs.RunSpec`."""

    batch: int
    steps: int
    window: int
    every: int
    regime: str = "stream"
    samples: int | None = None
    patience: int | None = None


def resolve_lengths(chosen: Combination, budget: Budget, stairs: int, *, takes_sample: bool) -> Lengths:
    """Resolve what is not given from what is, and refuse sizes that do not go together.

    Parameters
    ----------
    chosen
        The options of the run.
    budget
        What stands for steps that are not given.
    stairs
        Levels of the staircase; 0 where MI is constant.
    takes_sample
        Whether the estimator takes a sample as a whole, once.

    Raises
    ------
    UsageError
        With the first reason.
    """
    _check_sample(chosen, stairs)
    batch, samples = chosen.batch, chosen.samples
    steps = _steps(chosen.steps, budget, max(stairs, 1))
    per_stair = steps // max(stairs, 1)
    spacing, span = max(1, steps // 200), max(1, min(1000, per_stair // 2))
    epoch = 0 if samples is None else split_sizes(samples)[0] // batch
    # A checkpoint costs a pass over the validation part: once an epoch is enough, but for very long ones.
    every = chosen.every or max(spacing, min(epoch, steps // 20))
    if samples is not None:  # an epoch before the best checkpoint: earlier critics have nothing to do with it
        span = min(steps, max(epoch, every))
    window = chosen.window or span
    if window > per_stair:
        raise UsageError(f"a window of {window} steps is longer than a stair of {per_stair}; use a shorter one")
    if every > steps:
        raise UsageError(f"every {every} is more than the {steps} steps of a run; use a smaller spacing")
    if samples is None:
        return Lengths(batch, steps, window, every)
    if takes_sample:  # once, as a whole: what is trained on it by others does not matter
        return Lengths(batch=samples, steps=1, window=1, every=1, regime="dataset", samples=samples)
    return Lengths(batch, steps, window, every, "dataset", samples, chosen.patience or PATIENCE)


def _check_sample(chosen: Combination, stairs: int) -> None:
    if chosen.samples is None and chosen.patience is not None:
        raise UsageError("patience is for runs on a fixed sample; give samples too, or leave patience out")
    if chosen.samples is not None and stairs:
        raise UsageError("a schedule needs fresh pairs on every stair, which samples fixes; leave one of them out")


def _steps(given: int | None, budget: Budget, stairs: int) -> int:
    if given is None:
        return -(-budget.steps // stairs) * stairs
    if given % stairs:
        raise UsageError(f"steps {given} cannot be shared evenly by {stairs} stairs; use a multiple of {stairs}")
    return given
