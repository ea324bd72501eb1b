"""What a pack records while it trains: every step's loss and estimate, and the points of the curves."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.core.task import Task
from mibench.training.series import Series, quantile


@dataclasses.dataclass(frozen=True)
class _Point:
    """A point of the curves of all runs."""

    step: int
    stair: int
    fresh: Tensor  # (R,)
    ess: Tensor  # (R,)


class History:
    """Series of R runs over all steps of all stairs.

    Parameters
    ----------
    runs, steps
        Sizes.
    device
        Where the series are kept while training, so that no step waits for a transfer.
    """

    def __init__(self, runs: int, steps: int, device: torch.device) -> None:
        self._estimates = torch.full((runs, steps), torch.nan, dtype=torch.float64, device=device)
        self._losses = torch.full_like(self._estimates, torch.nan)
        self._fixed_points = torch.zeros_like(self._estimates)
        self._points: list[_Point] = []
        self.training_seconds = 0.0
        self.steps_done = 0

    def record(self, step: int, loss: Tensor, estimate: Tensor) -> None:
        """Keep the loss and the estimate of a step, (R,) each."""
        self._losses[:, step] = loss
        self._estimates[:, step] = estimate
        self.steps_done = step + 1

    def count_fixed_points(self, start: int, index: Tensor | None) -> None:
        """Count the positive pairs among the negatives of the steps from ``start`` on, (R, steps, N, M)."""
        if index is None:
            return
        batch = index.shape[2]
        if index.stride(2) == 0:  # all rows share their negatives: one of the batch's own is a fixed point of its row
            found = (index[:, :, 0] < batch).sum(2)
        else:
            found = (index == torch.arange(batch, device=index.device).unsqueeze(-1)).sum((2, 3))
        self._fixed_points[:, start : start + index.shape[1]] = found.double()

    def add_point(self, step: int, stair: int, fresh: Tensor, ess: Tensor) -> None:
        """Add a point to the curves: a fresh batch's estimates and the training batch's ESS, (R,) each."""
        self._points.append(_Point(step, stair, fresh, ess))

    def estimates(self, run: int, start: int, stop: int) -> Series:
        """Training estimates of some steps of one run."""
        return _numpy(self._estimates[run, start:stop])

    def losses(self, run: int, start: int, stop: int) -> Series:
        """Training losses of some steps of one run."""
        return _numpy(self._losses[run, start:stop])

    def fixed_points(self, run: int, start: int, stop: int) -> float:
        """Mean number of positive pairs among a batch's negatives."""
        return float(self._fixed_points[run, start:stop].mean())

    def nonfinite(self, run: int, start: int, stop: int) -> int:
        """Number of steps whose loss or estimate was not finite."""
        finite = np.isfinite(self.estimates(run, start, stop)) & np.isfinite(self.losses(run, start, stop))
        return int(np.count_nonzero(~finite))

    def ess(self, run: int, start: int, stop: int) -> float:
        """Mean ESS over the points after ``start`` and up to ``stop``."""
        return float(np.mean([float(p.ess[run]) for p in self._points if start < p.step <= stop]))

    def curve(self, run: int, run_id: str, tasks: tuple[Task, ...], end: int) -> dict[str, NDArray[Any]]:
        """Columns of the curves table for one run, which ended after ``end`` steps; others may have gone on."""
        estimates, losses = self.estimates(run, 0, end), self.losses(run, 0, end)
        points = [p for p in self._points if p.step <= end]
        stops = [p.step for p in points]
        intervals = list(zip([0, *stops[:-1]], stops, strict=True))
        with np.errstate(invalid="ignore"):
            return {
                "run_id": np.array([run_id] * len(stops)),
                "step": np.array(stops, dtype=np.int64),
                "stair": np.array([p.stair for p in points], dtype=np.int64),
                "mi_true": np.array([tasks[p.stair].mi for p in points]),
                "estimate_train": np.array([estimates[a:b].mean() for a, b in intervals]),
                "estimate_train_median": np.array([quantile(estimates[a:b], 0.5) for a, b in intervals]),
                "estimate_fresh": np.array([float(p.fresh[run]) for p in points]),
                "ess": np.array([float(p.ess[run]) for p in points]),
                "loss": np.array([losses[a:b].mean() for a, b in intervals]),
            }


def _numpy(values: Tensor) -> Series:
    return values.cpu().numpy()
