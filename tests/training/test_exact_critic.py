"""Every estimator with the exact critic: the mean over 2000 batches of a run against loops over independent data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest

from mibench.core.lookup import get_estimator
from mibench.experiments.grid import resolve
from mibench.running.packs import pack_key
from mibench.training.loop import train_pack
from mibench.training.precision import configure_process
from tests.support.references import REFERENCES, Value, infonce, mean

BATCHES, N, DIM, MI = 2000, 16, 10, 2 * math.log(2)
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


def batches(sampler: str) -> Iterator[tuple[list[float], list[list[float]]]]:
    """Positives and negatives of fresh batches: log ratios in float64 from numpy's own draws and formula."""
    rng = np.random.default_rng(20)
    noise = math.exp(-MI / DIM)
    rho = math.sqrt(1 - noise**2)

    def log_ratio(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        conditional = -(((y - rho * x) / noise) ** 2) / 2 - math.log(noise)
        value: np.ndarray = (conditional + y**2 / 2).sum(-1)
        return value

    for _ in range(BATCHES):
        x = rng.standard_normal((N, DIM))
        y = rho * x + noise * rng.standard_normal((N, DIM))
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
def test_the_mean_over_2000_batches_is_that_of_the_formula(
    sampler: str, monkeypatch: pytest.MonkeyPatch, kept_arithmetic: None
) -> None:
    configure_process()
    for pool in ("CHEAP_POOL", "COSTLY_POOL", "PAIRS_POOL"):
        monkeypatch.setattr(f"mibench.training.evaluation.{pool}", 2**7)
    names = [name for name in REFERENCES if name.partition(":")[0] not in ELSEWHERE]
    references = {name: EXACT.get(name, REFERENCES[name][0]) for name in names}
    offsets = {name: get_estimator(name).oracle_offset for name in names}
    values: dict[str, list[float]] = {name: [] for name in names}
    for pos, neg in batches(sampler):
        for name, reference in references.items():
            by = offsets[name]
            values[name].append(reference([p + by for p in pos], [[q + by for q in row] for row in neg]))
    options = {"task": f"gaussian20d:dim={DIM}", "mi": MI, "critic": "oracle", "batch": N, "negatives": sampler}
    length = {"steps": BATCHES, "window": BATCHES, "every": BATCHES, "seeds": 1}
    by_name = {name: resolve({**options, **length, "estimator": name})[0] for name in names}
    rows = {}
    for _, pack in itertools.groupby(sorted(by_name.items(), key=lambda p: str(pack_key(p[1]))), _shared):
        members = list(pack)
        for (name, _), result in zip(members, train_pack([spec for _, spec in members]), strict=True):
            rows[name] = result.rows[0]
    for name in names:
        row, found = rows[name], np.array(values[name])
        error = math.hypot(row["estimate_train_sd"], found.std(ddof=1)) / math.sqrt(BATCHES)
        assert abs(row["estimate_train"] - found.mean()) < 4 * error + 1e-6, name


def _shared(item: tuple[str, object]) -> str:
    return str(pack_key(item[1]))  # type: ignore[arg-type]
