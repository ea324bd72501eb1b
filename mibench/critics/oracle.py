"""The exact critic: the task's own log density ratio, and multiples of it; nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from mibench.core.critic import Architecture, Critic
from mibench.core.estimator import Estimator, Extra
from mibench.core.layout import Layout
from mibench.core.registry import register_critic
from mibench.core.scorer import Scorer, Shape
from mibench.core.task import Task
from mibench.critics.extras import UniformScorer
from mibench.critics.pairwise import score_batch


class OracleScorer(Scorer):
    """The exact critic: a multiple of each run's log density ratio plus a constant; nothing is trained.

    Parameters
    ----------
    shape
        Sizes of the pack.
    offsets
        Constant that each run's estimator wants added, nats.
    multiple
        Factor on the log density ratio, for extras; 1 for critics.
    """

    def __init__(self, shape: Shape, offsets: Sequence[float], multiple: float = 1.0) -> None:
        super().__init__(shape, Layout(), torch.float64)
        self._offsets, self._multiple = offsets, multiple
        self._tasks: Sequence[Task] = ()

    def set_tasks(self, tasks: Sequence[Task]) -> None:
        """Take the density ratios from these tasks."""
        self._tasks = tasks

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Nothing to draw."""

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Score a batch; see `Scorer.forward`."""
        return torch.stack(
            [
                self._all_pairs(run, x[run], y[run])
                if index is None
                else score_batch(partial(self.pairs, run), x[run], y[run], index[run])
                for run in range(self.shape.runs)
            ]
        )

    def backward(self, gradient: Tensor) -> None:
        """Nothing to train."""

    def prepare(self, run: int, x: Tensor, y: Tensor) -> tuple[int, Tensor, Tensor]:
        """Keep the pool as it is."""
        return run, x, y

    def block(self, prepared: tuple[int, Tensor, Tensor], start: int, stop: int) -> Tensor:
        """Rows of the score matrix; see `Scorer.block`."""
        run, x, y = prepared
        return self._all_pairs(run, x[start:stop], y)

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Exact log density ratios of n pairs, times the multiple, plus the run's constant."""
        if self._multiple == 0:  # also where the log ratio is infinite
            return x.new_full((len(x),), self._offsets[run])
        return self._scaled(run, self._tasks[run].log_ratio(x, y))

    def _all_pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """As `pairs`, of every x with every y, (n_x, n_y)."""
        if self._multiple == 0:
            return x.new_full((len(x), len(y)), self._offsets[run])
        return self._scaled(run, self._tasks[run].log_ratio_of_all_pairs(x, y))

    def _scaled(self, run: int, log_ratio: Tensor) -> Tensor:
        return (log_ratio if self._multiple == 1 else self._multiple * log_ratio) + self._offsets[run]

    def block_rows(self, n: int) -> int:
        """Rows of a block of about 2^16 pairs, whose vectors must be laid out."""
        return max(1, 2**16 // n)


@register_critic("oracle", aliases=("exact",))
class Oracle(Critic):
    """The task's exact log density ratio, no training: what the estimator alone does on a finite batch.

    Each estimator's own constant is added (`Estimator.oracle_offset`: NWJ's optimum is ``1 + log r``), so that every
    estimator sees its optimal critic. Estimators whose optimal critic at finite batch size is another function than
    the log ratio say so.
    """

    uses = frozenset()
    default_negatives = "all-pairs-v1"
    needs_log_ratio = True

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build the exact critics; the trainer names the tasks, stair by stair."""
        return OracleScorer(shape, [estimator.oracle_offset for estimator in estimators])

    def own_extra(self, extra: Extra, shape: Shape) -> Scorer:
        """Build the exact extra: a multiple of the log density ratio, or random numbers; nothing is trained."""
        if extra.of == "uniform":
            return UniformScorer(shape)
        return OracleScorer(shape, [0.0] * shape.runs, extra.exact)
