"""Critics trained on one part of a sample and read on another, all of them in one pack of the training engine.

Notable:

- A critic is a fitted Gaussian's log ratio plus a separable network, which starts at zero: where the network finds
  nothing that helps on the pairs that stop it, the Gaussian is what is left.
- Each fold is read by critics that saw none of its rows. They are trained on all other rows and on parts of
  them: how the value grows with the rows is a part of the answer.
- Samples of the same sizes are trained beside the user's in the same pack; a run's numbers do not depend on which.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.core.estimator import Estimator
from mibench.core.lookup import get_estimator
from mibench.core.scorer import Shape
from mibench.critics.dot_products import DotScorer
from mibench.estimation.contrasts import contrast
from mibench.estimation.gaussian import Canonical, canonical
from mibench.training.objective import Objective
from mibench.training.optimisers import Adam, Group

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

_RIDGES = (1e-4, 0.01, 0.1, 0.3, 0.6, 0.9)
_SHARES = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)  # of the canonical correlations: where columns are many most of them is chance
_MOST_CHOOSING = 250  # rows by which ridge and share are chosen
_HIDDEN = (2, 64)
_EMBED = 32
_FEWEST_COLUMNS = 4
_LR = 1e-3
_STOP_SHARE = 0.15
_LEAST_TRAINING = 32  # rows, where there are so many: those of the smallest batch that is computed at once
_EPOCHS = 100
_MOST_STOPPING = 500  # rows: their scores are looked at again and again
_MOST_DIRECTIONS = 64
_EVERY = 20  # steps between looks at the stopping part
_PATIENCE = 10
_BLOCK = 40  # steps whose batches are gathered at once
_FEWER = 0.8  # of the runs of a stack, at which those that are done leave it

Progress = Callable[[float], None]


class Cut(NamedTuple):
    """Rows of one run: trained on, stopped by, read."""

    train: Rows
    stop: Rows
    test: Rows


@dataclass(frozen=True)
class Task:
    """One sample to be cross-fitted.

    Parameters
    ----------
    u, v
        Normal scores, (n, d_x) and (n, d_y).
    cuts
        For each fold the rows; see `cuts_of`.
    name
        What its random numbers depend on.
    """

    u: Array
    v: Array
    cuts: Sequence[Cut]
    name: int


@dataclass(frozen=True)
class Reading:
    """What the critics of one objective and one share of the rows say of all held-out pairs of a sample.

    Parameters
    ----------
    lower, left_out
        Means of InfoNCE and of its value without the positive in the denominator, nats.
    se
        Standard error of `lower`, over rows.
    base
        `lower` of the Gaussian log ratio alone.
    gain_z
        What the network adds to `base`, in its standard errors.
    positives
        Mean score of the pairs.
    train
        `lower` on training rows, as many as were held out.
    ceiling
        Of `lower`, nats.
    rho
        Correlations of the canonical variates on held-out rows, (r,).
    influence
        Of each row, (n,), on `lower`.
    scores
        For each fold its rows and their scores, (m,) and (m, m).
    trained
        Rows that a critic was trained on, a mean.
    steps
        Training steps until the critic that is read, a mean.
    """

    lower: float
    left_out: float
    se: float
    base: float
    gain_z: float
    positives: float
    positives_se: float
    train: float
    ceiling: float
    rho: Array
    influence: Array
    scores: list[tuple[Rows, NDArray[np.float32]]]
    trained: float
    steps: float


def cuts_of(fold: Rows, order: Rows, share: float) -> list[Cut]:
    """Cut the rows for every fold.

    Parameters
    ----------
    fold
        Of each row, (n,).
    order
        A random place for each row, (n,): rows with a low one stop, and the last are left out where not all train.
        Rows that belong together have neighbouring places.
    share
        Of the training rows that are trained on.
    """
    cuts = []
    for k in range(int(fold.max()) + 1):
        rest = np.flatnonzero(fold != k)
        rest = rest[np.argsort(order[rest], kind="stable")]
        stopping = max(8, round(_STOP_SHARE * len(rest)))
        training = rest[stopping:]
        cuts.append(
            Cut(
                training[: max(_LEAST_TRAINING, round(share * len(training)))],
                rest[:stopping],
                np.flatnonzero(fold == k),
            )
        )
    return cuts


class _Run(NamedTuple):
    task: Task
    cut: Cut
    base: Canonical
    estimator: str
    seed: int


def cross_fit(tasks: Sequence[Task], objective: str, *, steps: int, progress: Progress | None = None) -> list[Reading]:
    """Train critics for every fold of every sample, and read the held-out rows.

    Parameters
    ----------
    tasks
        Samples of the same columns; the cuts of one have nearly the same sizes.
    objective
        Name of the estimator whose loss is trained.
    steps
        At most so many.

    Returns
    -------
    list
        A reading for each sample.
    """
    runs = [
        _Run(task, cut, _best_base(task, cut), objective, hash_of(task.name, k, len(cut.train)))
        for task in tasks
        for k, cut in enumerate(task.cuts)
    ]
    pack = _Pack(runs)
    pack.train(steps, progress)
    readings, at = [], 0
    for task in tasks:
        readings.append(_reading(task, pack, range(at, at + len(task.cuts))))
        at += len(task.cuts)
    return readings


def hash_of(*parts: int) -> int:
    """Mix whole numbers to a seed, in [0, 2^63)."""
    state = np.random.SeedSequence([part % 2**63 for part in parts])
    return int(state.generate_state(1, np.uint64)[0] >> 1)


def _best_base(task: Task, cut: Cut) -> Canonical:
    """The Gaussian that is best on the rows that stop."""
    stop = cut.stop[:_MOST_CHOOSING]
    fits = [
        fit.shrunk(share)
        for fit in (canonical(task.u[cut.train], task.v[cut.train], ridge) for ridge in _RIDGES)
        for share in _SHARES
    ]
    values = [contrast(_base_scores(fit, task.u[stop], task.v[stop])).infonce.mean() for fit in fits]
    return fits[int(np.argmax(values))]


def _base_scores(base: Canonical, u: Array, v: Array) -> Array:
    a, b, f, g = base.factors(u, v)
    return np.asarray(a @ b.T + f[:, None] + g[None, :])


class _Stack:
    """Critics of some runs, with what trains them."""

    def __init__(self, runs: Sequence[_Run], batch: int, dim_x: int, dim_y: int) -> None:
        self._runs, self._sizes = runs, (batch, dim_x, dim_y)
        device = torch.device("cpu")
        self.scorer = DotScorer(Shape(len(runs), batch, batch, dim_x, dim_y, device), hidden=_HIDDEN, embed=_EMBED)
        estimators: list[Estimator] = [get_estimator(run.estimator) for run in runs]
        # Twice the runs, since both directions are contrasted: of one, a critic's value is free to drift with x alone.
        twice = [estimator for estimator in estimators for _ in range(2)]
        self._objective = Objective(twice, batch, all_pairs=True, device=device)
        self._optimiser = Adam([Group([self.scorer.parameters], [self.scorer.gradients], _LR, 0.0)])

    def step(self, x: Tensor, y: Tensor, a: Tensor, b: Tensor) -> None:
        """Train on a batch of every run: both sides, and the factors of the base, (R, N, ...)."""
        raw = torch.baddbmm(self.scorer.forward(x, y, None, train=True), a, b.transpose(1, 2))
        both = torch.stack((raw, raw.transpose(1, 2)), 1).flatten(0, 1)
        gradient = self._objective.step(both, {})[2][0].unflatten(0, (-1, 2))
        self.scorer.backward(gradient[:, 0] + gradient[:, 1].transpose(1, 2))
        self._optimiser.step()

    def only(self, kept: Sequence[int]) -> _Stack:
        """Some of the runs (two at least), as they stand."""
        fewer = _Stack([self._runs[r] for r in kept], *self._sizes)
        flat = zip(self._flat(), fewer._flat(), strict=True)
        for then, now in flat:
            for new, old in enumerate(kept):
                places = zip(self.scorer.places(old, old + 1), fewer.scorer.places(new, new + 1), strict=True)
                for source, target in places:
                    now[target] = then[source]
        for then, now in zip(self._counts(), fewer._counts(), strict=True):
            now.copy_(then)
        return fewer

    def _flat(self) -> list[Tensor]:
        """What steps change of a run, in tensors of the parameters' layout."""
        means, squares, _ = self._optimiser.state[0]
        return [self.scorer.parameters, *means, *squares]

    def _counts(self) -> list[Tensor]:
        return self._optimiser.state[0][2]


