"""Critics at work: R stacked critics that score a batch and turn a gradient of the scores into one of the parameters.

Notable: the objective sees only scores, so that autograd is needed for a tensor of scores alone; what lies behind it is
a hand-written backward pass for the stock critics (`mibench.critics.dot_products`, `mibench.critics.joint`) and
autograd for everything else (`ModuleScorer`). Raw scores travel as one tensor: all pairs as (R, N, N), or explicit
negatives as (R, N + N M), the positives first.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.estimator import Side
from mibench.core.layout import Layout
from mibench.core.scores import Scores
from mibench.core.task import Task

CHUNK_ROWS = 1024
"""Rows of hidden activations that are processed at once on a CPU: they stay in the second-level cache."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes that the runs of a pack share, and how their critics compute.

    ``products`` is what the inputs of matrix products are rounded to, and ``hidden`` what hidden activations, and the
    products between hidden layers, are kept in; None for float32.
    """

    runs: int
    batch: int
    pool: int
    dim_x: int
    dim_y: int
    device: torch.device
    products: torch.dtype | None = None
    hidden: torch.dtype | None = None


def as_scores(raw: Tensor, batch: int, *, all_pairs: bool, extras: Mapping[str, Tensor] | None = None) -> Scores:
    """Read raw scores, (R, N, N) or (R, N + N M), and extras in the same layout, as `Scores`."""

    def read(values: Tensor) -> Scores:
        if all_pairs:
            return Scores.from_matrix(values)
        return Scores.from_pairs(values[..., :batch], values[..., batch:].unflatten(-1, (batch, -1)))

    return read(raw).with_extras({name: read(values) for name, values in (extras or {}).items()})


class Scorer(ABC):
    """R stacked critics with their parameters in one flat tensor.

    Parameters
    ----------
    shape
        Sizes of the pack.
    layout
        The parameters' blocks; empty for critics without any.
    dtype
        Precision of the parameters, and of the pairs and the scores.
    """

    capturable: ClassVar[bool] = True
    """Whether a step may be replayed as a CUDA graph, which freezes random numbers."""

    left: Side = "x"
    """What stands first in every pair: x, or the row's own y."""

    def __init__(self, shape: Shape, layout: Layout, dtype: torch.dtype = torch.float32) -> None:
        self.shape = shape
        self.dtype = dtype
        self.parameters = torch.zeros(layout.size, dtype=dtype, device=shape.device)
        self.gradients = torch.zeros(
            layout.size, dtype=dtype, device=shape.device
        )  # zeros_like would import sympy where nothing is allocated
        self._layout = layout

    def left_of(self, x: Tensor, y: Tensor) -> Tensor:
        """What stands first in the pairs of a batch or a pool, (..., N, dim); y is the pool, the rows' own y first."""
        return x if self.left == "x" else y[..., : x.shape[-2], :].contiguous()

    def places(self, first: int, last: int) -> list[slice]:
        """Where the parameters of runs first..last lie in the flat tensor: one piece for all runs, else many."""
        if last - first == self.shape.runs:
            return [slice(None)]
        per_run = [block.stacked // self.shape.runs for block in self._layout.blocks]
        return [b.rows(first * k, last * k) for b, k in zip(self._layout.blocks, per_run, strict=True)]

    def set_tasks(self, tasks: Sequence[Task]) -> None:  # noqa: B027  (most critics learn from pairs alone)
        """Learn each run's task at the start of a stair."""

    @abstractmethod
    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Draw the initial parameters of one run."""

    @abstractmethod
    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Score a batch of every run.

        Parameters
        ----------
        x
            (R, N, dim_x).
        y
            Pool (R, B, dim_y), the batch's own y first.
        index
            Negatives as pool rows (R, N, M); None for all pairs.
        train
            Whether dropout acts and `backward` may follow.

        Returns
        -------
        Tensor
            Raw scores; see `as_scores`.
        """

    @abstractmethod
    def backward(self, gradient: Tensor) -> None:
        """Overwrite `gradients`, given the gradient of the last raw scores."""

    @abstractmethod
    def prepare(self, run: int, x: Tensor, y: Tensor) -> Any:
        """Do the part of an all-pairs evaluation that is linear in the number of pairs."""

    @abstractmethod
    def block(self, prepared: Any, start: int, stop: int) -> Tensor:
        """Scores of rows start..stop of x against every y, (stop - start, n)."""

    @abstractmethod
    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Scores of n pairs, (n,)."""

    def state(self) -> list[Tensor]:
        """What a step changes besides the parameters, in place."""
        return []

    def state_of(self, run: int) -> list[Tensor]:
        """Everything that a step changes of one run, as views: what is kept of the best checkpoint and put back."""
        return [self.parameters[place] for place in self.places(run, run + 1)] + [part[run] for part in self.state()]

    def rewind(self) -> None:  # noqa: B027  (most critics draw nothing when they are evaluated)
        """Begin the random numbers of evaluation anew, so that two evaluations on the same pairs agree."""

    def similarity(self) -> Scorer:
        """Return a scorer of the similarity of the codes that the critic keeps of a row's own y and of a pair's y.

        Raises
        ------
        UsageError
            Where the critic keeps no codes.
        """
        raise UsageError(f"{type(self).__name__} keeps no codes of y; use critic 'memory-bank'")

    def codes(self, run: int, x: Tensor) -> Tensor | None:
        """What the critic's encoder of x makes of x (n, dim_x): (n, k); None where it has no encoder."""
        return None

    def block_rows(self, n: int) -> int:
        """Rows of a block such that its scores take about 2 MB."""
        return max(1, min(64, 2**19 // n))
