"""Laws of the test bed: mibench's own tasks, and a few made of them whose mutual information stays exact."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr
from sklearn.datasets import load_digits

import mibench
from benchmarks.estimation.records import Law, Sample

_TASKS: dict[str, tuple[tuple[str, str], ...]] = {
    "gauss": tuple((f"1+1, {mi:g} nats", f"normal-pairs:mi={mi}") for mi in (0.2, 1.0, 3.0, 6.0))
    + tuple((f"5+5, {mi:g} nats", f"gaussian:dim=5,mi={mi}") for mi in (0.2, 1.0, 3.0, 8.0))
    + tuple((f"20+20, {mi:g} nats", f"gaussian:dim=20,mi={mi}") for mi in (1.0, 3.0, 6.0))
    + (("5+5 dense, 1 nat", "normal-dense:mi=1,dim_x=5,dim_y=5"),),
    "sparse gauss": tuple(
        (f"{label}, {pairs} pairs, {mi:g} nats", f"normal-pairs:mi={mi},dim_x={x},dim_y={y},pairs={pairs}")
        for label, x, y, pairs, mi in (
            ("20+20", 20, 20, 2, 1.0),
            ("50+50", 50, 50, 2, 0.5),
            ("50+50", 50, 50, 10, 2.0),
            ("3+50", 3, 50, 3, 1.0),
            ("3+50", 3, 50, 3, 3.0),
        )
    ),
    "student": (
        ("2+2, 3 dof, 1 nat", "student-t:mi=1,dof=3,dim_x=2,dim_y=2"),
        ("2+2, 3 dof, 3 nats", "student-t:mi=3,dof=3,dim_x=2,dim_y=2"),
        ("5+5, 2 dof, 2 nats", "student-t:mi=2,dof=2,dim_x=5,dim_y=5"),
        ("1+1, 1 dof, asinh, 2 nats", "transformed:base=student-t:dof=1:mi=2,x=asinh,y=asinh"),
    ),
    "cross": (("1+1, 1 nat", "mixture-cross:mi=1"), ("3+3, 2 nats", "mixture-cross:mi=2,dim=3")),
    "inliers": (("1+1, 0.5 nats", "mixture-inliers:mi=0.5"), ("2+2, 1.5 nats", "mixture-inliers:mi=1.5,dim=2")),
    "waves": (("1+1, 0.6 nats", "mixture-waves:mi=0.6"), ("1+1, 1.2 nats", "mixture-waves:mi=1.2")),
    "additive": tuple((f"1+1, {mi:g} nats", f"additive-noise:mi={mi}") for mi in (0.2, 1.0, 3.0)),
    "gamma": (("1+1, 0.3 nats", "gamma-exponential:mi=0.3"), ("3+3, 2 nats", "gamma-exponential:mi=2,dim=3")),
    "spiral": tuple(
        (f"3+3, {mi:g} nats", f"transformed:base=normal-pairs:mi={mi}:dim_x=3:dim_y=3:pairs=3,x=spiral,y=spiral")
        for mi in (1.0, 3.0)
    ),
    "half-cube": (
        ("5+5, 3 nats", "transformed:base=gaussian20d:dim=5:mi=3,x=half-cube,y=half-cube"),
        ("5+5 mixed, 2 nats", "transformed:base=gaussian20d:dim=5:mi=2,x=half-cube+mixing,y=half-cube+mixing"),
    ),
    "wiggly": (("2+2, 2 nats", "transformed:base=normal-pairs:mi=2:dim_x=2:dim_y=2:pairs=2,x=wiggly,y=wiggly"),),
    "double spirals": (("2+2", "double-spirals"),),
    "embedded, linear": tuple(
        (
            f"3 in 40+40, {mi:g} nats",
            f"transformed:base=normal-pairs:mi={mi}:dim_x=40:dim_y=40:pairs=3,x=mixing,y=mixing",
        )
        for mi in (1.0, 3.0)
    ),
    "images": (
        ("64+64, 0.5 nats", "digits-bits:mi=0.5,bits=1"),
        ("192+192, 1.5 nats", "digits-bits:mi=1.5,bits=3"),
    ),
    "label": (
        ("4 labels, 5 columns, 0.62 nats", "label-normal:mi=0.62,k=4,dim=5"),
        ("4 labels, 20 columns, 0.1 nats", "label-normal:mi=0.1,k=4,dim=20"),
        ("10 labels, 9 columns, 1.5 nats", "label-normal:mi=1.5,k=10,dim=9"),
    ),
    "table": (
        ("4x4, 0.45 nats", "symmetric-channel:mi=0.45,k=4"),
        ("12x12, 1 nat", "symmetric-channel:mi=1,k=12"),
        ("30x30, 1.43 nats", "symmetric-channel:mi=1.43,k=30"),
    ),
}
"""Families of dependent data: of each, what tells its laws apart, and the task."""

_INDEPENDENT = (
    ("1+1 normal", "normal-pairs:mi=0"),
    ("5+5 normal", "gaussian:dim=5,mi=0"),
    ("50+50 normal", "normal-pairs:mi=0,dim_x=50,dim_y=50"),
    ("3+3 log-normal", "independent:x=log-normal,y=log-normal,dim_x=3,dim_y=3"),
    ("4 labels, 5 columns", "label-normal:mi=0,k=4,dim=5"),
    ("5x5 table", "symmetric-channel:mi=0,k=5"),
)

_STEPS = (0.5, 0.1)
_ROUNDED_MI = 0.5  # before rounding, nats
_NODES, _REACH = 20, 9.0  # of quadrature in a cell, and where a normal ends
_LATENTS, _COLUMNS = 3, 40


def dependent_laws() -> list[Law]:
    """Return every law with mutual information."""
    laws = [_of_task(family, parameters, task) for family, own in _TASKS.items() for parameters, task in own]
    laws += [_rounded(step) for step in _STEPS]
    laws += [_curved(mi) for mi in (1.0, 3.0)]
    laws += [_digits(mi) for mi in (0.5, 1.5)]
    return laws


def independent_laws() -> list[Law]:
    """Return every law without."""
    return [_of_task("independent", parameters, task) for parameters, task in _INDEPENDENT]


def copied_laws() -> list[Law]:
    """Laws of which a fifth of the rows repeat others, at 1 nat."""
    laws = [
        _of_task("copied", "1+1, 1 nat", "normal-pairs:mi=1"),
        _of_task("copied", "5+5, 1 nat", "gaussian:dim=5,mi=1"),
    ]
    return [Law(law.family, law.parameters, law.truth, functools.partial(_copied, law)) for law in laws]


def serial_law() -> Law:
    """Two independent series, each a normal autoregression of coefficient 0.9."""
    return Law("autoregressive", "1+1, independent", 0.0, _autoregressive)


def _of_task(family: str, parameters: str, spec: str) -> Law:
    task = _task(spec)
    return Law(family, parameters, task.mi, functools.partial(_drawn, spec), task.mi_se)


@functools.cache
def _task(spec: str) -> mibench.Task:
    name, _, parameters = spec.partition(":")
    return mibench.get_task(f"{name}:{parameters}" if parameters else name)


def _drawn(spec: str, n: int, seed: int) -> Sample:
    task = _task(spec)
    x, y = task.sample(n, torch.Generator().manual_seed(seed))
    return _label_of(x.numpy()), _label_of(y.numpy())


def _label_of(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one-hot rows as labels, and all others as they are."""
    one_hot = rows.shape[1] > 1 and bool(((rows == 0) | (rows == 1)).all() and (rows.sum(1) == 1).all())
    return rows.argmax(1) if one_hot else rows


