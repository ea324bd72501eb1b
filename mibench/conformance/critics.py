"""Conformance checks of critics: what the engine relies on."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mibench.conformance.declared import check_statements
from mibench.conformance.findings import (
    Check,
    Failed,
    Finding,
    check_docstring,
    no_global_randomness,
    run_checks,
    subject_of,
)
from mibench.core.critic import Architecture, Critic
from mibench.core.scorer import Scorer, Shape
from mibench.critics.none import NoCritic
from mibench.critics.oracle import Oracle

_BATCH, _DIM = 16, 3
_ARCHITECTURE = Architecture(depth=2, width=16, activation="elu", dropout=(0.0, 0.0))


def check_critic(critic: Critic) -> list[Finding]:
    """Check the scores, their gradient, and that neither runs nor pairs of a batch are mixed.

    Parameters
    ----------
    critic
        An instance. The exact critic has nothing to train and is checked with the tasks' log ratios instead; critics
        of numbered instances cannot be checked on the Gaussian pairs used here; the one that is none has nothing to
        check.
    """
    subject = subject_of("critic", critic)
    unchecked = isinstance(critic, Oracle | NoCritic) or critic.needs_support
    checks = CRITIC_CHECKS[:2] if unchecked else CRITIC_CHECKS
    return run_checks(subject, critic, checks, gates=3)


def _scorer(critic: Critic, runs: int, first: int = 0) -> Scorer:
    """Build scorers of runs ``first``, ``first + 1``, ..., each initialised from its own stream."""
    shape = Shape(runs=runs, batch=_BATCH, pool=_BATCH, dim_x=_DIM, dim_y=_DIM, device=torch.device("cpu"))
    scorer = critic.build(shape, _ARCHITECTURE, ())
    for run in range(runs):
        scorer.initialise(run, torch.Generator().manual_seed(first + run))
    return scorer


def _data(runs: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    x, y = torch.randn(2, runs, _BATCH, _DIM, generator=torch.Generator().manual_seed(seed))
    return x, y


def _shift(runs: int) -> Tensor:
    """Negatives by a cyclic shift, (R, N, 1)."""
    return torch.arange(_BATCH).roll(-1).view(1, _BATCH, 1).expand(runs, -1, -1)


def _check_scores(critic: Critic) -> str:
    scorer = _scorer(critic, 2)
    for train in (True, False):
        matrix, listed = _both(scorer, train=train)
        for name, raw, shape in (("all pairs", matrix, (2, _BATCH, _BATCH)), ("pairs", listed, (2, 2 * _BATCH))):
            if tuple(raw.shape) != shape:
                raise Failed(f"scores of {name} have shape {tuple(raw.shape)}, not {shape}; give one score per pair")
            if not raw.isfinite().all():
                raise Failed(f"scores of {name} are not finite on standard normal data")
    # Of evaluation: in training each call has a dropout of its own.
    if not torch.equal(matrix, _both(scorer, train=False)[0]):
        raise Failed("two evaluations of the same pairs differ; let dropout act in training alone")
    positives = matrix.diagonal(dim1=1, dim2=2)
    if not torch.allclose(positives, listed[:, :_BATCH], rtol=1e-4, atol=1e-5):
        raise Failed("the same pairs have other scores in the full matrix than in a list; score each pair alone")
    return "one finite score per pair, the same in the matrix and in a list"


def _both(scorer: Scorer, *, train: bool) -> tuple[Tensor, Tensor]:
    """Scores of two runs as a matrix and as a list."""
    x, y = _data(2)
    scorer.rewind()
    matrix = scorer.forward(x, y, None, train=train).clone()  # the next call may use its memory
    return matrix, scorer.forward(x, y, _shift(2), train=train).clone()


def _check_inputs(critic: Critic) -> str:
    scorer = _scorer(critic, 1)
    x, y = _data(1)
    matrix = scorer.forward(x, y, None, train=False)[0]  # without a dropout, which tells equal rows apart
    if torch.allclose(matrix[0], matrix[1]) or torch.allclose(matrix[:, 0], matrix[:, 1]):
        raise Failed("scores ignore x or y; a critic must see both")
    return "scores depend on x and on y"


def _check_pairs(critic: Critic) -> str:
    x, y = _data(1)
    # In training, where a normalisation would use the batch; each on a scorer of its own, whose dropout begins alike.
    before = _scorer(critic, 1).forward(x, y, _shift(1), train=True).clone()
    x[:, 0] += 1.0
    after = _scorer(critic, 1).forward(x, y, _shift(1), train=True)
    others = torch.arange(2 * _BATCH) % _BATCH != 0  # the positive and the negative of row 0 may move
    if not torch.allclose(before[:, others], after[:, others], rtol=1e-5, atol=1e-6):
        raise Failed("another pair's x moves a score; do not mix the pairs of a batch (no batch normalisation)")
    return "a pair's score does not depend on the other pairs"


def _check_runs(critic: Critic) -> str:
    x, y = _data(3)
    pack = _scorer(critic, 3)
    values = pack.forward(x, y, None, train=True).clone()
    pack.backward(torch.ones_like(values))
    for run in range(3):
        alone = _scorer(critic, 1, first=run)
        value = alone.forward(x[run : run + 1], y[run : run + 1], None, train=True)
        alone.backward(torch.ones_like(value))
        if not (torch.equal(values[run], value[0]) and torch.equal(_gradients(pack, run), _gradients(alone, 0))):
            raise Failed(f"scores or gradients of run {run} differ between a pack of 3 and a pack of 1")
    return "a run in a pack of 3 has the bits of the run alone"


def _gradients(scorer: Scorer, run: int) -> Tensor:
    return torch.cat([scorer.gradients[place] for place in scorer.places(run, run + 1)])


def _check_start(critic: Critic) -> str:
    with no_global_randomness("the initialisation"):
        first, second = _scorer(critic, 1, first=0), _scorer(critic, 1, first=0)
        other = _scorer(critic, 1, first=1)
    if not torch.equal(first.parameters, second.parameters):
        raise Failed("generators in the same state give different initial parameters")
    if torch.equal(first.parameters, other.parameters):
        raise Failed("different generators give the same initial parameters; seeds would have no effect")
    return "initial parameters come from the run's stream alone"


def _check_gradient(critic: Critic) -> str:
    x, y = _data(1)
    weight = torch.randn(1, _BATCH, _BATCH, generator=torch.Generator().manual_seed(9))
    scorer = _scorer(critic, 1)
    scorer.forward(x, y, None, train=True)
    scorer.backward(weight)
    gradient = scorer.gradients.clone()
    squared = float(gradient.double().square().sum())
    if not squared > 0:
        raise Failed("no parameter has a gradient; the critic cannot be trained")
    step = 1e-2 / math.sqrt(squared)
    values = []
    for sign in (1, -1):
        moved = _scorer(critic, 1)
        moved.parameters.add_(gradient, alpha=sign * step)
        values.append(float((weight.double() * moved.forward(x, y, None, train=True).double()).sum()))
    found = (values[0] - values[1]) / (2 * step)
    if not math.isclose(found, squared, rel_tol=2e-2):
        raise Failed(f"along its gradient the scores change by {found:.5g} where the gradient says {squared:.5g}")
    return "the gradient of the parameters agrees with finite differences"


CRITIC_CHECKS: tuple[Check[Critic], ...] = (
    ("docstring", check_docstring),
    ("declared", check_statements),
    ("scores", _check_scores),
    ("inputs", _check_inputs),
    ("pairs are not mixed", _check_pairs),
    ("runs are not mixed", _check_runs),
    ("initialisation", _check_start),
    ("gradient", _check_gradient),
)
"""In the order in which they run."""
