"""What the nearest-neighbour estimator loses by the scale of its columns and by equal numbers, on tasks of known MI.

python benchmarks/nearest_neighbours.py
"""

from __future__ import annotations

import statistics

import numpy as np
import torch
from numpy.typing import NDArray

import mibench
from mibench.core.estimator import SampleEstimator
from mibench.training.precision import configure_process

Array = NDArray[np.float64]
N, SEEDS = 1000, 3
SCALES = ("ksg-v1", "ksg:scale=standard", "ksg:scale=rank")
VERSIONS = ("ksg-v1", "ksg-v1:variant=2", "ksg", "ksg:variant=2")
PAIR = 0.511
"""Nats of a bivariate normal with the correlation 0.8."""


def value(name: str, x: Array, y: Array) -> str | float:
    """The estimate, nats; in words where the sample is refused."""
    estimator = mibench.get_estimator(name)
    assert isinstance(estimator, SampleEstimator)
    try:
        return estimator.value(torch.from_numpy(x), torch.from_numpy(y))
    except mibench.UsageError:
        return "refused"


def compare_scales() -> None:
    """Errors on the 40 tasks of Beyond Normal, each the mean over the seeds."""
    for variant in (1, 2):
        for scale in SCALES:
            name = f"{scale}{',' if ':' in scale else ':'}variant={variant}"
            errors = []
            for task in mibench.get_suite("beyond-normal").tasks:
                samples = (task.sample(N, torch.Generator().manual_seed(seed)) for seed in range(SEEDS))
                values = [value(name, x.double().numpy(), y.double().numpy()) for x, y in samples]
                errors.append(abs(statistics.fmean(map(float, values)) - task.mi))
            print(f"{name:32} mean error {statistics.fmean(errors):.3f}, median {statistics.median(errors):.3f} nats")


def compare_conditions() -> None:
    """Values of the versions where units differ and numbers are equal, one sample each."""
    g = np.random.default_rng(0)
    x = g.normal(size=(N, 1))
    y, z = 0.8 * x + 0.6 * g.normal(size=(N, 1)), g.normal(size=(N, 1))
    cases = {
        "as drawn": (x, y, PAIR),
        "y x 100": (x, 100 * y, PAIR),
        "y x 1000": (x, 1000 * y, PAIR),
        "y x 1e6": (x, 1e6 * y, PAIR),
        "both cubed": (x**3, y**3, PAIR),
        "rounded to 0.1": (x.round(1), y.round(1), PAIR),
        "independent, rounded to 0.1": (x.round(1), z.round(1), 0.0),
        "independent signs": (np.sign(x), np.sign(z), 0.0),
        "a sign, and it beside a normal": (np.sign(z), np.sign(z) + y, 0.337),
        "x constant": (0 * x, y, 0.0),
        "every pair twice": (x.repeat(2, 0), y.repeat(2, 0), PAIR),
    }
    for case, (left, right, truth) in cases.items():
        values = {name: value(name, left, right) for name in VERSIONS}
        found = (f"{name} {v:.3f}" if isinstance(v, float) else f"{name} {v}" for name, v in values.items())
        print(f"{case:32} truth {truth:.3f} {' '.join(found)}")


def compare_ties() -> None:
    """Error by the width of a grid that normal pairs are rounded to, and by the share of pairs given twice."""
    for grid in (0.0, 0.001, 0.01, 0.1, 0.3):
        for name in VERSIONS:
            errors = []
            for seed in range(SEEDS):
                x, y = np.random.default_rng(seed).multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], N).T[..., None]
                x, y = ((side / grid).round() * grid if grid else side for side in (x, y))
                errors.append(float(value(name, x, y)) - PAIR)
            print(f"rounded to {grid:<5} {name:20} error {statistics.fmean(errors):+.3f} nats")


def main() -> None:
    configure_process()
    compare_scales()
    compare_conditions()
    compare_ties()


if __name__ == "__main__":
    main()
