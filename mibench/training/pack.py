"""One pack: R stacked runs and everything that they share, a step and an evaluation of it.

Notable: the pack knows no estimator, critic or sampler by name. A step is forward, objective, backward, optimiser.
Estimators that take a sample go through the same loop, where a step evaluates its batch and nothing is trained
(`SamplePack`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor

from mibench.core.estimator import SampleEstimator
from mibench.core.scorer import Scorer, Shape
from mibench.core.streams import Purpose, stream
from mibench.training.components import Run, build_optimiser, build_scorers
from mibench.training.history import History
from mibench.training.objective import Objective
from mibench.training.precision import PRECISIONS
from mibench.training.sources import Batches, Feed, PairSource, StreamSource

Step = Callable[[Batches], tuple[Tensor, Tensor, Tensor]]
"""Takes one batch of every run; gives loss (R,), estimate (R,) and raw scores."""


class Pack:
    """R stacked runs and everything that they share.

    Parameters
    ----------
    runs
        The runs; equal estimators and learning rates are best neighbours.
    device
        Where they are trained.
    """

    def __init__(self, runs: Sequence[Run], device: torch.device) -> None:
        first = runs[0]
        self.runs, self.device, self.sampler = runs, device, first.sampler
        self.batch, self.steps_per_stair = first.spec.batch, first.spec.steps_per_stair
        precision = PRECISIONS[first.spec.precision]
        self.shape = Shape(
            runs=len(runs),
            batch=self.batch,
            pool=self.sampler.pool(self.batch, first.tasks[0]),
            dim_x=first.tasks[0].dim_x,
            dim_y=first.tasks[0].dim_y,
            device=device,
            products=precision.products,
            hidden=precision.hidden,
        )
        estimators = [run.estimator for run in runs]
        self.scorer, self.extras = build_scorers(first, self.shape, estimators)
        for r, run in enumerate(runs):
            self.scorer.initialise(r, stream(run.spec.run_id, "init"))
            generator = stream(run.spec.run_id, "init-extras")
            for extra in self.extras.values():
                extra.initialise(r, generator)
        self.objective = Objective(
            estimators, self.batch, all_pairs=self.sampler.all_pairs, device=device, dtype=precision.scores
        )
        self.optimiser = build_optimiser(self.scorers, [run.spec for run in runs])
        self.history = History(len(runs), first.spec.steps, device)

    @property
    def scorers(self) -> list[Scorer]:
        """The critics and what is trained beside them."""
        return [self.scorer, *self.extras.values()]

    @torch.no_grad()
    def step(self, batch: Batches) -> tuple[Tensor, Tensor, Tensor]:
        """Take one training step; critics without parameters are only evaluated.

        Parameters
        ----------
        batch
            One batch of every run.

        Returns
        -------
        loss, estimate, raw
            Shapes (R,) and (R,), and the raw scores, all from before the step.
        """
        raw, extras = self._forward(batch, train=self.optimiser is not None)
        if self.optimiser is None:
            return (*self.objective.evaluate(raw, extras, batch.log_weights), raw)
        loss, estimate, gradients = self.objective.step(raw, extras, batch.log_weights)
        for scorer, gradient in zip(self.scorers, gradients, strict=True):
            scorer.backward(gradient)
        self.optimiser.step()
        return loss, estimate, raw

    def _forward(self, batch: Batches, *, train: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """Raw scores of a batch, and the raw values of each extra."""
        raw, *extras = (s.forward(s.left_of(batch.x, batch.y), batch.y, batch.index, train=train) for s in self.scorers)
        return raw, dict(zip(self.extras, extras, strict=True))

    def training_state(self) -> list[Tensor]:
        """Everything that a step changes, apart from the optimiser's own state."""
        of_scorers = [tensor for scorer in self.scorers for tensor in (scorer.parameters, *scorer.state())]
        return of_scorers + self.objective.states

    def feed(self, stair: int, data: Purpose, negatives: Purpose, marginal: Purpose) -> Feed:
        """Build the source of all runs' batches of fresh pairs on one stair, from the streams named."""
        return self.feed_from(
            stair,
            [StreamSource(run.tasks[stair], self.stream(run, data, stair)) for run in self.runs],
            [StreamSource(run.tasks[stair], self.stream(run, marginal, stair)) for run in self.runs],
            negatives,
        )

    def feed_from(
        self, stair: int, sources: Sequence[PairSource], marginals: Sequence[PairSource], negatives: Purpose
    ) -> Feed:
        """Build the source of all runs' batches on one stair, from each run's pairs and further draws."""
        return Feed(
            tasks=[run.tasks[stair] for run in self.runs],
            sources=sources,
            marginals=marginals,
            sampler=self.sampler,
            generators=[self.stream(run, negatives, stair) for run in self.runs],
            batch=self.batch,
            dtype=self.scorer.dtype,
        )

    def stream(self, run: Run, purpose: Purpose, stair: int) -> torch.Generator:
        """Return one of a run's random streams on the pack's device."""
        return stream(run.spec.run_id, purpose, stair, self.device)

    @torch.no_grad()
    def evaluate(self, batch: Batches) -> tuple[Tensor, Tensor]:
        """Loss (R,) and estimate (R,) on one batch of every run, without a step."""
        raw, extras = self._forward(batch, train=False)
        return self.objective.evaluate(raw, extras, batch.log_weights)

    def state_of(self, r: int) -> list[Tensor]:
        """Everything of one run that a step changes, as views, apart from the optimiser's own state."""
        return [tensor for scorer in self.scorers for tensor in scorer.state_of(r)] + self.objective.state_of(r)

    def ess(self, raw: Tensor) -> Tensor:
        """ESS (R,) of a step's raw scores."""
        return self.objective.effective_sample_size(raw)


class SamplePack(Pack):
    """R runs of estimators that take a sample: every batch is one, and there is neither a critic nor an ESS."""

    def step(self, batch: Batches) -> tuple[Tensor, Tensor, Tensor]:
        """Evaluate a sample of every run; the loss is minus the estimate, the raw scores are empty."""
        loss, values = self.evaluate(batch)
        return loss, values, values.new_empty(len(values), 0)

    def evaluate(self, batch: Batches) -> tuple[Tensor, Tensor]:
        """Minus the value, and the value, of every run's sample; see `Pack.evaluate`."""
        estimators = [cast("SampleEstimator", run.estimator) for run in self.runs]
        samples = zip(estimators, batch.x, batch.y, strict=True)
        found = [estimator.value(x, y) for estimator, x, y in samples]
        values = torch.tensor(found, dtype=torch.float64, device=self.device)
        return -values, values

    def ess(self, raw: Tensor) -> Tensor:
        """Nothing to weigh: NaN, (R,)."""
        return raw.new_full((len(raw),), torch.nan)
