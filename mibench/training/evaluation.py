"""Evaluation of trained critics: fresh batches, large pools streamed in blocks, and what the sampler allows.

Notable: a pool of n pairs has n (n - 1) negatives; they are visited in blocks of rows, of which an estimator keeps a
few numbers per row, totalled in float64. Neither time nor memory is spent on the whole matrix.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from mibench.core.estimator import Estimator
from mibench.core.sampler import NegativeSampler
from mibench.core.scorer import Scorer
from mibench.core.scores import Scores
from mibench.core.streams import stream
from mibench.core.task import Task
from mibench.negatives.permutations import partial_derangements

PAIRS_POOL = 2**15
"""Pairs in the pool where a row has one negative."""

CHEAP_POOL = 2**13
"""Pairs in the all-pairs pool of critics that embed each side once."""

COSTLY_POOL = 2**11
"""Pairs in the all-pairs pool of critics that look at every pair, and of estimators that need the whole matrix."""

SAMPLE_POOL = 2**13
"""Pairs in the large sample of estimators that take one: nearest neighbours in 40 dimensions take 2 seconds."""

_TRUTH_DRAWS = 2**15


@dataclasses.dataclass(frozen=True)
class Pool:
    """The large fresh pool of a run: its size and its negatives per row."""

    pairs: int
    negatives: int


Transform = Callable[[Scores], Scores]


def choose_pool(estimator: Estimator, *, per_row: int, cheap: bool, paired: bool = False) -> Pool:
    """Return the pool for a run whose rows have ``per_row`` negatives.

    Parameters
    ----------
    estimator
        Where it has no per-row form, the pool is one whose matrix fits in memory.
    per_row
        Negatives per row of the training batch.
    cheap
        Whether the critic scores all pairs at the cost of its sides.
    paired
        Whether one negative per row is all that the estimate needs; see `NegativeSampler.paired_pool`.
    """
    if paired or per_row == 1:
        return Pool(PAIRS_POOL, 1)
    pairs = CHEAP_POOL if cheap and estimator.by_rows else COSTLY_POOL
    return Pool(pairs, pairs - 1)


@torch.no_grad()
def evaluate_pool(
    scorer: Scorer,
    run: int,
    estimators: Sequence[Estimator],
    x: Tensor,
    y: Tensor,
    *,
    block: int | None = None,
    extras: Mapping[str, Scorer] | None = None,
    transform: Transform | None = None,
) -> list[float]:
    """Estimates on all pairs of a pool, for several estimators of one critic at once, nats.

    Parameters
    ----------
    scorer, run
        The critic: one run of a pack.
    estimators
        What to evaluate. Those with a per-row form are streamed; for the others the whole matrix is kept.
    x, y
        The pool, (n, dim_x) and (n, dim_y).
    block
        Rows visited at once; the scorers' choice by default.
    extras
        What stands beside the critic, by name.
    transform
        What the estimators are given instead of the scores; see `Estimator.transform`.
    """
    names, scorers = list(extras or {}), [scorer, *(extras or {}).values()]
    n, prepared = len(x), [s.prepare(run, s.left_of(x, y), y) for s in scorers]
    streamed = [e for e in estimators if e.by_rows]
    statistics: list[list[Tensor]] = [[] for _ in streamed]
    matrices = []
    for start in range(0, n, step := block or min(s.block_rows(n) for s in scorers)):
        scored = [s.block(p, start, min(start + step, n)) for s, p in zip(scorers, prepared, strict=True)]
        if streamed:
            scores = _scores(scored, names, transform, offset=start)
            for kept, estimator in zip(statistics, streamed, strict=True):
                kept.append(estimator.rows(scores).double())
        if len(streamed) < len(estimators):
            matrices.append(scored)
    values = {id(e): float(e.reduce(torch.cat(kept))) for e, kept in zip(streamed, statistics, strict=True)}
    if matrices:
        whole = _scores([torch.cat(blocks).double() for blocks in zip(*matrices, strict=True)], names, transform)
        values.update({id(e): float(e.estimate(whole)) for e in estimators if not e.by_rows})
    return [values[id(e)] for e in estimators]


def _scores(
    matrices: Sequence[Tensor], names: Sequence[str], transform: Transform | None, *, offset: int = 0
) -> Scores:
    """Read a block of the critic's rows, and of each extra's, as scores."""
    critic, *extras = (Scores.from_matrix(matrix, offset=offset) for matrix in matrices)
    scores = critic.with_extras(dict(zip(names, extras, strict=True)))
    return transform(scores) if transform else scores


@torch.no_grad()
def evaluate_pairs(
    scorer: Scorer,
    run: int,
    estimator: Estimator,
    x: Tensor,
    y: Tensor,
    generator: torch.Generator,
    *,
    extras: Mapping[str, Scorer] | None = None,
    transform: Transform | None = None,
) -> float:
    """Estimate on a pool with one clean negative per row, drawn by a random cycle, nats; totals in float64."""
    partner = partial_derangements(1, len(x), 0, generator)[0]

    def score(critic: Scorer) -> Scores:
        left = critic.left_of(x, y)
        pos, neg = critic.pairs(run, left, y), critic.pairs(run, left, y[partner])
        return Scores.from_pairs(pos.double(), neg.double().unsqueeze(-1))

    scores = score(scorer).with_extras({name: score(extra) for name, extra in (extras or {}).items()})
    return float(estimator.estimate(transform(scores) if transform else scores))


@torch.no_grad()
def predicted_optimum(task: Task, sampler: NegativeSampler, batch: int, run_id: str, stair: int) -> float | None:
    """Value of the best critic for NWJ and DV under a sampler that leaves k positives among N negatives, nats.

    ``E_p[log r - log(1 - k/N + (k/N) r)]``, the Kullback-Leibler divergence between the pairs and what the sampler
    calls negatives; at most log(N / k), and the true MI for a clean sampler. Estimated on 2^15 pairs; None where the
    density ratio r is unknown, or the negatives come from a proposal.
    """
    if sampler.has_weights:
        return None
    share = sampler.positives(batch) / batch
    if share == 0:
        return float(task.mi)
    if not task.has_log_ratio:
        return None
    x, y = task.sample(_TRUTH_DRAWS, stream(run_id, "truth", stair))
    log_ratio = task.log_ratio(x, y).double()
    if share == 1:
        return 0.0
    mixture = torch.logaddexp(torch.full_like(log_ratio, math.log1p(-share)), log_ratio + math.log(share))
    return float((log_ratio - mixture).mean())
