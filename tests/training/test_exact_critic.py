"""Every estimator with the exact critic against loops: on a run's own batches, and in the mean over other data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from mibench.core.lookup import get_estimator
from mibench.experiments.grid import resolve
from mibench.training.loop import train_pack
from mibench.training.pack import Pack
from mibench.training.sources import Batches
from tests.support.references import REFERENCES, Value, infonce, mean

pytestmark = pytest.mark.usefixtures("one_thread", "small_pools")

N, DIM, MI = 16, 10, 2 * math.log(2)
NOISE = math.exp(-MI / DIM)
RHO = math.sqrt(1 - NOISE**2)
SAMPLERS = {"shuffle": 1, "derangement": 1, "independent:m=3": 3, "all-pairs": N - 1}


def flo(pos: list[float], neg: list[list[float]]) -> float:
    """With the exact dual, u = -log r."""
    return 1 + mean(pos) - mean([math.exp(q) for row in neg for q in row])


def hybrid(pos: list[float], neg: list[list[float]]) -> float:
    """A quarter of the exact density's mean log ratio, and three of InfoNCE."""
    return 0.25 * mean(pos) + 0.75 * infonce(pos, neg)


EXACT: dict[str, Value] = {"flo": flo, "hybrid:a=0.25": hybrid}
"""Of estimators whose extras are not zero beside the exact critic."""

ELSEWHERE = {"ir", "ball", "local-aggregation", "annulus", "vince-plus"}
"""On views of instances, or with random acceptances: see test_memory_bank and test_vince."""

NAMES = [name for name in REFERENCES if name.partition(":")[0] not in ELSEWHERE]

Batch = tuple[list[float], list[list[float]]]
"""Log ratios of the positives, and of each row's negatives, nats."""


def log_ratio(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The formula of two normal densities, in float64."""
    conditional = -(((y - RHO * x) / NOISE) ** 2) / 2 - math.log(NOISE)
    value: np.ndarray = (conditional + y**2 / 2).sum(-1)
    return value


def run_of(name: str, sampler: str, steps: int) -> dict[str, Any]:
    """Train a run on the exact critic and return its row, whose window is all its steps."""
    options = {"task": f"gaussian20d:dim={DIM}", "mi": MI, "critic": "oracle", "batch": N, "negatives": sampler}
    length = {"steps": steps, "window": steps, "every": steps, "seeds": 1}
    (result,) = train_pack(resolve({**options, **length, "estimator": name}))
    return result.rows[0]


def values_of(name: str, batches: list[Batch]) -> np.ndarray:
    """The reference's value of each batch, of scores with the estimator's constant."""
    reference, by = EXACT.get(name, REFERENCES[name][0]), get_estimator(name).oracle_offset
    return np.array([reference([p + by for p in pos], [[q + by for q in row] for row in neg]) for pos, neg in batches])


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("name", NAMES)
def test_a_run_has_the_formulas_values_on_its_own_batches(
    name: str, sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Batch] = []
    step = Pack.step

    def watched(self: Pack, batch: Batches) -> tuple[Tensor, Tensor, Tensor]:
        x, pool = batch.x[0].double().numpy(), batch.y[0].double().numpy()
        every = np.arange(N)
        negatives = np.stack([every[every != i] for i in every]) if batch.index is None else batch.index[0].numpy()
        seen.append((log_ratio(x, pool[:N]).tolist(), log_ratio(x[:, None], pool[negatives]).tolist()))
        return step(self, batch)

    monkeypatch.setattr(Pack, "step", watched)
    row = run_of(name, sampler, steps=20)
    assert len(seen) == 20
    found = values_of(name, seen)
    assert row["estimate_train"] == pytest.approx(found.mean(), rel=1e-4, abs=1e-5)
    assert row["estimate_train_sd"] == pytest.approx(found.std(ddof=1), rel=1e-3, abs=1e-5)


def fresh_batches(sampler: str, count: int) -> Iterator[Batch]:
    """Yield batches of numpy's own draws."""
    rng = np.random.default_rng(20)
    for _ in range(count):
        x = rng.standard_normal((N, DIM))
        y = RHO * x + NOISE * rng.standard_normal((N, DIM))
        if sampler == "all-pairs":
            others = np.stack([np.delete(y, i, 0) for i in range(N)])
        elif sampler.startswith("independent"):
            others = rng.standard_normal((N, SAMPLERS[sampler], DIM))
        else:
            order = rng.permutation(N)
            if sampler == "derangement":  # the next on a random circle
                following = np.empty(N, dtype=int)
                following[order] = np.roll(order, -1)
                order = following
            others = y[order][:, None]
        yield log_ratio(x, y).tolist(), log_ratio(x[:, None], others).tolist()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_means_over_2000_batches_are_those_of_independent_data(sampler: str) -> None:
    count = 2000
    batches = list(fresh_batches(sampler, count))
    for name in ("infonce", "nwj", "dv", "js", "ml-cpc"):  # each weighs the negatives in another way
        row, found = run_of(name, sampler, count), values_of(name, batches)
        error = math.hypot(row["estimate_train_sd"], found.std(ddof=1)) / math.sqrt(count)
        assert abs(row["estimate_train"] - found.mean()) < 4 * error + 1e-6, name
