"""Conformance checks of estimators: everything that the engine, the reports and the leaderboard rely on."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from mibench.conformance.bounds import check_any_critic, check_better, check_exact, initial_state
from mibench.conformance.findings import Check, Failed, Finding, check_docstring, no_global_randomness, run_checks
from mibench.conformance.samples import SAMPLE_CHECKS
from mibench.core.estimator import Estimator, SampleEstimator
from mibench.core.parameters import join_name
from mibench.core.scores import Scores

_SHAPES = ((2, 1), (8, 1), (8, 7), (5, 3), (64, 1), (64, 63))
"""Batch sizes and negatives per row, (N, M)."""

Functional = Callable[[Scores], Tensor]


def check_estimator(estimator: Estimator) -> list[Finding]:
    """Check everything that the engine, the reports and the leaderboard rely on.

    Parameters
    ----------
    estimator
        An instance, with the parameters that are to be checked. One that takes a sample has checks of its own.

    Returns
    -------
    list of Finding
        In the order of the checks; where the kind or the shapes are wrong, the others are left out.
    """
    name = join_name(type(estimator).__name__, estimator.params())
    if isinstance(estimator, SampleEstimator):
        return run_checks(f"estimator {name}", estimator, SAMPLE_CHECKS, gates=3)
    return run_checks(f"estimator {name}", estimator, CHECKS, gates=3)


def _functionals(estimator: Estimator) -> dict[str, Functional]:
    """What maps scores to one number per run; a stateful loss is taken at its initial state."""
    found: dict[str, Functional] = {"estimate": estimator.estimate, "loss": estimator.loss}
    if estimator.state_size:
        found["stateful_loss"] = lambda s: estimator.stateful_loss(s, initial_state(estimator, s.pos))[0]
    return found


def _scores(seed: int, *lead: int, n: int, m: int, scale: float = 1.0, dtype: torch.dtype = torch.float32) -> Scores:
    """Draw scores of random pairs, with ``m`` negatives per row."""
    generator = torch.Generator().manual_seed(seed)
    pos = scale * torch.randn(*lead, n, generator=generator, dtype=dtype) + 1
    return Scores.from_pairs(pos, scale * torch.randn(*lead, n, m, generator=generator, dtype=dtype))


def _with_extras(estimator: Estimator, scores: Scores, seed: int = 0) -> Scores:
    """Put random values of the estimator's extras beside scores, and random weights where it uses them."""
    generator = torch.Generator().manual_seed(1000 + seed)

    def draw(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator, dtype=like.dtype)

    scores = scores.with_extras({extra.name: scores.map(draw) for extra in estimator.extras})
    if not estimator.uses_weights:
        return scores
    return dataclasses.replace(scores, log_weights=draw(scores.neg).double())


def _drawn(estimator: Estimator, seed: int, *lead: int, n: int, m: int, dtype: torch.dtype = torch.float32) -> Scores:
    """Draw scores of random pairs, and the estimator's extras."""
    return _with_extras(estimator, _scores(seed, *lead, n=n, m=m, dtype=dtype), seed)


def _copy(scores: Scores) -> Scores:
    return scores.map(torch.clone)


def _leaves(scores: Scores) -> Scores:
    """Copy scores into tensors that collect gradients."""
    return scores.map(lambda t: t.detach().clone().requires_grad_())


def _gradients(values: Tensor, leaves: Scores) -> list[Tensor]:
    """Gradient of the sum of values; zeros where they have none."""
    if not values.requires_grad:
        return [torch.zeros_like(t) for t in leaves.tensors()]
    return list(torch.autograd.grad(values.sum(), leaves.tensors(), allow_unused=True, materialize_grads=True))


def _moved(scores: Scores, steps: Iterable[Tensor], by: float) -> Scores:
    """Scores after a step along a line, away from all gradients."""
    remaining = iter(steps)
    return scores.map(lambda t: t.detach() + by * next(remaining))


def _cut(scores: Scores, cut: Callable[[Tensor], Tensor]) -> Scores:
    """Take a part of all tensors, the weights among them."""
    weights = scores.log_weights
    return dataclasses.replace(scores.map(cut), log_weights=None if weights is None else cut(weights))