class _Pack:
    """Critics of all runs, stacked; those that are done leave the stack."""

    def __init__(self, runs: Sequence[_Run]) -> None:
        self.runs = runs
        sizes = [len(run.cut.train) for run in runs]
        smallest = min(sizes)
        self.batch = 128 if smallest >= 1_000 else 64 if smallest >= 64 else 32 if smallest >= 32 else 16
        self.sides = [tuple(_single(_widened(side)) for side in (run.task.u, run.task.v)) for run in runs]
        self.factors = [_factors(run) for run in runs]
        self.most_steps = _EPOCHS * max(sizes) // self.batch
        dim_x, dim_y = (side.shape[1] for side in self.sides[0])
        self.whole = _Stack(runs, self.batch, dim_x, dim_y)
        self.generators = [torch.Generator().manual_seed(run.seed) for run in runs]
        for r, generator in enumerate(self.generators):
            self.whole.scorer.initialise(r, generator)
            self.whole.scorer.silence(r)
        self.orders = [torch.empty(0, dtype=torch.int64)] * len(runs)
        self.best = [-math.inf] * len(runs)
        self.kept = [[tensor.clone() for tensor in self.whole.scorer.state_of(r)] for r in range(len(runs))]
        self.steps = [0] * len(runs)
        self.waited = [0] * len(runs)

    @torch.no_grad()
    def train(self, steps: int, progress: Progress | None) -> None:
        """Train every run until it has not become better for a while."""
        stack, live = self.whole, list(range(len(self.runs)))
        self._look(0, stack, live)
        done = 0
        steps = min(steps, self.most_steps)
        while done < steps and live:
            batches = self._batches(live, _BLOCK)
            for s in range(_BLOCK):
                stack.step(*(part[:, s] for part in batches))
                done += 1
                if done % _EVERY == 0:
                    self._look(done, stack, live)
            better = [r for r in live if self.waited[r] < _PATIENCE]
            if 2 <= len(better) <= _FEWER * len(live) or not better:
                stack = stack.only([live.index(r) for r in better]) if better else stack
                live = better
            if progress is not None:
                progress(min(1.0, done / steps))
        for r, kept in enumerate(self.kept):
            for now, best in zip(self.whole.scorer.state_of(r), kept, strict=True):
                now.copy_(best)

    def scores(self, r: int, rows: Rows) -> NDArray[np.float32]:
        """Scores of all pairs of some rows by the critic that is kept, (m, m)."""
        return self._scores(self.whole, r, r, rows).numpy()

    def _scores(self, stack: _Stack, place: int, r: int, rows: Rows) -> Tensor:
        at = torch.from_numpy(rows)
        x, y = (side[at] for side in self.sides[r])
        a, b = (side[at] for side in self.factors[r])
        g, h = stack.scorer.prepare(place, x, y)
        return torch.addmm(a @ b.T, g, h.T)

    def _look(self, step: int, stack: _Stack, live: Sequence[int]) -> None:
        """Keep what has become better on the stopping rows."""
        for place, r in enumerate(live):
            if self.waited[r] >= _PATIENCE:
                continue
            value = _symmetric_infonce(self._scores(stack, place, r, self.runs[r].cut.stop[:_MOST_STOPPING]))
            if value > self.best[r]:
                self.best[r], self.steps[r], self.waited[r] = value, step, 0
                for kept, now in zip(self.kept[r], stack.scorer.state_of(place), strict=True):
                    kept.copy_(now)
            else:
                self.waited[r] += 1

    def _batches(self, live: Sequence[int], steps: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Batches of the runs that are trained, (R, steps, N, ...): both sides, and the factors of the base."""
        parts = []
        for r in live:
            order, generator = self.orders[r], self.generators[r]
            train = torch.from_numpy(self.runs[r].cut.train)
            while len(order) < steps * self.batch:
                whole = len(train) // self.batch * self.batch
                order = torch.cat((order, train[torch.randperm(len(train), generator=generator)[:whole]]))
            taken, self.orders[r] = order.split((steps * self.batch, len(order) - steps * self.batch))
            parts.append([side[taken].view(steps, self.batch, -1) for side in (*self.sides[r], *self.factors[r])])
        x, y, a, b = (torch.stack(column) for column in zip(*parts, strict=True))
        return x, y, a, b


def _factors(run: _Run) -> tuple[Tensor, Tensor]:
    """Factors of the base's log ratio with its terms, (n, r + 2) each, whose product is the score."""
    a, b, f, g = run.base.factors(run.task.u, run.task.v)
    ones = np.ones((len(f), 1))
    return _single(np.hstack((a, f[:, None], ones))), _single(np.hstack((b, ones, g[:, None])))


def _widened(columns: Array) -> Array:
    """Columns of zeros beside a few: products of a stack of very narrow matrices are computed one by one."""
    return np.hstack((columns, np.zeros((len(columns), max(0, _FEWEST_COLUMNS - columns.shape[1])))))


def _single(array: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))


