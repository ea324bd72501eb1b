"""Training of one pack: R stacked runs from specifications to rows and curves.

Notable: the loop knows no estimator, critic or sampler by name. A step is forward, objective, backward, optimiser; on
CUDA those four are captured once as a graph and replayed (`mibench.cuda`). Estimators that take a sample go through the
same loop, where a step evaluates its batch and nothing is trained (`SamplePack`). Evaluation has random streams of its
own, so that it never moves a run's training.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.arithmetic import PRECISIONS
from mibench.components import Run, build_optimiser, build_scorers
from mibench.cuda import captured_step
from mibench.dataset import regime_of
from mibench.history import History
from mibench.interfaces import SampleEstimator
from mibench.objective import Objective
from mibench.rows import result_row
from mibench.scorers import Scorer, Shape
from mibench.sources import Batches, Feed, PairSource, StreamSource, block_steps
from mibench.specs import RunSpec
from mibench.streams import Purpose, stream

Progress = Callable[[int], None]
Step = Callable[[Batches], tuple[Tensor, Tensor, Tensor]]


@dataclasses.dataclass(frozen=True)
class RunResult:
    """What a run came to.

    Parameters
    ----------
    spec
        The run.
    rows
        One row of the runs table per stair, without what only the worker knows.
    curve
        Columns of the curves table, one array each.
    """

    spec: RunSpec
    rows: list[dict[str, Any]]
    curve: dict[str, NDArray[Any]]


def train_pack(specs: Sequence[RunSpec], *, device: str = "cpu", progress: Progress | None = None) -> list[RunResult]:
    """Train runs that share a `mibench.packs.pack_key`, and evaluate them.

    Parameters
    ----------
    specs
        The runs.
    device
        ``cpu`` or ``cuda``.
    progress
        Called now and then with the number of steps done since the last call, summed over the runs.

    Returns
    -------
    list of RunResult
        In the order of ``specs``; a run's numbers do not depend on the others.
    """
    # Runs that can share an objective or an optimiser group are made neighbours.
    order = sorted(range(len(specs)), key=lambda i: _neighbourhood(specs[i]))
    runs = [Run.from_spec(specs[i]) for i in order]
    kind = SamplePack if isinstance(runs[0].estimator, SampleEstimator) else Pack
    pack = kind(runs, torch.device(device))
    results = dict(zip(order, pack.train(progress or _ignore), strict=True))
    return [results[i] for i in range(len(specs))]


def _neighbourhood(spec: RunSpec) -> tuple[str, ...]:
    return spec.estimator, str(spec.estimator_params), str(spec.lr), str(spec.weight_decay)


def _ignore(steps: int) -> None:
    """Progress that nobody watches."""


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
        self.regime = regime_of(self)

    @property
    def scorers(self) -> list[Scorer]:
        """The critics and what is trained beside them."""
        return [self.scorer, *self.extras.values()]

    def train(self, progress: Progress) -> list[RunResult]:
        """Train and evaluate stair after stair."""
        started = time.perf_counter()
        take_step = self._stepper()
        rows: list[list[dict[str, Any]]] = [[] for _ in self.runs]
        for stair in range(self.runs[0].spec.stairs):
            for scorer in self.scorers:
                scorer.set_tasks([run.tasks[stair] for run in self.runs])
            self._train_stair(stair, take_step, progress)
            self.regime.finish()
            fresh = self._final_batches(stair)
            for r in range(len(self.runs)):
                rows[r].append(result_row(self, r, stair, fresh[:, r].cpu().double().numpy()))
        share = (time.perf_counter() - started) / len(self.runs)
        for row in (row for run_rows in rows for row in run_rows):
            row["seconds"] = share
        return [
            RunResult(run.spec, rows[r], self.history.curve(r, run.spec.run_id, run.tasks, rows[r][-1]["steps_done"]))
            for r, run in enumerate(self.runs)
        ]

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

    def reset_optimiser(self) -> None:
        """Set the optimiser's averages and step counts back to zero, in place."""
        if self.optimiser is not None:
            for state in self.optimiser.state.values():
                for value in state.values():
                    if value is not None:  # descent without momentum keeps none
                        value.zero_()

    def _stepper(self) -> Step:
        return captured_step(self) if self.device.type == "cuda" and self.optimiser is not None else self.step

    def _train_stair(self, stair: int, take_step: Step, progress: Progress) -> None:
        feed = self.regime.training_feed(stair)
        first, every = stair * self.steps_per_stair, self.runs[0].spec.every
        longest = block_steps(self.batch, self.shape.dim_x, self.shape.dim_y)
        done, going = 0, True
        while going and done < self.steps_per_stair:
            start = done
            count = min(longest, self.steps_per_stair - done)
            clock = _Clock(self)
            batches = feed.block(count)
            self.history.count_fixed_points(first + done, batches.index)
            for s in range(count):
                done += 1
                loss, estimate, raw = take_step(batches.step(s))
                self.history.record(first + done - 1, loss, estimate)
                if (first + done) % every == 0 or done == self.steps_per_stair:
                    clock.stop()
                    going = self.regime.checkpoint(stair, first + done, raw)
                    clock.start()
                    if not going:
                        break
            clock.stop()
            progress((done - start) * len(self.runs))

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

    def _final_batches(self, stair: int) -> Tensor:
        """Estimates on fresh batches at the end of a stair, (batches, R)."""
        feed = self.feed(stair, "final", "final-negatives", "final-marginal")
        values = [self.evaluate(feed.block(1).step(0))[1] for _ in range(self.regime.final_batches)]
        return torch.stack(values) if values else torch.empty(0, len(self.runs))


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


class _Clock:
    """Adds the time between start and stop to the pack's training time."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self.start()

    def start(self) -> None:
        self._started = time.perf_counter()

    def stop(self) -> None:
        if self._pack.device.type == "cuda":
            torch.cuda.synchronize()
        self._pack.history.training_seconds += time.perf_counter() - self._started
        self._started = time.perf_counter()