def _part(scores: Scores, run: int) -> Scores:
    return _cut(scores, lambda t: t[run : run + 1])


def _check_kind(estimator: Estimator) -> str:
    kind = getattr(estimator, "kind", None)
    if kind not in ("lower", "upper", "plug-in"):
        raise Failed(f"kind is {kind!r}; state 'lower', 'upper' or 'plug-in' in the class")
    return f"{kind}"


def _check_shapes(estimator: Estimator) -> str:
    for dtype in (torch.float32, torch.float64):
        for lead in ((), (3,), (1,), (2, 3)):
            for n, m in _SHAPES[:4]:
                scores = _drawn(estimator, 0, *lead, n=n, m=m, dtype=dtype)
                for name, functional in _functionals(estimator).items():
                    _expect_shape(name, functional(scores), lead, dtype, f"pos {(*lead, n)} and neg {(*lead, n, m)}")
    if estimator.by_rows:
        rows = estimator.rows(_drawn(estimator, 0, 3, n=8, m=7))
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


def _check_stacked(estimator: Estimator) -> str:
    for stacked, n, m in ((4, 64, 1), (4, 64, 63), (64, 64, 1)):  # 64: the packs of a GPU
        scores = _drawn(estimator, 1, stacked, n=n, m=m)
        for name, functional in _functionals(estimator).items():
            together = functional(scores)
            for run in range(stacked):
                if not torch.equal(together[run : run + 1], functional(_part(scores, run))):
                    raise Failed(
                        f"{name} of run {run} differs between a pack of {stacked} and a pack of 1; "
                        "runs must not depend on their company, to the last bit"
                    )
    return "a run in packs of 4 and 64 has the bits of the run alone, at N = 64"


def _check_runs(estimator: Estimator) -> str:
    for n, m in ((8, 1), (8, 7)):
        scores = _drawn(estimator, 2, 3, n=n, m=m)
        for disturbance in (1.0, 1e4, math.nan):
            disturbed = _copy(scores)
            for sign, tensor in zip(itertools.cycle((1, -1)), disturbed.tensors(), strict=False):
                tensor[0] += sign * disturbance
            for name, functional in _functionals(estimator).items():
                if not torch.equal(functional(scores)[1:], functional(disturbed)[1:]):
                    raise Failed(f"{name} mixes runs: scores of run 0 move runs 1 and 2; reduce the batch axes only")
    for name, functional in _functionals(estimator).items():
        scores = _leaves(_drawn(estimator, 2, 3, n=8, m=7))
        if any(g[0].ne(0).any() for g in _gradients(functional(scores)[1:], scores)):
            raise Failed(
                f"{name} mixes runs: that of runs 1 and 2 has a gradient with respect to the scores of run 0; "
                "reduce the batch axes only"
            )
    return "values and gradients of a run do not move when another run's scores change, or turn NaN"


def _check_pure(estimator: Estimator) -> str:
    scores, other = (_drawn(estimator, seed, 2, n=8, m=7) for seed in (3, 4))
    for name, functional in _functionals(estimator).items():
        given = _copy(scores)
        with no_global_randomness(name):
            first = functional(given)
        if not all(torch.equal(a, b) for a, b in zip(given.tensors(), scores.tensors(), strict=True)):
            raise Failed(f"{name} writes into the scores that it is given; work on copies")
        leaves, others = _leaves(scores), _leaves(other)  # as in training: a memory may be written only then
        before = _gradients(functional(leaves), leaves)
        _gradients(functional(others), others)
        after = _gradients(functional(leaves), leaves)
        same = all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
        if not (same and torch.equal(first, functional(scores))):
            raise Failed(
                f"{name} remembers earlier calls, which other runs share; "
                "give an initial_state and carry the state through stateful_loss"
            )
    return "the same scores give the same values, whatever came before, and are not written to"