def _symmetric_infonce(scores: Tensor) -> float:
    denominators = torch.logsumexp(scores, 0) + torch.logsumexp(scores, 1)
    return float((scores.diagonal() - denominators / 2).mean()) + math.log(len(scores))


def _reading(task: Task, pack: _Pack, at: range) -> Reading:
    n = len(task.u)
    lower, left, influence, base, positives = (np.empty(n) for _ in range(5))
    kept, train, ceilings = [], [], []
    for r, cut in zip(at, task.cuts, strict=True):
        scores = pack.scores(r, cut.test)
        found = contrast(scores.astype(np.float64))
        lower[cut.test], left[cut.test], influence[cut.test] = found.infonce, found.left_out, found.influence
        positives[cut.test] = found.positives
        fitted = _base_scores(pack.runs[r].base, task.u[cut.test], task.v[cut.test])
        base[cut.test] = contrast(fitted).influence
        kept.append((cut.test, scores))
        seen = cut.train[: len(cut.test)]
        train.append(contrast(pack.scores(r, seen).astype(np.float64)).infonce.mean() - math.log(len(seen)))
        ceilings.append(math.log(len(cut.test)))
    gain = influence - base
    return Reading(
        lower=float(lower.mean()),
        left_out=float(left.mean()),
        se=float(influence.std(ddof=1) / math.sqrt(n)),
        base=float(base.mean()),
        gain_z=float(gain.mean() / (gain.std(ddof=1) / math.sqrt(n) + 1e-12)),
        positives=float(positives.mean()),
        positives_se=float(positives.std(ddof=1) / math.sqrt(n)),
        train=float(np.mean(train)) + float(np.mean(ceilings)),
        ceiling=float(np.mean(ceilings)),
        rho=_held_out_correlations(task, pack, at),
        influence=influence,
        scores=kept,
        trained=float(np.mean([len(cut.train) for cut in task.cuts])),
        steps=float(np.mean([pack.steps[r] for r in at])),
    )


def _held_out_correlations(task: Task, pack: _Pack, at: range) -> Array:
    """Correlations of the canonical variates of each fold's training rows on its held-out rows, (r,); at least 0."""
    found = []
    for r, cut in zip(at, task.cuts, strict=True):
        a, b = pack.runs[r].base.variates(task.u[cut.test], task.v[cut.test])
        a, b = a - a.mean(0), b - b.mean(0)
        found.append((a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0)))
    return np.asarray(np.clip(np.mean(found, 0), 0.0, 1 - 1e-9))
