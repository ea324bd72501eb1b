"""The estimate of a run's memory, against the peaks that the published runs had."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mibench.experiments.grid import resolve
from mibench.experiments.specs import RunSpec
from mibench.running.capacity import WORKER
from mibench.store.folders import load_runs
from mibench.training.memory import memory_of
from tests.support.paths import ROOT


def test_the_estimate_is_near_the_peaks_of_published_runs_and_never_far_below() -> None:
    runs = load_runs(ROOT / "results" / "claims").drop_duplicates("run_id")
    runs = runs[runs["peak_rss_mb"].notna() & runs["status"].isin(["ok", "diverged"])]
    cells = ["task", "critic", "hidden", "negatives", "batch", "samples", "estimator"]
    some = runs.groupby(cells, dropna=False).first().reset_index().iloc[::4]
    found = [memory_of(RunSpec.from_json(text)) for text in some["spec"]]
    needed = np.array([WORKER + m.held * size + m.passing for m, size in zip(found, some["pack_size"], strict=True)])
    ratio = needed / 1e6 / some["peak_rss_mb"].to_numpy()
    assert len(ratio) > 40
    assert 0.7 < np.median(ratio) < 1.3
    assert ratio.min() > 0.25  # a peak that is missed by far would end in the memory killer
    assert ratio.max() < 10  # and an estimate that is far above would refuse what can be held


def of(**options: Any) -> float:
    (spec,) = resolve({"task": "gaussian20d", "mi": 1.0, "estimator": "nwj", "seeds": 1, **options})
    return sum(memory_of(spec))


@pytest.mark.parametrize(
    ("small", "large", "least"),
    [
        ({"task": "gaussian20d:dim=10"}, {"task": "gaussian20d:dim=1000000000"}, 64 * 10**9 * 8),
        ({"hidden": "2x64"}, {"hidden": "2x100000"}, 1e10 * 16),  # weights, gradient and two averages of float32
        ({"samples": 1000}, {"samples": 10**12}, 1e12 * 40 * 8),
        ({"batch": 64, "negatives": "all-pairs"}, {"batch": 10**6, "negatives": "all-pairs"}, 1e12 * 8),
        ({"negatives": "queue:m=64"}, {"negatives": "queue:m=1000000000"}, 1e9 * 20 * 8),
        ({"critic": "separable:embed=8"}, {"critic": "separable:embed=1000000000"}, 256e9 * 16),
        ({"steps": 1000, "window": 10}, {"steps": 10**12, "window": 10}, 1e12 * 8),
    ],
)
def test_every_size_counts(small: dict[str, Any], large: dict[str, Any], least: float) -> None:
    assert of(**small) < 5e9
    assert of(**large) > least
