"""A trivial estimate, which tries the runner out: the Gaussian formula of one correlation, always believed."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

from mibench.estimation.pairs import read_pair
from mibench.estimation.result import Estimate, Sizes


def estimate(x: Any, y: Any, *, seed: int, quick: bool, blocks: int | None = None) -> Estimate:
    """Estimate from the correlation of the first columns, with Fisher's interval."""
    began = time.perf_counter()
    pair = read_pair(x, y, blocks=blocks)
    sides = [side.values.reshape(len(side.values), -1) for side in (pair.x, pair.y)]
    n = len(sides[0])
    rho = float(np.corrcoef(sides[0][:, 0], sides[1][:, 0])[0, 1])
    reach = np.tanh(np.abs(np.arctanh(rho)) + np.array([-1.0, 0.0, 1.0]) * 1.96 / np.sqrt(n - 3))
    low, value, high = (-np.log1p(-(np.maximum(reach, 0) ** 2)) / 2).tolist()
    p_value = float(np.exp(-((np.sqrt(n) * rho) ** 2) / 2))
    members = pd.DataFrame([{"member": "first columns", "kind": "lower", "value": value, "seconds": 0.0}])
    checks = pd.DataFrame([{"check": "wide", "passed": high - low < 1, "measured": high - low, "threshold": 1.0}])
    return Estimate(
        value=value,
        low=low,
        high=high,
        limit=low,
        word="independent" if p_value > 0.05 else "believable",
        verdict="a stand-in",
        believable=True,
        advice="",
        rule="the first columns' correlation",
        members=members,
        checks=checks,
        growth=pd.DataFrame(),
        calibration=pd.DataFrame(),
        null=pd.DataFrame(),
        p_value=p_value,
        sizes=Sizes(n, n, sides[0].shape[1], sides[1].shape[1], pair.x.kind, pair.y.kind),
        report=pair.report,
        seed=seed,
        quick=quick,
        seconds=time.perf_counter() - began,
    )