def _check_state(estimator: Estimator) -> str:
    if not estimator.state_size:
        return "there is none"
    alone, stacked = (
        [initial_state(estimator, torch.zeros(1, 64)) for _ in range(3)],
        initial_state(estimator, torch.zeros(3, 64)),
    )
    for step in range(3):
        scores = _leaves(_drawn(estimator, 10 + step, 3, n=64, m=1))
        losses, stacked = estimator.stateful_loss(scores, stacked)
        if tuple(stacked.shape) != (3, estimator.state_size):
            raise Failed(
                f"stateful_loss gives a state of shape {tuple(stacked.shape)}, not (3, {estimator.state_size})"
            )
        if stacked.requires_grad:
            raise Failed("the state carries gradients from step to step; detach it")
        for run in range(3):
            loss, alone[run] = estimator.stateful_loss(_part(scores, run), alone[run])
            if not (torch.equal(losses[run : run + 1], loss) and torch.equal(stacked[run : run + 1], alone[run])):
                raise Failed(
                    f"the state of run {run} differs between a pack of 3 and a pack of 1; it is shared between runs"
                )
    return "each run has its own, the same in a pack and alone"


def _check_rows(estimator: Estimator) -> str:
    if not estimator.by_rows:
        return "the value is no function of per-row statistics; pools are evaluated at once"
    scores = _drawn(estimator, 5, 2, n=12, m=11, dtype=torch.float64)
    parts = [_cut(scores, lambda t: t[:, :5]), _cut(scores, lambda t: t[:, 5:])]
    blocks = estimator.reduce(torch.cat([estimator.rows(part) for part in parts], -2))
    if not torch.allclose(blocks, estimator.estimate(scores), rtol=1e-9, atol=1e-9):
        raise Failed(
            "rows of a block differ from rows of the whole batch; a row's statistics must use its own scores only"
        )
    return "a pool evaluated block by block gives the value of the whole"


def _check_gradient(estimator: Estimator) -> str:
    for n, m in ((6, 1), (6, 5)):
        scores = _leaves(_drawn(estimator, 6, 2, n=n, m=m, dtype=torch.float64))
        loss = estimator.loss(scores).sum()
        if not loss.requires_grad:
            raise Failed("loss has no gradient with respect to the scores; it cannot be trained")
        grads = torch.autograd.grad(loss, scores.tensors(), allow_unused=True, materialize_grads=True)
        if estimator.surrogate_loss:
            _expect_descent(estimator, scores, grads)
            continue
        for seed in range(3):
            step = _drawn(estimator, 20 + seed, 2, n=n, m=m, dtype=torch.float64).tensors()
            found = sum(float((g * s).sum()) for g, s in zip(grads, step, strict=True))
            eps = 1e-6
            ends = [float(estimator.loss(_moved(scores, step, sign * eps)).sum()) for sign in (1, -1)]
            expected = (ends[0] - ends[1]) / (2 * eps)
            if not math.isclose(found, expected, rel_tol=1e-5, abs_tol=1e-6):
                raise Failed(
                    f"the gradient of the loss is {found:.6g} along a line where its values change by {expected:.6g}"
                )
    if estimator.surrogate_loss:
        return "the loss's value says nothing, by declaration; a step against its gradient raises the estimate"
    return "the loss's gradient agrees with finite differences in float64"


def _expect_descent(estimator: Estimator, scores: Scores, grads: tuple[Tensor, ...]) -> None:
    """Expect a loss whose value says nothing to move the scores to a higher estimate."""
    eps = 1e-6
    before, after = (float(estimator.estimate(_moved(scores, grads, step)).sum()) for step in (eps, -eps))
    if not after > before:
        raise Failed(
            f"surrogate_loss is declared, but a step against the loss's gradient moves the estimate from {before:.9g} "
            f"to {after:.9g}; it must raise it"
        )


