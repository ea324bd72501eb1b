"""Conformance checks of what lets runs be stacked: shapes, no mixing, no memory, states and blocks of rows."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from mibench.conformance.drawn_scores import (
    SHAPES,
    as_leaves,
    copied,
    cut_scores,
    drawn_scores,
    functionals,
    gradients_of,
    initial_state,
    part_of,
)
from mibench.conformance.findings import Failed, no_global_randomness
from mibench.core.estimator import Estimator


def check_shapes(estimator: Estimator) -> str:
    """Check that leading axes are kept and that precision is."""
    for dtype in (torch.float32, torch.float64):
        for lead in ((), (3,), (1,), (2, 3)):
            for n, m in SHAPES[:4]:
                scores = drawn_scores(estimator, 0, *lead, n=n, m=m, dtype=dtype)
                for name, functional in functionals(estimator).items():
                    _expect_shape(name, functional(scores), lead, dtype, f"pos {(*lead, n)} and neg {(*lead, n, m)}")
    if estimator.by_rows:
        rows = estimator.rows(drawn_scores(estimator, 0, 3, n=8, m=7))
        if rows.ndim != 3 or rows.shape[:2] != (3, 8):
            raise Failed(f"rows gives shape {tuple(rows.shape)} for pos (3, 8); it must be (3, 8, k)")
    return "leading axes are kept, (R, N) and (R, N, M) give (R,), in float32 and float64"


def _expect_shape(name: str, value: object, lead: tuple[int, ...], dtype: torch.dtype, given: str) -> None:
    if not isinstance(value, Tensor):
        raise Failed(f"{name} returns {type(value).__name__}; it must return a tensor, one number per run")
    if tuple(value.shape) != lead:
        raise Failed(
            f"{name} gives shape {tuple(value.shape)} for {given}; it must be {lead}: reduce the batch axes only"
        )
    if value.dtype != dtype:
        raise Failed(f"{name} gives {value.dtype} for {dtype} scores; keep the scores' precision")


def check_stacked(estimator: Estimator) -> str:
    """Check that a run in a pack has the bits of the run alone."""
    for stacked, n, m in ((4, 64, 1), (4, 64, 63), (64, 64, 1)):  # 64: the packs of a GPU
        scores = drawn_scores(estimator, 1, stacked, n=n, m=m)
        for name, functional in functionals(estimator).items():
            together = functional(scores)
            for run in range(stacked):
                if not torch.equal(together[run : run + 1], functional(part_of(scores, run))):
                    raise Failed(
                        f"{name} of run {run} differs between a pack of {stacked} and a pack of 1; "
                        "runs must not depend on their company, to the last bit"
                    )
    return "a run in packs of 4 and 64 has the bits of the run alone, at N = 64"


def check_runs(estimator: Estimator) -> str:
    """Check that no run's values or gradients move with another run's scores."""
    for n, m in ((8, 1), (8, 7)):
        scores = drawn_scores(estimator, 2, 3, n=n, m=m)
        for disturbance in (1.0, 1e4, math.nan):
            disturbed = copied(scores)
            for sign, tensor in zip(itertools.cycle((1, -1)), disturbed.tensors(), strict=False):
                tensor[0] += sign * disturbance
            for name, functional in functionals(estimator).items():
                if not torch.equal(functional(scores)[1:], functional(disturbed)[1:]):
                    raise Failed(f"{name} mixes runs: scores of run 0 move runs 1 and 2; reduce the batch axes only")
    for name, functional in functionals(estimator).items():
        scores = as_leaves(drawn_scores(estimator, 2, 3, n=8, m=7))
        if any(g[0].ne(0).any() for g in gradients_of(functional(scores)[1:], scores)):
            raise Failed(
                f"{name} mixes runs: that of runs 1 and 2 has a gradient with respect to the scores of run 0; "
                "reduce the batch axes only"
            )
    return "values and gradients of a run do not move when another run's scores change, or turn NaN"


def check_pure(estimator: Estimator) -> str:
    """Check that values are functions of the scores alone, which are not written to."""
    scores, other = (drawn_scores(estimator, seed, 2, n=8, m=7) for seed in (3, 4))
    for name, functional in functionals(estimator).items():
        given = copied(scores)
        with no_global_randomness(name):
            first = functional(given)
        if not all(torch.equal(a, b) for a, b in zip(given.tensors(), scores.tensors(), strict=True)):
            raise Failed(f"{name} writes into the scores that it is given; work on copies")
        leaves, others = as_leaves(scores), as_leaves(other)  # as in training: a memory may be written only then
        before = gradients_of(functional(leaves), leaves)
        gradients_of(functional(others), others)
        after = gradients_of(functional(leaves), leaves)
        same = all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
        if not (same and torch.equal(first, functional(scores))):
            raise Failed(
                f"{name} remembers earlier calls, which other runs share; "
                "give an initial_state and carry the state through stateful_loss"
            )
    return "the same scores give the same values, whatever came before, and are not written to"


def check_state(estimator: Estimator) -> str:
    """Check that every run has a state of its own, without gradients."""
    if not estimator.state_size:
        return "there is none"
    alone, stacked = (
        [initial_state(estimator, torch.zeros(1, 64)) for _ in range(3)],
        initial_state(estimator, torch.zeros(3, 64)),
    )
    for step in range(3):
        scores = as_leaves(drawn_scores(estimator, 10 + step, 3, n=64, m=1))
        losses, stacked = estimator.stateful_loss(scores, stacked)
        if tuple(stacked.shape) != (3, estimator.state_size):
            raise Failed(
                f"stateful_loss gives a state of shape {tuple(stacked.shape)}, not (3, {estimator.state_size})"
            )
        if stacked.requires_grad:
            raise Failed("the state carries gradients from step to step; detach it")
        for run in range(3):
            loss, alone[run] = estimator.stateful_loss(part_of(scores, run), alone[run])
            if not (torch.equal(losses[run : run + 1], loss) and torch.equal(stacked[run : run + 1], alone[run])):
                raise Failed(
                    f"the state of run {run} differs between a pack of 3 and a pack of 1; it is shared between runs"
                )
    return "each run has its own, the same in a pack and alone"


def check_rows(estimator: Estimator) -> str:
    """Check that a pool evaluated block by block gives the value of the whole."""
    if not estimator.by_rows:
        return "the value is no function of per-row statistics; pools are evaluated at once"
    scores = drawn_scores(estimator, 5, 2, n=12, m=11, dtype=torch.float64)
    parts = [cut_scores(scores, lambda t: t[:, :5]), cut_scores(scores, lambda t: t[:, 5:])]
    blocks = estimator.reduce(torch.cat([estimator.rows(part) for part in parts], -2))
    if not torch.allclose(blocks, estimator.estimate(scores), rtol=1e-9, atol=1e-9):
        raise Failed(
            "rows of a block differ from rows of the whole batch; a row's statistics must use its own scores only"
        )
    return "a pool evaluated block by block gives the value of the whole"