def _rounded(step: float) -> Law:
    rho = math.sqrt(-math.expm1(-2 * _ROUNDED_MI))
    return Law(
        "rounded", f"1+1, to {step:g}", rounded_information(rho, step), functools.partial(_drawn_rounded, rho, step)
    )


def _drawn_rounded(rho: float, step: float, n: int, seed: int) -> Sample:
    x, noise = np.random.default_rng(seed).standard_normal((2, n))
    y = rho * x + math.sqrt(1 - rho**2) * noise
    return np.round(x / step) * step, np.round(y / step) * step


def rounded_information(rho: float, step: float) -> float:
    """Mutual information of a bivariate normal whose coordinates were rounded to multiples of a step, nats.

    ``P(a, b) = integral over cell a of phi(x) [Phi((b + s/2 - rho x) / t) - Phi((b - s/2 - rho x) / t)] dx`` with
    ``t = sqrt(1 - rho^2)``, by Gauss-Legendre quadrature in every cell.
    """
    edges = (np.arange(-round(_REACH / step), round(_REACH / step) + 2) - 0.5) * step
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    x = (edges[:-1, None] + edges[1:, None]) / 2 + nodes * step / 2
    weight = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) * weights * step / 2
    below = ndtr((edges - rho * x[..., None]) / math.sqrt(1 - rho**2))
    table = (weight[..., None] * np.diff(below, axis=-1)).sum(1)
    table /= table.sum()
    filled = table > 0
    product = table.sum(1, keepdims=True) * table.sum(0)
    return float((table[filled] * np.log(table[filled] / product[filled])).sum())


