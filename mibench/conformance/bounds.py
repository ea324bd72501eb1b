"""Conformance checks of what an estimator promises: that a bound keeps its side, and that better critics are seen.

Notable: whether a bound keeps its word is tested against the same positives: an estimate minus the mean log ratio of
its own batch has the bias of the estimate, without the noise of the sample. Over-estimates of one percent are seen.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from mibench.conformance.findings import Failed
from mibench.core.estimator import Density, Estimator, Extra
from mibench.core.scores import Scores
from mibench.tasks.gaussian import Gaussian20D

_BATCHES = 16
_TOLERANCE = 0.005
"""Nats by which a bound may miss the truth besides its statistical error: in-batch negatives cost up to 0.0022."""

_STANDARD_ERRORS = 4.0
_LEVELS = (0.0, 0.5, 1.5)
_CHANGES: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = (
    ("shifted by -10", lambda t: t - 10),
    ("shifted by -1", lambda t: t - 1),
    ("shifted by +1", lambda t: t + 1),
    ("shifted by +10", lambda t: t + 10),
    ("halved", lambda t: 0.5 * t),
    ("of the wrong sign", lambda t: -t),
    ("that is zero", torch.zeros_like),
)
"""Critics that are not exact, made of the exact one."""

_OTHER_CONDITIONALS: tuple[tuple[str, Callable[[Tensor, Tensor], Tensor]], ...] = (
    ("too narrow a density", lambda x, y: _log_ratios(2.5, x, y)),
    ("too wide a density", lambda x, y: _log_ratios(0.5, x, y)),
    ("a density of the wrong sign", lambda x, y: _log_ratios(1.5, -x, y)),
    ("the marginal density", lambda x, y: _log_ratios(0.0, x, y)),
)
"""Conditional densities other than the true one, less the log of the marginal: (n, 1) twice to (1, n, n)."""

_OTHER_MARGINALS: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = (
    ("too wide a density", lambda t: 3 * t.square() / 8 - math.log(2)),  # standard deviation 2
    ("a density in another place", lambda t: t - 0.5),  # mean 1
)
"""Densities other than the standard normal one, less the log of that."""
Layout = Callable[[Tensor], Scores]
"""What picks positives and negatives from a matrix of all pairs."""


def gaussian_batches(mi: float, *, n: int = 1024, batches: int = _BATCHES) -> Iterator[tuple[Tensor, float]]:
    """Yield matrices of exact log ratios, (1, n, n) in float64, and the mean log ratio of their positives.

    Parameters
    ----------
    mi
        Mutual information of a pair of correlated Gaussian numbers, nats.
    n, batches
        Batch size, and how many.
    """
    for x, y in _gaussian_pairs(mi, n=n, batches=batches):
        matrix = _log_ratios(mi, x, y)
        yield matrix, _control(matrix)


def _gaussian_pairs(mi: float, *, n: int, batches: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of pairs of correlated standard normal numbers, (n, 1) in float64."""
    task = Gaussian20D(mi=mi, dim=1)
    generator = torch.Generator().manual_seed(7)
    for _ in range(batches):
        x, y = (t.double() for t in task.sample(n, generator))
        yield x, y


def _log_ratios(mi: float, x: Tensor, y: Tensor) -> Tensor:
    """Log ratios of all pairs, (1, n, n), in nats, of standard normal numbers that share ``mi`` nats."""
    return Gaussian20D(mi=mi, dim=1).log_ratio(x.unsqueeze(1), y.unsqueeze(0)).unsqueeze(0)


def _control(matrix: Tensor) -> float:
    """Mean log ratio of the positives of a batch, nats."""
    return float(matrix.diagonal(dim1=1, dim2=2).mean())


