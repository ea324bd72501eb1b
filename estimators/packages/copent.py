"""copent: copula entropy by nearest neighbours of ranks; of several columns by differences."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = ("copent==0.5.7", "numpy==2.4.6", "scipy==1.17.1")
UNIT = "nats"
COLUMNS = "any"
TREATMENT = "the copula entropy of all columns, less that of each side which has several"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, dim_x) and (n, dim_y)."""
    numpy, copent = importlib.import_module("numpy"), importlib.import_module("copent")
    value = float(copent.copent(numpy.hstack((x, y))))
    return value - sum(float(copent.copent(side)) for side in (x, y) if side.shape[1] > 1)
