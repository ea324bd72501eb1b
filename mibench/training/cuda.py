"""The training step on CUDA: captured once as a graph, then replayed.

Notable: a step of small kernels is bound by the time of launching them. A graph launches all of them at once, from
buffers that every step's batch is copied into.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mibench.training.pack import Pack, Step
from mibench.training.sources import Batches

_WARM_UP = 3


def captured_step(pack: Pack) -> Step:
    """Return a function like ``pack.step`` that replays a captured graph.

    Scorers that draw random numbers as they go, which a graph would freeze, keep the eager step.
    """
    return _CapturedStep(pack) if all(scorer.capturable for scorer in pack.scorers) else pack.step


class _CapturedStep:
    """A captured step and the buffers that it reads and writes."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, batch: Batches) -> tuple[Tensor, Tensor, Tensor]:
        if self._graph is None:
            self._capture(batch)
            assert self._graph is not None
        for buffer, tensor in zip(self._batch.tensors(), batch.tensors(), strict=True):
            buffer.copy_(tensor)
        self._graph.replay()
        return self._outputs

    def _capture(self, batch: Batches) -> None:
        self._batch = batch.map(torch.clone)
        self._warm_up()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = self._pack.step(self._batch)

    def _warm_up(self) -> None:
        """Run a few steps on a side stream, as capturing demands, and undo what they changed."""
        state = self._pack.training_state()
        before = [tensor.clone() for tensor in state]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                self._pack.step(self._batch)
        torch.cuda.current_stream().wait_stream(side)
        for tensor, value in zip(state, before, strict=True):
            tensor.copy_(value)
        if self._pack.optimiser is not None:
            self._pack.optimiser.reset()