def _symbol_batches(n: int = 1024, batches: int = _BATCHES) -> Iterator[tuple[Tensor, float]]:
    """As `gaussian_batches` for X = Y uniform on n / 2 symbols: high information, a few equal pairs in a batch."""
    generator = torch.Generator().manual_seed(8)
    truth = math.log(n / 2)
    for _ in range(batches):
        symbols = torch.randint(n // 2, (n,), generator=generator)
        same = symbols.unsqueeze(0) == symbols.unsqueeze(1)
        yield torch.where(same, truth, truth - 40.0).double().unsqueeze(0), truth


def _excess(estimator: Estimator, scores: Scores, control: float) -> float:
    """An estimate minus the mean log ratio of the same batch, nats."""
    return float(estimator.estimate(scores)) - control


def _mean_and_error(excess: Sequence[float]) -> tuple[float, float]:
    return statistics.fmean(excess), statistics.stdev(excess) / math.sqrt(len(excess))


def _one_negative(matrix: Tensor) -> Scores:
    """The next row's y as the only negative of a row, as derangements draw them: M = 1."""
    neg = matrix.roll(-1, -1).diagonal(dim1=-2, dim2=-1).unsqueeze(-1)
    return Scores.from_pairs(matrix.diagonal(dim1=-2, dim2=-1), neg)


_LAYOUTS: tuple[tuple[str, Layout], ...] = (
    ("all pairs", Scores.from_matrix),
    ("one negative per row", _one_negative),
)


def _exact(
    estimator: Estimator, matrix: Tensor, critic: Tensor | None = None, layout: Layout = Scores.from_matrix
) -> Scores:
    """Scores of a critic, by default the optimal one, beside the optimal extras, from exact log ratios."""
    critic = matrix + estimator.oracle_offset if critic is None else critic
    extras = {extra.name: layout(extra.exact * matrix) for extra in estimator.extras}
    return layout(critic).with_extras(extras)


def initial_state(estimator: Estimator, like: Tensor) -> Tensor:
    """State of runs before their first step, shape (..., state_size), for positives of shape (..., N)."""
    state = torch.tensor(estimator.initial_state(), dtype=like.dtype)
    return state.expand(*like.shape[:-1], estimator.state_size).clone()


def _other_extras(estimator: Estimator, x: Tensor, y: Tensor) -> Iterator[tuple[str, Scores]]:
    """Yield the optimal critic of pairs at 1.5 nats beside extras that are not optimal, with what they are."""
    matrix = _log_ratios(1.5, x, y)
    exact = _exact(estimator, matrix)
    for extra in estimator.extras:
        for name, values in _other_values(extra, matrix, x, y):
            changed = {**exact.extras, extra.name: Scores.from_matrix(values.expand_as(matrix))}
            yield f"whose '{extra.name}' is {name}", exact.with_extras(changed)


def _other_values(extra: Extra, matrix: Tensor, x: Tensor, y: Tensor) -> list[tuple[str, Tensor]]:
    """List values of an extra that are not optimal: a density stays one, and what the task says is no choice."""
    n = len(x)
    noise = torch.randn(n, n, generator=torch.Generator().manual_seed(9), dtype=matrix.dtype)
    match extra.of:
        case "entropy of x" | "similarity of codes" | "uniform":
            return []
        case Density(given=None):
            side = x if extra.of.of == "x" else y.T
            return [(name, density(side)) for name, density in _OTHER_MARGINALS]
        case Density():
            return [(name, density(x, y)) for name, density in _OTHER_CONDITIONALS]
        case side_or_pair:
            of_side = {"x": noise[0].unsqueeze(1), "y": noise[0], "constant": noise[0, 0]}
            own = of_side.get(side_or_pair, noise)
    optimal = extra.exact * matrix
    return [
        ("zero", 0 * optimal),
        ("shifted by -1", optimal - 1),
        ("shifted by +1", optimal + 1),
        ("disturbed at random", optimal + own),
    ]


def _other_critics(estimator: Estimator, x: Tensor, y: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield critics of pairs at 1.5 nats that are not exact; an estimator's own critic stays a density."""
    if estimator.own_critic is not None:
        yield from ((f"that is {name}", density(x, y)) for name, density in _OTHER_CONDITIONALS)
        return
    matrix = _log_ratios(1.5, x, y)
    yield from ((name, change(matrix) + estimator.oracle_offset) for name, change in _CHANGES)


def check_exact(estimator: Estimator) -> str:
    """Check the value with the exact critic against the truth, at N = 1024 with all pairs and with one negative."""
    all_pairs, _ = [_expect_side(estimator, name, layout) for name, layout in _LAYOUTS]
    return all_pairs


def _expect_side(estimator: Estimator, name: str, layout: Layout) -> str:
    """Expect a bound to keep its side with the exact critic; say how far off it is at the highest level."""
    mean, kind = 0.0, estimator.kind_at(1024, layout(torch.zeros(1024, 1024)).m)
    for mi in _LEVELS:
        batches = gaussian_batches(mi)
        mean, error = _mean_and_error([_excess(estimator, _exact(estimator, t, layout=layout), c) for t, c in batches])
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
    return f"{promise} is {mean:+.3f} nats off the truth with the exact critic at {_LEVELS[-1]} nats, N = 1024, {name}"


def check_any_critic(estimator: Estimator) -> str:
    """Check that a lower bound stays below the truth for critics that are not exact."""
    if estimator.kind_at(n=512, m=512) != "lower":
        return "only lower bounds promise something for critics that are not exact"
    found: dict[str, list[float]] = {}
    for x, y in _gaussian_pairs(1.5, n=512, batches=8):
        matrix = _log_ratios(1.5, x, y)
        critics = ((name, _exact(estimator, matrix, critic)) for name, critic in _other_critics(estimator, x, y))
        for name, scores in itertools.chain(critics, _other_extras(estimator, x, y)):
            found.setdefault(name, []).append(_excess(estimator, scores, _control(matrix)))
    for name, excess in found.items():
        _expect_lower(name, "the Gaussian at 1.5 nats, N = 512", excess)
    symbols = [_excess(estimator, _exact(estimator, matrix), control) for matrix, control in _symbol_batches()]
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
    matrix, _ = next(gaussian_batches(1.5, batches=1))
    exact, zero = _exact(estimator, matrix), Scores.from_matrix(torch.zeros_like(matrix) + offset)
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
        given = _exact(estimator, matrix, matrix + estimator.oracle_offset + shift)
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