def _digits(mi: float) -> Law:
    channel = f"symmetric-channel:mi={mi},k=10"
    return Law("label", f"10 digits, 64 columns, {mi:g} nats", mi, functools.partial(_drawn_digits, channel))


def _drawn_digits(channel: str, n: int, seed: int) -> Sample:
    """Images of a digit, and the digit through a symmetric channel, whose information stays, since images tell it.

    Each pixel's level gets uniform noise of one level, which leaves the level to be read off, so that no row repeats.
    """
    digit, label = _drawn(channel, n, seed)
    images, names = load_digits(return_X_y=True)
    generator = np.random.default_rng(seed)
    rows = np.array([generator.choice(np.flatnonzero(names == own)) for own in digit])
    return images[rows] + generator.random((n, images.shape[1])), label


def _curved(mi: float) -> Law:
    latent = f"normal-pairs:mi={mi},dim_x={_LATENTS},dim_y={_LATENTS},pairs={_LATENTS}"
    return Law(
        "embedded, curved",
        f"{_LATENTS} in {_COLUMNS}+{_COLUMNS}, {mi:g} nats",
        mi,
        functools.partial(_drawn_curved, latent),
    )


def _drawn_curved(latent: str, n: int, seed: int) -> Sample:
    """Columns ``tanh(z W + b)`` of latents z: one to one, since W has full rank, so that the information stays."""
    weights = np.random.default_rng(0)  # part of the law, and not of the draw
    sides = []
    for values in _drawn(latent, n, seed):
        slopes, offsets = weights.standard_normal((_LATENTS, _COLUMNS)), weights.standard_normal(_COLUMNS)
        sides.append(np.tanh(values.astype(np.float64) @ slopes + offsets))
    return sides[0], sides[1]


def _copied(law: Law, n: int, seed: int) -> Sample:
    """Draw four fifths of the rows, and the others as copies of random ones, in random order."""
    generator = np.random.default_rng(seed)
    own = n - n // 5
    x, y = law.draw(own, seed)
    rows = generator.permutation(np.concatenate((np.arange(own), generator.choice(own, n - own, replace=False))))
    return x[rows], y[rows]


def _autoregressive(n: int, seed: int) -> Sample:
    noise = np.random.default_rng(seed).standard_normal((n, 2))
    series = np.empty((n, 2))
    series[0] = noise[0]
    for at in range(1, n):
        series[at] = 0.9 * series[at - 1] + math.sqrt(1 - 0.9**2) * noise[at]
    return series[:, :1], series[:, 1:]
