"""Conformance checks of an estimator's numbers: gradients, the ceiling, and hard scores."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mibench.conformance.drawn_scores import SHAPES, as_leaves, drawn_scores, hard_scores, moved, with_extras
from mibench.conformance.findings import Failed
from mibench.core.estimator import Estimator
from mibench.core.scores import Scores


def check_gradient(estimator: Estimator) -> str:
    """Check the loss's gradient against finite differences, or that it raises the estimate."""
    for n, m in ((6, 1), (6, 5)):
        scores = as_leaves(drawn_scores(estimator, 6, 2, n=n, m=m, dtype=torch.float64))
        loss = estimator.loss(scores).sum()
        if not loss.requires_grad:
            raise Failed("loss has no gradient with respect to the scores; it cannot be trained")
        grads = torch.autograd.grad(loss, scores.tensors(), allow_unused=True, materialize_grads=True)
        if estimator.surrogate_loss:
            _expect_descent(estimator, scores, grads)
            continue
        for seed in range(3):
            step = drawn_scores(estimator, 20 + seed, 2, n=n, m=m, dtype=torch.float64).tensors()
            found = sum(float((g * s).sum()) for g, s in zip(grads, step, strict=True))
            eps = 1e-6
            ends = [float(estimator.loss(moved(scores, step, sign * eps)).sum()) for sign in (1, -1)]
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
    before, after = (float(estimator.estimate(moved(scores, grads, step)).sum()) for step in (eps, -eps))
    if not after > before:
        raise Failed(
            f"surrogate_loss is declared, but a step against the loss's gradient moves the estimate from {before:.9g} "
            f"to {after:.9g}; it must raise it"
        )


def check_ceiling(estimator: Estimator) -> str:
    """Check that no batch passes the stated ceiling."""
    for n, m in SHAPES:
        ceiling = estimator.ceiling(n, m + 1)
        if not isinstance(ceiling, int | float) or math.isnan(ceiling):
            raise Failed(f"ceiling({n}, {m + 1}) is {ceiling!r}; it must be a number of nats, inf where there is none")
        for dtype in (torch.float32, torch.float64):
            for name, plain in hard_scores(n, m, dtype):
                scores = with_extras(estimator, plain)
                value = float(estimator.estimate(scores))
                largest = max(1.0, float(scores.pos.abs().max()), float(scores.neg.abs().max()))
                if value > ceiling + 4 * torch.finfo(dtype).eps * largest:  # rounding of the scores themselves
                    raise Failed(
                        f"the estimate {value:.6g} passes the ceiling {ceiling:.6g} on {name}, N = {n}, M = {m}; "
                        "state the ceiling that holds on every batch, or inf"
                    )
    ceiling = estimator.ceiling(64, 64)
    return "none is stated" if ceiling == math.inf else f"{ceiling:.4f} nats at N = 64, all pairs, are never passed"


def check_finite(estimator: Estimator) -> str:
    """Check that hard scores give no NaN, and no infinity on the wrong side."""
    for n, m in SHAPES:
        for dtype in (torch.float32, torch.float64):
            for name, scores in hard_scores(n, m, dtype):
                where = f"{name}, N = {n}, M = {m}, {dtype}"
                _expect_finite(estimator, where, with_extras(estimator, scores))
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
    scores = as_leaves(scores)
    loss = estimator.loss(scores)
    if loss.isnan():
        raise Failed(f"the loss is NaN on {where}; stay in log space")
    if ordinary:
        grads = torch.autograd.grad(loss, scores.tensors(), allow_unused=True, materialize_grads=True)
        if not all(g.isfinite().all() for g in grads):
            raise Failed(f"the loss's gradient is not finite on {where}; stay in log space")
