"""Critics at work: R stacked critics that score a batch and turn a gradient of the scores into one of the parameters.

Notable: the objective sees only scores, so that autograd is needed for a tensor of scores alone; what lies behind it is
a hand-written backward pass for the stock critics (`mibench.dot_scorer`, `mibench.joint_scorer`) and autograd for
everything else (`ModuleScorer`). Raw scores travel as one tensor: all pairs as (R, N, N), or explicit negatives as
(R, N + N M), the positives first.
"""

from __future__ import annotations

import contextlib
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mibench.errors import UsageError
from mibench.interfaces import Side, Task
from mibench.kernels import Layout
from mibench.scores import Scores

CHUNK_ROWS = 1024
"""Rows of hidden activations that are processed at once on a CPU: they stay in the second-level cache."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes that the runs of a pack share, and how their critics compute.

    ``products`` is what the inputs of matrix products are rounded to; None for float32.
    """

    runs: int
    batch: int
    pool: int
    dim_x: int
    dim_y: int
    device: torch.device
    products: torch.dtype | None = None


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
    """

    capturable: ClassVar[bool] = True
    """Whether a step may be replayed as a CUDA graph, which freezes random numbers."""

    left: Side = "x"
    """What stands first in every pair: x, or the row's own y."""

    def __init__(self, shape: Shape, layout: Layout) -> None:
        self.shape = shape
        self.dtype = torch.float32
        self.parameters = torch.zeros(layout.size, device=shape.device)
        self.gradients = torch.zeros_like(self.parameters)
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
        super().__init__(shape, Layout())
        self.dtype = torch.float64
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
                _score_batch(partial(self.pairs, run), x[run], y[run], None if index is None else index[run])
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
        return _all_pairs(partial(self.pairs, run), x[start:stop], y)

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Exact log density ratios of n pairs, times the multiple, plus the run's constant."""
        if self._multiple == 0:  # also where the log ratio is infinite
            return x.new_full((len(x),), self._offsets[run])
        log_ratio = self._tasks[run].log_ratio(x, y)
        return (log_ratio if self._multiple == 1 else self._multiple * log_ratio) + self._offsets[run]

    def block_rows(self, n: int) -> int:
        """Rows of a block of about 2^16 pairs, whose vectors must be laid out."""
        return max(1, 2**16 // n)


class NoScorer(Scorer):
    """What stands where there is no critic: without parameters, and without scores to give.

    Parameters
    ----------
    shape
        Sizes of the pack.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape, Layout())
        self.dtype = torch.float64

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Nothing to draw."""

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Refuse; see `Scorer.forward`."""
        raise _no_scores()

    def backward(self, gradient: Tensor) -> None:
        """Nothing to train."""

    def prepare(self, run: int, x: Tensor, y: Tensor) -> Any:
        """Refuse; see `Scorer.prepare`."""
        raise _no_scores()

    def block(self, prepared: Any, start: int, stop: int) -> Tensor:
        """Refuse; see `Scorer.block`."""
        raise _no_scores()

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Refuse; see `Scorer.pairs`."""
        raise _no_scores()


def _no_scores() -> UsageError:
    return UsageError("critic 'none' gives no scores; use another critic for estimators that are trained")


class ModuleScorer(Scorer):
    """Any torch module as a critic, one per run, trained by autograd.

    Parameters
    ----------
    shape
        Sizes of the pack.
    build
        Makes a module whose ``forward(x, y)`` maps (n, dim_x) and (n, dim_y) to scores (n,). Its parameters are moved
        into the flat tensor.

    Notable: modules draw initial weights and dropout masks from torch's global generator, so that both happen inside
    a fork of its state, seeded from the run's own stream. Where products are rounded, modules run under torch's
    automatic mixed precision, which rounds the results of products too; the stacked critics round inputs alone.
    """

    capturable = False  # the seeds of dropout masks change from step to step

    def __init__(self, shape: Shape, build: Callable[[], nn.Module]) -> None:
        with torch.random.fork_rng(devices=[]):
            sizes = [p.shape for p in build().parameters()]
        layout = Layout()
        self._blocks = [layout.add(shape.runs, *size) for size in sizes]
        super().__init__(shape, layout)
        self._build = build
        self._modules: list[nn.Module] = [nn.Identity()] * shape.runs
        self._generators: list[torch.Generator] = [torch.Generator()] * shape.runs

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Build one run's module under its own stream and move its parameters into the flat tensor."""
        with _seeded(generator, self.shape.device):
            module = self._build().to(self.shape.device)
        for parameter, block in zip(module.parameters(), self._blocks, strict=True):
            place = block.view(self.parameters)[run]
            parameter.data = place.copy_(parameter.data)
            parameter.grad = block.view(self.gradients)[run]
        self._modules[run], self._generators[run] = module, generator

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Score a batch, recording the graph where ``train``; see `Scorer.forward`."""
        raws = []
        with torch.set_grad_enabled(train):
            for run, module in enumerate(self._modules):
                module.train(train)
                score, chosen = partial(self._score, run), None if index is None else index[run]
                if train:
                    with _seeded(self._generators[run], self.shape.device):
                        raws.append(_score_batch(score, x[run], y[run], chosen))
                else:
                    raws.append(_score_batch(score, x[run], y[run], chosen))
        self._graphs = raws
        return torch.stack([raw.detach() for raw in raws])

    def state_of(self, run: int) -> list[Tensor]:
        """Parameters, and what modules count as they train (running means); see `Scorer.state_of`."""
        return super().state_of(run) + list(self._modules[run].buffers())

    def _score(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Scores of pairs by one run's module, in float32."""
        products = self.shape.products
        with torch.autocast(self.shape.device.type, dtype=products, enabled=products is not None):
            scores: Tensor = self._modules[run](x, y)
        return scores.to(self.dtype)

    def backward(self, gradient: Tensor) -> None:
        """Autograd through every run's module; see `Scorer.backward`."""
        self.gradients.zero_()
        torch.autograd.backward(self._graphs, list(gradient))

    @torch.no_grad()
    def prepare(self, run: int, x: Tensor, y: Tensor) -> tuple[int, Tensor, Tensor]:
        """Keep the pool as it is."""
        self._modules[run].eval()
        return run, x, y

    @torch.no_grad()
    def block(self, prepared: tuple[int, Tensor, Tensor], start: int, stop: int) -> Tensor:
        """Rows of the score matrix; see `Scorer.block`."""
        run, x, y = prepared
        return _all_pairs(partial(self._score, run), x[start:stop], y)

    @torch.no_grad()
    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Scores of n pairs; see `Scorer.pairs`."""
        self._modules[run].eval()
        parts = zip(x.split(4 * CHUNK_ROWS), y.split(4 * CHUNK_ROWS), strict=True)
        return torch.cat([self._score(run, a, b) for a, b in parts])

    def block_rows(self, n: int) -> int:
        """Rows of a block of about 4096 pairs."""
        return max(1, 4 * CHUNK_ROWS // n)


PairScores = Callable[[Tensor, Tensor], Tensor]


def _score_batch(score: PairScores, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
    """Raw scores of one run from a function of pairs: (N, N), or (N + N M,) with the positives first."""
    if index is None:
        return _all_pairs(score, x, y)
    batch, m = index.shape
    negatives = score(x.repeat_interleave(m, 0), y[index.flatten()])
    return torch.cat((score(x, y[:batch]), negatives))


def _all_pairs(score: PairScores, x: Tensor, y: Tensor) -> Tensor:
    """Scores of every x with every y, (n_x, n_y), from a function of pairs."""
    n_x, n_y = len(x), len(y)
    pairs_x = x.unsqueeze(1).expand(-1, n_y, -1).reshape(n_x * n_y, -1)
    pairs_y = y.unsqueeze(0).expand(n_x, -1, -1).reshape(n_x * n_y, -1)
    return score(pairs_x, pairs_y).view(n_x, n_y)


@contextlib.contextmanager
def _seeded(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """Run a block under the global generator seeded from a run's own stream; its state is put back afterwards."""
    seed = int(torch.randint(2**62, (1,), generator=generator))
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
