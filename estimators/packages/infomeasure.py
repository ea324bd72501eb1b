"""infomeasure, approach ``metric``: nearest neighbours (Kraskov et al.), columns as they are."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = (
    "infomeasure==0.6.3",
    "numpy==2.4.6",
    "scipy==1.17.1",
    "sparse==0.19.3",
    "numba==0.68.1",
    "llvmlite==0.50.0",
)
UNIT = "nats"
COLUMNS = "any"
TREATMENT = "nothing is scaled; its noise of size 1e-10 has the seed 0"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, dim_x) and (n, dim_y)."""
    infomeasure = importlib.import_module("infomeasure")
    return float(infomeasure.mutual_information(x, y, approach="metric", base="e", seed=0))
