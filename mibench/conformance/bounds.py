"""Conformance checks of what an estimator promises: that a bound keeps its side, and that better critics are seen.

Notable: whether a bound keeps its word is tested against the same positives: an estimate minus the mean log ratio of
its own batch has the bias of the estimate, without the noise of the sample. Over-estimates of one percent are seen.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

import torch
from torch import Tensor

from mibench.conformance.drawn_scores import initial_state
from mibench.conformance.exact_scores import (
    LAYOUTS,
    Layout,
    exact_scores,
    gaussian_pairs,
    log_ratios,
    mean_log_ratio,
    optimal_scores,
    other_critics,
    other_extras,
    symbol_batches,
)
from mibench.conformance.findings import Failed
from mibench.core.estimator import Estimator
from mibench.core.scores import Scores

_TOLERANCE = 0.005
"""Nats by which a bound may miss the truth besides its statistical error: in-batch negatives cost up to 0.0022."""

_STANDARD_ERRORS = 4.0
_BATCHES = {0.0: 2, 0.5: 16, 1.5: 16}
"""Batches for each level, nats; without information every log ratio is 0, and one batch is like another."""


def _excess(estimator: Estimator, scores: Scores, control: float) -> float:
    """An estimate minus the mean log ratio of the same batch, nats."""
    return float(estimator.estimate(scores)) - control


def _mean_and_error(excess: Sequence[float]) -> tuple[float, float]:
    return statistics.fmean(excess), statistics.stdev(excess) / math.sqrt(len(excess))


def check_exact(estimator: Estimator) -> str:
    """Check the value with the exact critic against the truth, at N = 1024 with all pairs and with one negative."""
    all_pairs, _ = [_expect_side(estimator, name, layout) for name, layout in LAYOUTS]
    return all_pairs


def _expect_side(estimator: Estimator, name: str, layout: Layout) -> str:
    """Expect a bound to keep its side with the exact critic; say how far off it is at the highest level."""
    mean, kind = 0.0, estimator.kind_at(1024, layout(0.0, *torch.zeros(2, 1024, 1)).m)
    for mi, count in _BATCHES.items():
        batches = (layout(mi, x, y) for x, y in gaussian_pairs(mi, batches=count))
        mean, error = _mean_and_error(
            [_excess(estimator, optimal_scores(estimator, ratios), float(ratios.pos.mean())) for ratios in batches]
        )
        margin, where = _TOLERANCE + _STANDARD_ERRORS * error, f"at {mi} nats, N = 1024, {name}"
        if math.isnan(mean):
            raise Failed(f"the estimate with the exact critic is NaN {where}; stay in log space")
        if kind == "lower" and mean > margin:
            raise Failed(
                f"a lower bound must not pass the truth, but with the exact critic {where}, it is {mean:.4f} +- "
                f"{error:.4f} nats above it; correct the value or declare it a plug-in"
            )
        if kind == "upper" and mean < -margin:
            raise Failed(
                f"an upper bound must not fall below the truth, but with the exact critic {where}, it is {-mean:.4f} "
                f"+- {error:.4f} nats below it; correct the value or declare it a plug-in"
            )
    promise = "a plug-in promises no bound; it" if kind == "plug-in" else "it keeps its side and"
    return f"{promise} is {mean:+.3f} nats off the truth with the exact critic at {mi} nats, N = 1024, {name}"


def check_any_critic(estimator: Estimator) -> str:
    """Check that a lower bound stays below the truth for critics that are not exact."""
    if estimator.kind_at(n=512, m=512) != "lower":
        return "only lower bounds promise something for critics that are not exact"
    found: dict[str, list[float]] = {}
    for pairs in gaussian_pairs(1.5, n=512, batches=8):
        x, y = (side.double() for side in pairs)  # a critic of the wrong sign leaves float32's range
        matrix = log_ratios(1.5, x, y)
        critics = ((name, exact_scores(estimator, matrix, critic)) for name, critic in other_critics(estimator, x, y))
        for name, scores in itertools.chain(critics, other_extras(estimator, x, y)):
            found.setdefault(name, []).append(_excess(estimator, scores, mean_log_ratio(matrix)))
    for name, excess in found.items():
        _expect_lower(name, "the Gaussian at 1.5 nats, N = 512", excess)
    symbols = [_excess(estimator, exact_scores(estimator, matrix), control) for matrix, control in symbol_batches()]
    _expect_lower("that is exact", "512 equally likely symbols, N = 1024", symbols)
    others = "shifted, halved, reversed and zero critics" if estimator.own_critic is None else "other densities"
    extras = "; for other extras too" if any(name.startswith("whose") for name in found) else ""
    return f"it stays below the truth for {others}, and on symbols at 6.2 nats{extras}"


def _expect_lower(name: str, where: str, excess: Sequence[float]) -> None:
    mean, error = _mean_and_error(excess)
    if not mean <= _TOLERANCE + _STANDARD_ERRORS * error:
        raise Failed(
            f"a lower bound holds for every critic, but with a critic {name} on {where} it is {mean:.3f} +- "
            f"{error:.3f} nats above the truth; correct the value or declare it a plug-in"
        )


def check_better(estimator: Estimator) -> str:
    """Check that the exact critic is told from a zero critic, by the loss and by a lower bound's value."""
    offset = estimator.oracle_offset
    matrix = log_ratios(1.5, *next(gaussian_pairs(1.5, batches=1)))
    exact, zero = exact_scores(estimator, matrix), Scores.from_matrix(torch.zeros_like(matrix) + offset)
    is_lower = estimator.kind_at(exact.n, exact.m) == "lower"
    if is_lower and not float(estimator.estimate(exact)) > float(estimator.estimate(zero)):
        raise Failed(
            f"the exact critic gives {float(estimator.estimate(exact)):.3f} nats and a zero critic "
            f"{float(estimator.estimate(zero)):.3f}; a better critic must give a higher lower bound: check the sign"
        )
    if not estimator.surrogate_loss and not float(estimator.loss(exact)) < float(estimator.loss(zero)):
        raise Failed(
            f"the loss is {float(estimator.loss(exact)):.3f} for the exact critic and "
            f"{float(estimator.loss(zero)):.3f} for a zero one; it is minimised, so the exact critic must have the "
            "lower loss: check the sign"
        )
    _expect_pushes(estimator, matrix)
    if estimator.surrogate_loss:
        return "the loss is of use for its gradient alone" + (
            "; the exact critic has a higher value than a zero critic" if is_lower else ""
        )
    return "the exact critic has a lower loss than a zero critic" + (", and a higher value" if is_lower else "")


def _expect_pushes(estimator: Estimator, matrix: Tensor) -> None:
    """Expect training to raise positives where all scores are far too low, and to lower negatives where too high.

    Only the sum over the batch is looked at, so that a loss whose optimum is another function of the ratio passes.
    """
    for what, shift, position in (("positives", -10.0, 0), ("negatives", 10.0, 1)):
        given = exact_scores(estimator, matrix, matrix + estimator.oracle_offset + shift)
        scores = given.map(lambda t: t.detach().clone().requires_grad_())
        losses = {"loss": estimator.loss(scores)}
        if estimator.state_size:
            losses["stateful_loss"] = estimator.stateful_loss(scores, initial_state(estimator, scores.pos))[0]
        for name, loss in losses.items():
            if not loss.requires_grad:  # the check of the gradient says so
                continue
            gradients = torch.autograd.grad(loss.sum(), scores.tensors(), allow_unused=True, materialize_grads=True)
            if float(gradients[position].sum()) * shift < -1e-6:
                wrong, level = ("lowers", "low") if shift < 0 else ("raises", "high")
                raise Failed(
                    f"where all scores are {abs(shift):g} nats too {level}, a step against the gradient of {name} "
                    f"{wrong} the {what} further: check the sign of its term of the {what}"
                )