def _adversarial(n: int, m: int, dtype: torch.dtype) -> Iterator[tuple[str, Scores]]:
    """Yield hard scores with a name: huge, tied, equal, one-sided."""
    for scale in (1.0, 30.0):
        for seed in range(5):
            yield f"random scores of scale {scale:g}", _scores(seed, n=n, m=m, scale=scale, dtype=dtype)
    ties = _scores(1, n=n, m=m, dtype=dtype)
    yield "tied scores", Scores(ties.pos.sign(), ties.neg.sign())
    ones = Scores(torch.ones(n, dtype=dtype), torch.ones(n, m, dtype=dtype))
    for p, q in ((0.0, 0.0), (1e4, 1e4), (-1e4, -1e4), (1e4, -1e4), (-1e4, 1e4), (30.0, -30.0)):
        yield f"positives at {p:g} and negatives at {q:g}", Scores(p * ones.pos, q * ones.neg)
    spike = -1e4 * ones.pos
    spike[0] = 1e4
    yield "one positive at 1e4 among scores at -1e4", Scores(spike, -1e4 * ones.neg)


def _check_ceiling(estimator: Estimator) -> str:
    for n, m in _SHAPES:
        ceiling = estimator.ceiling(n, m + 1)
        if not isinstance(ceiling, int | float) or math.isnan(ceiling):
            raise Failed(f"ceiling({n}, {m + 1}) is {ceiling!r}; it must be a number of nats, inf where there is none")
        for dtype in (torch.float32, torch.float64):
            for name, plain in _adversarial(n, m, dtype):
                scores = _with_extras(estimator, plain)
                value = float(estimator.estimate(scores))
                largest = max(1.0, float(scores.pos.abs().max()), float(scores.neg.abs().max()))
                if value > ceiling + 4 * torch.finfo(dtype).eps * largest:  # rounding of the scores themselves
                    raise Failed(
                        f"the estimate {value:.6g} passes the ceiling {ceiling:.6g} on {name}, N = {n}, M = {m}; "
                        "state the ceiling that holds on every batch, or inf"
                    )
    ceiling = estimator.ceiling(64, 64)
    return "none is stated" if ceiling == math.inf else f"{ceiling:.4f} nats at N = 64, all pairs, are never passed"


def _check_finite(estimator: Estimator) -> str:
    for n, m in _SHAPES:
        for dtype in (torch.float32, torch.float64):
            for name, scores in _adversarial(n, m, dtype):
                where = f"{name}, N = {n}, M = {m}, {dtype}"
                _expect_finite(estimator, where, _with_extras(estimator, scores))
                if estimator.extras:
                    _expect_finite(estimator, f"{where}, without extras", scores)
    return "values and gradients are finite on ordinary scores; at +-1e4 nothing is NaN or infinite on the wrong side"


def _expect_finite(estimator: Estimator, where: str, scores: Scores) -> None:
    reaches = [float(tensor.abs().max()) for tensor in scores.tensors()]
    # Where there are extras, an exponential may be taken of a sum of all that is given.
    ordinary = (sum(reaches) if estimator.extras else max(reaches)) < 80
    value = float(estimator.estimate(scores))
    wrong = {"lower": math.inf, "upper": -math.inf}.get(estimator.kind)
    if math.isnan(value) or value == wrong or (ordinary and math.isinf(value)):
        raise Failed(f"the estimate is {value} on {where}; stay in log space")
    scores = _leaves(scores)
    loss = estimator.loss(scores)
    if loss.isnan():
        raise Failed(f"the loss is NaN on {where}; stay in log space")
    if ordinary:
        grads = torch.autograd.grad(loss, scores.tensors(), allow_unused=True, materialize_grads=True)
        if not all(g.isfinite().all() for g in grads):
            raise Failed(f"the loss's gradient is not finite on {where}; stay in log space")


CHECKS: tuple[Check[Estimator], ...] = (
    ("docstring", check_docstring),
    ("kind", _check_kind),
    ("shapes", _check_shapes),
    ("stacked equals single", _check_stacked),
    ("runs are not mixed", _check_runs),
    ("pure", _check_pure),
    ("state", _check_state),
    ("blocks", _check_rows),
    ("gradient", _check_gradient),
    ("exact critic", check_exact),
    ("any critic", check_any_critic),
    ("better critic", check_better),
    ("ceiling", _check_ceiling),
    ("finite", _check_finite),
)
"""In the order in which they run."""
