"""Scores of pairs whose log ratios are known: exact critics and extras, and others to try a bound with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from mibench.core.estimator import Density, Estimator, Extra
from mibench.core.scores import Scores
from mibench.tasks.gaussian import Gaussian20D

_BATCHES = 16

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
    ("too narrow a density", lambda x, y: log_ratios(2.5, x, y)),
    ("too wide a density", lambda x, y: log_ratios(0.5, x, y)),
    ("a density of the wrong sign", lambda x, y: log_ratios(1.5, -x, y)),
    ("the marginal density", lambda x, y: log_ratios(0.0, x, y)),
)
"""Conditional densities other than the true one, less the log of the marginal: (n, 1) twice to (1, n, n)."""

_OTHER_MARGINALS: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = (
    ("too wide a density", lambda t: 3 * t.square() / 8 - math.log(2)),  # standard deviation 2
    ("a density in another place", lambda t: t - 0.5),  # mean 1
)
"""Densities other than the standard normal one, less the log of that."""

Layout = Callable[[float, Tensor, Tensor], Scores]
"""What gives a batch's log ratios in a layout of positives and negatives, of mi and pairs as in `log_ratios`."""


def gaussian_pairs(mi: float, *, n: int = 1024, batches: int = _BATCHES) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of pairs of correlated standard normal numbers, (n, 1) in float32, as runs draw them."""
    task = Gaussian20D(mi=mi, dim=1)
    generator = torch.Generator().manual_seed(7)
    for _ in range(batches):
        yield task.sample(n, generator)


def log_ratios(mi: float, x: Tensor, y: Tensor) -> Tensor:
    """Log ratios of all pairs, (1, n, n), in nats, of standard normal numbers that share ``mi`` nats."""
    return Gaussian20D(mi=mi, dim=1).log_ratio(x.unsqueeze(1), y.unsqueeze(0)).unsqueeze(0)


def mean_log_ratio(matrix: Tensor) -> float:
    """Mean log ratio of the positives of a batch, nats."""
    return float(matrix.diagonal(dim1=1, dim2=2).mean())


def symbol_batches(n: int = 1024, batches: int = _BATCHES) -> Iterator[tuple[Tensor, float]]:
    """Yield matrices of exact log ratios, (1, n, n) in float32, and the mean log ratio of their positives.

    X = Y is uniform on n / 2 symbols: high information, a few equal pairs in a batch.
    """
    generator = torch.Generator().manual_seed(8)
    truth = math.log(n / 2)
    for _ in range(batches):
        symbols = torch.randint(n // 2, (n,), generator=generator)
        same = symbols.unsqueeze(0) == symbols.unsqueeze(1)
        yield torch.where(same, truth, truth - 40.0).unsqueeze(0), truth


def _all_pairs(mi: float, x: Tensor, y: Tensor) -> Scores:
    return Scores.from_matrix(log_ratios(mi, x, y))


def _one_negative(mi: float, x: Tensor, y: Tensor) -> Scores:
    """The next row's y as the only negative of a row, as derangements draw them: M = 1."""
    ratio = Gaussian20D(mi=mi, dim=1).log_ratio
    return Scores.from_pairs(ratio(x, y).unsqueeze(0), ratio(x, y.roll(-1, 0)).unsqueeze(0).unsqueeze(-1))


LAYOUTS: tuple[tuple[str, Layout], ...] = (
    ("all pairs", _all_pairs),
    ("one negative per row", _one_negative),
)


def optimal_scores(estimator: Estimator, ratios: Scores) -> Scores:
    """Scores of the optimal critic beside the optimal extras, of log ratios in the layout of scores."""
    extras = {extra.name: ratios.map(lambda t, extra=extra: extra.exact * t) for extra in estimator.extras}  # type: ignore[misc]
    return ratios.map(lambda t: t + estimator.oracle_offset).with_extras(extras)


def exact_scores(estimator: Estimator, matrix: Tensor, critic: Tensor | None = None) -> Scores:
    """Scores of all pairs by a critic, the optimal one by default, beside the optimal extras, from exact log ratios."""
    scores = optimal_scores(estimator, Scores.from_matrix(matrix))
    return scores if critic is None else Scores.from_matrix(critic).with_extras(scores.extras)


def other_extras(estimator: Estimator, x: Tensor, y: Tensor) -> Iterator[tuple[str, Scores]]:
    """Yield the optimal critic of pairs at 1.5 nats beside extras that are not optimal, with what they are."""
    matrix = log_ratios(1.5, x, y)
    exact = exact_scores(estimator, matrix)
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


def other_critics(estimator: Estimator, x: Tensor, y: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield critics of pairs at 1.5 nats that are not exact; an estimator's own critic stays a density."""
    if estimator.own_critic is not None:
        yield from ((f"that is {name}", density(x, y)) for name, density in _OTHER_CONDITIONALS)
        return
    matrix = log_ratios(1.5, x, y)
    yield from ((name, change(matrix) + estimator.oracle_offset) for name, change in _CHANGES)
