"""The regime ``dataset``: a fixed sample of n pairs, split, early stopping, and one test value.

Notable:

- The sample depends on task, MI level, n and seed alone (`mibench.core.streams.sample_stream`), so that estimators and
  critics are compared on the same pairs. They are independent, so that the split needs no shuffling: the first 60
  percent are trained on, the next 20 choose when to stop, the last 20 give the value.
- Every part is evaluated on whole batches of the training size, with negatives from that part: values of training,
  validation and test have one ceiling. The validation batches and their negatives are the same at every checkpoint.
- Runs of a pack stop at different steps. Those that have ended are trained on with the others, since a stack has one
  shape, but nothing is kept of it: their numbers are those of a run alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mibench.core.estimator import SampleEstimator
from mibench.core.streams import Purpose, sample_stream
from mibench.experiments.specs import split_sizes
from mibench.training.components import Run
from mibench.training.pack import Pack
from mibench.training.regimes import Regime, Span, Stream
from mibench.training.series import Series
from mibench.training.sources import BesideSource, EpochSource, Feed, block_steps

HeldOut = Literal["validation", "test"]
_STREAMS: Mapping[HeldOut, tuple[Purpose, Purpose]] = {
    "validation": ("validation-negatives", "validation-marginal"),
    "test": ("test-negatives", "test-marginal"),
}


class Pairs(NamedTuple):
    """A set of pairs, (n, dim_x) and (n, dim_y)."""

    x: Tensor
    y: Tensor


class Split(NamedTuple):
    """The parts of a fixed sample: disjoint, and together all of it."""

    train: Pairs
    validation: Pairs
    test: Pairs


def regime_of(pack: Pack) -> Regime:
    """Return the regime of a pack; its runs share one."""
    if pack.runs[0].spec.regime == "stream":
        return Stream(pack)
    return WholeSample(pack) if isinstance(pack.runs[0].estimator, SampleEstimator) else EarlyStopping(pack)


def fixed_sample(run: Run) -> Pairs:
    """Draw the fixed sample of a run; the same for all runs on this task, level, n and seed."""
    assert run.spec.samples is not None
    return Pairs(*run.tasks[0].sample(run.spec.samples, sample_stream(run.spec.sample_name)))


def split(sample: Pairs) -> Split:
    """Cut a sample of independent pairs into its parts; see `mibench.experiments.specs.split_sizes`."""
    sizes = split_sizes(len(sample.x))
    return Split(*(Pairs(x, y) for x, y in zip(sample.x.split(sizes), sample.y.split(sizes), strict=True)))


@dataclasses.dataclass
class Watch:
    """The checkpoints of one run: which was the best, and whether the run has ended.

    A criterion that is not finite is worse than any other; the first checkpoint is the best until there is a better.

    Parameters
    ----------
    patience
        Checkpoints without a better one after which the run ends.
    """

    patience: int
    best: float = math.inf
    reported: int | None = None
    end: int | None = None
    _waited: int = 0

    def improves(self, step: int, criterion: float) -> bool:
        """Note a checkpoint; whether it is the best so far. Nothing counts once the run has ended."""
        if self.end is not None:
            return False
        if self.reported is None or (math.isfinite(criterion) and criterion < self.best):
            self.best = criterion if math.isfinite(criterion) else math.inf
            self.reported, self._waited = step, 0
            return True
        self._waited += 1
        if self._waited == self.patience:
            self.end = step
        return False


class EarlyStopping(Regime):
    """Training on a part of a fixed sample, in epochs; the parameters with the least validation loss are reported.

    The criterion is the loss, since not every estimator is better where its estimate is higher: an upper bound has its
    own loss. For a surrogate loss, whose value means nothing, it is minus the estimate.
    """

    def __init__(self, pack: Pack) -> None:
        super().__init__(pack)
        self._splits = [
            Split(*(Pairs(*(side.to(pack.device) for side in part)) for part in split(fixed_sample(run))))
            for run in pack.runs
        ]
        self.watches = [Watch(run.spec.patience) for run in pack.runs if run.spec.patience is not None]
        self._kept: list[list[Tensor]] = []
        self._validation = self._test = [math.nan] * len(pack.runs)

    def training_feed(self, stair: int) -> Feed:
        """Begin training; see `Regime.training_feed`."""
        self._kept = [[tensor.clone() for tensor in self.pack.state_of(r)] for r in range(len(self.pack.runs))]
        orders = [self.pack.stream(run, "data", stair) for run in self.pack.runs]
        return self._feed([one.train for one in self._splits], orders, "negatives", "marginal")

    def checkpoint(self, stair: int, step: int, raw: Tensor) -> bool:
        """Evaluate the validation parts, and keep what has become better; see `Regime.checkpoint`."""
        losses, estimates = self._evaluate("validation")
        self.pack.history.add_point(step, stair, torch.from_numpy(estimates), self.pack.ess(raw))
        for r, (run, watch) in enumerate(zip(self.pack.runs, self.watches, strict=True)):
            if watch.improves(step, float(-estimates[r] if run.estimator.surrogate_loss else losses[r])):
                self._validation[r] = float(estimates[r])
                for kept, now in zip(self._kept[r], self.pack.state_of(r), strict=True):
                    kept.copy_(now)
        return any(watch.end is None for watch in self.watches)

    def finish(self) -> None:
        """Put back the best parameters, and take the test value, once; see `Regime.finish`."""
        for r, watch in enumerate(self.watches):
            watch.end = self.pack.history.steps_done if watch.end is None else watch.end
            for kept, now in zip(self._kept[r], self.pack.state_of(r), strict=True):
                now.copy_(kept)
        self._test = self._evaluate("test")[1].tolist()

    def span(self, r: int, stair: int) -> Span:
        """Return the run's own end and its best checkpoint; see `Regime.span`."""
        watch = self.watches[r]
        assert watch.end is not None
        assert watch.reported is not None
        return Span(start=0, end=watch.end, reported=watch.reported)

    def columns(self, r: int) -> dict[str, Any]:
        """Return test and validation values, and the loss that chose; see `Regime.columns`."""
        return {
            "estimate_test": self._test[r],
            "estimate_validation": self._validation[r],
            "validation_loss": self.watches[r].best if math.isfinite(self.watches[r].best) else None,
            "stopped_at": self.watches[r].reported,
        }

    def _evaluate(self, name: HeldOut) -> tuple[Series, Series]:
        """Mean loss and mean estimate over the whole batches of one part, (R,) each in float64."""
        pack = self.pack
        for scorer in pack.scorers:
            scorer.rewind()
        parts = [getattr(one, name) for one in self._splits]
        feed = self._feed(parts, [None] * len(parts), *_STREAMS[name])
        count, longest = len(parts[0].x) // pack.batch, block_steps(pack.batch, pack.shape.dim_x, pack.shape.dim_y)
        values = []
        for start in range(0, count, longest):
            batches = feed.block(min(longest, count - start))
            values += [torch.stack(pack.evaluate(batches.step(s))) for s in range(min(longest, count - start))]
        # Rows of one run each: the order of a sum must not depend on how many runs there are.
        by_run = np.ascontiguousarray(torch.stack(values, -1).cpu().double().numpy())  # (2, R, batches)
        with np.errstate(invalid="ignore"):
            losses, estimates = (np.array([row.mean() for row in side]) for side in by_run)
        return losses, estimates

    def _feed(
        self,
        parts: Sequence[Pairs],
        orders: Sequence[torch.Generator | None],
        negatives: Purpose,
        marginal: Purpose,
    ) -> Feed:
        """Batches of one part of every run; samplers that contrast with further y draw them from the same part."""
        sources = [EpochSource(part.x, part.y, order) for part, order in zip(parts, orders, strict=True)]
        streams = [self.pack.stream(run, marginal, 0) for run in self.pack.runs]
        beside = [BesideSource(source, stream) for source, stream in zip(sources, streams, strict=True)]
        return self.pack.feed_from(0, sources, beside, negatives)


class WholeSample(Regime):
    """Estimators that take a sample: they get all n pairs once. Nothing is trained, so that nothing is split off."""

    final_batches = 0

    def training_feed(self, stair: int) -> Feed:
        """Return the sample as the one batch; see `Regime.training_feed`."""
        sources = []
        for run in self.pack.runs:
            x, y = (side.to(self.pack.device) for side in fixed_sample(run))
            sources.append(EpochSource(x, y, None))
        return self.pack.feed_from(stair, sources, sources, "negatives")

    def checkpoint(self, stair: int, step: int, raw: Tensor) -> bool:
        """Add the one point, which has no validation value; see `Regime.checkpoint`."""
        nothing = torch.full((len(self.pack.runs),), torch.nan)
        self.pack.history.add_point(step, stair, nothing, nothing)
        return False

    def span(self, r: int, stair: int) -> Span:
        """Return the one step; see `Regime.span`."""
        return Span(start=0, end=1, reported=1)

    def columns(self, r: int) -> dict[str, Any]:
        """Return the value on all pairs; see `Regime.columns`."""
        return {"estimate_test": float(self.pack.history.estimates(r, 0, 1)[0])}
