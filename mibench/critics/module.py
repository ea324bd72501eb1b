"""Critics given as torch modules, trained by autograd: the base for plug-ins."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from mibench.core.critic import Architecture, Critic
from mibench.core.errors import UsageError
from mibench.core.estimator import Estimator
from mibench.core.layout import Layout
from mibench.core.scorer import CHUNK_ROWS, Scorer, Shape
from mibench.core.task import of_all_pairs
from mibench.critics.pairwise import score_batch


class ModuleScorer(Scorer):
    """Any torch module as a critic, one per run, trained by autograd.

    Parameters
    ----------
    shape
        Sizes of the pack.
    build
        Makes a module whose ``forward(x, y)`` maps (n, dim_x) and (n, dim_y) to scores (n,). Its parameters are moved
        into the flat tensor. Where they are float64, so are the pairs that it is given, its scores and its gradients.

    Raises
    ------
    UsageError
        Where parameters are neither all float32 nor all float64, and where products of float64 are to be rounded.

    Notable: modules draw initial weights and dropout masks from torch's global generator, so that both happen inside
    a fork of its state, seeded from the run's own stream. Where products are rounded, modules run under torch's
    automatic mixed precision, which rounds the results of products too; the stacked critics round inputs alone.
    """

    capturable = False  # the seeds of dropout masks change from step to step

    def __init__(self, shape: Shape, build: Callable[[], nn.Module]) -> None:
        with torch.random.fork_rng(devices=[]):
            parameters = list(build().parameters())
        layout = Layout()
        self._blocks = [layout.add(shape.runs, *parameter.shape) for parameter in parameters]
        super().__init__(shape, layout, _precision(parameters, shape.products))
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
                        raws.append(score_batch(score, x[run], y[run], chosen))
                else:
                    raws.append(score_batch(score, x[run], y[run], chosen))
        self._graphs = raws
        return torch.stack([raw.detach() for raw in raws])

    def state_of(self, run: int) -> list[Tensor]:
        """Parameters, and what modules count as they train (running means); see `Scorer.state_of`."""
        return super().state_of(run) + list(self._modules[run].buffers())

    def _score(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Scores of pairs by one run's module, (n,), in the precision of its parameters."""
        products = self.shape.products
        with torch.autocast(self.shape.device.type, dtype=products, enabled=products is not None):
            scores: Tensor = self._modules[run](x.to(self.dtype), y.to(self.dtype))
        if scores.shape != x.shape[:1]:
            raise UsageError(
                f"{type(self._modules[run]).__name__} gives scores of shape {tuple(scores.shape)} for {len(x)} pairs, "
                f"not {tuple(x.shape[:1])}; give one score per pair"
            )
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
        return of_all_pairs(partial(self._score, run), x[start:stop], y)

    @torch.no_grad()
    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Scores of n pairs; see `Scorer.pairs`."""
        self._modules[run].eval()
        parts = zip(x.split(4 * CHUNK_ROWS), y.split(4 * CHUNK_ROWS), strict=True)
        return torch.cat([self._score(run, a, b) for a, b in parts])

    def block_rows(self, n: int) -> int:
        """Rows of a block of about 4096 pairs."""
        return max(1, 4 * CHUNK_ROWS // n)


def _precision(parameters: Sequence[nn.Parameter], products: torch.dtype | None) -> torch.dtype:
    """Precision of a module's parameters, which lie in one tensor; float32 where there are none."""
    found = {parameter.dtype: None for parameter in parameters} or {torch.float32: None}
    names = " and ".join(str(dtype).removeprefix("torch.") for dtype in found)
    if len(found) > 1 or not found.keys() <= {torch.float32, torch.float64}:
        raise UsageError(f"a critic's parameters are {names}; make all of them float32, or all of them float64")
    if products is not None and torch.float64 in found:
        raise UsageError("a critic's parameters are float64, whose products are not rounded; use another precision")
    return next(iter(found))


@contextlib.contextmanager
def _seeded(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """Run a block under the global generator seeded from a run's own stream; its state is put back afterwards."""
    seed = int(torch.randint(2**62, (1,), generator=generator))
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


class ModuleCritic(Critic):
    """A critic given as a torch module, trained by autograd: the base for plug-ins."""

    def module(self, dim_x: int, dim_y: int, architecture: Architecture) -> nn.Module:
        """Build a module whose ``forward(x, y)`` maps (n, dim_x) and (n, dim_y) to scores (n,).

        Its parameters are all float32, or all float64; x and y come in the same precision.
        """
        raise NotImplementedError

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build one module per run."""
        return ModuleScorer(shape, lambda: self.module(shape.dim_x, shape.dim_y, architecture))
