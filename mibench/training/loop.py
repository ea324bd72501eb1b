"""Training of a pack, from specifications to rows and curves: stair after stair, block after block, step after step.

Notable: on CUDA a step is captured once as a graph and replayed (`mibench.training.cuda`). Evaluation has random
streams of its own, so that it never moves a run's training.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.core.estimator import SampleEstimator
from mibench.experiments.specs import RunSpec
from mibench.training.components import Run
from mibench.training.cuda import captured_step
from mibench.training.dataset import regime_of
from mibench.training.facts import Facts, facts_of
from mibench.training.pack import Pack, SamplePack, Step
from mibench.training.rows import result_row
from mibench.training.sources import block_steps

Progress = Callable[[int], None]


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


def train_pack(
    specs: Sequence[RunSpec],
    *,
    device: str = "cpu",
    progress: Progress | None = None,
    known: Callable[[Mapping[str, list[dict[str, Any]]]], None] | None = None,
) -> list[RunResult]:
    """Train runs that share a `mibench.running.packs.pack_key`, and evaluate them.

    Parameters
    ----------
    specs
        The runs.
    device
        ``cpu`` or ``cuda``.
    progress
        Called now and then with the number of steps done since the last call, summed over the runs.
    known
        Called once, before any work, with the columns of every run's stairs that are known without it, by run id.

    Returns
    -------
    list of RunResult
        In the order of ``specs``; a run's numbers do not depend on the others.

    Raises
    ------
    UsageError
        Where an attribute of a component is nothing that a row can hold.
    """
    # Runs that can share an objective or an optimiser group are made neighbours.
    order = sorted(range(len(specs)), key=lambda i: _neighbourhood(specs[i]))
    runs = [Run.from_spec(specs[i]) for i in order]
    facts = _facts(runs)
    if known is not None:
        known({run.spec.run_id: [one.columns for one in stairs] for run, stairs in zip(runs, facts, strict=True)})
    checked = _checked(facts)  # what is wrong with a component's attributes is said before they are computed with
    kind = SamplePack if isinstance(runs[0].estimator, SampleEstimator) else Pack
    loop = Loop(kind(runs, torch.device(device)), progress or _ignore, checked)
    results = dict(zip(order, loop.train(), strict=True))
    return [results[i] for i in range(len(specs))]


def _facts(runs: Sequence[Run]) -> list[list[Facts]]:
    return [[facts_of(run, stair) for stair in range(run.spec.stairs)] for run in runs]


def _checked(facts: Sequence[Sequence[Facts]]) -> list[list[dict[str, Any]]]:
    return [[one.checked() for one in stairs] for stairs in facts]


def _neighbourhood(spec: RunSpec) -> tuple[str, ...]:
    return spec.estimator, str(spec.estimator_params), str(spec.lr), str(spec.weight_decay)


def _ignore(steps: int) -> None:
    """Progress that nobody watches."""


class Loop:
    """Trains and evaluates one pack.

    Parameters
    ----------
    pack
        The pack.
    progress
        As in `train_pack`.
    facts
        Of every run and stair the columns that follow from its components; read off them by default.
    """

    def __init__(
        self, pack: Pack, progress: Progress = _ignore, facts: Sequence[Sequence[Mapping[str, Any]]] | None = None
    ) -> None:
        self.pack, self._progress = pack, progress
        self._facts = _checked(_facts(pack.runs)) if facts is None else facts
        self.regime = regime_of(pack)
        captured = pack.device.type == "cuda" and pack.optimiser is not None
        self._take_step: Step = captured_step(pack) if captured else pack.step

    def train(self) -> list[RunResult]:
        """Train and evaluate stair after stair."""
        pack = self.pack
        started = time.perf_counter()
        rows: list[list[dict[str, Any]]] = [[] for _ in pack.runs]
        for stair in range(pack.runs[0].spec.stairs):
            for scorer in pack.scorers:
                scorer.set_tasks([run.tasks[stair] for run in pack.runs])
            self._train_stair(stair)
            self.regime.finish()
            fresh = self._final_batches(stair)
            for r in range(len(pack.runs)):
                values = fresh[:, r].cpu().double().numpy()
                rows[r].append(result_row(pack, self.regime, r, stair, self._facts[r][stair], values))
        share = (time.perf_counter() - started) / len(pack.runs)
        for row in (row for run_rows in rows for row in run_rows):
            row["seconds"] = share
        return [
            RunResult(run.spec, rows[r], pack.history.curve(r, run.spec.run_id, run.tasks, rows[r][-1]["steps_done"]))
            for r, run in enumerate(pack.runs)
        ]

    def _train_stair(self, stair: int) -> None:
        pack, history = self.pack, self.pack.history
        feed = self.regime.training_feed(stair)
        first, every = stair * pack.steps_per_stair, pack.runs[0].spec.every
        longest = block_steps(pack.batch, pack.shape.dim_x, pack.shape.dim_y)
        done, going = 0, True
        while going and done < pack.steps_per_stair:
            start = done
            count = min(longest, pack.steps_per_stair - done)
            clock = _Clock(pack)
            batches = feed.block(count)
            history.count_fixed_points(first + done, batches.index)
            for s in range(count):
                done += 1
                loss, estimate, raw = self._take_step(batches.step(s))
                history.record(first + done - 1, loss, estimate)
                if (first + done) % every == 0 or done == pack.steps_per_stair:
                    clock.stop()
                    going = self.regime.checkpoint(stair, first + done, raw)
                    clock.start()
                    if not going:
                        break
            clock.stop()
            self._progress((done - start) * len(pack.runs))

    def _final_batches(self, stair: int) -> Tensor:
        """Estimates on fresh batches at the end of a stair, (batches, R)."""
        pack = self.pack
        feed = pack.feed(stair, "final", "final-negatives", "final-marginal")
        values = [pack.evaluate(feed.block(1).step(0))[1] for _ in range(self.regime.final_batches)]
        return torch.stack(values) if values else torch.empty(0, len(pack.runs))


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
