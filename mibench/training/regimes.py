"""What a sample regime decides: which pairs a pack is trained on, what a checkpoint does, when a run ends.

Notable: the engine asks these few questions and knows no regime by name. `Stream` answers for fresh pairs at every
step; `mibench.training.dataset` for a fixed sample.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from mibench.training.pack import Pack
from mibench.training.sources import Feed


@dataclasses.dataclass(frozen=True)
class Span:
    """Steps of a run on one stair, counted from the run's start.

    Parameters
    ----------
    start, end
        Its training: steps start + 1 to end.
    reported
        The step after which the critic is the one that is reported.
    """

    start: int
    end: int
    reported: int


class Regime(ABC):
    """Base of the regimes; one serves one pack.

    Parameters
    ----------
    pack
        The pack, whose critics, objective and history are built.
    """

    final_batches: ClassVar[int] = 32
    """Fresh batches that a run is evaluated on at the end of each stair."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack

    @abstractmethod
    def training_feed(self, stair: int) -> Feed:
        """Begin a stair: return where its training batches come from."""

    @abstractmethod
    def checkpoint(self, stair: int, step: int, raw: Tensor) -> bool:
        """Add a point to the curves; whether any run goes on.

        Parameters
        ----------
        stair, step
            Where the pack is; ``step`` steps are done since the start.
        raw
            Raw scores of the last step.
        """

    @abstractmethod
    def span(self, r: int, stair: int) -> Span:
        """Return the steps of a run on a stair that has ended."""

    def finish(self) -> None:  # noqa: B027  (most regimes report the critics as training left them)
        """End a stair: put every run's critic to the one that is reported."""

    def columns(self, r: int) -> dict[str, Any]:
        """Return the columns of a run's row that this regime alone fills."""
        return {}


class Stream(Regime):
    """Fresh pairs at every step; all runs end together, and report the critic of the last step."""

    def training_feed(self, stair: int) -> Feed:
        """Begin a stair; see `Regime.training_feed`."""
        self._fresh = self.pack.feed(stair, "fresh", "fresh-negatives", "fresh-marginal")
        return self.pack.feed(stair, "data", "negatives", "marginal")

    def checkpoint(self, stair: int, step: int, raw: Tensor) -> bool:
        """Evaluate one fresh batch; see `Regime.checkpoint`."""
        _, estimates = self.pack.evaluate(self._fresh.block(1).step(0))
        self.pack.history.add_point(step, stair, estimates, self.pack.ess(raw))
        return True

    def span(self, r: int, stair: int) -> Span:
        """Return the stair; see `Regime.span`."""
        steps = self.pack.steps_per_stair
        return Span(start=stair * steps, end=(stair + 1) * steps, reported=(stair + 1) * steps)
